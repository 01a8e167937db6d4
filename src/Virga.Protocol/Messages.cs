using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>What <c>GET /v1/peer</c> tells.</summary>
/// <param name="Kind"><c>agent</c> or <c>repository</c>.</param>
public sealed record PeerInfo(AgentId Agent, string Kind, DateTimeOffset Now)
{
    public const string AgentKind = "agent";
    public const string RepositoryKind = "repository";

    public byte[] Encode() => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("agent").Hash(Agent.Hash).Key("kind").Text(Kind).Key("now").Time(Now)
            .Key("versions").StartList().Integer(1).End().End());

    /// <summary>Unsupported when the peer does not speak version 1.</summary>
    public static PeerInfo Parse(ReadOnlySpan<byte> body)
    {
        const int mostVersions = 64;
        var fields = BencodeValue.ParseDictionary(body, BencodeLimits.Message, "peer");
        if (!fields.List("versions", mostVersions).Any(version => version.AsInteger() == 1))
            throw new VirgaException(
                FailureKind.Unsupported, "the peer does not speak version 1 of the protocol",
                "Update the older of the two.");
        fields.AllowOnly("agent", "kind", "now", "versions");
        var kind = fields.Text("kind", 32);
        if (kind is not (AgentKind or RepositoryKind))
            throw Wire.Bad($"peer: '{PeerText.Clean(kind, 32)}' is not a kind of peer");
        return new PeerInfo(fields.Agent("agent"), kind, fields.Time("now"));
    }
}

/// <summary>One range of a batch read.</summary>
public readonly record struct BlobRange(Hash256 Root, ByteRange Range);

/// <summary>Body of <c>POST /v1/shares/.../read</c>: at most 1,024 ranges and 8 MiB together.</summary>
public static class ReadRequest
{
    public static byte[] Encode(IReadOnlyList<BlobRange> ranges) => BencodeWriter.Encode(writer =>
    {
        writer.StartList();
        foreach (var (root, range) in ranges)
        {
            writer.StartDictionary().Key("length").Integer(range.Length).Key("offset").Integer(range.Offset)
                .Key("root").Hash(root).End();
        }
        writer.End();
    });

    public static IReadOnlyList<BlobRange> Parse(ReadOnlySpan<byte> body)
    {
        var ranges = new List<BlobRange>();
        long total = 0;
        var items = BencodeValue.Parse(body, BencodeLimits.Message).AsList().Items(ProtocolLimits.RangesPerRead);
        foreach (var item in items)
        {
            var fields = item.AsDictionary();
            fields.AllowOnly("length", "offset", "root");
            var length = fields.Integer("length", 1, ProtocolLimits.RangeBytes);
            var offset = fields.Integer("offset", 0, long.MaxValue - length);
            total += length;
            if (total > ProtocolLimits.RangeBytes)
                throw Wire.Bad($"read: more than {ProtocolLimits.RangeBytes} bytes are asked for at once");
            ranges.Add(new BlobRange(fields.Hash("root"), new ByteRange(offset, length)));
        }
        if (ranges.Count == 0) throw Wire.Bad("read: no range is asked for");
        return ranges;
    }
}

/// <summary>
/// Answers that are one number: <c>{ next: N }</c>, <c>{ expires: T }</c>, <c>{ removed: N }</c> or
/// <c>{ version: N }</c>.
/// </summary>
public static class NumberAnswer
{
    public static byte[] Encode(string key, long value) =>
        BencodeWriter.Encode(writer => writer.StartDictionary().Key(key).Integer(value).End());

    public static long Parse(ReadOnlySpan<byte> body, string key)
    {
        var fields = Wire.Dictionary(body, "answer", key);
        return fields.Integer(key, 0);
    }
}
