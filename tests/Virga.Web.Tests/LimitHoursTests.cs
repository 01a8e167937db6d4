using Virga.Agent.Control;
using Virga.Web.Live;

namespace Virga.Web.Tests;

/// <summary>Hours with limits, as a form shows and reads them.</summary>
public sealed class LimitHoursTests
{
    [Theory]
    [InlineData("Mon-Fri 08:00-18:00", 2_000_000L, 500_000L, false)]
    [InlineData("22:00-06:00", null, null, true)]
    [InlineData("Sat,Sun 00:00-24:00", 1_500_000L, null, false)]
    [InlineData("Wed 09:30-00:30", null, 250_000L, false)]
    public void What_is_shown_is_read_as_it_was(string text, long? receive, long? send, bool isHeld)
    {
        var window = new LimitWindow(text, receive, send, isHeld);
        Assert.Equal(window, LimitHours.Of(window).Read());
    }

    [Fact]
    public void What_is_wrong_is_named_and_nothing_is_lost()
    {
        var hours = new LimitHours { From = "08:00", To = "08:00", Receive = "fast", Send = "-1" };
        for (var day = 0; day < 7; day++) hours.Days[day] = false;
        Assert.Null(hours.Read());
        Assert.Equal(
            [
                ("days", "limits.days.missing"), ("hours", "limits.hours.same"), ("receive", "limits.bad"),
                ("send", "limits.bad"),
            ],
            hours.Errors.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => (e.Key, e.Value)));
        Assert.Equal(("08:00", "fast", "-1"), (hours.To, hours.Receive, hours.Send));
        (hours.To, hours.Receive, hours.Send, hours.Days[1]) = ("", "", "", true);
        Assert.Null(hours.Read());
        Assert.Equal("limits.hours.bad", hours.Errors["hours"]);
        hours.To = "09:00";
        Assert.Null(hours.Read());
        Assert.Equal("limits.hours.nothing", hours.Errors["receive"]);
        hours.Receive = "2,5";
        Assert.Equal(new LimitWindow("Mon 08:00-09:00", 2_500_000, null, false), hours.Read());
        Assert.Empty(hours.Errors);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData(" 2.5 ", 2_500_000L)]
    [InlineData("0,25", 250_000L)]
    public void Rates_are_megabytes_a_second(string text, long? expected)
    {
        Assert.True(LimitHours.TryRate(text, out var rate));
        Assert.Equal(expected, rate);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1e3")]
    [InlineData("1.000.000")]
    [InlineData("9999999")]
    [InlineData("2 MB")]
    public void What_is_no_rate_is_told(string text) => Assert.False(LimitHours.TryRate(text, out _));
}
