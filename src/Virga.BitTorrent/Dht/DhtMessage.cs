using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.BitTorrent.Dht;

/// <summary>One packet of the DHT, read (KRPC of BEP 5).</summary>
internal sealed class DhtMessage
{
    private const int TransactionBytesMax = 32;

    private static readonly BencodeLimits Limits = new(DhtLimits.PacketBytes, 36, 600, AllowUnsortedKeys: true);

    private DhtMessage(byte[] transaction, byte kind)
    {
        Transaction = transaction;
        Kind = kind;
    }

    public byte[] Transaction { get; }

    /// <summary>'q', 'r' or 'e'.</summary>
    public byte Kind { get; }

    /// <summary>Of a question: what is asked.</summary>
    public string Method { get; private init; } = "";

    /// <summary>The arguments of a question, or what an answer returns; null for an error.</summary>
    public BencodeDictionary? Body { get; private init; }

    /// <summary>Who sent it; of errors nobody.</summary>
    public NodeId Id { get; private init; }

    /// <summary>It answers no questions itself (BEP 43).</summary>
    public bool IsReadOnly { get; private init; }

    /// <summary>Where an answer says that our question came from (BEP 42).</summary>
    public IPEndPoint? Seen { get; private init; }

    /// <summary>False for what is no message of the DHT.</summary>
    public static bool TryRead(ReadOnlySpan<byte> packet, [NotNullWhen(true)] out DhtMessage? message)
    {
        message = null;
        if (packet.Length < 2 || packet[0] != (byte)'d') return false;
        try
        {
            message = Read(BencodeValue.ParseDictionary(packet, Limits, "a packet of the DHT"));
            return message is not null;
        }
        catch (VirgaException)
        {
            return false;
        }
    }

    public static byte[] Question(
        byte[] transaction, string method, bool isReadOnly, Action<BencodeWriter> arguments) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("a").StartDictionary();
            arguments(writer);
            writer.End().Key("q").Text(method);
            if (isReadOnly) writer.Key("ro").Integer(1);
            writer.Key("t").Bytes(transaction).Key("v").Text("VG01").Key("y").Text("q").End();
        });

    /// <param name="to">
    /// Tells the asker by which address it is seen (BEP 42); null where it shall be as short as it can be.
    /// </param>
    public static byte[] Answer(byte[] transaction, IPEndPoint? to, Action<BencodeWriter> values) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary();
            if (to is not null) writer.Key("ip").Bytes(Compact(to));
            writer.Key("r").StartDictionary();
            values(writer);
            writer.End().Key("t").Bytes(transaction);
            if (to is not null) writer.Key("v").Text("VG01");
            writer.Key("y").Text("r").End();
        });

    public static byte[] Error(byte[] transaction, int code, string words) => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("e").StartList().Integer(code).Text(words).End()
            .Key("t").Bytes(transaction).Key("y").Text("e").End());

    public static byte[] Compact(IPEndPoint place)
    {
        Span<byte> bytes = stackalloc byte[CompactAddress.V6Bytes];
        return bytes[..CompactAddress.Write(place, bytes)].ToArray();
    }

    public static byte[] Nodes(IReadOnlyList<DhtContact> nodes) =>
        [.. nodes.SelectMany(node => node.Id.ToArray().Concat(Compact(node.Place)))];

    /// <summary>The nodes of an answer, as far as they make sense, two answers' worth at most.</summary>
    public IEnumerable<DhtContact> ReadNodes(AddressFamily family)
    {
        if (Body is null || !Body.TryValue(family == AddressFamily.InterNetwork ? "nodes" : "nodes6", out var value)
            || value is not BencodeBytes { Content: var list }) yield break;
        var size = NodeId.ByteCount
            + (family == AddressFamily.InterNetwork ? CompactAddress.V4Bytes : CompactAddress.V6Bytes);
        for (var i = 0; i < 2 * DhtLimits.BucketNodes && list.Length >= size; i++, list = list[size..])
        {
            yield return new DhtContact(
                new NodeId(list.Span[..NodeId.ByteCount]), CompactAddress.Read(list.Span[NodeId.ByteCount..size]));
        }
    }

    /// <summary>The peers of an answer, as far as they make sense.</summary>
    public List<IPEndPoint> ReadPeers()
    {
        var peers = new List<IPEndPoint>();
        if (Body is null || !Body.TryValue("values", out var values) || values is not BencodeList list) return peers;
        foreach (var item in list.Items())
        {
            if (item is BencodeBytes { Content: { Length: CompactAddress.V4Bytes or CompactAddress.V6Bytes } place })
                peers.Add(CompactAddress.Read(place.Span));
        }

        return peers;
    }

    public byte[]? Bytes(string key, int max = DhtLimits.PacketBytes) =>
        Body is not null && Body.TryValue(key, out var value) && value is BencodeBytes bytes
            && bytes.Content.Length <= max ? bytes.Content.ToArray() : null;

    public long? Integer(string key) =>
        Body is not null && Body.TryValue(key, out var value) && value is BencodeInteger number
            && number.TryGet(out var integer) ? integer : null;

    public NodeId? Target(string key) =>
        Bytes(key, NodeId.ByteCount) is { Length: NodeId.ByteCount } bytes ? new NodeId(bytes) : null;

    private static DhtMessage? Read(BencodeDictionary packet)
    {
        if (packet.OptionalBytes("t", 0, TransactionBytesMax) is not { } transaction
            || packet.OptionalBytes("y", 1, 1) is not { } kind) return null;
        if (kind[0] == (byte)'e') return new DhtMessage(transaction, kind[0]);
        if (kind[0] is not ((byte)'q' or (byte)'r')) return null;
        var body = packet.Dictionary(kind[0] == (byte)'q' ? "a" : "r");
        return new DhtMessage(transaction, kind[0])
        {
            Body = body,
            Id = new NodeId(body.Bytes("id", NodeId.ByteCount, NodeId.ByteCount)),
            Method = kind[0] == (byte)'q' ? Encoding.ASCII.GetString(packet.Bytes("q", 1, 64)) : "",
            IsReadOnly = packet.TryValue("ro", out var ro) && ro is BencodeInteger one && one.TryGet(out var is1)
                && is1 == 1,
            Seen = packet.TryValue("ip", out var ip) && ip is BencodeBytes
            {
                Content: { Length: CompactAddress.V4Bytes or CompactAddress.V6Bytes } place,
            } ? CompactAddress.Read(place.Span) : null,
        };
    }
}
