using System.Net;
using Virga.BitTorrent.Downloads;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Downloads;

/// <summary>What trackers, the DHT and peers tell is bounded, and leads nowhere that is refused.</summary>
public sealed class PeerPoolTests
{
    [Fact]
    public void A_flood_of_peers_is_remembered_up_to_a_number()
    {
        var torrent = MadeTorrent.V1(64 << 10, 1 << 20);
        var pool = new PeerPool(
            new Swarm(torrent.Info), WirePeers.Settings(1), AddressRules.PublicOnly, new Seeded(2).RandomBytes,
            static _ => false, log: null);
        var random = new Seeded(3);
        for (var i = 0; i < 100_000; i++)
            pool.Add(new IPEndPoint(new IPAddress(Public()), 1 + (int)random.Next(60_000)));

        Assert.Equal((2_000, 0, 0), pool.Counts);
        // Whom the user names finds room all the same.
        Assert.True(pool.Add(IPEndPoint.Parse("10.0.0.1:7"), isTrusted: true));
        Assert.Equal(2_001, pool.Counts.Found);

        byte[] Public() => [8, (byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)];
    }

    [Theory]
    [InlineData("127.0.0.1:6881")]
    [InlineData("10.1.2.3:6881")]
    [InlineData("192.168.0.1:80")]
    [InlineData("169.254.169.254:80")]
    [InlineData("[::1]:6881")]
    [InlineData("[fd00::1]:6881")]
    [InlineData("[::ffff:10.0.0.1]:6881")]
    [InlineData("8.8.8.8:0")]
    public void Nobody_is_named_into_the_own_network(string place)
    {
        var torrent = MadeTorrent.V1(64 << 10, 1 << 20);
        var pool = new PeerPool(
            new Swarm(torrent.Info), WirePeers.Settings(1), AddressRules.PublicOnly, new Seeded(2).RandomBytes,
            static _ => false, log: null);

        Assert.False(pool.Add(IPEndPoint.Parse(place)));
        Assert.Equal(0, pool.Counts.Found);
    }
}
