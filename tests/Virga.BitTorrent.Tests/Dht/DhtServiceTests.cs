using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Dht;
using Virga.Core.Bencoding;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Dht;

public sealed class DhtServiceTests
{
    [Fact]
    public async Task No_more_than_eight_swarms_are_looked_for_at_once()
    {
        const int swarms = 30;
        using var node = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        node.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var random = new Seeded(1);
        // Nobody's patience ends while the clock stands still.
        await using var service = DhtService.Start(new DhtServiceOptions
        {
            Listen = [new IPEndPoint(IPAddress.Loopback, 0)], Rules = AddressRules.LocalToo,
            Bootstrap = [node.LocalEndPoint!.ToString()!], Time = new FakeTimeProvider(), Random = random.RandomBytes,
        });
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        using var stop = new CancellationTokenSource();
        var looking = Enumerable.Range(0, swarms).Select(i => Task.Run(async () =>
        {
            var found = service.FindAsync(
                new SwarmHash(Seeded.Bytes(SwarmHash.ByteCount, (ulong)i)), new SwarmProgress { Left = 1 }, 0,
                stop.Token);
            await foreach (var _ in found.WithCancellation(stop.Token))
            {
            }
        })).ToList();

        var open = new Queue<(DhtMessage Question, EndPoint From)>();
        for (var asked = 0; asked < swarms;)
        {
            var (question, from) = await ReceiveAsync();
            if (question.Method != "get_peers")
            {
                Answer(question, from);
                continue;
            }
            asked++;
            open.Enqueue((question, from));
            Assert.True(open.Count <= 8, $"{open.Count} are looked for at once");
            if (open.Count < 8) continue;
            (question, from) = open.Dequeue();
            Answer(question, from);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(looking));

        async Task<(DhtMessage, EndPoint)> ReceiveAsync()
        {
            var packet = new byte[DhtLimits.PacketBytes];
            while (true)
            {
                var received = await node.ReceiveFromAsync(packet, new IPEndPoint(IPAddress.Any, 0), limit.Token);
                if (DhtMessage.TryRead(packet.AsSpan(0, received.ReceivedBytes), out var message)
                    && message.Kind == (byte)'q') return (message, received.RemoteEndPoint);
            }
        }

        void Answer(DhtMessage question, EndPoint to) => node.SendTo(
            DhtMessage.Answer(question.Transaction, null, w =>
            {
                w.Key("id").Bytes(Seeded.Bytes(NodeId.ByteCount, 99)).Key("nodes").Bytes([]);
                if (question.Method == "get_peers") w.Key("token").Bytes([1]);
            }), to);
    }
}
