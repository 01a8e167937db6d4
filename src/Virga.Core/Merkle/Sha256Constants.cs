using System.Numerics;
using System.Runtime.Intrinsics;

namespace Virga.Core.Merkle;

/// <summary>What all multi-buffer kernels of SHA-256 share (FIPS 180-4).</summary>
internal static class Sha256Constants
{
    public const int BlockBytes = 64;

    /// <summary>K, 4.2.2.</summary>
    public static ReadOnlySpan<uint> Rounds =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    /// <summary>H(0), 5.3.3.</summary>
    public static ReadOnlySpan<uint> Initial =>
    [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ];

    /// <summary>Byte shuffle from big-endian words to the CPU's.</summary>
    public static Vector128<byte> SwapBytes =>
        Vector128.Create((byte)3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

    /// <summary>
    /// The message schedule, with K added, of the padding block (5.1.1) of messages of the given length. It is the
    /// same for all of them, so it is computed once.
    /// </summary>
    /// <param name="messageBytes">A multiple of 64.</param>
    /// <returns>64 words.</returns>
    public static uint[] PaddingSchedule(int messageBytes)
    {
        var w = new uint[Rounds.Length];
        w[0] = 0x80000000;
        w[15] = checked((uint)messageBytes * 8);
        for (var i = 16; i < w.Length; i++)
        {
            var (late, early) = (w[i - 2], w[i - 15]);
            var mix0 = BitOperations.RotateRight(early, 7) ^ BitOperations.RotateRight(early, 18) ^ (early >> 3);
            var mix1 = BitOperations.RotateRight(late, 17) ^ BitOperations.RotateRight(late, 19) ^ (late >> 10);
            w[i] = w[i - 16] + mix0 + w[i - 7] + mix1;
        }
        for (var i = 0; i < w.Length; i++) w[i] += Rounds[i];
        return w;
    }
}
