using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Virga.Core.Bencoding;

/// <summary>A dictionary; see <see cref="BencodeValue"/> for what its getters throw.</summary>
public sealed class BencodeDictionary : BencodeValue
{
    private const int LongestKeyBytes = 256;

    /// <summary>Where each key's content lies, sorted by the key's bytes. Its value starts right behind it.</summary>
    private readonly (int Start, int Length)[] keys;

    internal BencodeDictionary(ReadOnlyMemory<byte> raw, string what) : base(raw, what)
    {
        var data = raw.Span;
        var count = 0;
        for (var at = 1; at < data.Length - 1; count++) at = NextKey(data, at, out _);
        keys = count == 0 ? [] : new (int, int)[count];
        var isSorted = true;
        for (int i = 0, at = 1; i < count; i++)
        {
            at = NextKey(data, at, out keys[i]);
            isSorted = isSorted && (i == 0 || Key(i - 1).SequenceCompareTo(Key(i)) < 0);
        }
        if (!isSorted) BencodeScan.SortByBytes(data, keys);
    }

    public int Count => keys.Length;

    /// <summary>The keys, sorted by their bytes.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Keys => keys.Select(key => Raw.Slice(key.Start, key.Length));

    /// <summary>Refuses every key that is not named: unknown fields are ignored only where the spec says so.</summary>
    public void AllowOnly(params ReadOnlySpan<string> keys)
    {
        Span<byte> buffer = stackalloc byte[LongestKeyBytes];
        for (var i = 0; i < Count; i++)
        {
            var isKnown = false;
            foreach (var key in keys) isKnown = isKnown || Utf8(key, buffer).SequenceEqual(Key(i));
            if (!isKnown) throw Bad($"{What}: field '{BencodeText.Show(Key(i))}'", "is not known here");
        }
    }

    public bool Contains(string key) => Find(key) >= 0;

    /// <summary>The value of any type; BadInput when it is missing.</summary>
    public BencodeValue Value(string key) => TryValue(key, out var value) ? value : throw Missing(key);

    public bool TryValue(string key, [NotNullWhen(true)] out BencodeValue? value)
    {
        var index = Find(key);
        value = index < 0 ? null : ValueAt(index, FieldName(key));
        return value is not null;
    }

    /// <summary>As <see cref="TryValue(string, out BencodeValue?)"/>, for keys that are no text.</summary>
    public bool TryValue(ReadOnlySpan<byte> key, [NotNullWhen(true)] out BencodeValue? value)
    {
        var index = Find(key);
        value = index < 0 ? null : ValueAt(index, FieldName(BencodeText.Show(key)));
        return value is not null;
    }

    public long Integer(string key, long min = long.MinValue, long max = long.MaxValue) =>
        Value(key).AsInteger(min, max);

    public long? OptionalInteger(string key, long min = long.MinValue, long max = long.MaxValue) =>
        TryValue(key, out var value) ? value.AsInteger(min, max) : null;

    public byte[] Bytes(string key, int minBytes = 0, int maxBytes = int.MaxValue) =>
        Value(key).AsBytes(minBytes, maxBytes).ToArray();

    public byte[]? OptionalBytes(string key, int minBytes = 0, int maxBytes = int.MaxValue) =>
        TryValue(key, out var value) ? value.AsBytes(minBytes, maxBytes).ToArray() : null;

    public Hash256 Hash(string key) => Value(key).AsHash();

    public Hash256? OptionalHash(string key) => TryValue(key, out var value) ? value.AsHash() : null;

    /// <summary>UTF-8 text, strictly decoded.</summary>
    public string Text(string key, int maxBytes = 65_536) => Value(key).AsText(maxBytes);

    public string? OptionalText(string key, int maxBytes = 65_536) =>
        TryValue(key, out var value) ? value.AsText(maxBytes) : null;

    public BencodeDictionary Dictionary(string key) => Value(key).AsDictionary();

    public BencodeDictionary? OptionalDictionary(string key) =>
        TryValue(key, out var value) ? value.AsDictionary() : null;

    public IReadOnlyList<BencodeValue> List(string key, int maxItems = int.MaxValue) =>
        Value(key).AsList().Items(maxItems);

    /// <summary>List of dictionaries.</summary>
    public IReadOnlyList<BencodeDictionary> Dictionaries(string key, int maxItems = int.MaxValue) =>
        ListOf(key, maxItems, item => item.AsDictionary());

    /// <summary>List of 32-byte strings.</summary>
    public IReadOnlyList<Hash256> Hashes(string key, int maxItems = int.MaxValue) =>
        ListOf(key, maxItems, item => item.AsHash());

    /// <summary>List of byte strings.</summary>
    public IReadOnlyList<byte[]> ByteStrings(string key, int maxItems = int.MaxValue) =>
        ListOf(key, maxItems, item => item.AsBytes().ToArray());

    /// <summary>List of UTF-8 texts.</summary>
    public IReadOnlyList<string> Texts(string key, int maxItems = int.MaxValue) =>
        ListOf(key, maxItems, item => item.AsText());

    private T[] ListOf<T>(string key, int maxItems, Converter<BencodeValue, T> convert) =>
        Array.ConvertAll((BencodeValue[])List(key, maxItems), convert);

    private ReadOnlySpan<byte> Key(int index) => Raw.Span.Slice(keys[index].Start, keys[index].Length);

    private BencodeValue ValueAt(int index, string what)
    {
        var start = keys[index].Start + keys[index].Length;
        return View(Raw[start..BencodeScan.SkipTrusted(Raw.Span, start)], what);
    }

    private int Find(string key) => Find(Utf8(key, stackalloc byte[LongestKeyBytes]));

    private int Find(ReadOnlySpan<byte> key)
    {
        int low = 0, high = keys.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = Key(middle).SequenceCompareTo(key);
            if (order == 0) return middle;
            if (order < 0) low = middle + 1;
            else high = middle - 1;
        }
        return -1;
    }

    private static ReadOnlySpan<byte> Utf8(string key, Span<byte> buffer) =>
        Encoding.UTF8.TryGetBytes(key, buffer, out var count) ? buffer[..count] : Encoding.UTF8.GetBytes(key);

    private static int NextKey(ReadOnlySpan<byte> data, int at, out (int Start, int Length) key)
    {
        key.Start = BencodeScan.StringTrusted(data, at, out key.Length);
        return BencodeScan.SkipTrusted(data, key.Start + key.Length);
    }

    private string FieldName(string key) => $"{What}: field '{key}'";

    private VirgaException Missing(string key) => Bad(FieldName(key), "is missing");
}
