using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.BitTorrent.Trackers;
using Virga.Core;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Trackers;

public sealed class UdpTrackerTests : IDisposable
{
    private readonly UdpClient server = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly FakeTimeProvider time = new();
    private readonly TrackerClients clients;
    private readonly ITracker tracker;

    public UdpTrackerTests()
    {
        clients = Clients(time: time);
        tracker = clients.Open(new Uri($"udp://{server.Client.LocalEndPoint}/announce?pass=1"));
    }

    public void Dispose()
    {
        server.Dispose();
        clients.Dispose();
    }

    [Fact]
    public async Task An_announce_is_laid_out_as_BEP_15_and_41_say_and_connects_once_a_minute()
    {
        var asking = tracker.AnnounceAsync(Announce(Hash(1), 6881, left: 7), default);
        await ConnectAsync(77);
        var (packet, from) = await ReceiveAsync();

        Assert.Equal(77UL, BinaryPrimitives.ReadUInt64BigEndian(packet));
        Assert.Equal(1, BinaryPrimitives.ReadInt32BigEndian(packet.AsSpan(8)));
        Assert.Equal(Hash(1), new SwarmHash(packet.AsSpan(16, 20)));
        Assert.Equal("-VI0100-", Encoding.ASCII.GetString(packet, 36, 8));
        Assert.Equal((2, 7, 1), (packet[63], packet[71], packet[79]));
        Assert.Equal(2, packet[83]);
        Assert.Equal(6881, BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(96)));
        Assert.Equal([2, 16, .. "/announce?pass=1"u8], packet[98..]);
        await AnswerAsync(packet, from, 1, "00000708" + "00000004" + "00000003" + "7f0000011ae1" + "7f00000100");

        var answer = await asking;
        Assert.Equal([IPEndPoint.Parse("127.0.0.1:6881")], answer.Peers);
        Assert.Equal((1800, 3, 4), (answer.Interval.TotalSeconds, answer.Counts.Seeders, answer.Counts.Leechers));

        var again = tracker.AnnounceAsync(Announce(Hash(1), 6881), default);
        (packet, from) = await ReceiveAsync();
        Assert.Equal(77UL, BinaryPrimitives.ReadUInt64BigEndian(packet));
        await AnswerAsync(packet, from, 1, "00000708" + "00000000" + "00000000");
        await again;

        time.Advance(TimeSpan.FromMinutes(1));
        var later = tracker.AnnounceAsync(Announce(Hash(1), 6881), default);
        await ConnectAsync(78);
        (packet, from) = await ReceiveAsync();
        Assert.Equal(78UL, BinaryPrimitives.ReadUInt64BigEndian(packet));
        await AnswerAsync(packet, from, 1, "00000708" + "00000000" + "00000000");
        await later;
    }

    [Fact]
    public async Task A_lost_packet_is_sent_again_after_15_then_30_then_60_seconds()
    {
        var asking = tracker.AnnounceAsync(Announce(Hash(1), 6881), default);

        foreach (var seconds in new[] { 15, 30, 60 })
        {
            await ReceiveAsync();
            while (time.TimersWaiting == 0) await Task.Yield();
            time.Advance(TimeSpan.FromSeconds(seconds - 1));
            Assert.Equal(0, server.Available);
            time.Advance(TimeSpan.FromSeconds(1));
        }

        var failure = await Assert.ThrowsAsync<VirgaException>(() => asking);
        Assert.Equal(FailureKind.Timeout, failure.Kind);
    }

    [Fact]
    public async Task Answers_to_nothing_that_was_asked_are_passed_over_and_a_refusal_is_told()
    {
        var asking = tracker.AnnounceAsync(Announce(Hash(1), 6881), default);
        var (packet, from) = await ReceiveAsync();
        await server.SendAsync(new byte[3], from);
        await server.SendAsync(new byte[16], from);
        await AnswerAsync(packet, from, 3, Convert.ToHexString("go\taway"u8));

        var failure = await Assert.ThrowsAsync<VirgaException>(() => asking);

        Assert.Equal((FailureKind.Denied, "the tracker refuses: go?away"), (failure.Kind, failure.Message));
    }

    [Fact]
    public async Task An_answer_that_is_too_short_is_bad_input()
    {
        var asking = tracker.AnnounceAsync(Announce(Hash(1), 6881), default);
        await ConnectAsync(1);
        var (packet, from) = await ReceiveAsync();
        await AnswerAsync(packet, from, 1, "0000");

        Assert.Equal(FailureKind.BadInput, (await Assert.ThrowsAsync<VirgaException>(() => asking)).Kind);
    }

    [Fact]
    public async Task Nobody_is_asked_at_an_address_that_is_refused()
    {
        using var strict = Clients(AddressRules.PublicOnly);

        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => strict.Open(tracker.Address).AnnounceAsync(Announce(Hash(1), 6881), default));

        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Equal(0, server.Available);
    }

    private async Task ConnectAsync(byte id)
    {
        var (packet, from) = await ReceiveAsync();
        Assert.Equal("00000417271019800000000", Convert.ToHexString(packet)[..23]);
        await AnswerAsync(packet, from, 0, "00000000000000" + id.ToString("x2"));
    }

    private async Task<(byte[] Packet, IPEndPoint From)> ReceiveAsync()
    {
        var received = await server.ReceiveAsync();
        return (received.Buffer, received.RemoteEndPoint);
    }

    private async Task AnswerAsync(byte[] request, IPEndPoint to, int action, string rest)
    {
        byte[] answer = [0, 0, 0, (byte)action, .. request[12..16], .. Convert.FromHexString(rest)];
        await server.SendAsync(answer, to);
    }
}
