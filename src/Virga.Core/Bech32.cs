namespace Virga.Core;

/// <summary>Bech32 (BIP 173) and bech32m (BIP 350) text forms; they differ in one constant of the checksum.</summary>
internal static class Bech32
{
    public const uint Bech32Constant = 1;
    public const uint Bech32mConstant = 0x2bc830a3;

    /// <summary>Longest text (BIP 173). Keys and ids of 32 bytes stay below it.</summary>
    public const int MaxChars = 90;

    private const int ChecksumChars = 6;
    private const string Charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

    /// <summary>Lower-case text of any bytes behind a lower-case prefix.</summary>
    public static string Encode(string prefix, ReadOnlySpan<byte> bytes, uint constant)
    {
        var valueCount = (bytes.Length * 8 + 4) / 5;
        Span<byte> values = stackalloc byte[MaxChars];
        if (prefix.Length + 1 + valueCount + ChecksumChars > MaxChars)
            throw new ArgumentException("too long", nameof(bytes));
        ToFiveBits(bytes, values);
        var checksum = Checksum(prefix, values[..valueCount], default) ^ constant;
        Span<char> text = stackalloc char[valueCount + ChecksumChars];
        for (var i = 0; i < valueCount; i++) text[i] = Charset[values[i]];
        for (var i = 0; i < ChecksumChars; i++)
            text[valueCount + i] = Charset[(int)(checksum >> (5 * (ChecksumChars - 1 - i))) & 31];
        return string.Concat(prefix, "1", text);
    }

    /// <summary>
    /// Reads exactly <c>bytes.Length</c> bytes behind a prefix. Lower or upper case, never mixed; the padding must be
    /// zero and less than 5 bits.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<char> text, ReadOnlySpan<char> prefix, uint constant, Span<byte> bytes)
    {
        Span<byte> values = stackalloc byte[MaxChars];
        if (!TryRead(text, constant, values, out var prefixLength, out var valueCount)) return false;
        if (!text[..prefixLength].Equals(prefix, StringComparison.OrdinalIgnoreCase)) return false;
        return valueCount == (bytes.Length * 8 + 4) / 5 && TryFromFiveBits(values[..valueCount], bytes);
    }

    /// <summary>Checks characters, case and checksum.</summary>
    /// <param name="values">Room for 90; filled with the values of 5 bits, without the checksum.</param>
    public static bool TryRead(ReadOnlySpan<char> text, uint constant, Span<byte> values,
        out int prefixLength, out int valueCount)
    {
        prefixLength = text.LastIndexOf('1');
        valueCount = text.Length - prefixLength - 1 - ChecksumChars;
        if (text.Length > MaxChars || prefixLength < 1 || valueCount < 0) return false;
        if (text.ContainsAnyExceptInRange('!', '~')) return false;
        if (text.ContainsAnyInRange('a', 'z') && text.ContainsAnyInRange('A', 'Z')) return false;
        for (var i = 0; i < valueCount + ChecksumChars; i++)
        {
            var value = Charset.IndexOf(Lower(text[prefixLength + 1 + i]));
            if (value < 0) return false;
            values[i] = (byte)value;
        }
        Span<char> prefix = stackalloc char[prefixLength];
        for (var i = 0; i < prefixLength; i++) prefix[i] = Lower(text[i]);
        return Checksum(prefix, values[..valueCount], values.Slice(valueCount, ChecksumChars)) == constant;
    }

    private static char Lower(char c) => c is >= 'A' and <= 'Z' ? (char)(c | 0x20) : c;

    /// <summary>
    /// The remainder over prefix, values and checksum; six zeros stand for a checksum that is still wanted.
    /// </summary>
    private static uint Checksum(ReadOnlySpan<char> prefix, ReadOnlySpan<byte> values, ReadOnlySpan<byte> checksum)
    {
        var state = 1u;
        foreach (var c in prefix) state = Step(state, (uint)c >> 5);
        state = Step(state, 0);
        foreach (var c in prefix) state = Step(state, c & 31u);
        foreach (var value in values) state = Step(state, value);
        for (var i = 0; i < ChecksumChars; i++) state = Step(state, checksum.IsEmpty ? 0u : checksum[i]);
        return state;
    }

    private static uint Step(uint state, uint value)
    {
        ReadOnlySpan<uint> generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
        var top = state >> 25;
        state = ((state & 0x1ffffff) << 5) ^ value;
        for (var i = 0; i < generator.Length; i++)
        {
            if (((top >> i) & 1) != 0) state ^= generator[i];
        }
        return state;
    }

    private static void ToFiveBits(ReadOnlySpan<byte> bytes, Span<byte> values)
    {
        var (buffer, bits, at) = (0, 0, 0);
        foreach (var b in bytes)
        {
            buffer = ((buffer << 8) | b) & 0xfff;
            for (bits += 8; bits >= 5; bits -= 5) values[at++] = (byte)((buffer >> (bits - 5)) & 31);
        }
        if (bits > 0) values[at] = (byte)((buffer << (5 - bits)) & 31);
    }

    private static bool TryFromFiveBits(ReadOnlySpan<byte> values, Span<byte> bytes)
    {
        var (buffer, bits, at) = (0, 0, 0);
        foreach (var value in values)
        {
            buffer = ((buffer << 5) | value) & 0xfff;
            bits += 5;
            if (bits < 8) continue;
            bits -= 8;
            bytes[at++] = (byte)(buffer >> bits);
        }
        return at == bytes.Length && bits < 5 && (buffer & ((1 << bits) - 1)) == 0;
    }
}
