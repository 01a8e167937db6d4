using System.Buffers;

namespace Virga.Core.Age;

/// <summary>
/// Base64 as age has it: standard alphabet, no padding, and one encoding for each value (RFC 4648, 3.5).
/// </summary>
internal static class Base64Raw
{
    private static readonly SearchValues<byte> Alphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"u8);

    public static string Encode(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    public static int DecodedLength(int textLength) => textLength / 4 * 3 + Math.Max(0, textLength % 4 - 1);

    public static bool IsCanonical(ReadOnlySpan<byte> text)
    {
        if (text.Length % 4 == 1 || text.ContainsAnyExcept(Alphabet)) return false;
        var unusedBits = text.Length % 4 == 2 ? 15 : text.Length % 4 == 3 ? 3 : 0;
        return unusedBits == 0 || (Value(text[^1]) & unusedBits) == 0;
    }

    /// <param name="bytes">Must have exactly the decoded length.</param>
    public static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        if (DecodedLength(text.Length) != bytes.Length || !IsCanonical(text)) return false;
        var (buffer, bits, at) = (0, 0, 0);
        foreach (var c in text)
        {
            buffer = ((buffer << 6) | Value(c)) & 0xffff;
            bits += 6;
            if (bits < 8) continue;
            bits -= 8;
            bytes[at++] = (byte)(buffer >> bits);
        }
        return true;
    }

    private static int Value(byte c) => c switch
    {
        >= (byte)'a' => c - 'a' + 26,
        >= (byte)'A' => c - 'A',
        >= (byte)'0' => c - '0' + 52,
        (byte)'+' => 62,
        _ => 63,
    };
}
