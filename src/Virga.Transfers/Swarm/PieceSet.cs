using System.Numerics;

namespace Virga.Transfers.Swarm;

/// <summary>
/// Which pieces of a share somebody has. Safe for many threads; a reader may see a change a little late.
/// </summary>
public sealed class PieceSet(int total)
{
    private const int BitsPerWord = 64;

    private readonly ulong[] words = new ulong[(total + BitsPerWord - 1) / BitsPerWord];

    public int Total => total;

    public bool Contains(int piece) => (Volatile.Read(ref words[piece / BitsPerWord]) & Bit(piece)) != 0;

    public bool ContainsAll(int first, int count)
    {
        for (var piece = first; piece < first + count; piece++)
            if (!Contains(piece)) return false;
        return true;
    }

    public void Add(int piece) => Interlocked.Or(ref words[piece / BitsPerWord], Bit(piece));

    public void Add(int first, int count)
    {
        for (var piece = first; piece < first + count; piece++) Add(piece);
    }

    public void Remove(int piece) => Interlocked.And(ref words[piece / BitsPerWord], ~Bit(piece));

    public int Count()
    {
        var count = 0;
        foreach (ref var word in words.AsSpan()) count += BitOperations.PopCount(Volatile.Read(ref word));
        return count;
    }

    /// <summary>As spec/v1/swarm.md has it: the first piece in the highest bit of the first byte.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[(total + 7) / 8];
        for (var piece = 0; piece < total; piece++)
            if (Contains(piece)) bytes[piece / 8] |= (byte)(0x80 >> (piece % 8));
        return bytes;
    }

    /// <param name="bytes">Of exactly so many pieces.</param>
    public static PieceSet From(ReadOnlySpan<byte> bytes, int total)
    {
        var set = new PieceSet(total);
        for (var piece = 0; piece < total; piece++)
            if ((bytes[piece / 8] & (0x80 >> (piece % 8))) != 0) set.Add(piece);
        return set;
    }

    private static ulong Bit(int piece) => 1UL << (piece % BitsPerWord);
}
