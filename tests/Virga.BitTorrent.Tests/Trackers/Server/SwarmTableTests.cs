using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Trackers;
using Virga.BitTorrent.Trackers.Server;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Trackers.Server;

public sealed class SwarmTableTests
{
    internal static readonly TrackerServerLimits Unlimited = new()
    {
        RequestsPerSecond = 1e6, RequestsBurst = 1_000_000, NewPeersPerSecond = 1e6, NewPeersBurst = 1_000_000,
    };

    private readonly FakeTimeProvider time = new();

    /// <summary>What is known must be what a list of all announces says, whatever comes in whatever order.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_knows_what_a_plain_list_knows(ulong seed)
    {
        var table = Table(Unlimited);
        var random = new Seeded(seed);
        var model = new Dictionary<(int Swarm, PeerPlace Place), (bool IsSeeder, DateTimeOffset Seen)>();
        for (var step = 0; step < 5_000; step++)
        {
            if (random.Next(50) == 0)
            {
                time.Advance(TimeSpan.FromMinutes(random.Next(12)));
                table.Sweep();
                // A peer is forgotten in the minute in which it is due.
                foreach (var (key, peer) in model.ToList())
                {
                    if (Minute(time.GetUtcNow()) - Minute(peer.Seen) >= 45) model.Remove(key);
                }
            }

            var swarm = (int)random.Next(8);
            var place = Place((int)random.Next(40), isV6: random.Next(3) == 0);
            var told = random.Next(6) switch
            {
                0 => AnnounceEvent.Stopped,
                1 => AnnounceEvent.Started,
                _ => AnnounceEvent.None,
            };
            var isSeeder = random.Next(2) == 0;
            if (told == AnnounceEvent.Stopped) model.Remove((swarm, place));
            else model[(swarm, place)] = (isSeeder, time.GetUtcNow());

            var (answer, peers) = Announce(table, swarm, place, isSeeder, told, 200);

            var expected = model.Where(item => item.Key.Swarm == swarm).ToList();
            Assert.Equal(expected.Count(item => item.Value.IsSeeder), answer.Seeders);
            Assert.Equal(expected.Count(item => !item.Value.IsSeeder), answer.Leechers);
            Assert.Equal(model.Count, table.PeerCount);
            if (told == AnnounceEvent.Stopped) Assert.Empty(peers);
            else
            {
                // At its start even a seeder gets seeders: it may be one that knows nothing but a magnet link.
                var isFull = isSeeder && told != AnnounceEvent.Started;
                Assert.Equal(
                    expected.Where(item => item.Key.Place != place && !(isFull && item.Value.IsSeeder))
                        .Select(item => EndPoint(item.Key.Place)).OrderBy(peer => peer.ToString()),
                    peers.OrderBy(peer => peer.ToString()));
            }
        }

        time.Advance(TimeSpan.FromHours(2));
        table.Sweep();
        Assert.Equal((0, 0), (table.PeerCount, table.Swarms));
    }

    [Fact]
    public void Peers_are_spread_over_the_swarm()
    {
        var table = Table(Unlimited);
        for (var i = 1; i <= 1_000; i++) Announce(table, 1, PeerPlace.OfV4((uint)i, 1), false, AnnounceEvent.None, 0);
        var seen = new HashSet<IPEndPoint>();
        for (var i = 0; i < 400; i++)
        {
            var peers = Announce(table, 1, PeerPlace.OfV4(1, 1), false, AnnounceEvent.None, 30).Peers;
            Assert.Equal(30, peers.Distinct().Count());
            seen.UnionWith(peers);
        }

        Assert.InRange(seen.Count, 900, 999);
    }

    [Fact]
    public void What_one_address_may_take_is_bounded()
    {
        var table = Table(Unlimited with { PeersPerAddressMax = 3, PeersPerSwarmMax = 5 });

        var verdicts = Enumerable.Range(1, 4).Select(
            port => Announce(table, 1, PeerPlace.OfV4(9, (ushort)port), false, AnnounceEvent.None, 9).Answer.Verdict);
        Assert.Equal(
            [AnnounceVerdict.Taken, AnnounceVerdict.Taken, AnnounceVerdict.Taken, AnnounceVerdict.NotKept], verdicts);
        for (var i = 1; i < 9; i++) Announce(table, 1, PeerPlace.OfV4((uint)i, 1), false, AnnounceEvent.None, 9);
        Assert.Equal(5, table.PeerCount);

        // Who is not kept still gets peers.
        Assert.Equal(5, Announce(table, 1, PeerPlace.OfV4(99, 1), false, AnnounceEvent.None, 9).Peers.Count);
    }

    [Fact]
    public void A_network_of_64_bits_is_one_address()
    {
        var table = Table(Unlimited with { PeersPerAddressMax = 2 });

        for (ulong i = 0; i < 5; i++)
            Announce(table, 1, new PeerPlace(0x2001_0db8_0000_0000, i, 1), false, AnnounceEvent.None, 9);

        Assert.Equal(2, table.PeerCount);
    }

    [Fact]
    public void There_is_an_end_to_swarms_and_peers()
    {
        var table = Table(Unlimited with { SwarmsMax = 2, PeersMax = 3 });

        Assert.Equal(AnnounceVerdict.Taken, Announce(table, 1, Place(1, false)).Answer.Verdict);
        Assert.Equal(AnnounceVerdict.Taken, Announce(table, 2, Place(1, false)).Answer.Verdict);
        Assert.Equal(AnnounceVerdict.Full, Announce(table, 3, Place(1, false)).Answer.Verdict);
        Assert.Equal(AnnounceVerdict.Taken, Announce(table, 2, Place(2, false)).Answer.Verdict);
        Assert.Equal(AnnounceVerdict.NotKept, Announce(table, 2, Place(3, false)).Answer.Verdict);
        Assert.Equal((2, 3), (table.Swarms, table.PeerCount));
    }

    [Fact]
    public void An_address_that_asks_too_often_has_to_wait_and_another_has_not()
    {
        var table = Table(new TrackerServerLimits { RequestsPerSecond = 1, RequestsBurst = 10 });

        Assert.Equal(10, Enumerable.Range(0, 20).Count(_ => table.MayAsk(Place(1, false))));
        Assert.True(table.MayAsk(Place(2, false)));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(table.MayAsk(Place(1, false)));
        Assert.False(table.MayAsk(Place(1, false)));
    }

    [Fact]
    public void New_peers_of_one_address_come_at_a_bounded_rate()
    {
        var table = Table(Unlimited with { NewPeersPerSecond = 1, NewPeersBurst = 4 });

        for (var swarm = 0; swarm < 20; swarm++) Announce(table, swarm, Place(1, false));
        Assert.Equal(4, table.PeerCount);
    }

    [Fact]
    public void A_known_peer_costs_no_memory_to_hear_of_again()
    {
        var table = Table(Unlimited);
        var announce = new SwarmAnnounce(Hash(1), Place(1, false), AnnounceEvent.None, false, 50);
        var room = new byte[600];
        table.Announce(announce, room, []);

        // The runtime itself takes some on this thread when it happens to compile a method anew amid a round.
        Assert.Contains(0L, Enumerable.Range(0, 10).Select(_ => AllocatedBy1000()).ToList());

        long AllocatedBy1000()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1_000; i++) table.Announce(announce, room, []);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static long Minute(DateTimeOffset at) => at.Ticks / TimeSpan.TicksPerMinute;

    private SwarmTable Table(TrackerServerLimits limits) => new(limits, time, new Seeded(5).RandomBytes);

    private static PeerPlace Place(int number, bool isV6) => isV6
        ? new PeerPlace(0x2001_0db8_0000_0000 + (ulong)number, 7, 1000)
        : PeerPlace.OfV4(0x0a000000 + (uint)number, 1000);

    private static IPEndPoint EndPoint(PeerPlace place)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes, place.High);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), place.Low);
        var address = new IPAddress(bytes);
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, place.Port);
    }

    private static (SwarmAnswer Answer, List<IPEndPoint> Peers) Announce(
        SwarmTable table, int swarm, PeerPlace place, bool isSeeder = false, AnnounceEvent told = AnnounceEvent.None,
        int wanted = 50)
    {
        byte[] v4 = new byte[1_200], v6 = new byte[3_600];
        var answer = table.Announce(
            new SwarmAnnounce(Hash((ulong)swarm), place, told, isSeeder, wanted), v4, v6);
        return (answer,
            [
                .. CompactAddress.ReadAll(v4.AsSpan(0, answer.V4Bytes), AddressFamily.InterNetwork),
                .. CompactAddress.ReadAll(v6.AsSpan(0, answer.V6Bytes), AddressFamily.InterNetworkV6),
            ]);
    }
}
