using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Utp;

/// <summary>Packets of who is not what it says, or sends what nobody asked for.</summary>
public sealed class UtpHostileTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Mangled_packets_of_a_connection_crash_nothing_and_take_no_memory(int seed)
    {
        var world = new UtpWorld((ulong)seed) { LossPerMille = 10, Jitter = TimeSpan.FromMilliseconds(2) };
        var random = new Seeded((ulong)seed + 100);
        var (other, place) = world.Add(async link =>
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
        var (node, _) = world.Add(null);
        var (mangled, most) = (0, 0);
        var isInside = false;
        world.Sending = (packet, from, to) =>
        {
            if (isInside) return;
            isInside = true;
            for (var i = 0; i < 3; i++, mangled++) world.Send(Mangle(packet), from.ToEndPoint(), to.ToEndPoint());
            isInside = false;
        };
        world.Arriving = (_, _, _) =>
            most = Math.Max(most, node.All.Concat(other.All).Sum(connection => connection.KeptBytes));
        for (var round = 0; round < 20; round++)
        {
            await world.RunAsync(async () =>
            {
                try
                {
                    var link = await node.ConnectAsync(place, default);
                    var receiving = DrainAsync(link);
                    await link.SendAsync([new byte[300_000]], default);
                    await Task.Delay(TimeSpan.FromSeconds(5), world.Time);
                    await link.DisposeAsync();
                    await receiving;
                }
                catch (SocketException)
                {
                    // It may well be told that it is over.
                }
            });
        }
        world.Sending = null;
        await world.PassAsync(TimeSpan.FromMinutes(5));

        Assert.True(mangled > 1_000, $"{mangled} packets");
        Assert.InRange(most, 1, 20 * UtpLimits.WindowBytesMax);
        Assert.Equal(0, node.Connections);
        Assert.Equal(0, other.Connections);
        // Afterwards all is as before.
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            await UtpStreams.AssertEchoAsync(link, 100_000);
            await link.DisposeAsync();
        });

        byte[] Mangle(byte[] packet)
        {
            var copy = packet.ToArray();
            for (var i = (int)random.Next(4); i >= 0; i--)
            {
                // Its first 24 bytes are what decides; the id stays right most of the time.
                var at = (int)random.Next(Math.Min(copy.Length, 24));
                if (at is 2 or 3 && random.Next(4) > 0) continue;
                copy[at] = (byte)random.Next(256);
            }
            if (random.Next(3) == 0) copy = copy[..(int)random.Next(copy.Length + 1)];
            return copy;
        }

        static async Task DrainAsync(IPeerLink link)
        {
            try
            {
                var buffer = new byte[10_000];
                while (await link.ReceiveAsync(buffer, default) > 0)
                {
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is over.
            }
        }
    }

    [Fact]
    public async Task Garbage_is_ignored()
    {
        var world = new UtpWorld(5);
        var (node, place) = world.Add(_ => throw new InvalidOperationException("nobody came"));
        var random = new Seeded(5);
        var stranger = world.AddStranger();
        for (var i = 0; i < 50_000; i++)
        {
            var packet = Seeded.Bytes(random.Next(60), random.Next());
            // Most of them begin as packets of uTP do.
            if (packet.Length > 0 && i % 4 != 0) packet[0] = (byte)((random.Next(5) << 4) | 1);
            world.Send(packet, stranger, place);
        }
        await world.PassAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(0, node.Connections);
        AssertNotAmplified(world, stranger, place);
    }

    [Fact]
    public async Task Who_does_not_prove_where_it_is_gets_no_more_than_it_sent_and_nothing_is_kept()
    {
        var world = new UtpWorld(6);
        var (node, place) = world.Add(_ => throw new InvalidOperationException("nobody came"));
        // It answers nothing, as somebody whose address was forged.
        var victim = world.AddStranger();
        var random = new Seeded(6);
        for (var i = 0; i < 20_000; i++)
        {
            world.Send(Packet(UtpKind.Syn, (ushort)random.Next(65_536), (ushort)random.Next(65_536), 0), victim, place);
            if (i % 100 == 0) await world.PassAsync(TimeSpan.FromMilliseconds(50));
        }
        await world.PassAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(0, node.Connections);
        AssertNotAmplified(world, victim, place);
    }

    [Fact]
    public async Task The_number_that_proves_it_is_of_the_address_the_id_and_the_time()
    {
        var world = new UtpWorld(7);
        var taken = 0;
        var (node, place) = world.Add(_ =>
        {
            taken++;
            return Task.CompletedTask;
        });
        ushort number = 0;
        var stranger = world.AddStranger((packet, _) =>
        {
            if (packet[0] >> 4 == (int)UtpKind.State) number = UtpHeader.Read(packet).Sequence;
        });
        var elsewhere = world.AddStranger();
        world.Send(Packet(UtpKind.Syn, 500, 10, 0), stranger, place);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.NotEqual(0, number);

        var proof = (ushort)(number - 1);
        world.Send([.. Packet(UtpKind.Data, 501, 11, proof), 1], elsewhere, place);
        world.Send([.. Packet(UtpKind.Data, 601, 11, proof), 1], stranger, place);
        world.Send([.. Packet(UtpKind.Data, 501, 11, (ushort)(proof + 1)), 1], stranger, place);
        world.Send(Packet(UtpKind.State, 501, 11, proof), stranger, place);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal((0, 0), (taken, node.Connections));

        world.Send([.. Packet(UtpKind.Data, 501, 11, proof), 1], stranger, place);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 1), (taken, node.Connections));

        await world.PassAsync(TimeSpan.FromMinutes(5));
        world.Send([.. Packet(UtpKind.Data, 501, 11, proof), 1], stranger, place);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 0), (taken, node.Connections));
    }

    [Fact]
    public async Task A_reset_of_who_knows_no_numbers_ends_nothing()
    {
        var world = new UtpWorld(8);
        var (_, place) = world.Add(UtpStreams.EchoAsync);
        var (node, own) = world.Add(null);
        UtpHeader last = default;
        world.Arriving = (packet, from, _) =>
        {
            if (from == UdpPlace.Of(place)) last = UtpHeader.Read(packet);
        };
        await world.RunAsync(async () =>
        {
            var link = await node.ConnectAsync(place, default);
            await UtpStreams.AssertEchoAsync(link, 100_000);
            var expected = last.Acknowledged;
            for (var i = 400; i < 65_536 - 400; i++)
            {
                world.Send(
                    Packet(UtpKind.Reset, last.Connection, (ushort)i, (ushort)(expected + i)), place, own);
            }
            await UtpStreams.AssertEchoAsync(link, 50_000);

            world.Send(Packet(UtpKind.Reset, last.Connection, 0, last.Acknowledged), place, own);
            var e = await Assert.ThrowsAsync<SocketException>(
                async () => await link.ReceiveAsync(new byte[10], default));
            Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
            await link.DisposeAsync();
        });
    }

    [Fact]
    public async Task Who_ignores_the_window_fills_no_memory()
    {
        var world = new UtpWorld(9);
        var (node, place) = world.Add(_ => Task.CompletedTask);
        ushort number = 0;
        var stranger = world.AddStranger((packet, _) =>
        {
            if (packet[0] >> 4 == (int)UtpKind.State && number == 0) number = UtpHeader.Read(packet).Sequence;
        });
        world.Send(Packet(UtpKind.Syn, 500, 10, 0), stranger, place);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        var payload = new byte[1_400];
        var most = 0;
        world.Arriving = (_, _, _) => most = Math.Max(most, node.All.Sum(c => c.KeptBytes));
        for (var i = 0; i < 10_000; i++)
        {
            // In order at first, then with gaps all over.
            var sequence = (ushort)(11 + (i < 5_000 ? i : (i * 7) % 65_536));
            world.Send([.. Packet(UtpKind.Data, 501, sequence, (ushort)(number - 1)), .. payload], stranger, place);
            if (i % 500 == 0) await world.PassAsync(TimeSpan.FromMilliseconds(100));
        }
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.InRange(most, UtpLimits.WindowBytesMax / 2, 4 * UtpLimits.WindowBytesMax);
        await world.PassAsync(TimeSpan.FromMinutes(5));
        Assert.Equal(0, node.Connections);
    }

    [Fact]
    public async Task Who_is_blocked_is_not_answered()
    {
        var world = new UtpWorld(10);
        var stranger = world.AddStranger();
        var rules = new AddressRules
        {
            AllowsLocal = true, Blocked = AddressFilter.Parse([stranger.Address.ToString()], "a test's"),
        };
        var (node, place) = world.Add(_ => Task.CompletedTask, rules);
        world.Send(Packet(UtpKind.Syn, 500, 10, 0), stranger, place);
        world.Send([.. Packet(UtpKind.Data, 501, 11, 0), 1], stranger, place);
        await world.PassAsync(TimeSpan.FromSeconds(5));

        Assert.False(world.Sent.ContainsKey((UdpPlace.Of(place), UdpPlace.Of(stranger))));
        Assert.Equal(0, node.Connections);
    }

    private static byte[] Packet(UtpKind kind, ushort id, ushort sequence, ushort acknowledged)
    {
        var packet = new byte[UtpHeader.ByteCount];
        new UtpHeader(kind, id, 77, 0, 1 << 20, sequence, acknowledged).Write(packet);
        return packet;
    }

    private static void AssertNotAmplified(UtpWorld world, IPEndPoint stranger, IPEndPoint place)
    {
        var (them, us) = (UdpPlace.Of(stranger), UdpPlace.Of(place));
        Assert.InRange(world.Sent.GetValueOrDefault((us, them)), 1, world.Sent[(them, us)]);
    }
}
