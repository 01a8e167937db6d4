using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.BitTorrent.Trackers;
using Virga.BitTorrent.Trackers.Server;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.BitTorrent.Dht;

/// <summary>What a node answers, and what it keeps for others.</summary>
public sealed partial class DhtNode
{
    /// <summary>Bytes of a ping of ours: all are of one length.</summary>
    private static readonly int PingBytes = DhtMessage.Question(
        new byte[TransactionBytes], "ping", false, w => w.Key("id").Bytes(new byte[NodeId.ByteCount])).Length;

    private readonly Dictionary<NodeId, KeptItem> items = [];
    /// <summary>Questions of addresses that were pinged and have not answered yet.</summary>
    private readonly Dictionary<IPEndPoint, List<DhtMessage>> held = [];
    /// <summary>Who has shown to get what is sent to it, and who was pinged and has not.</summary>
    private readonly RecentPlaces proven, silent;

    /// <summary>Items kept for others.</summary>
    internal int Items
    {
        get
        {
            lock (gate) return items.Count;
        }
    }

    internal int SwarmsKept => swarms.Swarms;

    /// <summary>
    /// Who is proven to get what is sent to its address is answered in full. Anybody else gets no more bytes than it
    /// sent: either a ping, and the answer once that was answered, or what of the answer fits.
    /// </summary>
    private void Asked(DhtMessage message, int asked, IPEndPoint from)
    {
        if (options.IsReadOnly) return;
        var place = PeerPlace.Of(from.Address, (ushort)from.Port);
        if (!MayAnswer(place)) return;
        if (proven.Contains(from))
        {
            Answer(message, from, place, DhtLimits.PacketBytes);
            return;
        }

        // A ping is worth no ping: two nodes that do not know each other would ask each other for ever.
        var isWorthIt = message.Method is "find_node" or "get_peers" or "get" && !message.IsReadOnly;
        if (!isWorthIt || !TryHold(message, asked, from)) Answer(message, from, place, asked);
    }

    private bool MayAnswer(PeerPlace place)
    {
        var now = time.GetElapsedTime(origin).Ticks;
        return answerRates.TryAcquire(keyed.Of(place.Network.High, place.Network.Low, 0), now)
            && allRates.TryAcquire(0, now);
    }

    /// <summary>
    /// Pings who asked, and keeps the question until the answer. False where it is to be answered at once: who was
    /// pinged and said nothing, too many are kept, or the ping is longer than the question.
    /// </summary>
    private bool TryHold(DhtMessage message, int asked, IPEndPoint from)
    {
        lock (gate)
        {
            if (held.TryGetValue(from, out var waiting))
            {
                if (waiting.Count >= DhtLimits.HeldOfAddress) return false;
                waiting.Add(message);
                return true;
            }

            if (held.Count >= DhtLimits.Held || asked < PingBytes || silent.Contains(from)) return false;
            held.Add(from, [message]);
        }

        silent.Add(from);
        _ = PingAsync();
        return true;

        async Task PingAsync()
        {
            await AskAsync(
                message.Id, from, "ping", w => w.Key("id").Bytes(Id.ToArray()), CancellationToken.None);
            lock (gate) held.Remove(from);
        }
    }

    /// <summary>Somebody has answered from there: what it asked for is answered in full.</summary>
    private void Proved(IPEndPoint from)
    {
        proven.Add(from);
        silent.Remove(from);
        List<DhtMessage>? waiting;
        lock (gate) held.Remove(from, out waiting);
        foreach (var message in waiting ?? [])
            Answer(message, from, PeerPlace.Of(from.Address, (ushort)from.Port), DhtLimits.PacketBytes);
    }

    private void Answer(DhtMessage message, IPEndPoint from, PeerPlace place, int room)
    {
        var answer = message.Method switch
        {
            "ping" => Reply(message, from, room, 0, (_, _) => { }),
            "find_node" => FindNode(message, from, room),
            "get_peers" => GetPeers(message, from, place, room),
            "announce_peer" => AnnouncePeer(message, from, place),
            "get" => GetItem(message, from, place, room),
            "put" => PutItem(message, from, place),
            _ => DhtMessage.Error(message.Transaction, 204, "Method Unknown"),
        };
        if (answer?.Length <= room) send(answer, from);
    }

    /// <summary>As much of an answer as there is room for; null where not even an empty one fits.</summary>
    /// <param name="most">How many of its parts an answer has at most.</param>
    /// <param name="values">Writes what comes behind the id, with so many parts.</param>
    private byte[]? Reply(
        DhtMessage message, IPEndPoint from, int room, int most, Action<BencodeWriter, int> values)
    {
        for (var count = most; ; count--)
        {
            foreach (var isPlain in (ReadOnlySpan<bool>)[false, true])
            {
                var packet = DhtMessage.Answer(message.Transaction, isPlain ? null : from, w =>
                {
                    w.Key("id").Bytes(Id.ToArray());
                    values(w, count);
                });
                if (packet.Length <= room) return packet;
            }

            if (count == 0) return null;
        }
    }

    private byte[]? FindNode(DhtMessage message, IPEndPoint from, int room) =>
        message.Target("target") is { } target
            ? Reply(message, from, room, DhtLimits.BucketNodes, (w, count) => WriteNodes(w, message, target, count))
            : Bad(message);

    private byte[]? GetPeers(DhtMessage message, IPEndPoint from, PeerPlace place, int room)
    {
        if (message.Target("info_hash") is not { } target) return Bad(message);
        Span<byte> found = stackalloc byte[DhtLimits.PeersOfAnswer * CompactAddress.V6Bytes];
        var size = Family == AddressFamily.InterNetwork ? CompactAddress.V4Bytes : CompactAddress.V6Bytes;
        var most = Math.Min(DhtLimits.PeersOfAnswer, room / size);
        var bytes = swarms.Peers(
            new SwarmHash(target.ToArray()), found, most, isV4: Family == AddressFamily.InterNetwork);
        var peers = found[..bytes].ToArray();
        // Where there is room for one of both, peers are worth more.
        var isCut = room < DhtLimits.PacketBytes;
        return Reply(message, from, room, peers.Length > 0 ? peers.Length / size : DhtLimits.BucketNodes, (w, count) =>
        {
            if (peers.Length == 0) WriteNodes(w, message, target, count);
            else if (!isCut) WriteNodes(w, message, target, DhtLimits.BucketNodes);
            w.Key("token").Bytes(Token(place, 0));
            if (peers.Length == 0 || count == 0) return;
            w.Key("values").StartList();
            for (var at = 0; at < count * size; at += size) w.Bytes(peers.AsSpan(at, size));
            w.End();
        });
    }

    private byte[]? AnnouncePeer(DhtMessage message, IPEndPoint from, PeerPlace place)
    {
        if (message.Target("info_hash") is not { } target || message.Bytes("token") is not { } token)
            return Bad(message);
        if (!IsToken(token, place)) return DhtMessage.Error(message.Transaction, 203, "Bad token");
        // A token comes from nowhere but a packet of ours to its address.
        proven.Add(from);
        var port = message.Integer("implied_port") is > 0 ? from.Port : message.Integer("port");
        if (port is not (> 0 and <= ushort.MaxValue)) return Bad(message);
        swarms.Announce(
            new SwarmAnnounce(
                new SwarmHash(target.ToArray()), place with { Port = (ushort)port }, AnnounceEvent.None,
                message.Integer("seed") == 1, 0), [], []);
        return Done(message, from);
    }

    private byte[]? GetItem(DhtMessage message, IPEndPoint from, PeerPlace place, int room)
    {
        if (message.Target("target") is not { } target) return Bad(message);
        KeptItem? kept;
        lock (gate) kept = items.GetValueOrDefault(target);
        var item = kept?.Item;
        var isNews = item is not null && !(message.Integer("seq") is { } known && item.Sequence <= known);
        // All of an item, or only its number; or so many nodes.
        return Reply(message, from, room, item is null ? DhtLimits.BucketNodes : isNews ? 1 : 0, (w, count) =>
        {
            var isWhole = isNews && count > 0;
            if (isWhole && item!.Key is { } key) w.Key("k").Bytes(key.Bytes.ToArray());
            if (item is null) WriteNodes(w, message, target, count);
            if (item?.Key is not null) w.Key("seq").Integer(item.Sequence);
            if (isWhole && item!.Key is not null) w.Key("sig").Bytes(item.Signature.Span);
            w.Key("token").Bytes(Token(place, 0));
            if (isWhole) w.Key("v").Raw(item!.Value.Span);
        });
    }

    private byte[]? PutItem(DhtMessage message, IPEndPoint from, PeerPlace place)
    {
        if (message.Bytes("token") is not { } token || message.Body is null
            || !message.Body.TryValue("v", out var value)) return Bad(message);
        if (!IsToken(token, place)) return DhtMessage.Error(message.Transaction, 203, "Bad token");
        proven.Add(from);
        if (value.Raw.Length > DhtLimits.ItemBytes)
            return DhtMessage.Error(message.Transaction, 205, "message (v field) too big");
        DhtItem item;
        try
        {
            item = message.Bytes("k", Hash256.ByteCount) is { Length: Hash256.ByteCount } key
                ? DhtItem.Mutable(
                    new VerifyKey(new Hash256(key)), message.Bytes("salt") ?? [], message.Integer("seq") ?? 0,
                    message.Bytes("sig", SigningKey.SignatureBytes) ?? [], value.Raw.Span)
                : DhtItem.Immutable(value.Raw.Span);
        }
        catch (VirgaException e)
        {
            return DhtMessage.Error(
                message.Transaction, e.Kind == FailureKind.Corrupt ? 206 : 207, "the item can't be taken");
        }

        return Keep(message, item) ?? Done(message, from);
    }

    /// <summary>The error to answer with; null when the item is kept.</summary>
    private byte[]? Keep(DhtMessage message, DhtItem item)
    {
        var target = item.Target;
        lock (gate)
        {
            if (items.TryGetValue(target, out var old) && item.Key is not null)
            {
                if (message.Integer("cas") is { } cas && cas != old.Item.Sequence)
                    return DhtMessage.Error(message.Transaction, 301, "the item has another number by now");
                if (item.Sequence < old.Item.Sequence
                    || (item.Sequence == old.Item.Sequence && !item.Value.Span.SequenceEqual(old.Item.Value.Span)))
                    return DhtMessage.Error(message.Transaction, 302, "sequence number less than current.");
            }
            else if (old is null && items.Count >= DhtLimits.Items)
            {
                // What is furthest from us is best known by others.
                var furthest = items.Keys.MaxBy(key => key, Comparer<NodeId>.Create(Id.CompareDistance));
                if (Id.CompareDistance(target, furthest) >= 0)
                    return DhtMessage.Error(message.Transaction, 202, "no room");
                items.Remove(furthest);
            }

            items[target] = new KeptItem(item, time.GetTimestamp());
        }

        return null;
    }

    private void SweepItems()
    {
        lock (gate)
        {
            foreach (var (target, item) in items)
            {
                if (time.GetElapsedTime(item.Since) >= DhtLimits.ItemLife) items.Remove(target);
            }
        }
    }

    /// <summary>The nearest nodes, of the families that are wanted (BEP 32).</summary>
    private void WriteNodes(BencodeWriter writer, DhtMessage message, NodeId target, int count)
    {
        if (count == 0) return;
        var (wants4, wants6) = Wants(message);
        var (v4, v6) = Family == AddressFamily.InterNetwork ? (this, Sibling) : (Sibling, this);
        if (wants4 && v4 is not null)
            writer.Key("nodes").Bytes(DhtMessage.Nodes(v4.Closest(target, count)));
        if (wants6 && v6 is not null)
            writer.Key("nodes6").Bytes(DhtMessage.Nodes(v6.Closest(target, count)));
    }

    private (bool V4, bool V6) Wants(DhtMessage message)
    {
        var isV4 = Family == AddressFamily.InterNetwork;
        if (message.Body is null || !message.Body.TryValue("want", out var want) || want is not BencodeList list)
            return (isV4, !isV4);
        var wanted = list.Items().OfType<BencodeBytes>().Select(item => Encoding.ASCII.GetString(item.Content.Span))
            .ToList();
        return wanted.Contains("n4") || wanted.Contains("n6") ? (wanted.Contains("n4"), wanted.Contains("n6"))
            : (isV4, !isV4);
    }

    private byte[] Token(PeerPlace place, long back)
    {
        var slot = time.GetElapsedTime(origin).Ticks / DhtLimits.TokenSlot.Ticks;
        return BitConverter.GetBytes(keyed.Of(place.High, place.Low, (ulong)(slot - back) + 2));
    }

    private bool IsToken(byte[] token, PeerPlace place) =>
        token.AsSpan().SequenceEqual(Token(place, 0)) || token.AsSpan().SequenceEqual(Token(place, 1));

    private byte[]? Done(DhtMessage message, IPEndPoint from) =>
        Reply(message, from, DhtLimits.PacketBytes, 0, static (_, _) => { });

    private static byte[] Bad(DhtMessage message) => DhtMessage.Error(message.Transaction, 203, "Protocol Error");

    private sealed record KeptItem(DhtItem Item, long Since);
}
