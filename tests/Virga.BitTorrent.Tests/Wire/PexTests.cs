using System.Net;
using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core.Bencoding;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Wire;

/// <summary>Peers that are told of each other (BEP 11).</summary>
public sealed class PexTests : IAsyncDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider time = new();
    private readonly List<RawPeer> peers = [];
    private Swarm swarm = new(new MemoryTorrent(100).Info);

    [Fact]
    public async Task Each_is_told_of_the_others_once_and_of_those_that_went()
    {
        var one = await AddAsync("8.1.1.1", 6001);
        var two = await AddAsync("8.1.1.2", 6002);
        await AddAsync("8.1.1.3", listenPort: 0);

        await PassAsync(Minute, () => one.Told.Count == 1 && two.Told.Count == 1);
        Assert.Equal([IPEndPoint.Parse("8.1.1.2:6002")], Assert.Single(one.Told).Added);
        Assert.Equal([IPEndPoint.Parse("8.1.1.1:6001")], Assert.Single(two.Told).Added);
        await two.DisposeAsync();
        await PassAsync(3 * Minute, () => one.Told.Count == 2);

        Assert.Equal([IPEndPoint.Parse("8.1.1.2:6002")], one.Told.Last().Dropped);
        await PassAsync(5 * Minute);
        Assert.Equal(2, one.Told.Count);
    }

    [Fact]
    public async Task Many_are_told_of_a_few_at_a_time()
    {
        var one = await AddAsync("8.1.1.1", 6001);
        for (var i = 0; i < 120; i++) await AddAsync($"8.1.2.{i}", 7000);

        await PassAsync(Minute, () => one.Told.Count == 1);
        Assert.Equal(WireLimits.PexPeersMax, one.Told.Single().Added.Count);
        await PassAsync(Minute, () => one.Told.Count == 2);
        await PassAsync(Minute, () => one.Told.Count == 3);

        Assert.Equal(120, one.Told.SelectMany(m => m.Added).Distinct().Count());
        Assert.All(one.Told, m => Assert.InRange(m.Added.Count, 1, WireLimits.PexPeersMax));
    }

    [Fact]
    public async Task Who_is_far_away_is_not_told_of_the_own_network()
    {
        var far = await AddAsync("8.1.1.1", 6001);
        var near = await AddAsync("192.168.1.7", 6002);
        await AddAsync("192.168.1.8", 6003);

        await PassAsync(Minute, () => near.Told.Count == 1);
        Assert.Equal(2, near.Told.Single().Added.Count);
        await PassAsync(2 * Minute);

        Assert.Empty(far.Told);
    }

    [Fact]
    public async Task Of_a_torrent_for_its_trackers_alone_nobody_is_told()
    {
        swarm = new Swarm(TorrentInfo.Parse(BencodeWriter.Encode(w => w.StartDictionary().Key("length").Integer(5)
            .Key("name").Text("secret").Key("piece length").Integer(1 << 14).Key("pieces").Bytes(new byte[20])
            .Key("private").Integer(1).End())));
        Assert.True(swarm.IsTrackerOnly);
        var one = await AddAsync("8.1.1.1", 6001);
        var two = await AddAsync("8.1.1.2", 6002);

        await PassAsync(5 * Minute);

        Assert.Empty(one.Told.Concat(two.Told));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var peer in peers) await peer.DisposeAsync();
    }

    private async Task<RawPeer> AddAsync(string address, int listenPort)
    {
        var place = new IPEndPoint(IPAddress.Parse(address), 40_000);
        var peer = new RawPeer(swarm, peers.Count, time, place, maySleep: true);
        peers.Add(peer);
        return await peer.GreetAsync(listenPort);
    }

    /// <summary>Lets time pass, and then waits for what comes of it.</summary>
    private async Task PassAsync(TimeSpan span, Func<bool>? until = null)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += TimeSpan.FromSeconds(5))
        {
            time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
        while (until?.Invoke() == false) await Task.Yield();
    }
}
