using Virga.Agent.Transfers;
using Virga.Core;

namespace Virga.Agent.Tests;

public sealed class TransferLimitsTests
{
    // 2026-11-16 is a Monday.
    private static readonly DateTimeOffset Monday = new(2026, 11, 16, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("Mon-Fri 08:00-18:00", "Mon-Fri 08:00-18:00")]
    [InlineData("  sat,SUN   0:00-24:00 ", "Sat,Sun 00:00-24:00")]
    [InlineData("22:00-06:00", "22:00-06:00")]
    [InlineData("Fri-Mon 20:00-08:30", "Mon,Fri-Sun 20:00-08:30")]
    [InlineData("Mon-Sun 01:00-02:00", "01:00-02:00")]
    [InlineData("Wed 09:05-09:06", "Wed 09:05-09:06")]
    public void A_window_is_shown_in_one_way_of_writing(string text, string shown)
    {
        var window = WeekWindow.Parse(text);
        Assert.Equal(shown, window.ToString());
        Assert.Equal(window, WeekWindow.Parse(shown));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Mon-Fri")]
    [InlineData("08:00")]
    [InlineData("08:00-08:00")]
    [InlineData("24:00-08:00")]
    [InlineData("08:00-25:00")]
    [InlineData("08:60-09:00")]
    [InlineData("8-18")]
    [InlineData("Mo-Fr 08:00-18:00")]
    [InlineData("Mon-Tue-Wed 08:00-18:00")]
    [InlineData("Mon Tue 08:00-18:00")]
    [InlineData("Mon 08:00-18:00-20:00")]
    public void What_is_no_window_is_refused_with_an_example(string text)
    {
        var refused = Assert.Throws<VirgaException>(() => WeekWindow.Parse(text));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        Assert.Contains("Mon-Fri 08:00-18:00", refused.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Mon-Fri 08:00-18:00", 0, "07:59", false)]
    [InlineData("Mon-Fri 08:00-18:00", 0, "08:00", true)]
    [InlineData("Mon-Fri 08:00-18:00", 4, "17:59", true)]
    [InlineData("Mon-Fri 08:00-18:00", 4, "18:00", false)]
    [InlineData("Mon-Fri 08:00-18:00", 5, "12:00", false)]
    [InlineData("Sat,Sun 00:00-24:00", 6, "23:59", true)]
    [InlineData("Fri 22:00-06:00", 4, "23:00", true)]
    [InlineData("Fri 22:00-06:00", 5, "05:59", true)]
    [InlineData("Fri 22:00-06:00", 4, "05:00", false)]
    [InlineData("Fri 22:00-06:00", 5, "22:00", false)]
    [InlineData("Sun 22:00-06:00", 7, "03:00", true)]
    public void A_window_holds_on_its_days_and_past_midnight(string text, int day, string clock, bool holds) =>
        Assert.Equal(
            holds,
            WeekWindow.Parse(text).Holds(
                Monday.AddDays(day).Date + TimeSpan.Parse(clock, System.Globalization.CultureInfo.InvariantCulture)));

    [Fact]
    public void The_first_window_that_holds_counts_and_the_next_change_is_known()
    {
        var limits = new TransferLimits(9_000_000, null, 3, TimeZoneInfo.Utc,
        [
            new LimitRule(WeekWindow.Parse("Mon 12:00-13:00"), null, null, IsHeld: true),
            new LimitRule(WeekWindow.Parse("Mon-Fri 08:00-18:00"), 2_000_000, 1_000_000, IsHeld: false),
        ]);
        var early = limits.At(Monday.AddHours(3).AddSeconds(20));
        Assert.Equal((9_000_000, null, false, null), (early.Receive, early.Send, early.IsHeld, early.Window));
        Assert.Equal(Monday.AddHours(8), early.Until);
        var morning = limits.At(early.Until!.Value);
        Assert.Equal((2_000_000, 1_000_000, false), (morning.Receive, morning.Send, morning.IsHeld));
        Assert.Equal(Monday.AddHours(12), morning.Until);
        var noon = limits.At(morning.Until!.Value);
        Assert.True(noon.IsHeld);
        Assert.Equal("Mon 12:00-13:00", noon.Window);
        Assert.Equal(Monday.AddHours(13), noon.Until);
        Assert.Equal(Monday.AddDays(7).AddHours(8), limits.At(Monday.AddDays(4).AddHours(18)).Until);
    }

    [Fact]
    public void Hours_are_those_of_the_zone_also_when_its_clock_is_set_back()
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Amsterdam");
        var limits = new TransferLimits(
            null, null, 3, zone, [new LimitRule(WeekWindow.Parse("08:00-09:00"), 100_000, null, IsHeld: false)]);
        // Summer time ends on 2026-10-25: 08:00 is 06:00 UTC the day before, 07:00 UTC on that day.
        Assert.NotNull(limits.At(new DateTimeOffset(2026, 10, 24, 6, 30, 0, TimeSpan.Zero)).Window);
        Assert.Null(limits.At(new DateTimeOffset(2026, 10, 25, 6, 30, 0, TimeSpan.Zero)).Window);
        Assert.NotNull(limits.At(new DateTimeOffset(2026, 10, 25, 7, 30, 0, TimeSpan.Zero)).Window);
        Assert.Equal(
            new DateTimeOffset(2026, 10, 25, 7, 0, 0, TimeSpan.Zero),
            limits.At(new DateTimeOffset(2026, 10, 24, 7, 0, 0, TimeSpan.Zero)).Until);
    }

    [Fact]
    public void A_window_that_always_holds_never_changes()
    {
        var limits = new TransferLimits(
            null, null, 3, TimeZoneInfo.Utc,
            [new LimitRule(WeekWindow.Parse("00:00-24:00"), 100_000, null, IsHeld: false)]);
        Assert.Null(limits.At(Monday).Until);
    }
}
