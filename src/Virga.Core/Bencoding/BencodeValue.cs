using System.Text;

namespace Virga.Core.Bencoding;

/// <summary>
/// A parsed value, for messages of moderate size. Large things (manifests, torrents) use <see cref="BencodeReader"/>.
/// A value is a view over one copy of its input, which was checked as a whole; children are made when asked for, so
/// hostile input costs no more than a small multiple of its length.
/// The getters throw BadInput and name the field and the message, e.g. "announce: field 'time' is missing".
/// </summary>
public abstract class BencodeValue
{
    private protected BencodeValue(ReadOnlyMemory<byte> raw, string what)
    {
        Raw = raw;
        What = what;
    }

    /// <summary>
    /// The exact encoded bytes of this value, as they stood in the input: what a hash or signature covers.
    /// </summary>
    public ReadOnlyMemory<byte> Raw { get; }

    /// <summary>What errors call this value: the name of the message and the path of fields.</summary>
    internal string What { get; }

    public static BencodeValue Parse(ReadOnlySpan<byte> data, BencodeLimits limits) => Parse(data, limits, "bencode");

    /// <summary>Parses a dictionary and says in errors that it is a <paramref name="what"/>.</summary>
    public static BencodeDictionary ParseDictionary(ReadOnlySpan<byte> data, BencodeLimits limits, string what) =>
        Parse(data, limits, what) as BencodeDictionary ?? throw Bad(what, "is not a dictionary");

    /// <summary>
    /// The same without a copy: what it gives are slices of <paramref name="data"/>, which must not be changed any
    /// more.
    /// </summary>
    public static BencodeDictionary ViewDictionary(ReadOnlyMemory<byte> data, BencodeLimits limits, string what)
    {
        Check(data.Span, limits, what);
        return View(data, what) as BencodeDictionary ?? throw Bad(what, "is not a dictionary");
    }

    public byte[] Encode() => Raw.ToArray();

    /// <summary>This value as what it must be; BadInput when it is something else.</summary>
    public BencodeDictionary AsDictionary() => this as BencodeDictionary ?? throw Bad(What, "is not a dictionary");

    public BencodeList AsList() => this as BencodeList ?? throw Bad(What, "is not a list");

    public long AsInteger(long min = long.MinValue, long max = long.MaxValue)
    {
        if (this is not BencodeInteger integer) throw Bad(What, "is not an integer");
        var isInside = integer.TryGet(out var value) && value >= min && value <= max;
        return isInside ? value : throw Bad(What, $"is not between {min} and {max}");
    }

    /// <summary>The content of a string; a slice of the parsed copy.</summary>
    public ReadOnlyMemory<byte> AsBytes(int minBytes = 0, int maxBytes = int.MaxValue)
    {
        if (this is not BencodeBytes bytes) throw Bad(What, "is not a string");
        if (bytes.Content.Length >= minBytes && bytes.Content.Length <= maxBytes) return bytes.Content;
        throw Bad(What, minBytes == maxBytes
            ? $"has {bytes.Content.Length} bytes, not {minBytes}"
            : $"has {bytes.Content.Length} bytes, not {minBytes} to {maxBytes}");
    }

    /// <summary>UTF-8 text, strictly decoded.</summary>
    public string AsText(int maxBytes = 65_536)
    {
        try
        {
            return BencodeText.Utf8.GetString(AsBytes(0, maxBytes).Span);
        }
        catch (DecoderFallbackException)
        {
            throw Bad(What, "is not UTF-8");
        }
    }

    public Hash256 AsHash() => new(AsBytes(Hash256.ByteCount, Hash256.ByteCount).Span);

    private static BencodeValue Parse(ReadOnlySpan<byte> data, BencodeLimits limits, string what)
    {
        Check(data, limits, what);
        return View(data.ToArray(), what);
    }

    private static void Check(ReadOnlySpan<byte> data, BencodeLimits limits, string what)
    {
        try
        {
            var reader = new BencodeReader(data, limits);
            while (reader.Read())
            {
            }
        }
        catch (VirgaException bad) when (what != "bencode")
        {
            throw new VirgaException(bad.Kind, $"{what}: {bad.Message}", bad.Advice, bad);
        }
    }

    private protected static BencodeValue View(ReadOnlyMemory<byte> raw, string what) => raw.Span[0] switch
    {
        (byte)'d' => new BencodeDictionary(raw, what),
        (byte)'l' => new BencodeList(raw, what),
        (byte)'i' => new BencodeInteger(raw, what),
        _ => new BencodeBytes(raw, what),
    };

    private protected static VirgaException Bad(string what, string fault) =>
        new(FailureKind.BadInput, $"{what} {fault}", BencodeText.Advice);
}

/// <summary>An integer; in torrents of others it may be outside of Int64.</summary>
public sealed class BencodeInteger : BencodeValue
{
    internal BencodeInteger(ReadOnlyMemory<byte> raw, string what) : base(raw, what)
    {
    }

    /// <summary>False when the integer does not fit into 64 bits.</summary>
    public bool TryGet(out long value) => BencodeScan.TryInteger(Raw.Span[1..^1], out value);
}

/// <summary>A byte string, which may be text.</summary>
public sealed class BencodeBytes : BencodeValue
{
    internal BencodeBytes(ReadOnlyMemory<byte> raw, string what) : base(raw, what)
    {
    }

    public ReadOnlyMemory<byte> Content => Raw[BencodeScan.StringTrusted(Raw.Span, 0, out _)..];
}

/// <summary>A list of values of any types.</summary>
public sealed class BencodeList : BencodeValue
{
    internal BencodeList(ReadOnlyMemory<byte> raw, string what) : base(raw, what)
    {
        for (var at = 1; at < raw.Length - 1; at = BencodeScan.SkipTrusted(raw.Span, at)) Count++;
    }

    public int Count { get; }

    /// <summary>The items in order; BadInput, before anything is allocated, when there are more than allowed.</summary>
    public IReadOnlyList<BencodeValue> Items(int maxItems = int.MaxValue)
    {
        if (Count > maxItems) throw Bad(What, $"has {Count} items, more than {maxItems}");
        var items = new BencodeValue[Count];
        var at = 1;
        for (var i = 0; i < items.Length; i++)
        {
            var end = BencodeScan.SkipTrusted(Raw.Span, at);
            items[i] = View(Raw[at..end], What);
            at = end;
        }
        return items;
    }
}
