using System.Buffers.Binary;
using System.Numerics;
using Virga.Core;

namespace Virga.BitTorrent;

/// <summary>
/// SipHash-2-4 (Aumasson and Bernstein, 2012): 64 bits of an input that nobody without the key can foretell. For things
/// that are given out and asked back, bound to an address, without remembering anything; and for tables whose places
/// strangers choose. Safe for many threads; allocates nothing.
/// </summary>
public sealed class KeyedHash
{
    private readonly ulong k0, k1;

    public KeyedHash(RandomBytes random)
    {
        Span<byte> key = stackalloc byte[16];
        random(key);
        (k0, k1) = Words(key);
    }

    /// <param name="key">16 bytes.</param>
    public KeyedHash(ReadOnlySpan<byte> key) => (k0, k1) = Words(key);

    public ulong Of(ReadOnlySpan<byte> data)
    {
        var state = new State(k0, k1);
        var rest = data;
        for (; rest.Length >= 8; rest = rest[8..]) state.Add(BinaryPrimitives.ReadUInt64LittleEndian(rest));
        Span<byte> last = stackalloc byte[8];
        last.Clear();
        rest.CopyTo(last);
        last[7] = (byte)data.Length;
        state.Add(BinaryPrimitives.ReadUInt64LittleEndian(last));
        return state.End();
    }

    /// <summary>The hash of three words, as of their 24 bytes.</summary>
    public ulong Of(ulong a, ulong b, ulong c)
    {
        var state = new State(k0, k1);
        state.Add(a);
        state.Add(b);
        state.Add(c);
        state.Add(24UL << 56);
        return state.End();
    }

    private static (ulong, ulong) Words(ReadOnlySpan<byte> key) =>
        (BinaryPrimitives.ReadUInt64LittleEndian(key), BinaryPrimitives.ReadUInt64LittleEndian(key[8..]));

    private ref struct State(ulong k0, ulong k1)
    {
        private ulong v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
        private ulong v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;

        public void Add(ulong word)
        {
            v3 ^= word;
            Round();
            Round();
            v0 ^= word;
        }

        public ulong End()
        {
            v2 ^= 0xff;
            Round();
            Round();
            Round();
            Round();
            return v0 ^ v1 ^ v2 ^ v3;
        }

        private void Round()
        {
            v0 += v1;
            v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
            v0 = BitOperations.RotateLeft(v0, 32);
            v2 += v3;
            v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
            v0 += v3;
            v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
            v2 += v1;
            v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
            v2 = BitOperations.RotateLeft(v2, 32);
        }
    }
}
