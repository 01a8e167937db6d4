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
    private readonly Dictionary<NodeId, KeptItem> items = [];

    /// <summary>Items kept for others.</summary>
    internal int Items
    {
        get
        {
            lock (gate) return items.Count;
        }
    }

    internal int SwarmsKept => swarms.Swarms;

    private void Asked(DhtMessage message, int asked, IPEndPoint from)
    {
        if (options.IsReadOnly) return;
        var place = PeerPlace.Of(from.Address, (ushort)from.Port);
        var now = time.GetElapsedTime(origin).Ticks;
        if (!answerRates.TryAcquire(keyed.Of(place.Network.High, place.Network.Low, 0), now)
            || !allRates.TryAcquire(0, now)) return;
        var contact = new DhtContact(message.Id, from);
        bool isProven, isWanted;
        lock (gate)
        {
            isProven = table.Contains(contact);
            isWanted = !isProven && !message.IsReadOnly && table.HasRoomFor(contact);
        }

        var answer = message.Method switch
        {
            "ping" => Reply(message, from, w => w.Key("id").Bytes(Id.ToArray())),
            "find_node" => FindNode(message, from),
            "get_peers" => GetPeers(message, from, place, isProven),
            "announce_peer" => AnnouncePeer(message, from, place),
            "get" => GetItem(message, from, place),
            "put" => PutItem(message, from, place),
            _ => DhtMessage.Error(message.Transaction, 204, "Method Unknown"),
        };
        send(answer, from);
        // Who asks may be worth knowing; it gets in by answering, and is asked with less than it sent.
        if (isWanted && asked >= 60 && askBackRates.TryAcquire(0, now))
            _ = AskAsync(message.Id, from, "ping", w => w.Key("id").Bytes(Id.ToArray()), CancellationToken.None);
    }

    private static byte[] Reply(DhtMessage message, IPEndPoint from, Action<BencodeWriter> values) =>
        DhtMessage.Answer(message.Transaction, from, values);

    private byte[] FindNode(DhtMessage message, IPEndPoint from) => message.Target("target") is { } target
        ? Reply(message, from, w => WriteNodes(w.Key("id").Bytes(Id.ToArray()), message, target))
        : Bad(message);

    private byte[] GetPeers(DhtMessage message, IPEndPoint from, PeerPlace place, bool isProven)
    {
        if (message.Target("info_hash") is not { } target) return Bad(message);
        Span<byte> found = stackalloc byte[DhtLimits.PeersProven * CompactAddress.V6Bytes];
        var most = isProven ? DhtLimits.PeersProven : DhtLimits.PeersUnproven;
        var bytes = swarms.Peers(
            new SwarmHash(target.ToArray()), found, most, isV4: Family == AddressFamily.InterNetwork);
        var size = Family == AddressFamily.InterNetwork ? CompactAddress.V4Bytes : CompactAddress.V6Bytes;
        var peers = found[..bytes].ToArray();
        return Reply(message, from, w =>
        {
            w.Key("id").Bytes(Id.ToArray());
            // To an unproven address either peers or nodes, not both: no more than the protocol forces.
            if (isProven || peers.Length == 0) WriteNodes(w, message, target);
            w.Key("token").Bytes(Token(place, 0));
            if (peers.Length == 0) return;
            w.Key("values").StartList();
            for (var at = 0; at < peers.Length; at += size) w.Bytes(peers.AsSpan(at, size));
            w.End();
        });
    }

    private byte[] AnnouncePeer(DhtMessage message, IPEndPoint from, PeerPlace place)
    {
        if (message.Target("info_hash") is not { } target || message.Bytes("token") is not { } token)
            return Bad(message);
        if (!IsToken(token, place)) return DhtMessage.Error(message.Transaction, 203, "Bad token");
        var port = message.Integer("implied_port") is > 0 ? from.Port : message.Integer("port");
        if (port is not (> 0 and <= ushort.MaxValue)) return Bad(message);
        swarms.Announce(
            new SwarmAnnounce(
                new SwarmHash(target.ToArray()), place with { Port = (ushort)port }, AnnounceEvent.None,
                message.Integer("seed") == 1, 0), [], []);
        return Reply(message, from, w => w.Key("id").Bytes(Id.ToArray()));
    }

    private byte[] GetItem(DhtMessage message, IPEndPoint from, PeerPlace place)
    {
        if (message.Target("target") is not { } target) return Bad(message);
        KeptItem? kept;
        lock (gate) kept = items.GetValueOrDefault(target);
        var item = kept?.Item;
        var isNews = item is not null && !(message.Integer("seq") is { } known && item.Sequence <= known);
        return Reply(message, from, w =>
        {
            w.Key("id").Bytes(Id.ToArray());
            if (isNews && item!.Key is { } key) w.Key("k").Bytes(key.Bytes.ToArray());
            if (item is null) WriteNodes(w, message, target);
            if (item?.Key is not null) w.Key("seq").Integer(item.Sequence);
            if (isNews && item!.Key is not null) w.Key("sig").Bytes(item.Signature.Span);
            w.Key("token").Bytes(Token(place, 0));
            if (isNews) w.Key("v").Raw(item!.Value.Span);
        });
    }

    private byte[] PutItem(DhtMessage message, IPEndPoint from, PeerPlace place)
    {
        if (message.Bytes("token") is not { } token || message.Body is null
            || !message.Body.TryValue("v", out var value)) return Bad(message);
        if (!IsToken(token, place)) return DhtMessage.Error(message.Transaction, 203, "Bad token");
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

        return Keep(message, item) ?? Reply(message, from, w => w.Key("id").Bytes(Id.ToArray()));
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
    private void WriteNodes(BencodeWriter writer, DhtMessage message, NodeId target)
    {
        var (wants4, wants6) = Wants(message);
        var (v4, v6) = Family == AddressFamily.InterNetwork ? (this, Sibling) : (Sibling, this);
        if (wants4 && v4 is not null)
            writer.Key("nodes").Bytes(DhtMessage.Nodes(v4.Closest(target, DhtLimits.BucketNodes)));
        if (wants6 && v6 is not null)
            writer.Key("nodes6").Bytes(DhtMessage.Nodes(v6.Closest(target, DhtLimits.BucketNodes)));
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

    private static byte[] Bad(DhtMessage message) => DhtMessage.Error(message.Transaction, 203, "Protocol Error");

    private sealed record KeptItem(DhtItem Item, long Since);
}
