using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Virga.Core.Merkle;

/// <summary>
/// SHA-256 (FIPS 180-4) of 8 messages of the same length at once, one in each 32-bit lane of a 256-bit vector. Laid
/// out like <see cref="Sha256Lanes16"/>, whose remarks hold here.
/// </summary>
/// <typeparam name="TLogic">
/// Which instructions rotate and combine: a struct, so that the JIT compiles each on its own.
/// </typeparam>
internal static unsafe class Sha256Lanes8<TLogic>
    where TLogic : struct, ILaneLogic
{
    public const int Lanes = 8;
    private const int PrefetchBytes = 4 * Sha256Constants.BlockBytes;

    /// <inheritdoc cref="Sha256Lanes16.Hash"/>
    /// <param name="lanes">1 to 8; the other lanes repeat the first message and are dropped.</param>
    [SkipLocalsInit]
    public static void Hash(byte* messages, int lanes, int messageBytes, uint* padding, byte* digests)
    {
        var memory = stackalloc byte[(8 + 16 + 1) * sizeof(Vector256<uint>)];
        var state = (Vector256<uint>*)(((nuint)memory + 31) & ~(nuint)31);
        var w = state + 8;
        var rows = stackalloc byte*[Lanes];
        for (var lane = 0; lane < Lanes; lane++) rows[lane] = messages + (lane < lanes ? (nint)lane * messageBytes : 0);

        fixed (uint* k = Sha256Constants.Rounds)
        {
            for (var i = 0; i < 8; i++) state[i] = Vector256.Create(Sha256Constants.Initial[i]);
            for (var offset = 0; offset < messageBytes; offset += Sha256Constants.BlockBytes)
            {
                for (var lane = 0; lane < Lanes; lane++) Sse.Prefetch0(rows[lane] + offset + PrefetchBytes);
                Transpose(rows, offset, w);
                Transpose(rows, offset + 32, w + 8);
                Compress(state, w, k);
            }
            CompressSame(state, padding);
        }
        for (var i = 0; i < Lanes; i++) rows[i] = (byte*)(state + i);
        Transpose(rows, 0, w);
        for (var lane = 0; lane < lanes; lane++) w[lane].Store((uint*)(digests + (lane * Hash256.ByteCount)));
    }

    /// <summary>Reads 32 bytes of each row and swaps bytes, so that w[i] holds word i of all rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(byte** rows, nint offset, Vector256<uint>* w)
    {
        for (var i = 0; i < 8; i += 4)
        {
            var r0 = Load(rows[i] + offset);
            var r1 = Load(rows[i + 1] + offset);
            var r2 = Load(rows[i + 2] + offset);
            var r3 = Load(rows[i + 3] + offset);
            var low01 = Avx2.UnpackLow(r0, r1).AsUInt64();
            var high01 = Avx2.UnpackHigh(r0, r1).AsUInt64();
            var low23 = Avx2.UnpackLow(r2, r3).AsUInt64();
            var high23 = Avx2.UnpackHigh(r2, r3).AsUInt64();
            w[i] = Avx2.UnpackLow(low01, low23).AsUInt32();
            w[i + 1] = Avx2.UnpackHigh(low01, low23).AsUInt32();
            w[i + 2] = Avx2.UnpackLow(high01, high23).AsUInt32();
            w[i + 3] = Avx2.UnpackHigh(high01, high23).AsUInt32();
        }
        // Now the half q of w[i + j] holds word 4q + j of rows i to i + 3: transpose halves.
        for (var j = 0; j < 4; j++)
        {
            var low = Avx2.Permute2x128(w[j], w[j + 4], 0x20);
            var high = Avx2.Permute2x128(w[j], w[j + 4], 0x31);
            w[j] = low;
            w[j + 4] = high;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Load(byte* from) =>
        Avx2.Shuffle(Vector256.Load(from), Vector256.Create(Sha256Constants.SwapBytes)).AsUInt32();

    /// <summary>
    /// One block of every message. The schedule stays in memory: JIT and CPU both handle that better.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compress(Vector256<uint>* state, Vector256<uint>* w, uint* k)
    {
        Vector256<uint> a = state[0], b = state[1], c = state[2], d = state[3];
        Vector256<uint> e = state[4], f = state[5], g = state[6], h = state[7], x;
        h = h + (w[0] + Vector256.Create(k[0])) + TLogic.Ch(e, f, g) + TLogic.Sum1(e);
        d += h;
        h = h + TLogic.Maj(a, b, c) + TLogic.Sum0(a);
        g = g + (w[1] + Vector256.Create(k[1])) + TLogic.Ch(d, e, f) + TLogic.Sum1(d);
        c += g;
        g = g + TLogic.Maj(h, a, b) + TLogic.Sum0(h);
        f = f + (w[2] + Vector256.Create(k[2])) + TLogic.Ch(c, d, e) + TLogic.Sum1(c);
        b += f;
        f = f + TLogic.Maj(g, h, a) + TLogic.Sum0(g);
        e = e + (w[3] + Vector256.Create(k[3])) + TLogic.Ch(b, c, d) + TLogic.Sum1(b);
        a += e;
        e = e + TLogic.Maj(f, g, h) + TLogic.Sum0(f);
        d = d + (w[4] + Vector256.Create(k[4])) + TLogic.Ch(a, b, c) + TLogic.Sum1(a);
        h += d;
        d = d + TLogic.Maj(e, f, g) + TLogic.Sum0(e);
        c = c + (w[5] + Vector256.Create(k[5])) + TLogic.Ch(h, a, b) + TLogic.Sum1(h);
        g += c;
        c = c + TLogic.Maj(d, e, f) + TLogic.Sum0(d);
        b = b + (w[6] + Vector256.Create(k[6])) + TLogic.Ch(g, h, a) + TLogic.Sum1(g);
        f += b;
        b = b + TLogic.Maj(c, d, e) + TLogic.Sum0(c);
        a = a + (w[7] + Vector256.Create(k[7])) + TLogic.Ch(f, g, h) + TLogic.Sum1(f);
        e += a;
        a = a + TLogic.Maj(b, c, d) + TLogic.Sum0(b);
        h = h + (w[8] + Vector256.Create(k[8])) + TLogic.Ch(e, f, g) + TLogic.Sum1(e);
        d += h;
        h = h + TLogic.Maj(a, b, c) + TLogic.Sum0(a);
        g = g + (w[9] + Vector256.Create(k[9])) + TLogic.Ch(d, e, f) + TLogic.Sum1(d);
        c += g;
        g = g + TLogic.Maj(h, a, b) + TLogic.Sum0(h);
        f = f + (w[10] + Vector256.Create(k[10])) + TLogic.Ch(c, d, e) + TLogic.Sum1(c);
        b += f;
        f = f + TLogic.Maj(g, h, a) + TLogic.Sum0(g);
        e = e + (w[11] + Vector256.Create(k[11])) + TLogic.Ch(b, c, d) + TLogic.Sum1(b);
        a += e;
        e = e + TLogic.Maj(f, g, h) + TLogic.Sum0(f);
        d = d + (w[12] + Vector256.Create(k[12])) + TLogic.Ch(a, b, c) + TLogic.Sum1(a);
        h += d;
        d = d + TLogic.Maj(e, f, g) + TLogic.Sum0(e);
        c = c + (w[13] + Vector256.Create(k[13])) + TLogic.Ch(h, a, b) + TLogic.Sum1(h);
        g += c;
        c = c + TLogic.Maj(d, e, f) + TLogic.Sum0(d);
        b = b + (w[14] + Vector256.Create(k[14])) + TLogic.Ch(g, h, a) + TLogic.Sum1(g);
        f += b;
        b = b + TLogic.Maj(c, d, e) + TLogic.Sum0(c);
        a = a + (w[15] + Vector256.Create(k[15])) + TLogic.Ch(f, g, h) + TLogic.Sum1(f);
        e += a;
        a = a + TLogic.Maj(b, c, d) + TLogic.Sum0(b);
        for (var sixteen = 1; sixteen < 4; sixteen++)
        {
            k += 16;
            w[0] = x = w[0] + TLogic.Mix0(w[1]) + w[9] + TLogic.Mix1(w[14]);
            h = h + (x + Vector256.Create(k[0])) + TLogic.Ch(e, f, g) + TLogic.Sum1(e);
            d += h;
            h = h + TLogic.Maj(a, b, c) + TLogic.Sum0(a);
            w[1] = x = w[1] + TLogic.Mix0(w[2]) + w[10] + TLogic.Mix1(w[15]);
            g = g + (x + Vector256.Create(k[1])) + TLogic.Ch(d, e, f) + TLogic.Sum1(d);
            c += g;
            g = g + TLogic.Maj(h, a, b) + TLogic.Sum0(h);
            w[2] = x = w[2] + TLogic.Mix0(w[3]) + w[11] + TLogic.Mix1(w[0]);
            f = f + (x + Vector256.Create(k[2])) + TLogic.Ch(c, d, e) + TLogic.Sum1(c);
            b += f;
            f = f + TLogic.Maj(g, h, a) + TLogic.Sum0(g);
            w[3] = x = w[3] + TLogic.Mix0(w[4]) + w[12] + TLogic.Mix1(w[1]);
            e = e + (x + Vector256.Create(k[3])) + TLogic.Ch(b, c, d) + TLogic.Sum1(b);
            a += e;
            e = e + TLogic.Maj(f, g, h) + TLogic.Sum0(f);
            w[4] = x = w[4] + TLogic.Mix0(w[5]) + w[13] + TLogic.Mix1(w[2]);
            d = d + (x + Vector256.Create(k[4])) + TLogic.Ch(a, b, c) + TLogic.Sum1(a);
            h += d;
            d = d + TLogic.Maj(e, f, g) + TLogic.Sum0(e);
            w[5] = x = w[5] + TLogic.Mix0(w[6]) + w[14] + TLogic.Mix1(w[3]);
            c = c + (x + Vector256.Create(k[5])) + TLogic.Ch(h, a, b) + TLogic.Sum1(h);
            g += c;
            c = c + TLogic.Maj(d, e, f) + TLogic.Sum0(d);
            w[6] = x = w[6] + TLogic.Mix0(w[7]) + w[15] + TLogic.Mix1(w[4]);
            b = b + (x + Vector256.Create(k[6])) + TLogic.Ch(g, h, a) + TLogic.Sum1(g);
            f += b;
            b = b + TLogic.Maj(c, d, e) + TLogic.Sum0(c);
            w[7] = x = w[7] + TLogic.Mix0(w[8]) + w[0] + TLogic.Mix1(w[5]);
            a = a + (x + Vector256.Create(k[7])) + TLogic.Ch(f, g, h) + TLogic.Sum1(f);
            e += a;
            a = a + TLogic.Maj(b, c, d) + TLogic.Sum0(b);
            w[8] = x = w[8] + TLogic.Mix0(w[9]) + w[1] + TLogic.Mix1(w[6]);
            h = h + (x + Vector256.Create(k[8])) + TLogic.Ch(e, f, g) + TLogic.Sum1(e);
            d += h;
            h = h + TLogic.Maj(a, b, c) + TLogic.Sum0(a);
            w[9] = x = w[9] + TLogic.Mix0(w[10]) + w[2] + TLogic.Mix1(w[7]);
            g = g + (x + Vector256.Create(k[9])) + TLogic.Ch(d, e, f) + TLogic.Sum1(d);
            c += g;
            g = g + TLogic.Maj(h, a, b) + TLogic.Sum0(h);
            w[10] = x = w[10] + TLogic.Mix0(w[11]) + w[3] + TLogic.Mix1(w[8]);
            f = f + (x + Vector256.Create(k[10])) + TLogic.Ch(c, d, e) + TLogic.Sum1(c);
            b += f;
            f = f + TLogic.Maj(g, h, a) + TLogic.Sum0(g);
            w[11] = x = w[11] + TLogic.Mix0(w[12]) + w[4] + TLogic.Mix1(w[9]);
            e = e + (x + Vector256.Create(k[11])) + TLogic.Ch(b, c, d) + TLogic.Sum1(b);
            a += e;
            e = e + TLogic.Maj(f, g, h) + TLogic.Sum0(f);
            w[12] = x = w[12] + TLogic.Mix0(w[13]) + w[5] + TLogic.Mix1(w[10]);
            d = d + (x + Vector256.Create(k[12])) + TLogic.Ch(a, b, c) + TLogic.Sum1(a);
            h += d;
            d = d + TLogic.Maj(e, f, g) + TLogic.Sum0(e);
            w[13] = x = w[13] + TLogic.Mix0(w[14]) + w[6] + TLogic.Mix1(w[11]);
            c = c + (x + Vector256.Create(k[13])) + TLogic.Ch(h, a, b) + TLogic.Sum1(h);
            g += c;
            c = c + TLogic.Maj(d, e, f) + TLogic.Sum0(d);
            w[14] = x = w[14] + TLogic.Mix0(w[15]) + w[7] + TLogic.Mix1(w[12]);
            b = b + (x + Vector256.Create(k[14])) + TLogic.Ch(g, h, a) + TLogic.Sum1(g);
            f += b;
            b = b + TLogic.Maj(c, d, e) + TLogic.Sum0(c);
            w[15] = x = w[15] + TLogic.Mix0(w[0]) + w[8] + TLogic.Mix1(w[13]);
            a = a + (x + Vector256.Create(k[15])) + TLogic.Ch(f, g, h) + TLogic.Sum1(f);
            e += a;
            a = a + TLogic.Maj(b, c, d) + TLogic.Sum0(b);
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
    private static void CompressSame(Vector256<uint>* state, uint* k)
    {
        Vector256<uint> a = state[0], b = state[1], c = state[2], d = state[3];
        Vector256<uint> e = state[4], f = state[5], g = state[6], h = state[7];
        for (var sixteen = 0; sixteen < 4; sixteen++, k += 16)
        {
            h = h + Vector256.Create(k[0]) + TLogic.Ch(e, f, g) + TLogic.Sum1(e);
            d += h;
            h = h + TLogic.Maj(a, b, c) + TLogic.Sum0(a);
            g = g + Vector256.Create(k[1]) + TLogic.Ch(d, e, f) + TLogic.Sum1(d);
            c += g;
            g = g + TLogic.Maj(h, a, b) + TLogic.Sum0(h);
            f = f + Vector256.Create(k[2]) + TLogic.Ch(c, d, e) + TLogic.Sum1(c);
            b += f;
            f = f + TLogic.Maj(g, h, a) + TLogic.Sum0(g);
            e = e + Vector256.Create(k[3]) + TLogic.Ch(b, c, d) + TLogic.Sum1(b);
            a += e;
            e = e + TLogic.Maj(f, g, h) + TLogic.Sum0(f);
            d = d + Vector256.Create(k[4]) + TLogic.Ch(a, b, c) + TLogic.Sum1(a);
            h += d;
            d = d + TLogic.Maj(e, f, g) + TLogic.Sum0(e);
            c = c + Vector256.Create(k[5]) + TLogic.Ch(h, a, b) + TLogic.Sum1(h);
            g += c;
            c = c + TLogic.Maj(d, e, f) + TLogic.Sum0(d);
            b = b + Vector256.Create(k[6]) + TLogic.Ch(g, h, a) + TLogic.Sum1(g);
            f += b;
            b = b + TLogic.Maj(c, d, e) + TLogic.Sum0(c);
            a = a + Vector256.Create(k[7]) + TLogic.Ch(f, g, h) + TLogic.Sum1(f);
            e += a;
            a = a + TLogic.Maj(b, c, d) + TLogic.Sum0(b);
            h = h + Vector256.Create(k[8]) + TLogic.Ch(e, f, g) + TLogic.Sum1(e);
            d += h;
            h = h + TLogic.Maj(a, b, c) + TLogic.Sum0(a);
            g = g + Vector256.Create(k[9]) + TLogic.Ch(d, e, f) + TLogic.Sum1(d);
            c += g;
            g = g + TLogic.Maj(h, a, b) + TLogic.Sum0(h);
            f = f + Vector256.Create(k[10]) + TLogic.Ch(c, d, e) + TLogic.Sum1(c);
            b += f;
            f = f + TLogic.Maj(g, h, a) + TLogic.Sum0(g);
            e = e + Vector256.Create(k[11]) + TLogic.Ch(b, c, d) + TLogic.Sum1(b);
            a += e;
            e = e + TLogic.Maj(f, g, h) + TLogic.Sum0(f);
            d = d + Vector256.Create(k[12]) + TLogic.Ch(a, b, c) + TLogic.Sum1(a);
            h += d;
            d = d + TLogic.Maj(e, f, g) + TLogic.Sum0(e);
            c = c + Vector256.Create(k[13]) + TLogic.Ch(h, a, b) + TLogic.Sum1(h);
            g += c;
            c = c + TLogic.Maj(d, e, f) + TLogic.Sum0(d);
            b = b + Vector256.Create(k[14]) + TLogic.Ch(g, h, a) + TLogic.Sum1(g);
            f += b;
            b = b + TLogic.Maj(c, d, e) + TLogic.Sum0(c);
            a = a + Vector256.Create(k[15]) + TLogic.Ch(f, g, h) + TLogic.Sum1(f);
            e += a;
            a = a + TLogic.Maj(b, c, d) + TLogic.Sum0(b);
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
}

/// <summary>
/// The bitwise functions of SHA-256 (FIPS 180-4, 4.1.2) on 8 lanes: Sum is the capital sigma, Mix the small one.
/// </summary>
internal interface ILaneLogic
{
    static abstract Vector256<uint> Sum0(Vector256<uint> v);

    static abstract Vector256<uint> Sum1(Vector256<uint> v);

    static abstract Vector256<uint> Mix0(Vector256<uint> v);

    static abstract Vector256<uint> Mix1(Vector256<uint> v);

    static abstract Vector256<uint> Ch(Vector256<uint> e, Vector256<uint> f, Vector256<uint> g);

    static abstract Vector256<uint> Maj(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c);
}

/// <summary>AVX2: rotations are two shifts.</summary>
internal readonly struct Avx2Logic : ILaneLogic
{
    public static bool IsSupported => Avx2.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Sum0(Vector256<uint> v) => Rotate(v, 2) ^ Rotate(v, 13) ^ Rotate(v, 22);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Sum1(Vector256<uint> v) => Rotate(v, 6) ^ Rotate(v, 11) ^ Rotate(v, 25);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Mix0(Vector256<uint> v) => Rotate(v, 7) ^ Rotate(v, 18) ^ (v >>> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Mix1(Vector256<uint> v) => Rotate(v, 17) ^ Rotate(v, 19) ^ (v >>> 10);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Ch(Vector256<uint> e, Vector256<uint> f, Vector256<uint> g) => ((f ^ g) & e) ^ g;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Maj(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) =>
        ((a | c) & b) | (a & c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Rotate(Vector256<uint> v, int bits) => (v >>> bits) | (v << (32 - bits));
}

/// <summary>AVX-512 on 256-bit vectors: rotation and any function of three inputs are one instruction.</summary>
internal readonly struct Avx512Logic : ILaneLogic
{
    public static bool IsSupported => Avx2.IsSupported && Avx512F.VL.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Sum0(Vector256<uint> v) => Xor(Rotate(v, 2), Rotate(v, 13), Rotate(v, 22));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Sum1(Vector256<uint> v) => Xor(Rotate(v, 6), Rotate(v, 11), Rotate(v, 25));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Mix0(Vector256<uint> v) => Xor(Rotate(v, 7), Rotate(v, 18), v >>> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Mix1(Vector256<uint> v) => Xor(Rotate(v, 17), Rotate(v, 19), v >>> 10);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Ch(Vector256<uint> e, Vector256<uint> f, Vector256<uint> g) =>
        Avx512F.VL.TernaryLogic(e, f, g, 0xCA);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Maj(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) =>
        Avx512F.VL.TernaryLogic(a, b, c, 0xE8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Rotate(Vector256<uint> v, [ConstantExpected] byte bits) =>
        Avx512F.VL.RotateRight(v, bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Xor(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) =>
        Avx512F.VL.TernaryLogic(a, b, c, 0x96);
}
