using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.BitTorrent.Trackers;
using Virga.BitTorrent.Trackers.Server;
using Virga.Core;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Trackers.Server;

/// <summary>Our tracker, packet by packet and request by request, and by our own clients.</summary>
public sealed class TrackerAnswersTests
{
    private static readonly PeerPlace Asker = PeerPlace.OfV4(0x01020304, 99);

    private readonly FakeTimeProvider time = new();
    private readonly SwarmTable table;
    private readonly UdpAnswers udp;
    private readonly HttpAnswers http;

    public TrackerAnswersTests()
    {
        var random = new Seeded(1).RandomBytes;
        table = new SwarmTable(SwarmTableTests.Unlimited, time, random);
        udp = new UdpAnswers(table, time, random);
        http = new HttpAnswers(table);
    }

    [Fact]
    public void An_id_holds_for_two_minutes_for_its_address_alone()
    {
        var id = Connect(Asker);

        Assert.Equal(1, Action(AnnouncePacket(id), Asker));
        Assert.Equal(1, Action(AnnouncePacket(id), Asker with { Port = 5 }));
        Assert.Equal(3, Action(AnnouncePacket(id), PeerPlace.OfV4(0x01020305, 99)));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(1, Action(AnnouncePacket(id), Asker));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(3, Action(AnnouncePacket(id), Asker));
    }

    [Fact]
    public void Nobody_unproven_gets_more_bytes_than_it_sent()
    {
        var random = new Seeded(7);
        var answer = new byte[UdpAnswers.AnswerBytesMax];
        var id = Connect(Asker);
        for (var i = 0; i < 50_000; i++)
        {
            var packet = i % 2 == 0
                ? Seeded.Bytes(random.Next(200), random.Next())
                : AnnouncePacket(random.Next(4) == 0 ? id : random.Next())[..(int)random.Next(99)];
            if (packet.Length >= 16 && random.Next(2) == 0)
                BinaryPrimitives.WriteInt32BigEndian(packet.AsSpan(8), (int)random.Next(4));
            Assert.InRange(udp.Answer(packet, PeerPlace.OfV4(0x05060708, 1), answer), 0, packet.Length);
            udp.Answer(packet, Asker, answer);
        }
    }

    [Theory]
    [InlineData("/announce?port=1", "info_hash is missing")]
    [InlineData("/announce?info_hash=abc&port=1", "info_hash is not 20 bytes")]
    [InlineData("/announce?info_hash=%0&port=1", "info_hash is not 20 bytes")]
    [InlineData("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa", "port is missing")]
    [InlineData("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=70000", "port is missing")]
    [InlineData("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=x", "port is not a number")]
    [InlineData("/scrape", "a scrape names swarms")]
    public void What_is_wrong_is_said(string target, string words) =>
        Assert.Contains(words, Encoding.ASCII.GetString(Ask(target)), StringComparison.Ordinal);

    [Fact]
    public void Other_paths_are_nobody_s() => Assert.Empty(Ask("/"));

    [Fact]
    public void What_a_request_says_of_addresses_is_passed_over()
    {
        Ask("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=7&ip=8.8.8.8&ipv6=2a00::1&ipv4=9.9.9.9&left=0");

        var answer = TrackerAnswers.ReadAnnounce(
            Ask("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=8&left=1", "::1"), AddressRules.LocalToo);

        Assert.Equal([IPEndPoint.Parse("127.0.0.1:7")], answer.Peers);
        Assert.Equal(new SwarmCounts(1, 1, 0), answer.Counts);
    }

    [Fact]
    public void Both_families_are_given_to_both()
    {
        Ask("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=7&left=1");
        Ask("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=8&left=1", "::1");

        var answer = TrackerAnswers.ReadAnnounce(
            Ask("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=9&left=1"), AddressRules.LocalToo);

        Assert.Equal([IPEndPoint.Parse("127.0.0.1:7"), IPEndPoint.Parse("[::1]:8")], answer.Peers);
    }

    [Fact]
    public void Hostile_queries_break_nothing()
    {
        var random = new Seeded(3);
        var pieces = new[] { "info_hash=", "port=", "%", "&", "=", "aaaaaaaaaaaaaaaaaaaa", "%00", "é", "-1", "left=0",
            "999999999999999999999", "event=stopped", "numwant=" };
        for (var i = 0; i < 20_000; i++)
        {
            var target = "/" + (i % 2 == 0 ? "announce?" : "scrape?") + string.Concat(
                Enumerable.Range(0, (int)random.Next(30)).Select(_ => pieces[random.Next(pieces.Length)]));
            var answer = Ask(target);
            BencodeCheck(answer);
        }
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::")]
    public async Task Our_clients_find_each_other_over_UDP(string listen)
    {
        await using var server = UdpTrackerServer.Start(new IPEndPoint(IPAddress.Parse(listen), 0), udp);
        using var clients = Clients();
        var host = listen.Contains(':') ? "[::1]" : listen;
        var tracker = clients.Open(new Uri($"udp://{host}:{server.Place.Port}/announce"));

        await tracker.AnnounceAsync(Announce(Hash(1), 1001, left: 0, peer: 1), default);
        var answer = await tracker.AnnounceAsync(Announce(Hash(1), 1002, left: 1, peer: 2), default);

        Assert.Equal([IPEndPoint.Parse($"{host}:1001")], answer.Peers);
        var counts = await tracker.ScrapeAsync([Hash(1), Hash(2)], default);
        Assert.Equal(new SwarmCounts(1, 1, 0), counts[Hash(1)]);
        Assert.Equal(new SwarmCounts(0, 0, 0), counts[Hash(2)]);
    }

    [Fact]
    public async Task Many_clients_at_once_are_all_answered()
    {
        await using var server = UdpTrackerServer.Start(Local(0), udp);
        using var clients = Clients();
        var tracker = clients.Open(new Uri($"udp://{server.Place}"));
        await Task.WhenAll(Enumerable.Range(1, 200).Select(i => tracker.AnnounceAsync(
            Announce(Hash((ulong)i % 10), 2_000 + (i % 16), peer: (ulong)i), default)));

        Assert.Equal(200, udp.Announces);
        Assert.Equal(10, table.Swarms);
    }

    [Fact]
    public void A_port_that_is_taken_is_said()
    {
        using var other = new UdpClient(Local(0));

        var failure = Assert.Throws<VirgaException>(
            () => UdpTrackerServer.Start((IPEndPoint)other.Client.LocalEndPoint!, udp));

        Assert.Equal(FailureKind.InUse, failure.Kind);
    }

    private static void BencodeCheck(byte[] answer) =>
        Core.Bencoding.BencodeValue.Parse(answer, Core.Bencoding.BencodeLimits.Message);

    private byte[] Ask(string target, string from = "127.0.0.1")
    {
        var room = new byte[HttpAnswers.AnswerBytesMax];
        return room[..http.Answer(target, IPAddress.Parse(from), room)];
    }

    private ulong Connect(PeerPlace from)
    {
        var (packet, answer) = (new byte[16], new byte[UdpAnswers.AnswerBytesMax]);
        UdpPackets.WriteHead(packet, UdpPackets.ProtocolId, UdpPackets.Connect, 5);
        Assert.Equal(16, udp.Answer(packet, from, answer));
        return BinaryPrimitives.ReadUInt64BigEndian(answer.AsSpan(8));
    }

    private static byte[] AnnouncePacket(ulong id)
    {
        var packet = new byte[200];
        return packet[..UdpPackets.WriteAnnounce(packet, id, 6, Announce(Hash(1), 1), [])];
    }

    private int Action(byte[] packet, PeerPlace from)
    {
        var answer = new byte[UdpAnswers.AnswerBytesMax];
        Assert.True(udp.Answer(packet, from, answer) > 0);
        return BinaryPrimitives.ReadInt32BigEndian(answer);
    }
}
