using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Virga.Core.Merkle;

/// <summary>
/// SHA-256 (FIPS 180-4) of 16 messages of the same length at once, one in each 32-bit lane of AVX-512.
/// </summary>
/// <remarks>
/// Written for the JIT: 16 rounds unrolled inside a loop of three (more overflows what it tracks, and is ten times
/// slower), the state in locals that are never passed by reference, sums in the order that keeps the chain from one e
/// to the next short.
/// </remarks>
internal static unsafe class Sha256Lanes16
{
    public const int Lanes = 16;

    /// <summary>
    /// Lines of a message are fetched so far ahead: 16 streams at once are more than the CPU's own prefetcher
    /// follows.
    /// </summary>
    private const int PrefetchBytes = 4 * Sha256Constants.BlockBytes;

    public static bool IsSupported => Avx512F.IsSupported && Avx512BW.IsSupported;

    /// <summary>Hashes <paramref name="lanes"/> messages that follow each other in memory.</summary>
    /// <param name="messages">lanes * messageBytes bytes.</param>
    /// <param name="lanes">1 to 16; the other lanes repeat the first message and are dropped.</param>
    /// <param name="messageBytes">A positive multiple of 64.</param>
    /// <param name="padding">The 64 words of <see cref="Sha256Constants.PaddingSchedule"/> for that length.</param>
    /// <param name="digests">32 bytes a lane, written after the last read: it may overlap the messages.</param>
    [SkipLocalsInit]
    public static void Hash(byte* messages, int lanes, int messageBytes, uint* padding, byte* digests)
    {
        var memory = stackalloc byte[(8 + 16 + 1) * sizeof(Vector512<uint>)];
        var state = (Vector512<uint>*)(((nuint)memory + 63) & ~(nuint)63);
        var w = state + 8;
        var rows = stackalloc byte*[Lanes];
        for (var lane = 0; lane < Lanes; lane++) rows[lane] = messages + (lane < lanes ? (nint)lane * messageBytes : 0);

        fixed (uint* k = Sha256Constants.Rounds)
        {
            for (var i = 0; i < 8; i++) state[i] = Vector512.Create(Sha256Constants.Initial[i]);
            for (var offset = 0; offset < messageBytes; offset += Sha256Constants.BlockBytes)
            {
                for (var lane = 0; lane < Lanes; lane++) Sse.Prefetch0(rows[lane] + offset + PrefetchBytes);
                Transpose(rows, offset, w);
                Compress(state, w, k);
            }
            CompressSame(state, padding);
        }
        // The same transposition brings the words of each digest together; rows 8 to 15 only fill it up.
        for (var i = 0; i < Lanes; i++) rows[i] = (byte*)(state + (i % 8));
        Transpose(rows, 0, w);
        for (var lane = 0; lane < lanes; lane++)
            w[lane].GetLower().Store((uint*)(digests + (lane * Hash256.ByteCount)));
    }

    /// <summary>Reads 64 bytes of each row and swaps bytes, so that w[i] holds word i of all rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(byte** rows, nint offset, Vector512<uint>* w)
    {
        for (var i = 0; i < 16; i += 4)
        {
            var r0 = Load(rows[i] + offset);
            var r1 = Load(rows[i + 1] + offset);
            var r2 = Load(rows[i + 2] + offset);
            var r3 = Load(rows[i + 3] + offset);
            var low01 = Avx512F.UnpackLow(r0, r1).AsUInt64();
            var high01 = Avx512F.UnpackHigh(r0, r1).AsUInt64();
            var low23 = Avx512F.UnpackLow(r2, r3).AsUInt64();
            var high23 = Avx512F.UnpackHigh(r2, r3).AsUInt64();
            w[i] = Avx512F.UnpackLow(low01, low23).AsUInt32();
            w[i + 1] = Avx512F.UnpackHigh(low01, low23).AsUInt32();
            w[i + 2] = Avx512F.UnpackLow(high01, high23).AsUInt32();
            w[i + 3] = Avx512F.UnpackHigh(high01, high23).AsUInt32();
        }
        // Now the 128-bit quarter q of w[i + j] holds word 4q + j of rows i to i + 3: transpose quarters.
        for (var j = 0; j < 4; j++)
        {
            var evenLow = Avx512F.Shuffle4x128(w[j], w[j + 4], 0x44);
            var evenHigh = Avx512F.Shuffle4x128(w[j], w[j + 4], 0xEE);
            var oddLow = Avx512F.Shuffle4x128(w[j + 8], w[j + 12], 0x44);
            var oddHigh = Avx512F.Shuffle4x128(w[j + 8], w[j + 12], 0xEE);
            w[j] = Avx512F.Shuffle4x128(evenLow, oddLow, 0x88);
            w[j + 4] = Avx512F.Shuffle4x128(evenLow, oddLow, 0xDD);
            w[j + 8] = Avx512F.Shuffle4x128(evenHigh, oddHigh, 0x88);
            w[j + 12] = Avx512F.Shuffle4x128(evenHigh, oddHigh, 0xDD);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Load(byte* from) =>
        Avx512BW.Shuffle(Vector512.Load(from), Vector512.Create(Sha256Constants.SwapBytes)).AsUInt32();

    /// <summary>
    /// One block of every message. The schedule stays in memory: JIT and CPU both handle that better.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compress(Vector512<uint>* state, Vector512<uint>* w, uint* k)
    {
        Vector512<uint> a = state[0], b = state[1], c = state[2], d = state[3];
        Vector512<uint> e = state[4], f = state[5], g = state[6], h = state[7], x;
        h = h + (w[0] + Vector512.Create(k[0])) + Ch(e, f, g) + Sum1(e);
        d += h;
        h = h + Maj(a, b, c) + Sum0(a);
        g = g + (w[1] + Vector512.Create(k[1])) + Ch(d, e, f) + Sum1(d);
        c += g;
        g = g + Maj(h, a, b) + Sum0(h);
        f = f + (w[2] + Vector512.Create(k[2])) + Ch(c, d, e) + Sum1(c);
        b += f;
        f = f + Maj(g, h, a) + Sum0(g);
        e = e + (w[3] + Vector512.Create(k[3])) + Ch(b, c, d) + Sum1(b);
        a += e;
        e = e + Maj(f, g, h) + Sum0(f);
        d = d + (w[4] + Vector512.Create(k[4])) + Ch(a, b, c) + Sum1(a);
        h += d;
        d = d + Maj(e, f, g) + Sum0(e);
        c = c + (w[5] + Vector512.Create(k[5])) + Ch(h, a, b) + Sum1(h);
        g += c;
        c = c + Maj(d, e, f) + Sum0(d);
        b = b + (w[6] + Vector512.Create(k[6])) + Ch(g, h, a) + Sum1(g);
        f += b;
        b = b + Maj(c, d, e) + Sum0(c);
        a = a + (w[7] + Vector512.Create(k[7])) + Ch(f, g, h) + Sum1(f);
        e += a;
        a = a + Maj(b, c, d) + Sum0(b);
        h = h + (w[8] + Vector512.Create(k[8])) + Ch(e, f, g) + Sum1(e);
        d += h;
        h = h + Maj(a, b, c) + Sum0(a);
        g = g + (w[9] + Vector512.Create(k[9])) + Ch(d, e, f) + Sum1(d);
        c += g;
        g = g + Maj(h, a, b) + Sum0(h);
        f = f + (w[10] + Vector512.Create(k[10])) + Ch(c, d, e) + Sum1(c);
        b += f;
        f = f + Maj(g, h, a) + Sum0(g);
        e = e + (w[11] + Vector512.Create(k[11])) + Ch(b, c, d) + Sum1(b);
        a += e;
        e = e + Maj(f, g, h) + Sum0(f);
        d = d + (w[12] + Vector512.Create(k[12])) + Ch(a, b, c) + Sum1(a);
        h += d;
        d = d + Maj(e, f, g) + Sum0(e);
        c = c + (w[13] + Vector512.Create(k[13])) + Ch(h, a, b) + Sum1(h);
        g += c;
        c = c + Maj(d, e, f) + Sum0(d);
        b = b + (w[14] + Vector512.Create(k[14])) + Ch(g, h, a) + Sum1(g);
        f += b;
        b = b + Maj(c, d, e) + Sum0(c);
        a = a + (w[15] + Vector512.Create(k[15])) + Ch(f, g, h) + Sum1(f);
        e += a;
        a = a + Maj(b, c, d) + Sum0(b);
        for (var sixteen = 1; sixteen < 4; sixteen++)
        {
            k += 16;
            w[0] = x = w[0] + Mix0(w[1]) + w[9] + Mix1(w[14]);
            h = h + (x + Vector512.Create(k[0])) + Ch(e, f, g) + Sum1(e);
            d += h;
            h = h + Maj(a, b, c) + Sum0(a);
            w[1] = x = w[1] + Mix0(w[2]) + w[10] + Mix1(w[15]);
            g = g + (x + Vector512.Create(k[1])) + Ch(d, e, f) + Sum1(d);
            c += g;
            g = g + Maj(h, a, b) + Sum0(h);
            w[2] = x = w[2] + Mix0(w[3]) + w[11] + Mix1(w[0]);
            f = f + (x + Vector512.Create(k[2])) + Ch(c, d, e) + Sum1(c);
            b += f;
            f = f + Maj(g, h, a) + Sum0(g);
            w[3] = x = w[3] + Mix0(w[4]) + w[12] + Mix1(w[1]);
            e = e + (x + Vector512.Create(k[3])) + Ch(b, c, d) + Sum1(b);
            a += e;
            e = e + Maj(f, g, h) + Sum0(f);
            w[4] = x = w[4] + Mix0(w[5]) + w[13] + Mix1(w[2]);
            d = d + (x + Vector512.Create(k[4])) + Ch(a, b, c) + Sum1(a);
            h += d;
            d = d + Maj(e, f, g) + Sum0(e);
            w[5] = x = w[5] + Mix0(w[6]) + w[14] + Mix1(w[3]);
            c = c + (x + Vector512.Create(k[5])) + Ch(h, a, b) + Sum1(h);
            g += c;
            c = c + Maj(d, e, f) + Sum0(d);
            w[6] = x = w[6] + Mix0(w[7]) + w[15] + Mix1(w[4]);
            b = b + (x + Vector512.Create(k[6])) + Ch(g, h, a) + Sum1(g);
            f += b;
            b = b + Maj(c, d, e) + Sum0(c);
            w[7] = x = w[7] + Mix0(w[8]) + w[0] + Mix1(w[5]);
            a = a + (x + Vector512.Create(k[7])) + Ch(f, g, h) + Sum1(f);
            e += a;
            a = a + Maj(b, c, d) + Sum0(b);
            w[8] = x = w[8] + Mix0(w[9]) + w[1] + Mix1(w[6]);
            h = h + (x + Vector512.Create(k[8])) + Ch(e, f, g) + Sum1(e);
            d += h;
            h = h + Maj(a, b, c) + Sum0(a);
            w[9] = x = w[9] + Mix0(w[10]) + w[2] + Mix1(w[7]);
            g = g + (x + Vector512.Create(k[9])) + Ch(d, e, f) + Sum1(d);
            c += g;
            g = g + Maj(h, a, b) + Sum0(h);
            w[10] = x = w[10] + Mix0(w[11]) + w[3] + Mix1(w[8]);
            f = f + (x + Vector512.Create(k[10])) + Ch(c, d, e) + Sum1(c);
            b += f;
            f = f + Maj(g, h, a) + Sum0(g);
            w[11] = x = w[11] + Mix0(w[12]) + w[4] + Mix1(w[9]);
            e = e + (x + Vector512.Create(k[11])) + Ch(b, c, d) + Sum1(b);
            a += e;
            e = e + Maj(f, g, h) + Sum0(f);
            w[12] = x = w[12] + Mix0(w[13]) + w[5] + Mix1(w[10]);
            d = d + (x + Vector512.Create(k[12])) + Ch(a, b, c) + Sum1(a);
            h += d;
            d = d + Maj(e, f, g) + Sum0(e);
            w[13] = x = w[13] + Mix0(w[14]) + w[6] + Mix1(w[11]);
            c = c + (x + Vector512.Create(k[13])) + Ch(h, a, b) + Sum1(h);
            g += c;
            c = c + Maj(d, e, f) + Sum0(d);
            w[14] = x = w[14] + Mix0(w[15]) + w[7] + Mix1(w[12]);
            b = b + (x + Vector512.Create(k[14])) + Ch(g, h, a) + Sum1(g);
            f += b;
            b = b + Maj(c, d, e) + Sum0(c);
            w[15] = x = w[15] + Mix0(w[0]) + w[8] + Mix1(w[13]);
            a = a + (x + Vector512.Create(k[15])) + Ch(f, g, h) + Sum1(f);
            e += a;
            a = a + Maj(b, c, d) + Sum0(b);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }

    /// <summary>
    /// One block that is the same in every lane; its schedule, with the round constants added, is given.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CompressSame(Vector512<uint>* state, uint* k)
    {
        Vector512<uint> a = state[0], b = state[1], c = state[2], d = state[3];
        Vector512<uint> e = state[4], f = state[5], g = state[6], h = state[7];
        for (var sixteen = 0; sixteen < 4; sixteen++, k += 16)
        {
            h = h + Vector512.Create(k[0]) + Ch(e, f, g) + Sum1(e);
            d += h;
            h = h + Maj(a, b, c) + Sum0(a);
            g = g + Vector512.Create(k[1]) + Ch(d, e, f) + Sum1(d);
            c += g;
            g = g + Maj(h, a, b) + Sum0(h);
            f = f + Vector512.Create(k[2]) + Ch(c, d, e) + Sum1(c);
            b += f;
            f = f + Maj(g, h, a) + Sum0(g);
            e = e + Vector512.Create(k[3]) + Ch(b, c, d) + Sum1(b);
            a += e;
            e = e + Maj(f, g, h) + Sum0(f);
            d = d + Vector512.Create(k[4]) + Ch(a, b, c) + Sum1(a);
            h += d;
            d = d + Maj(e, f, g) + Sum0(e);
            c = c + Vector512.Create(k[5]) + Ch(h, a, b) + Sum1(h);
            g += c;
            c = c + Maj(d, e, f) + Sum0(d);
            b = b + Vector512.Create(k[6]) + Ch(g, h, a) + Sum1(g);
            f += b;
            b = b + Maj(c, d, e) + Sum0(c);
            a = a + Vector512.Create(k[7]) + Ch(f, g, h) + Sum1(f);
            e += a;
            a = a + Maj(b, c, d) + Sum0(b);
            h = h + Vector512.Create(k[8]) + Ch(e, f, g) + Sum1(e);
            d += h;
            h = h + Maj(a, b, c) + Sum0(a);
            g = g + Vector512.Create(k[9]) + Ch(d, e, f) + Sum1(d);
            c += g;
            g = g + Maj(h, a, b) + Sum0(h);
            f = f + Vector512.Create(k[10]) + Ch(c, d, e) + Sum1(c);
            b += f;
            f = f + Maj(g, h, a) + Sum0(g);
            e = e + Vector512.Create(k[11]) + Ch(b, c, d) + Sum1(b);
            a += e;
            e = e + Maj(f, g, h) + Sum0(f);
            d = d + Vector512.Create(k[12]) + Ch(a, b, c) + Sum1(a);
            h += d;
            d = d + Maj(e, f, g) + Sum0(e);
            c = c + Vector512.Create(k[13]) + Ch(h, a, b) + Sum1(h);
            g += c;
            c = c + Maj(d, e, f) + Sum0(d);
            b = b + Vector512.Create(k[14]) + Ch(g, h, a) + Sum1(g);
            f += b;
            b = b + Maj(c, d, e) + Sum0(c);
            a = a + Vector512.Create(k[15]) + Ch(f, g, h) + Sum1(f);
            e += a;
            a = a + Maj(b, c, d) + Sum0(b);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Sum0(Vector512<uint> v) => Xor(Rotate(v, 2), Rotate(v, 13), Rotate(v, 22));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Sum1(Vector512<uint> v) => Xor(Rotate(v, 6), Rotate(v, 11), Rotate(v, 25));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Mix0(Vector512<uint> v) => Xor(Rotate(v, 7), Rotate(v, 18), v >>> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Mix1(Vector512<uint> v) => Xor(Rotate(v, 17), Rotate(v, 19), v >>> 10);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Rotate(Vector512<uint> v, [ConstantExpected] byte bits) =>
        Avx512F.RotateRight(v, bits);

    /// <summary>The control byte of the ternary logic instruction is the truth table of the three inputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Xor(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) =>
        Avx512F.TernaryLogic(a, b, c, 0x96);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Ch(Vector512<uint> e, Vector512<uint> f, Vector512<uint> g) =>
        Avx512F.TernaryLogic(e, f, g, 0xCA);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Maj(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) =>
        Avx512F.TernaryLogic(a, b, c, 0xE8);
}
