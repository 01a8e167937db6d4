using Virga.Core.Bencoding;

namespace Virga.BitTorrent.Wire.Extensions;

/// <summary>Kinds of ut_metadata's messages (BEP 9).</summary>
public enum MetadataKind
{
    Request = 0,
    Data = 1,
    Reject = 2,

    /// <summary>One that we don't know, to be left out.</summary>
    Other = 3,
}

/// <summary>A message of ut_metadata (BEP 9).</summary>
/// <param name="TotalBytes">Of the whole info dict, as a data message says; else 0.</param>
/// <param name="Data">Slice of what was received.</param>
public readonly record struct MetadataMessage(
    MetadataKind Kind, int Piece, int TotalBytes, ReadOnlyMemory<byte> Data)
{
    public const int PieceBytes = 16 << 10;

    /// <summary>What stands before the data is a small dictionary; some clients put more into it than they should.
    /// </summary>
    private static readonly BencodeLimits Limits = new(4096, 4, 100, AllowUnsortedKeys: true);

    /// <summary>BadInput where it is none.</summary>
    public static MetadataMessage Parse(ReadOnlyMemory<byte> payload)
    {
        var head = payload[..DictionaryPrefix.Length(payload.Span, Limits.MaxBytes)];
        var dictionary = BencodeValue.ParseDictionary(head.Span, Limits, "ut_metadata");
        var kind = dictionary.Integer("msg_type", 0);
        var piece = (int)dictionary.Integer("piece", 0, WireLimits.MetadataBytesMax / PieceBytes);
        if (kind > (int)MetadataKind.Reject) return new MetadataMessage(MetadataKind.Other, 0, 0, default);
        if (kind != (int)MetadataKind.Data) return new MetadataMessage((MetadataKind)kind, piece, 0, default);
        var total = (int)dictionary.Integer("total_size", 1, WireLimits.MetadataBytesMax);
        var data = payload[head.Length..];
        var expected = Math.Min(PieceBytes, total - ((long)piece * PieceBytes));
        if (data.Length != expected) throw PeerCodec.Bad($"{data.Length} bytes as piece {piece} of its metadata");
        return new MetadataMessage(MetadataKind.Data, piece, total, data);
    }

    /// <summary>The dictionary alone: data follows it as it is.</summary>
    public static byte[] Write(MetadataKind kind, int piece, int totalBytes = 0) => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("msg_type").Integer((int)kind).Key("piece").Integer(piece);
        if (kind == MetadataKind.Data) writer.Key("total_size").Integer(totalBytes);
        writer.End();
    });
}

/// <summary>Where a bencoded value ends that other bytes follow.</summary>
internal static class DictionaryPrefix
{
    /// <summary>Bytes of the first value; all of them where it has no end (then the strict reader says what is wrong).
    /// </summary>
    public static int Length(ReadOnlySpan<byte> data, int most)
    {
        var bounded = data[..Math.Min(data.Length, most)];
        var depth = 0;
        for (var at = 0; at < bounded.Length;)
        {
            var first = bounded[at];
            if (first is (byte)'d' or (byte)'l')
            {
                depth++;
                at++;
            }
            else if (first == (byte)'e')
            {
                depth--;
                at++;
            }
            else
            {
                at = SkipScalar(bounded, at);
            }
            if (depth <= 0 && at <= bounded.Length) return at;
        }
        return bounded.Length;
    }

    /// <summary>Beyond the end where it has none.</summary>
    private static int SkipScalar(ReadOnlySpan<byte> data, int at)
    {
        if (data[at] == (byte)'i')
        {
            var end = data[at..].IndexOf((byte)'e');
            return end < 0 ? data.Length + 1 : at + end + 1;
        }
        long length = 0;
        for (; at < data.Length && data[at] is >= (byte)'0' and <= (byte)'9' && length <= data.Length; at++)
            length = (length * 10) + data[at] - '0';
        return (int)Math.Min(data.Length + 1, at + 1 + length);
    }
}
