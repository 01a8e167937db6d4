using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Dht;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Tests.Downloads;
using Virga.BitTorrent.Tests.Seeding;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Utp;

/// <summary>uTP over real sockets.</summary>
public sealed class UtpPortTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Streams_come_whole_over_both_families(string address)
    {
        var place = new IPEndPoint(IPAddress.Parse(address), 0);
        await using var server = UtpPlace.Open(place);
        await using var client = UtpPlace.Open(place);
        server.Node.Acceptor = new Echo();

        var link = await client.Node.ConnectAsync(server.Place, default);
        await UtpStreams.AssertEchoAsync(link, 30_000_000);
        await link.DisposeAsync();
    }

    [Fact]
    public async Task A_hundred_connections_at_once_are_served()
    {
        var place = new IPEndPoint(IPAddress.Loopback, 0);
        await using var server = UtpPlace.Open(place);
        await using var client = UtpPlace.Open(place);
        server.Node.Acceptor = new Echo();

        await Task.WhenAll(Enumerable.Range(1, 100).Select(i => Task.Run(async () =>
        {
            var link = await client.Node.ConnectAsync(server.Place, default);
            await UtpStreams.AssertEchoAsync(link, 200_000 + i);
            await link.DisposeAsync();
        })));
    }

    [Fact]
    public async Task A_node_that_ends_tells_its_peers()
    {
        var place = new IPEndPoint(IPAddress.Loopback, 0);
        var server = UtpPlace.Open(place);
        await using var client = UtpPlace.Open(place);
        server.Node.Acceptor = new Echo();
        var link = await client.Node.ConnectAsync(server.Place, default);
        await UtpStreams.AssertEchoAsync(link, 1_000);

        await server.DisposeAsync();
        var e = await Assert.ThrowsAsync<SocketException>(async () => await link.ReceiveAsync(new byte[1], default));

        Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
        await link.DisposeAsync();
    }

    [Fact]
    public async Task The_DHT_is_spoken_on_the_same_port()
    {
        await using var port = UdpPort.Open(new IPEndPoint(IPAddress.Loopback, 0));
        await using var node = new UtpNode(AddressRules.LocalToo, TimeProvider.System, new Seeded(1).RandomBytes);
        node.Acceptor = new Echo();
        node.Add(port);
        await using var dht = DhtService.Start(new DhtServiceOptions
        {
            Ports = [port], Rules = AddressRules.LocalToo, Bootstrap = [], Time = TimeProvider.System,
            Random = new Seeded(2).RandomBytes,
        });
        port.Begin();
        using var asking = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        asking.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await asking.SendToAsync("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"u8.ToArray(), port.Place);
        var answer = new byte[1_000];
        var count = await asking.ReceiveAsync(answer);
        Assert.True(DhtMessage.TryRead(answer.AsSpan(0, count), out var message));
        Assert.Equal((byte)'r', message.Kind);

        await using var client = UtpPlace.Open(new IPEndPoint(IPAddress.Loopback, 0));
        var link = await client.Node.ConnectAsync(port.Place, default);
        await UtpStreams.AssertEchoAsync(link, 10_000);
        await link.DisposeAsync();
    }

    [Fact]
    public void A_port_that_somebody_has_is_left_alone()
    {
        using var taken = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        taken.DualMode = false;
        taken.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        var place = (IPEndPoint)taken.LocalEndPoint!;

        Assert.Throws<SocketException>(() => UdpPort.OpenAll(place));
    }

    [Fact]
    public async Task Where_TCP_is_refused_uTP_is_tried()
    {
        var files = new Dictionary<string, byte[]> { ["film"] = Seeded.Bytes(3_000_000, 4) };
        await using var share = await SeededShare.CreateAsync(files, isFile: true);
        var (alone, refuses) = OpenAlone();
        share.Listener.Add(alone.Node);
        await using var own = UtpPlace.Open(new IPEndPoint(IPAddress.Loopback, 0));
        await using var download = new TorrentDownload(
            new MagnetLink { InfoHashV2 = share.Index.Info.InfoHashV2 }, null,
            WirePeers.Settings(3) with { Utp = own.Node }, AddressRules.LocalToo, new Seeded(6).RandomBytes);
        download.Start([], [alone.Place]);
        await download.GetInfoAsync(CancellationToken.None);
        download.Begin(share.Index.Layers, static _ => true, 1 << 20);
        var got = new byte[3_000_000];
        for (var at = 0; at < got.Length; at += 500_000)
            await download.Scheduler!.ReadAsync(at, got.AsMemory(at, 500_000), CancellationToken.None);

        Assert.Equal(files["film"], got);
        await alone.DisposeAsync();
        refuses.Dispose();
    }

    /// <summary>A port at which nobody listens by TCP, and nobody else can.</summary>
    private static (UtpPlace Utp, Socket Tcp) OpenAlone()
    {
        while (true)
        {
            var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            tcp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            try
            {
                return (UtpPlace.Open((IPEndPoint)tcp.LocalEndPoint!), tcp);
            }
            catch (SocketException)
            {
                // Somebody has its number for UDP.
                tcp.Dispose();
            }
        }
    }

    private sealed class Echo : IUtpAcceptor
    {
        public bool MayCome(IPAddress address) => true;

        public bool Take(IPeerLink link)
        {
            _ = Task.Run(async () =>
            {
                try
                {
                    await UtpStreams.EchoAsync(link);
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    await link.DisposeAsync();
                }
            });
            return true;
        }
    }
}
