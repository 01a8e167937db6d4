using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Virga.Core;

/// <summary>
/// NH, the universal hash under UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway, 1999; RFC 4418, 5.2), with two
/// independent keys: makes 64 bytes of each 4 KiB, so that a MAC has a sixty-fourth to read. Two different blocks come
/// out the same under at most one pair of keys in 2^64. Only for what stays secret together with the keys. Immutable.
/// </summary>
public sealed class NhHash
{
    public const int BlockBytes = 4096;
    public const int KeyBytes = 2 * BlockBytes;
    public const int HashBytes = 2 * VectorBytes;

    private const int VectorBytes = 32;
    private const byte UpperWords = 0b11_11_01_01; // of each 64 bits: the upper 32, twice

    private readonly byte[] keys;

    /// <param name="keys">Random bytes; a copy is kept.</param>
    public NhHash(ReadOnlySpan<byte> keys)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(keys.Length, KeyBytes);
        this.keys = keys.ToArray();
    }

    /// <summary>Whether it is faster than a MAC over the whole block on this CPU.</summary>
    public static bool IsFast => Avx2.IsSupported;

    /// <summary>
    /// Each of the eight 64-bit numbers (little-endian) is a sum, modulo 2^64, over every fourth pair of 32-bit words
    /// of the block: of the products of both words, each with a word of a key added to it.
    /// </summary>
    /// <param name="block">4 KiB.</param>
    /// <param name="hash">64 bytes.</param>
    public void Hash(ReadOnlySpan<byte> block, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(block.Length, BlockBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(hash.Length, HashBytes);
        ref var message = ref MemoryMarshal.GetReference(block);
        ref var first = ref MemoryMarshal.GetArrayDataReference(keys);
        var (sum, otherSum) = (Vector256<ulong>.Zero, Vector256<ulong>.Zero);
        for (nuint at = 0; at < BlockBytes; at += VectorBytes)
        {
            var words = Vector256.LoadUnsafe(ref message, at).AsUInt32();
            sum += Products(words + Vector256.LoadUnsafe(ref first, at).AsUInt32());
            otherSum += Products(words + Vector256.LoadUnsafe(ref first, at + BlockBytes).AsUInt32());
        }
        sum.AsByte().CopyTo(hash);
        otherSum.AsByte().CopyTo(hash[VectorBytes..]);
    }

    private static Vector256<ulong> Products(Vector256<uint> words)
    {
        if (Avx2.IsSupported) return Avx2.Multiply(words, Avx2.Shuffle(words, UpperWords));
        var pairs = words.AsUInt64();
        return (pairs & Vector256.Create((ulong)uint.MaxValue)) * (pairs >>> 32);
    }
}
