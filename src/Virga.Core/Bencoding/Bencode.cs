using System.Buffers;

namespace Virga.Core.Bencoding;

/// <summary>Bounds for reading bencode; everything is checked before anything is allocated.</summary>
/// <param name="MaxBytes">Longest input.</param>
/// <param name="MaxDepth">Deepest nesting.</param>
/// <param name="MaxItems">Most values (dictionary keys count) in the whole input.</param>
/// <param name="AllowUnsortedKeys">For torrents of others only: keys may be out of order, never twice.</param>
public sealed record BencodeLimits(int MaxBytes, int MaxDepth, int MaxItems, bool AllowUnsortedKeys = false)
{
    /// <summary>Messages of the protocol: 1 MiB, 16 deep, 65,536 values.</summary>
    public static readonly BencodeLimits Message = new(1 << 20, 16, 65_536);
}

public enum BencodeToken { None, Integer, Bytes, ListStart, DictionaryStart, End }

/// <summary>
/// A strict pull reader (BEP 3): canonical integers and lengths, sorted unique keys, nothing behind the end.
/// Allocates nothing. Throws <see cref="VirgaException"/> BadInput with the offset of the fault.
/// </summary>
public ref struct BencodeReader
{
    public BencodeReader(ReadOnlySpan<byte> data, BencodeLimits limits) => throw new NotImplementedException();

    public readonly BencodeToken Token => throw new NotImplementedException();

    /// <summary>Offset of the next byte to be read.</summary>
    public readonly int Position => throw new NotImplementedException();

    /// <summary>Reads the next token (a dictionary key is a Bytes token). False at the end of the one top-level value.</summary>
    public bool Read() => throw new NotImplementedException();

    /// <summary>Value of the current Integer token; BadInput when it is outside of Int64.</summary>
    public readonly long Integer => throw new NotImplementedException();

    /// <summary>Value of the current Bytes token, a slice of the input.</summary>
    public readonly ReadOnlySpan<byte> Bytes => throw new NotImplementedException();

    /// <summary>Skips the value that the current token starts, checking it fully; returns its raw bytes.</summary>
    public ReadOnlySpan<byte> SkipValue() => throw new NotImplementedException();
}

/// <summary>Writes canonical bencode. Keys must be written in order; a wrong order or an unclosed value is a bug and asserts.</summary>
public sealed class BencodeWriter
{
    public BencodeWriter(IBufferWriter<byte> output) => throw new NotImplementedException();

    public BencodeWriter StartDictionary() => throw new NotImplementedException();

    public BencodeWriter StartList() => throw new NotImplementedException();

    public BencodeWriter End() => throw new NotImplementedException();

    public BencodeWriter Key(string key) => throw new NotImplementedException();

    public BencodeWriter Key(ReadOnlySpan<byte> key) => throw new NotImplementedException();

    public BencodeWriter Integer(long value) => throw new NotImplementedException();

    public BencodeWriter Bytes(ReadOnlySpan<byte> value) => throw new NotImplementedException();

    public BencodeWriter Text(string value) => throw new NotImplementedException();

    /// <summary>Copies one already encoded value.</summary>
    public BencodeWriter Raw(ReadOnlySpan<byte> encodedValue) => throw new NotImplementedException();
}

/// <summary>
/// A parsed value, for messages of moderate size. Large things (manifests, torrents) use <see cref="BencodeReader"/>.
/// The getters throw BadInput and name the field and the message, e.g. "announce: field 'time' is missing".
/// </summary>
public abstract class BencodeValue
{
    public static BencodeValue Parse(ReadOnlySpan<byte> data, BencodeLimits limits) => throw new NotImplementedException();

    /// <summary>Parses a dictionary and says in errors that it is a <paramref name="what"/>.</summary>
    public static BencodeDictionary ParseDictionary(ReadOnlySpan<byte> data, BencodeLimits limits, string what) =>
        throw new NotImplementedException();

    public byte[] Encode() => throw new NotImplementedException();
}

public sealed class BencodeDictionary : BencodeValue
{
    /// <summary>Refuses every key that is not named: unknown fields are ignored only where the spec says so.</summary>
    public void AllowOnly(params ReadOnlySpan<string> keys) => throw new NotImplementedException();

    public bool Contains(string key) => throw new NotImplementedException();

    public long Integer(string key, long min = long.MinValue, long max = long.MaxValue) => throw new NotImplementedException();

    public long? OptionalInteger(string key, long min = long.MinValue, long max = long.MaxValue) => throw new NotImplementedException();

    public byte[] Bytes(string key, int minBytes = 0, int maxBytes = int.MaxValue) => throw new NotImplementedException();

    public byte[]? OptionalBytes(string key, int minBytes = 0, int maxBytes = int.MaxValue) => throw new NotImplementedException();

    public Hash256 Hash(string key) => throw new NotImplementedException();

    public Hash256? OptionalHash(string key) => throw new NotImplementedException();

    /// <summary>UTF-8 text, strictly decoded.</summary>
    public string Text(string key, int maxBytes = 65_536) => throw new NotImplementedException();

    public string? OptionalText(string key, int maxBytes = 65_536) => throw new NotImplementedException();

    public BencodeDictionary Dictionary(string key) => throw new NotImplementedException();

    public IReadOnlyList<BencodeValue> List(string key, int maxItems = int.MaxValue) => throw new NotImplementedException();

    /// <summary>List of dictionaries.</summary>
    public IReadOnlyList<BencodeDictionary> Dictionaries(string key, int maxItems = int.MaxValue) => throw new NotImplementedException();

    /// <summary>List of 32-byte strings.</summary>
    public IReadOnlyList<Hash256> Hashes(string key, int maxItems = int.MaxValue) => throw new NotImplementedException();

    /// <summary>List of byte strings.</summary>
    public IReadOnlyList<byte[]> ByteStrings(string key, int maxItems = int.MaxValue) => throw new NotImplementedException();
}
