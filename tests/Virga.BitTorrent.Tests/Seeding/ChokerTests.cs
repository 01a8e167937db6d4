using System.Net;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Tests.Wire;
using Virga.BitTorrent.Wire;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Seeding;

/// <summary>Who of a swarm is served.</summary>
public sealed class ChokerTests : IAsyncDisposable
{
    private const int Slots = 3;

    private readonly FakeTimeProvider time = new();
    private readonly MemoryTorrent torrent = new(64 * MemoryTorrent.PieceBytes);
    private readonly Swarm swarm;
    private readonly List<RawPeer> peers = [];
    private Choker choker;

    public ChokerTests()
    {
        swarm = new Swarm(torrent.Info) { Upload = torrent };
        choker = Serve(null);
    }

    [Fact]
    public async Task Who_wants_something_is_served_at_once_while_there_is_room()
    {
        await AddAsync(2);
        Assert.Empty(Served);
        await peers[0].WantAsync();
        await peers[1].WantAsync();
        await UntilAsync(() => Served.Count == 2);

        await AddAsync(20);
        foreach (var peer in peers) await peer.WantAsync();

        await UntilAsync(() => Served.Count == Slots + 1);
        choker.Choose();
        Assert.Equal(Slots + 1, Served.Count);
    }

    [Fact]
    public async Task Whose_place_is_given_up_makes_room_for_the_next()
    {
        await WantAllAsync(Slots + 4);
        var first = Served[0];
        await first.WantAsync(isInterested: false);
        await UntilAsync(() => first.Session.IsChoking && Served.Count == Slots + 1);
        var second = Served[0];
        await second.DisposeAsync();

        await UntilAsync(() => Served.Count(p => p != second) == Slots + 1);
    }

    [Fact]
    public async Task Who_gives_goes_first_by_how_much_it_gave_lately()
    {
        await WantAllAsync(12);
        for (var round = 0; round < 4; round++)
        {
            // Two blocks, one block and half of one; the last of them gives nothing from the third round on.
            await peers[9].GiveAsync(2 * round, 0, WireLimits.BlockBytes);
            await peers[9].GiveAsync((2 * round) + 1, 0, WireLimits.BlockBytes);
            await peers[10].GiveAsync(round, 0, WireLimits.BlockBytes);
            if (round < 2) await peers[11].GiveAsync(round, 0, WireLimits.BlockBytes / 2);
            else await peers[8].GiveAsync(round, 0, WireLimits.BlockBytes / 2);
            choker.Choose();

            var givers = round < 2 ? new[] { 9, 10, 11 } : [8, 9, 10];
            Assert.All(givers, i => Assert.False(peers[i].Session.IsChoking, $"round {round}, peer {i}"));
            Assert.Equal(Slots + 1, Served.Count);
        }
    }

    [Fact]
    public async Task Everybody_gets_its_chance_whatever_others_give()
    {
        await WantAllAsync(12);
        var served = new HashSet<RawPeer>();
        for (var round = 0; round < 400 && served.Count < peers.Count; round++)
        {
            for (var i = 0; i < Slots; i++) await peers[i].GiveAsync(round % 64, 0, WireLimits.BlockBytes);
            choker.Choose();
            served.UnionWith(Served);
            Assert.All(peers.Take(Slots), p => Assert.False(p.Session.IsChoking));
        }

        Assert.Equal(peers.Count, served.Count);
    }

    [Fact]
    public async Task Who_weighs_more_goes_first_even_before_those_who_give()
    {
        choker.Dispose();
        choker = Serve(session => session == peers[7].Session || session == peers[8].Session ? 1 : 0);
        await WantAllAsync(10);
        for (var i = 0; i < 4; i++) await peers[i].GiveAsync(i, 0, WireLimits.BlockBytes);

        choker.Choose();

        Assert.False(peers[7].Session.IsChoking || peers[8].Session.IsChoking);
        Assert.Equal(1, peers.Take(4).Count(p => !p.Session.IsChoking) - ByChance());

        int ByChance() => peers.Skip(4).Count(p => !p.Session.IsChoking) == 2 ? 1 : 0;
    }

    public async ValueTask DisposeAsync()
    {
        choker.Dispose();
        foreach (var peer in peers) await peer.DisposeAsync();
    }

    private List<RawPeer> Served => peers.FindAll(p => !p.Session.IsChoking);

    private sealed class Priority(Func<PeerSession, double> weight) : IPeerPriority
    {
        public double Of(PeerSession session) => weight(session);
    }

    private Choker Serve(Func<PeerSession, double>? weight)
    {
        var made = new Choker(
            swarm, time, new Seeded(5).RandomBytes, Slots, weight is null ? null : new Priority(weight));
        swarm.Choker = made;
        return made;
    }

    private async Task AddAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var place = new IPEndPoint(new IPAddress([8, 1, 1, (byte)peers.Count]), 6881);
            peers.Add(await new RawPeer(swarm, peers.Count, time, place).GreetAsync());
        }
    }

    private async Task WantAllAsync(int count)
    {
        await AddAsync(count);
        foreach (var peer in peers) await peer.WantAsync();
        await UntilAsync(() => Served.Count == Slots + 1);
    }

    private static async Task UntilAsync(Func<bool> done)
    {
        while (!done()) await Task.Yield();
    }
}
