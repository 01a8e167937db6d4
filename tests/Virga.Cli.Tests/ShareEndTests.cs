using System.Globalization;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Cli.Commands;
using Virga.Core;

namespace Virga.Cli.Tests;

/// <summary>How people say when a share ends.</summary>
public sealed class ShareEndTests
{
    private static readonly TimeProvider Clock = new Amsterdam();

    [Theory]
    [InlineData("12h", "2026-11-23T00:00:00Z")]
    [InlineData("7d", "2026-11-29T12:00:00Z")]
    [InlineData("2w", "2026-12-06T12:00:00Z")]
    public void A_length_counts_from_now(string text, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), ShareEnd.Of(text, null, Clock));

    [Theory]
    [InlineData("2026-12-31", "2026-12-30T23:00:00Z")]
    [InlineData("2026-12-31T12:00", "2026-12-31T11:00:00Z")]
    [InlineData("2026-12-31 12:00", "2026-12-31T11:00:00Z")]
    [InlineData("2027-07-01T12:00", "2027-07-01T10:00:00Z")]
    [InlineData("2026-12-31T12:00Z", "2026-12-31T12:00:00Z")]
    [InlineData("2026-12-31T12:00:30+05:30", "2026-12-31T06:30:30Z")]
    public void A_moment_is_of_the_machines_clock_unless_it_says_otherwise(string text, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), ShareEnd.Of(null, text, Clock));

    [Theory]
    [InlineData("", null)]
    [InlineData("7", null)]
    [InlineData("d", null)]
    [InlineData("-1d", null)]
    [InlineData("0d", null)]
    [InlineData("9999w", null)]
    [InlineData(null, "")]
    [InlineData(null, "tomorrow")]
    [InlineData(null, "2026-13-01")]
    [InlineData(null, "31-12-2026")]
    [InlineData(null, "2026-11-22T13:00")]
    [InlineData(null, "2025-01-01")]
    [InlineData("7d", "2026-12-31")]
    public void What_is_no_time_to_come_is_refused_with_what_to_write(string? span, string? moment)
    {
        var refused = Assert.Throws<VirgaException>(() => ShareEnd.Of(span, moment, Clock));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        Assert.NotNull(refused.Advice);
    }

    [Fact]
    public void Neither_is_never() => Assert.Null(ShareEnd.Of(null, null, Clock));

    [Fact]
    public async Task Share_asks_for_the_end_and_lists_show_it()
    {
        await using var agent = await FakeAgent.StartAsync();
        ShareRequest? asked = null;
        var share = Samples.Share with { Ends = DateTimeOffset.UtcNow.AddDays(6).AddHours(2.5) };
        agent.Routes["POST /control/shares"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.ShareRequest);
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                new ShareEvent(null, share, null), ControlJson.Default.ShareEvent));
        };
        agent.Answer("GET /control/shares", [share], ControlJson.Default.ListShareInfo);
        var run = await Run.OfAsync("share", "nas:photos", "--for", "7d", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.InRange(asked!.Ends!.Value - DateTimeOffset.UtcNow, TimeSpan.FromDays(6.9), TimeSpan.FromDays(7));
        Assert.Contains("ends in 6 d 2 h, at ", run.Error, StringComparison.Ordinal);
        var list = await Run.OfAsync("shares", "--data", agent.DataFolder);
        Assert.Contains("ends in 6 d 2 h", list.Out, StringComparison.Ordinal);
        var wrong = await Run.OfAsync("share", "nas:photos", "--for", "7 moons", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Usage, wrong.Exit);
        Assert.Contains("no length of time", wrong.Error, StringComparison.Ordinal);
    }

    private sealed class Amsterdam : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.FindSystemTimeZoneById("Europe/Amsterdam");

        public override DateTimeOffset GetUtcNow() => new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);
    }
}
