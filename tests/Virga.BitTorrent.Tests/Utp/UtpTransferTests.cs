using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Utp;

/// <summary>Streams between nodes over a network that does to packets what networks do.</summary>
public sealed class UtpTransferTests
{
    /// <summary>Seed, packets of a thousand that are lost, that come twice, milliseconds there and late.</summary>
    public static TheoryData<int, int, int, int, int> Networks()
    {
        var networks = new TheoryData<int, int, int, int, int>();
        for (var seed = 1; seed <= 6; seed++)
        {
            networks.Add(seed, 0, 0, 1, 0);
            networks.Add(seed, 0, 0, 150, 0);
            networks.Add(seed, 10, 0, 20, 0);
            networks.Add(seed, 0, 0, 10, 30);
            networks.Add(seed, 0, 100, 10, 10);
            networks.Add(seed, 50, 50, 20, 40);
            networks.Add(seed, 200, 0, 5, 0);
        }
        return networks;
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public async Task All_bytes_arrive_in_order_in_both_directions(int seed, int loss, int doubled, int delay, int late)
    {
        var world = new UtpWorld((ulong)seed)
        {
            LossPerMille = loss, DoubledPerMille = doubled, Delay = TimeSpan.FromMilliseconds(delay),
            Jitter = TimeSpan.FromMilliseconds(late),
        };

        await UtpStreams.ExchangeAsync(world, (ulong)seed, 1_200_000, 700_000);
    }

    [Fact]
    public async Task Numbers_wrap_around()
    {
        // The first numbers of who connects are the last before zero; who is connected to sends more than there are.
        var world = new UtpWorld(3)
        {
            LossPerMille = 2, Jitter = TimeSpan.FromMilliseconds(1), Delay = TimeSpan.FromMilliseconds(2),
        };

        await UtpStreams.ExchangeAsync(
            world, 3, 2_000_000, 70_000 * 1_382,
            connecting: bytes => bytes.Length == 2 ? [0xff, 0xff] : bytes);
    }

    [Fact]
    public async Task IPv6_has_packets_of_its_own_length()
    {
        var world = new UtpWorld(4);
        var longest = 0;
        world.Sending = (packet, _, _) => longest = Math.Max(longest, packet.Length);

        await UtpStreams.ExchangeAsync(world, 4, 500_000, 500_000, family: AddressFamily.InterNetworkV6);

        Assert.Equal(1_232, longest);
    }

    [Theory]
    [InlineData(5, 0)]
    [InlineData(6, 30)]
    public async Task A_slow_reader_gets_no_more_than_it_has_room_for(int seed, int loss)
    {
        var world = new UtpWorld((ulong)seed) { LossPerMille = loss, Delay = TimeSpan.FromMilliseconds(5) };
        var watch = new WindowWatch(world);
        var content = Seeded.Bytes(3_000_000, (ulong)seed);
        var received = new MemoryStream();
        var done = new TaskCompletionSource();
        var (_, place) = world.Add(async link =>
        {
            var buffer = new byte[10_000];
            while (await link.ReceiveAsync(buffer, default) is > 0 and var count)
            {
                received.Write(buffer, 0, count);
                await Task.Delay(TimeSpan.FromMilliseconds(40), world.Time);
            }
            await link.DisposeAsync();
            done.SetResult();
        });
        var (node, own) = world.Add(null);
        watch.Follow(UdpPlace.Of(own), UdpPlace.Of(place));
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            await link.SendAsync([content], default);
            await link.DisposeAsync();
            await done.Task;
        });

        Assert.True(content.AsSpan().SequenceEqual(received.ToArray()));
        Assert.True(watch.Closed > 0, "the window was never full");
    }

    [Fact]
    public async Task Packets_wait_in_no_queue_for_much_longer_than_100_ms_and_the_line_is_used()
    {
        var world = new UtpWorld(7) { BytesPerSecond = 1_000_000, Delay = TimeSpan.FromMilliseconds(20) };
        var began = world.Time.GetUtcNow();
        // Fast starts overshoot a little; what counts is what comes then.
        world.Arriving = (_, _, _) =>
        {
            if (world.Time.GetUtcNow() - began < TimeSpan.FromSeconds(15)) world.Waited = default;
        };

        var took = await UtpStreams.ExchangeAsync(world, 7, 30_000_000, 1_000);

        Assert.InRange(took.TotalSeconds, 30, 36);
        Assert.InRange(world.Waited.TotalMilliseconds, 20, 160);
    }

    [Fact]
    public async Task Nobody_there_is_said_after_three_tries()
    {
        var world = new UtpWorld(8);
        var (node, _) = world.Add(null);
        var nobody = world.AddStranger();
        var syns = 0;
        world.Sending = (_, _, _) => syns++;
        await world.RunAsync(async () =>
        {
            var e = await Assert.ThrowsAsync<SocketException>(() => node.ConnectAsync(nobody, default));
            Assert.Equal(SocketError.TimedOut, e.SocketErrorCode);
        });

        Assert.Equal(3, syns);
        Assert.Equal(0, node.Connections);
    }

    [Fact]
    public async Task Who_takes_nobody_says_so_at_once()
    {
        var world = new UtpWorld(9);
        var (node, _) = world.Add(null);
        var (_, place) = world.Add(null);
        var began = world.Time.GetUtcNow();
        await world.RunAsync(async () =>
        {
            var e = await Assert.ThrowsAsync<SocketException>(() => node.ConnectAsync(place, default));
            Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);
        });

        Assert.True(world.Time.GetUtcNow() - began < TimeSpan.FromMilliseconds(100));
        Assert.Equal(0, node.Connections);
    }

    [Fact]
    public async Task A_peer_that_is_gone_is_noticed_and_both_ends_forget_the_connection()
    {
        var world = new UtpWorld(10);
        var taken = new List<IPeerLink>();
        var (other, place) = world.Add(async link =>
        {
            taken.Add(link);
            var buffer = new byte[1_000];
            try
            {
                while (await link.ReceiveAsync(buffer, default) > 0)
                {
                }
            }
            catch (SocketException)
            {
                await link.DisposeAsync();
            }
        });
        var (node, _) = world.Add(null);
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            await link.SendAsync([new byte[100_000]], default);
            world.LossPerMille = 1_000;
            var e = await Assert.ThrowsAsync<SocketException>(
                async () => await link.SendAsync([new byte[9_000_000]], default));
            Assert.Equal(SocketError.TimedOut, e.SocketErrorCode);
            await link.DisposeAsync();
        });
        await world.PassAsync(TimeSpan.FromMinutes(4));

        Assert.Single(taken);
        Assert.Equal(0, node.Connections);
        Assert.Equal(0, other.Connections);
    }

    [Fact]
    public async Task An_idle_connection_is_kept_alive()
    {
        var world = new UtpWorld(11);
        var (other, place) = world.Add(UtpStreams.EchoAsync);
        var (node, _) = world.Add(null);
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            await UtpStreams.AssertEchoAsync(link, 10_000);
            await Task.Delay(TimeSpan.FromMinutes(20), world.Time);
            await UtpStreams.AssertEchoAsync(link, 10_000);
            await link.DisposeAsync();
            await Task.Delay(TimeSpan.FromMinutes(1), world.Time);
        });

        Assert.Equal(0, node.Connections);
        Assert.Equal(0, other.Connections);
    }

    [Fact]
    public async Task A_hundred_connections_at_once_share_what_is_kept()
    {
        var world = new UtpWorld(12) { LossPerMille = 5, Jitter = TimeSpan.FromMilliseconds(3) };
        var (other, place) = world.Add(UtpStreams.EchoAsync);
        var (node, _) = world.Add(null);
        var most = 0L;
        world.Arriving = (_, _, _) => most = Math.Max(most, other.All.Sum(c => (long)c.KeptBytes));
        await world.RunAsync(() => Task.WhenAll(Enumerable.Range(0, 120).Select(async i =>
        {
            var link = await node.ConnectAsync(place, default);
            await UtpStreams.AssertEchoAsync(link, 100_000 + i);
            await link.DisposeAsync();
        })));
        await world.PassAsync(TimeSpan.FromSeconds(20));

        Assert.InRange(most, 1, 3L * UtpLimits.AllWindowsBytes);
        Assert.Equal(0, node.Connections);
        Assert.Equal(0, other.Connections);
    }

    [Fact]
    public async Task Cancelling_gives_the_memory_back_and_ends_the_wait()
    {
        var world = new UtpWorld(13);
        var (_, place) = world.Add(_ => Task.CompletedTask);
        var (node, _) = world.Add(null);
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            using var stop = new CancellationTokenSource();
            var sending = link.SendAsync([new byte[5_000_000]], stop.Token).AsTask();
            var receiving = link.ReceiveAsync(new byte[10], stop.Token).AsTask();
            await Task.Delay(TimeSpan.FromSeconds(1), world.Time);
            Assert.False(sending.IsCompleted || receiving.IsCompleted);
            // On this thread: on another one hours of this world could pass before it is cancelled.
            stop.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => receiving);
            await link.DisposeAsync();
            await Assert.ThrowsAsync<ObjectDisposedException>(
                async () => await link.ReceiveAsync(new byte[1], default));
        });
    }
}

/// <summary>Checks of each packet that a sender stays within the window that it was told.</summary>
internal sealed class WindowWatch
{
    private readonly Dictionary<ushort, int> unacknowledged = [];
    private UdpPlace sender;
    private UdpPlace receiver;
    private uint window = uint.MaxValue;

    public WindowWatch(UtpWorld world)
    {
        world.Sending = (packet, from, to) =>
        {
            if (from != sender || to != receiver || !UtpPacket.TryRead(packet, out var sent)
                || sent.Header.Kind != UtpKind.Data) return;
            if (!unacknowledged.TryAdd(sent.Header.Sequence, sent.Payload.Length)) return;
            var bytes = unacknowledged.Values.Sum();
            // One packet asks whether there is room again.
            Assert.True(unacknowledged.Count == 1 || bytes <= window, $"{bytes} bytes in a window of {window}");
        };
        world.Arriving = (packet, from, to) =>
        {
            if (from != receiver || to != sender || !UtpPacket.TryRead(packet, out var got)) return;
            var header = got.Header;
            window = header.Window;
            if (window < 1_382) Closed++;
            foreach (var sequence in unacknowledged.Keys.ToList())
                if (UtpPacket.Distance(sequence, header.Acknowledged) <= 0) unacknowledged.Remove(sequence);
        };
    }

    /// <summary>Packets that said that there is no room.</summary>
    public int Closed { get; private set; }

    public void Follow(UdpPlace from, UdpPlace to) => (sender, receiver) = (from, to);
}

/// <summary>What is sent over streams, and checked.</summary>
internal static class UtpStreams
{
    /// <summary>Sends so much each way at once, closes, and checks that all came.</summary>
    public static async Task<TimeSpan> ExchangeAsync(
        UtpWorld world, ulong seed, int there, int back, Func<byte[], byte[]>? connecting = null,
        AddressFamily family = AddressFamily.InterNetwork)
    {
        var (outward, homeward) = (Seeded.Bytes(there, seed), Seeded.Bytes(back, seed + 1));
        var served = new TaskCompletionSource<byte[]>();
        var (other, place) = world.Add(async link =>
        {
            try
            {
                var sending = SendAsync(link, homeward, new Seeded(seed + 2));
                var got = await ReceiveAsync(link, there);
                await sending;
                served.SetResult(got);
            }
            catch (Exception e)
            {
                served.SetException(e);
            }
            await link.DisposeAsync();
        }, family: family);
        var (node, _) = world.Add(null, bytes: connecting, family: family);
        var began = world.Time.GetUtcNow();
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            var sending = SendAsync(link, outward, new Seeded(seed + 3));
            var got = await ReceiveAsync(link, back);
            await sending;
            var arrived = await served.Task;
            Assert.True(outward.AsSpan().SequenceEqual(arrived), "what was sent there");
            Assert.True(homeward.AsSpan().SequenceEqual(got), "what was sent back");
            await link.DisposeAsync();
        });
        var took = world.Time.GetUtcNow() - began;
        await world.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, node.Connections);
        Assert.Equal(0, other.Connections);
        return took;
    }

    public static async Task EchoAsync(IPeerLink link)
    {
        var buffer = new byte[30_000];
        while (await link.ReceiveAsync(buffer, default) is > 0 and var count)
            await link.SendAsync([new ArraySegment<byte>(buffer, 0, count)], default);
        await link.DisposeAsync();
    }

    public static async Task AssertEchoAsync(IPeerLink link, int bytes)
    {
        var content = Seeded.Bytes(bytes, (ulong)bytes);
        var sending = link.SendAsync([content], default).AsTask();
        var got = await ReceiveAsync(link, bytes);
        Assert.True(content.AsSpan().SequenceEqual(got));
        await sending;
    }

    private static async Task SendAsync(IPeerLink link, byte[] content, Seeded random)
    {
        for (var at = 0; at < content.Length;)
        {
            // Some messages are one byte, some many blocks, and some of several parts.
            var count = (int)Math.Min(content.Length - at, 1 + random.Next(random.Next(4) == 0 ? 200_000 : 300));
            var first = (int)random.Next(count + 1);
            await link.SendAsync(
                [
                    new ArraySegment<byte>(content, at, first),
                    new ArraySegment<byte>(content, at + first, count - first),
                ],
                default);
            at += count;
        }
    }

    private static async Task<byte[]> ReceiveAsync(IPeerLink link, int bytes)
    {
        var got = new byte[bytes];
        for (var at = 0; at < bytes;)
        {
            var count = await link.ReceiveAsync(got.AsMemory(at), default);
            Assert.True(count > 0, $"it ended after {at} bytes");
            at += count;
        }
        return got;
    }
}
