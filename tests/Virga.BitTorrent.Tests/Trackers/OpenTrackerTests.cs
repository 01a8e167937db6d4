using Virga.BitTorrent.Trackers;
using Virga.Core;
using Virga.Testing.Servers;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Trackers;

/// <summary>Our clients against the tracker that most of the world uses.</summary>
[Trait("Needs", "server")]
public sealed class OpenTrackerTests
{
    [Theory]
    [InlineData("http")]
    [InlineData("udp")]
    public async Task Peers_find_each_other_and_are_counted_and_leave(string scheme)
    {
        await using var server = await OpenTracker.StartAsync([$"{Hash(1)}", $"{Hash(2)}"]);
        using var clients = Clients();
        var tracker = clients.Open(scheme == "udp" ? server.Udp : server.Http);

        await tracker.AnnounceAsync(Announce(Hash(1), 1001, left: 0, peer: 1), default);
        var second = await tracker.AnnounceAsync(Announce(Hash(1), 1002, left: 5, peer: 2), default);

        Assert.Contains(Local(1001), second.Peers);
        Assert.Equal((1, 1), (second.Counts.Seeders, second.Counts.Leechers));
        Assert.InRange(second.Interval, TimeSpan.FromMinutes(10), TimeSpan.FromHours(2));
        var counts = await tracker.ScrapeAsync([Hash(1), Hash(2)], default);
        Assert.Equal((1, 1), (counts[Hash(1)].Seeders, counts[Hash(1)].Leechers));

        await tracker.AnnounceAsync(Announce(Hash(1), 1001, told: AnnounceEvent.Stopped, peer: 1), default);
        counts = await tracker.ScrapeAsync([Hash(1)], default);
        Assert.Equal((0, 1), (counts[Hash(1)].Seeders, counts[Hash(1)].Leechers));
    }

    [Fact]
    public async Task Its_refusal_is_told_in_its_words()
    {
        await using var server = await OpenTracker.StartAsync([$"{Hash(1)}"]);
        using var clients = Clients();

        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => clients.Open(server.Http).AnnounceAsync(Announce(Hash(9), 1001), default));

        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Contains("not authorized", failure.Message, StringComparison.Ordinal);
    }
}
