using System.Buffers.Binary;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// CRC-32C of parts put together: by the polynomial's arithmetic, without any byte of them (as zlib's crc32_combine
/// does for another polynomial). In the service's form, Base64 of the big-endian bytes.
/// </summary>
internal static class Crc32C
{
    // RFC 3720, 12.1, with its bits reversed.
    private const uint Polynomial = 0x82F63B78;

    private static readonly uint[] Powers = MakePowers();

    public static uint? Parse(string? text)
    {
        Span<byte> bytes = stackalloc byte[4];
        return text is { Length: 8 } && Convert.TryFromBase64String(text, bytes, out var count) && count == 4
            ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : null;
    }

    /// <summary>Of one content followed by another of that length.</summary>
    public static uint Combine(uint first, uint second, long secondBytes) =>
        Multiply(PowerOf(secondBytes), first) ^ second;

    // x to the power of 8n, modulo the polynomial.
    private static uint PowerOf(long n)
    {
        var product = 1u << 31;
        for (var k = 3; n > 0; n >>= 1, k++)
            if ((n & 1) != 0) product = Multiply(Powers[k & 31], product);
        return product;
    }

    /// <param name="a">Not 0.</param>
    private static uint Multiply(uint a, uint b)
    {
        var product = 0u;
        for (var m = 1u << 31; ; m >>= 1)
        {
            if ((a & m) != 0)
            {
                product ^= b;
                if ((a & (m - 1)) == 0) return product;
            }
            b = (b & 1) != 0 ? (b >> 1) ^ Polynomial : b >> 1;
        }
    }

    // x to the powers of 1, 2, 4, 8, ...
    private static uint[] MakePowers()
    {
        var powers = new uint[32];
        powers[0] = 1u << 30;
        for (var i = 1; i < powers.Length; i++) powers[i] = Multiply(powers[i - 1], powers[i - 1]);
        return powers;
    }
}
