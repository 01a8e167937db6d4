using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Tests.Wire;
using Virga.BitTorrent.Wire;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Seeding;

/// <summary>Peers that hold connections and give or take next to nothing on them.</summary>
public sealed class SlowPeersTests
{
    private readonly FakeTimeProvider time = new();
    private readonly MemoryTorrent torrent = new(4 * MemoryTorrent.PieceBytes);

    [Fact]
    public async Task One_address_gets_so_many_connections_and_who_drips_its_handshake_loses_them()
    {
        var swarm = new Swarm(torrent.Info);
        await using var listener = PeerListener.Start(
            new IPEndPoint(IPAddress.Loopback, 0), Pairing.Settings(1, time),
            (_, _) => ValueTask.FromResult<Swarm?>(swarm), () => swarm.Hashes, new Seeded(4).RandomBytes,
            static _ => { });
        var clients = new List<NetworkStream>();
        var ended = 0;
        var hello = PeerHandshake.Write(swarm.Hashes[0], Pairing.Settings(2).Id, false);
        for (var i = 0; i < 30; i++)
        {
            var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(listener.LocalEndPoint);
            clients.Add(new NetworkStream(client, ownsSocket: true));
            _ = WatchAsync(clients[^1]);
        }
        while (Volatile.Read(ref ended) < 10) await Task.Yield();
        Assert.Equal(20, clients.Count - ended);

        for (var at = 0; Volatile.Read(ref ended) < clients.Count; at++)
        {
            foreach (var client in clients)
            {
                try
                {
                    // A byte every two seconds, of which 68 make a handshake.
                    if (at < 40) await client.WriteAsync(hello.AsMemory(at, 1));
                }
                catch (IOException)
                {
                    // It was closed.
                }
            }
            time.Advance(TimeSpan.FromSeconds(2));
            await Task.Yield();
        }

        Assert.Empty(swarm.Sessions);
        // There is room again.
        using var last = new TcpClient();
        await last.ConnectAsync(listener.LocalEndPoint);
        await last.GetStream().WriteAsync(hello);
        await last.GetStream().ReadExactlyAsync(new byte[PeerHandshake.ByteCount]);
        clients.ForEach(c => c.Dispose());

        async Task WatchAsync(NetworkStream client)
        {
            try
            {
                await client.CopyToAsync(Stream.Null);
            }
            catch (IOException)
            {
                // Reset is closed, too.
            }
            Interlocked.Increment(ref ended);
        }
    }

    [Fact]
    public async Task Who_drips_a_message_without_end_is_left()
    {
        var swarm = new Swarm(torrent.Info) { Upload = torrent };
        await using var peer = new RawPeer(swarm, 1, time, IPEndPoint.Parse("8.1.1.1:6881"));
        await peer.GreetAsync();
        // 64,000 bytes are to come.
        await peer.SendAsync(output => output.Write((ReadOnlySpan<byte>)[0, 0, 0xfa, 0, 20, 1]));
        var sent = 0;
        while (!peer.Ended.IsCompleted)
        {
            try
            {
                await peer.SendAsync(output => output.Write((ReadOnlySpan<byte>)[0]));
                sent++;
            }
            catch (IOException)
            {
                // It was left.
            }
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal(PeerEndReason.TimedOut, (await peer.Ended).Reason);
        Assert.InRange(sent, 100, 60_000);
    }

    [Fact]
    public async Task Who_asks_for_everything_and_reads_nothing_is_left()
    {
        var swarm = new Swarm(torrent.Info) { Upload = torrent };
        var (ours, theirs) = MemoryLink.Pair();
        var hello = PeerHandshake.Write(swarm.Hashes[0], Pairing.Settings(2).Id, false);
        var session = new PeerSession(ours, swarm, Pairing.Settings(1, time), PeerHandshake.Parse(hello));
        var running = session.RunAsync(CancellationToken.None);
        while (swarm.Sessions.Count == 0) await Task.Yield();
        session.SetChoking(false);
        for (var i = 0; i < 16 && !running.IsCompleted; i++)
        {
            var output = new ArrayBufferWriter<byte>();
            PeerCodec.Write(
                output, PeerMessageKind.Request, i / 4, i % 4 * WireLimits.BlockBytes, WireLimits.BlockBytes);
            await theirs.SendAsync([new ArraySegment<byte>(output.WrittenSpan.ToArray())], CancellationToken.None);
        }
        while (!running.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(5));
            // It is not silent: it only takes nothing.
            var output = new ArrayBufferWriter<byte>();
            PeerCodec.WriteKeepAlive(output);
            try
            {
                await theirs.SendAsync([new ArraySegment<byte>(output.WrittenSpan.ToArray())], CancellationToken.None);
            }
            catch (IOException)
            {
                // It was left.
            }
            await Task.Yield();
        }

        Assert.Equal(new PeerEnd(PeerEndReason.TimedOut, "it does not read what it asked for"), await running);
        await theirs.DisposeAsync();
        Assert.Equal(0, torrent.Leased);
    }
}
