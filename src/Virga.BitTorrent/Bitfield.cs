using System.Numerics;

namespace Virga.BitTorrent;

/// <summary>
/// Which pieces somebody has, in the form in which peers send it: the first piece in the highest bit of the first byte
/// (BEP 3). Not safe for several threads.
/// </summary>
public sealed class Bitfield(int pieceCount)
{
    private readonly byte[] bytes = new byte[(pieceCount + 7) / 8];

    public int PieceCount => pieceCount;

    /// <summary>Pieces that are set.</summary>
    public int Count { get; private set; }

    public bool IsWhole => Count == pieceCount;

    public ReadOnlySpan<byte> Bytes => bytes;

    public bool this[int piece] => (bytes[piece >> 3] & (0x80 >> (piece & 7))) != 0;

    /// <summary>False if it was set already.</summary>
    public bool Set(int piece)
    {
        if (this[piece]) return false;
        bytes[piece >> 3] |= (byte)(0x80 >> (piece & 7));
        Count++;
        return true;
    }

    public void Clear(int piece)
    {
        if (!this[piece]) return;
        bytes[piece >> 3] &= (byte)~(0x80 >> (piece & 7));
        Count--;
    }

    public void SetAll()
    {
        bytes.AsSpan().Fill(0xff);
        if (pieceCount % 8 != 0) bytes[^1] = (byte)(0xff << (8 - (pieceCount % 8)));
        Count = pieceCount;
    }

    /// <summary>False where the length is another than that of so many pieces, or a spare bit is set.</summary>
    public bool TryLoad(ReadOnlySpan<byte> from)
    {
        if (from.Length != bytes.Length) return false;
        if (pieceCount % 8 != 0 && (from[^1] & (0xff >> (pieceCount % 8))) != 0) return false;
        from.CopyTo(bytes);
        Count = 0;
        foreach (var b in from) Count += BitOperations.PopCount(b);
        return true;
    }
}
