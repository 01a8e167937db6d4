using System.Security.Cryptography;

namespace Virga.Content.Snapshots;

/// <summary>
/// SHA-1 pieces of a file that begins with a piece of its own (BEP 3, as hybrids of BEP 52 have it), from its bytes in
/// order.
/// </summary>
/// <param name="padsLast">
/// The rest of the last piece is zeros: padding that the torrent lists (BEP 47). A single file has none.
/// </param>
internal sealed class V1Hasher(long length, int pieceBytes, bool padsLast) : IDisposable
{
    private static readonly byte[] Zeros = new byte[64 << 10];

    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
    private readonly byte[] pieces = new byte[((length - 1) / pieceBytes + 1) * SHA1.HashSizeInBytes];
    private int inPiece;
    private int made;

    public void Append(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var part = data[..Math.Min(data.Length, pieceBytes - inPiece)];
            hash.AppendData(part);
            data = data[part.Length..];
            inPiece += part.Length;
            if (inPiece == pieceBytes) EndPiece();
        }
    }

    /// <summary>20 bytes a piece; once, after all bytes.</summary>
    public byte[] Finish()
    {
        if (inPiece > 0)
        {
            for (var left = padsLast ? pieceBytes - inPiece : 0; left > 0; left -= Math.Min(left, Zeros.Length))
                hash.AppendData(Zeros.AsSpan(0, Math.Min(left, Zeros.Length)));
            EndPiece();
        }
        if (made != pieces.Length) throw new InvalidOperationException($"{made} bytes of hashes, not {pieces.Length}");
        return pieces;
    }

    public void Dispose() => hash.Dispose();

    private void EndPiece()
    {
        hash.GetHashAndReset(pieces.AsSpan(made));
        made += SHA1.HashSizeInBytes;
        inPiece = 0;
    }
}
