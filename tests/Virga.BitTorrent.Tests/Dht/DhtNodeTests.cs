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

    private static readonly DhtItem Kept = DhtItem.Immutable("600:"u8.ToArray().Concat(new byte[600]).ToArray());

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

        Assert.InRange(sent.Count, 1, DhtLimits.AnswersBurst);
        Assert.All(sent, item => Assert.InRange(item.Packet.Length, 1, question.Length));
        Assert.Equal(1, node.HeldCount);
    }

    /// <summary>The addresses are not the sender's: whoever lives there must not be flooded by us.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task An_address_that_has_proved_nothing_gets_no_more_bytes_than_came_from_it(ulong seed)
    {
        await FillAsync();
        var random = new Seeded(seed);
        var (got, came) = (new Dictionary<IPEndPoint, long>(), new Dictionary<IPEndPoint, long>());
        sent.Clear();
        for (var i = 0; i < 5_000; i++)
        {
            var target = random.Next(2) == 0 ? Hash(1).ToArray() : random.Next(2) == 0 ? Kept.Target.ToArray()
                : Seeded.Bytes(20, random.Next());
            var from = new IPEndPoint(new IPAddress([47, 1, 1, (byte)random.Next(60)]), 1 + (int)random.Next(3));
            var packet = DhtMessage.Question(
                Seeded.Bytes((int)random.Next(9), seed), Method(), random.Next(4) == 0, w =>
                {
                    w.Key("id").Bytes(Seeded.Bytes(20, random.Next())).Key("info_hash").Bytes(target);
                    if (random.Next(4) == 0) w.Key("padding").Bytes(new byte[random.Next(300)]);
                    w.Key("target").Bytes(target);
                    if (random.Next(3) == 0) w.Key("token").Bytes(new byte[random.Next(10)]);
                    if (random.Next(3) == 0) w.Key("want").StartList().Text("n4").Text("n6").End();
                });
            came[from] = came.GetValueOrDefault(from) + packet.Length;
            node.Receive(packet, from);
            foreach (var (answer, to) in sent) got[to] = got.GetValueOrDefault(to) + answer.Length;
            sent.Clear();
            Assert.True(got.GetValueOrDefault(from) <= came[from], $"seed {seed}, packet {i}: {got[from]}");
            time.Advance(TimeSpan.FromMilliseconds(random.Next(2_000)));
        }

        Assert.All(got, item => Assert.True(item.Value <= came[item.Key]));
        Assert.InRange(got.Count, 100, 180);
        Assert.InRange(node.HeldCount, 0, DhtLimits.Held);

        string Method() => random.Next(6) switch
        {
            0 => "ping", 1 => "find_node", 2 => "get_peers", 3 => "get", 4 => "vote", _ => "announce_peer",
        };
    }

    [Fact]
    public async Task Who_answers_a_ping_is_answered_in_full_and_who_does_not_with_what_fits()
    {
        await FillAsync();
        sent.Clear();
        var question = Question("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray()));
        var silent = IPEndPoint.Parse("45.8.8.8:1000");

        node.Receive(question, silent);
        Assert.True(DhtMessage.TryRead(Assert.Single(sent).Packet, out var ping));
        Assert.Equal("ping", ping.Method);
        time.Advance(DhtLimits.AnswerWait * 2);
        await PingsEndAsync();
        sent.Clear();
        node.Receive(question, silent);
        Assert.True(DhtMessage.TryRead(Assert.Single(sent).Packet, out var cut));
        Assert.InRange(cut.ReadPeers().Count, 1, 3);
        Assert.NotNull(cut.Bytes("token"));

        Assert.Equal(DhtLimits.PeersOfAnswer, Ask("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray()))
            .ReadPeers().Count);
        Assert.Equal(DhtLimits.BucketNodes, Ask("find_node", w => w.Key("target").Bytes(Their.ToArray()))
            .ReadNodes(node.Family).Count());
        // The proof is forgotten, and asked for again.
        time.Advance(DhtLimits.RecentSlot * 2);
        sent.Clear();
        node.Receive(question, Stranger);
        Assert.True(DhtMessage.TryRead(Assert.Single(sent).Packet, out ping));
        Assert.Equal((byte)'q', ping.Kind);
    }

    [Fact]
    public async Task A_token_that_is_used_proves_its_address()
    {
        await FillAsync();
        var question = Question("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray()));
        // Who only reads is not pinged: it would not answer.
        node.Receive(DhtMessage.Question([1, 2], "get_peers", true, w => w.Key("id").Bytes(Their.ToArray())
            .Key("info_hash").Bytes(Hash(1).ToArray())), Stranger);
        Assert.True(DhtMessage.TryRead(sent[^1].Packet, out var cut));
        Assert.Equal((byte)'r', Announce(cut.Bytes("token")!, Stranger).Kind);

        sent.Clear();
        node.Receive(question, Stranger);

        Assert.True(DhtMessage.TryRead(Assert.Single(sent).Packet, out var whole));
        Assert.Equal(DhtLimits.PeersOfAnswer, whole.ReadPeers().Count);
    }

    [Fact]
    public async Task A_flood_of_addresses_that_ask_is_held_within_bounds()
    {
        for (var i = 0; i < 20_000; i++)
        {
            var from = new IPEndPoint(new IPAddress([46, 1, (byte)(i >> 8), (byte)i]), 1000);
            node.Receive(Question("find_node", w => w.Key("target").Bytes(Their.ToArray())), from);
            if (i % 4 == 0) time.Advance(TimeSpan.FromMilliseconds(10));
            Assert.InRange(node.HeldCount, 0, DhtLimits.Held);
            Assert.InRange(node.PendingCount, 0, DhtLimits.Held);
            Assert.InRange(node.RememberedCount, 0, 2 * DhtLimits.Recent);
        }

        time.Advance(DhtLimits.AnswerWait * 2);
        await PingsEndAsync();
        Assert.Equal(0, node.Nodes);
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
            if (sent.Count == 0 || !DhtMessage.TryRead(sent[0].Packet, out var ping)) continue;
            node.Receive(Pong(ping, from), from);
            if (!DhtMessage.TryRead(sent[^1].Packet, out var answer)) continue;
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
        var answer = Read();
        if (answer.Kind != (byte)'q') return answer;
        // It wants to know first whether we are there.
        node.Receive(Pong(answer, from ?? Stranger), from ?? Stranger);
        return Read();

        DhtMessage Read()
        {
            Assert.NotEmpty(sent);
            Assert.True(DhtMessage.TryRead(sent[^1].Packet, out var read), Encoding.ASCII.GetString(sent[^1].Packet));
            return read;
        }
    }

    private static byte[] Pong(DhtMessage ping, IPEndPoint from) =>
        DhtMessage.Answer(ping.Transaction, from, w => w.Key("id").Bytes(Their.ToArray()));

    /// <summary>Nodes, peers and an item: whatever is asked for could be answered at length.</summary>
    private async Task FillAsync()
    {
        for (var i = 1; i <= 60; i++)
        {
            var from = new IPEndPoint(new IPAddress([46, 2, 2, (byte)i]), 1000);
            var asking = node.AskAsync(null, from, "ping", w => w.Key("id").Bytes(node.Id.ToArray()), default);
            Assert.True(DhtMessage.TryRead(sent[^1].Packet, out var ping));
            node.Receive(
                DhtMessage.Answer(ping.Transaction, from, w => w.Key("id").Bytes(Seeded.Bytes(20, (ulong)i))), from);
            Assert.NotNull(await asking);
            Announce(Ask("get_peers", w => w.Key("info_hash").Bytes(Hash(1).ToArray()), from).Bytes("token")!, from);
            if (i > 1) continue;
            var got = Ask("get", w => w.Key("target").Bytes(Kept.Target.ToArray()), from);
            Ask("put", w => w.Key("token").Bytes(got.Bytes("token")!).Key("v").Raw(Kept.Value.Span), from);
        }

        time.Advance(TimeSpan.FromSeconds(10));
    }

    /// <summary>Until what was pinged and is silent is forgotten.</summary>
    private async Task PingsEndAsync()
    {
        while (node.HeldCount > 0 || node.PendingCount > 0) await Task.Yield();
    }
}
