using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Virga.Agent.Control;
using Virga.BitTorrent;
using Virga.BitTorrent.Dht;
using Virga.BitTorrent.Downloads;
using Virga.Core;
using Virga.Testing;

namespace Virga.Agent.Tests;

/// <summary>A public share that is followed by its feed in the DHT (BEP 46); libtorrent reads the feed, too.</summary>
[Trait("Needs", "server")]
public sealed class TorrentFeedTests
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    private static readonly byte[] Large = Seeded.Bytes(3_000_000, 1), Before = Seeded.Bytes(200_000, 2),
        After = Seeded.Bytes(210_000, 3);

    /// <summary>
    /// Asks for the item until it is there, and says what is in it: the binding reads only items that are strings.
    /// </summary>
    private const string Script = """
        import sys, time
        import libtorrent as lt
        port, key, salt = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
        s = lt.session({'listen_interfaces': '127.0.0.2:0', 'enable_dht': True, 'enable_lsd': False,
            'enable_upnp': False, 'enable_natpmp': False, 'dht_bootstrap_nodes': '', 'dht_restrict_routing_ips': False,
            'dht_restrict_search_ips': False, 'dht_ignore_dark_internet': False,
            'alert_mask': lt.alert.category_t.all_categories})
        while True:
            s.add_dht_node(('127.0.0.1', port))
            s.dht_get_mutable_item(key, salt)
            time.sleep(0.5)
            for alert in s.pop_alerts():
                if isinstance(alert, lt.dht_mutable_item_alert) and alert.seq > 0:
                    print(alert.message(), flush=True)
                    sys.exit()
        """;

    [Fact]
    public async Task A_newer_version_comes_by_itself_and_what_is_unchanged_in_it_is_not_fetched_again()
    {
        await using var network = await Network.StartAsync();
        await using var dht = DhtService.Start(new DhtServiceOptions
        {
            Listen = [new IPEndPoint(IPAddress.Loopback, 0)], Rules = AddressRules.LocalToo, Bootstrap = [],
            Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
        });
        var alice = await AgentAsync(network, "alice", dht);
        var bob = await AgentAsync(network, "bob", dht);
        var folder = network.Folder("from/talks");
        await File.WriteAllBytesAsync(Path.Combine(folder, "large"), Large);
        await File.WriteAllBytesAsync(Path.Combine(folder, "notes"), Before);
        await alice.AddAccountAsync("disk", network.Folder("from"));
        await bob.AddAccountAsync("disk", network.Folder("to"));
        var first = await ShareAsync(alice);
        var feed = MagnetLink.Parse(first.FeedMagnet!).Feed!;
        var ways = await VersionsAsync(dht, feed, 1);

        var begun = await bob.Client.StartTorrentAsync(
            new TorrentRequest(first.FeedMagnet, null, "disk", "got", Ratio: 0), default);
        var got = await EndAsync(bob, begun.Id);
        Assert.Equal((TransferState.Completed, Large.Length + Before.Length), (got.State, got.BytesTotal));
        AssertGot(network, Before);
        // What has no newer version is not begun again.
        await bob.Host.FollowFeedsAsync(default);
        Assert.Single(await bob.Client.TransfersAsync(default));

        await File.WriteAllBytesAsync(Path.Combine(folder, "notes"), After);
        var second = await ShareAsync(alice);
        Assert.NotEqual(first.InfoHash, second.InfoHash);
        Assert.Equal(first.FeedMagnet, second.FeedMagnet);
        Assert.NotEqual(ways, await VersionsAsync(dht, feed, 2));
        TransferInfo? next;
        while (true)
        {
            await bob.Host.FollowFeedsAsync(default);
            next = (await bob.Client.TransfersAsync(default)).FirstOrDefault(t => t.Id != begun.Id);
            if (next is not null) break;
            await Task.Delay(LookEvery, TimeProvider.System);
        }
        next = await EndAsync(bob, next.Id);
        Assert.Equal((TransferState.Completed, null), (next.State, next.Error?.Message));
        AssertGot(network, After);
        Assert.InRange(next.BytesFetched, After.Length, Large.Length / 2);

        // It is followed no longer than its user wants.
        await bob.Client.CancelAsync(next.Id, default);
        await File.WriteAllBytesAsync(Path.Combine(folder, "notes"), Seeded.Bytes(1_000, 4));
        await ShareAsync(alice);
        await VersionsAsync(dht, feed, 3);
        await bob.Host.FollowFeedsAsync(default);
        Assert.Equal(2, (await bob.Client.TransfersAsync(default)).Count);
        var newest = (await dht.GetAsync(feed.Key, feed.SaltBytes, default))!.FeedTorrent()!.Value;
        Assert.Contains(newest.ToString(), await LibtorrentAsync(dht, feed), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Without_the_DHT_a_link_of_a_feed_says_what_it_takes()
    {
        await using var network = await Network.StartAsync();
        var bob = await network.AgentAsync("bob");
        await bob.AddAccountAsync("disk", network.Folder("to"));
        var refused = await Assert.ThrowsAsync<VirgaException>(() => bob.Client.StartTorrentAsync(
            new TorrentRequest("magnet:?xs=urn:btpk:" + new string('1', 64), null, "disk", ""), default));
        Assert.Contains("--torrent-dht", refused.Advice, StringComparison.Ordinal);
    }

    private static Task<TestAgent> AgentAsync(Network network, string name, DhtService dht) =>
        network.AgentAsync(name, options => options with
        {
            Torrent = new IPEndPoint(IPAddress.Loopback, 0), TorrentAddresses = AddressRules.LocalToo,
            Dht = [dht.Places[0].ToString()],
        });

    private static Task<ShareInfo> ShareAsync(TestAgent alice) =>
        alice.ShareAsync(new ShareRequest("disk", "talks", "public", [], Feed: "talks", IsHybrid: true));

    /// <summary>Waits until the feed has a version in the DHT; the torrent that it names.</summary>
    private static async Task<SwarmHash> VersionsAsync(DhtService dht, TorrentFeed feed, long version)
    {
        while (true)
        {
            if (await dht.GetAsync(feed.Key, feed.SaltBytes, default) is { } item && item.Sequence >= version)
                return item.FeedTorrent()!.Value;
            await Task.Delay(LookEvery, TimeProvider.System);
        }
    }

    private static async Task<TransferInfo> EndAsync(TestAgent agent, string id)
    {
        TransferInfo? last = null;
        await foreach (var info in agent.Client.WatchAsync(id, default)) last = info;
        return last!;
    }

    private static void AssertGot(Network network, byte[] notes)
    {
        Assert.Equal(Large, File.ReadAllBytes(network.PathOf("to/got/talks/large")));
        Assert.Equal(notes, File.ReadAllBytes(network.PathOf("to/got/talks/notes")));
    }

    private static async Task<string> LibtorrentAsync(DhtService dht, TorrentFeed feed)
    {
        using var python = Process.Start(new ProcessStartInfo("/usr/bin/python3", [
            "-c", Script, dht.Places[0].Port.ToString(CultureInfo.InvariantCulture), feed.Key.ToString(), feed.Salt,
        ]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var said = await python.StandardOutput.ReadToEndAsync();
        await python.WaitForExitAsync();
        return said;
    }
}
