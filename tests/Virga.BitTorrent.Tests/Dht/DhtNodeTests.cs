using System.Net;
using System.Text;
using Virga.BitTorrent.Dht;
using Virga.Core.Bencoding;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Dht;

/// <summary>One node, packet by packet.</summary>
public sealed class DhtNodeTests
{
    private static readonly IPEndPoint Stranger = IPEndPoint.Parse("45.9.9.9:1000");
    private static readonly NodeId Their = new(Seeded.Bytes(20, 4));

    private readonly FakeTimeProvider time = new();
    private readonly List<(byte[] Packet, IPEndPoint To)> sent = [];
    private readonly DhtNode node;

    public DhtNodeTests() => node = new DhtNode(
        new DhtOptions { Time = time, Random = new Seeded(1).RandomBytes },
        (packet, to) =>
        {
            lock (sent) sent.Add((packet.ToArray(), to));
        });

    [Fact]
    public void A_token_holds_for_its_address_and_five_to_ten_minutes()
    {
        var token = Ask("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray())).Bytes("token")!;

        Assert.Equal((byte)'e', Announce(token, IPEndPoint.Parse("45.9.9.8:1000")).Kind);
        Assert.Equal((byte)'e', Announce([1, 2, 3], Stranger).Kind);
        Assert.Equal((byte)'r', Announce(token, Stranger).Kind);
        time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal((byte)'r', Announce(token, Stranger).Kind);
        time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal((byte)'e', Announce(token, Stranger).Kind);
        var peers = Ask("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray())).ReadPeers();
        Assert.Equal([IPEndPoint.Parse("45.9.9.9:7")], peers);
    }

    [Fact]
    public void Strangers_are_answered_at_a_bounded_rate_and_with_bounded_bytes()
    {
        var question = Question("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray()));
        for (var i = 0; i < 1_000; i++) node.Receive(question, Stranger);

        Assert.InRange(sent.Count, 1, DhtLimits.AnswersBurst + DhtLimits.AskBackBurst);
        Assert.All(sent, item => Assert.InRange(item.Packet.Length, 1, 400));
    }

    [Fact]
    public void Answers_that_nobody_asked_for_get_nobody_into_the_table()
    {
        for (ulong i = 0; i < 2_000; i++)
        {
            node.Receive(DhtMessage.Answer(Seeded.Bytes(4, i), Stranger,
                w => w.Key("id").Bytes(Seeded.Bytes(20, i))), Stranger);
        }

        Assert.Equal(0, node.Nodes);
    }

    [Fact]
    public async Task Only_who_was_asked_can_answer_and_as_itself()
    {
        var asking = node.AskAsync(
            Their, Stranger, "ping", w => w.Key("id").Bytes(node.Id.ToArray()), CancellationToken.None);
        Assert.True(DhtMessage.TryRead(sent[^1].Packet, out var asked));

        node.Receive(Answer(Their), IPEndPoint.Parse("45.9.9.7:1000"));
        Assert.Equal((1, 0), (node.PendingCount, node.Nodes));
        node.Receive(Answer(new NodeId(Seeded.Bytes(20, 77))), Stranger);
        Assert.Null(await asking);
        Assert.Equal(0, node.Nodes);

        var again = node.AskAsync(
            Their, Stranger, "ping", w => w.Key("id").Bytes(node.Id.ToArray()), CancellationToken.None);
        Assert.True(DhtMessage.TryRead(sent[^1].Packet, out asked));
        node.Receive(Answer(Their), Stranger);
        Assert.NotNull(await again);
        Assert.Equal(1, node.Nodes);

        byte[] Answer(NodeId id) =>
            DhtMessage.Answer(asked!.Transaction, Stranger, w => w.Key("id").Bytes(id.ToArray()));
    }

    [Fact]
    public void A_flood_of_announces_and_items_is_bounded()
    {
        for (var i = 0; i < 3_000; i++)
        {
            var from = new IPEndPoint(new IPAddress([46, 1, (byte)(i >> 8), (byte)i]), 1000);
            var question = Question("get", w => w.Key("target").Bytes(Seeded.Bytes(20, (ulong)i)));
            sent.Clear();
            node.Receive(question, from);
            time.Advance(TimeSpan.FromMilliseconds(10));
            if (sent.Count == 0 || !DhtMessage.TryRead(sent[0].Packet, out var answer)) continue;
            node.Receive(Question("put", w => w.Key("token").Bytes(answer.Bytes("token")!).Key("v").Integer(i)), from);
        }

        Assert.InRange(node.Items, 1_000, DhtLimits.Items);
    }

    [Fact]
    public void Private_and_other_refused_addresses_are_not_spoken_to()
    {
        node.Receive(Question("ping", _ => { }), IPEndPoint.Parse("10.0.0.1:1000"));
        node.Receive(Question("ping", _ => { }), IPEndPoint.Parse("127.0.0.1:1000"));
        node.Receive(Question("ping", _ => { }), IPEndPoint.Parse("[2a00::1]:1000"));

        Assert.Empty(sent);
    }

    [Fact]
    public void An_unknown_method_and_missing_arguments_are_errors()
    {
        Assert.Equal((byte)'e', Ask("vote", _ => { }).Kind);
        Assert.Equal((byte)'e', Ask("get_peers", _ => { }).Kind);
        Assert.Equal((byte)'e', Ask("put", w => w.Key("v").Integer(1)).Kind);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Any_packet_cut_changed_or_made_up_breaks_nothing(ulong seed)
    {
        var random = new Seeded(seed);
        var good = new List<byte[]>
        {
            Question("ping", _ => { }), Question("find_node", w => w.Key("target").Bytes(Their.ToArray())),
            Question("get_peers", w => w.Key("info_hash").Bytes(Their.ToArray())
                .Key("want").StartList().Text("n6").End()),
            Question("announce_peer", w => w.Key("implied_port").Integer(1).Key("info_hash").Bytes(Their.ToArray())
                .Key("port").Integer(9).Key("token").Bytes(new byte[8])),
            Question("get", w => w.Key("seq").Integer(4).Key("target").Bytes(Their.ToArray())),
            Question("put", w => w.Key("k").Bytes(new byte[32]).Key("salt").Text("s").Key("seq").Integer(1)
                .Key("sig").Bytes(new byte[64]).Key("token").Bytes(new byte[8]).Key("v").Text("x")),
            DhtMessage.Answer([1, 2, 3, 4], Stranger, w => w.Key("id").Bytes(Their.ToArray())
                .Key("nodes").Bytes(new byte[26 * 8]).Key("values").StartList().Bytes(new byte[6]).End()),
            DhtMessage.Error([1, 2, 3, 4], 201, "no"),
        };
        for (var i = 0; i < 20_000; i++)
        {
            var packet = good[(int)random.Next(good.Count)].ToArray();
            if (random.Next(3) == 0) packet = packet[..(int)random.Next(packet.Length)];
            for (var n = random.Next(4); n > 0 && packet.Length > 0; n--)
                packet[random.Next(packet.Length)] = (byte)random.Next(256);
            var from = new IPEndPoint(new IPAddress([46, 1, (byte)(i >> 8), (byte)i]), 1000);
            sent.Clear();
            node.Receive(packet, from);
            Assert.InRange(sent.Sum(item => item.Packet.Length), 0, 600);
            time.Advance(TimeSpan.FromMilliseconds(5));
        }

        Assert.Equal(0, node.Nodes);
    }

    private static byte[] Question(string method, Action<BencodeWriter> arguments) =>
        DhtMessage.Question([1, 2], method, false, w => arguments(w.Key("id").Bytes(Their.ToArray())));

    private DhtMessage Announce(byte[] token, IPEndPoint from) => Ask("announce_peer", w => w
        .Key("info_hash").Bytes(Hash(1).ToArray()).Key("port").Integer(7).Key("token").Bytes(token), from);

    private DhtMessage Ask(string method, Action<BencodeWriter> arguments, IPEndPoint? from = null)
    {
        sent.Clear();
        node.Receive(Question(method, arguments), from ?? Stranger);
        Assert.NotEmpty(sent);
        Assert.True(DhtMessage.TryRead(sent[0].Packet, out var answer), Encoding.ASCII.GetString(sent[0].Packet));
        return answer;
    }
}
