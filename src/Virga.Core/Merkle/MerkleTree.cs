namespace Virga.Core.Merkle;

/// <summary>The BEP 52 tree: 16 KiB leaves, SHA-256, padded to a power of two with all-zero leaf hashes.</summary>
public static class MerkleTree
{
    public static long LeafCount(long length) => (length + LeafHasher.LeafBytes - 1) / LeafHasher.LeafBytes;

    /// <summary>Number of hashes in the piece layer of a blob; 0 when the blob is no longer than one piece (BEP 52).</summary>
    public static int PieceCount(long length, int pieceBytes) => throw new NotImplementedException();

    /// <summary>Hash of a whole subtree of zero leaves, <paramref name="level"/> levels above the leaves.</summary>
    public static Hash256 ZeroSubtree(int level) => throw new NotImplementedException();

    /// <summary>
    /// Root of one piece from its bytes. A piece that is a blob's last is padded with zero leaves to <paramref name="pieceBytes"/>;
    /// a blob no longer than one piece is padded only to the next power of two (pass <paramref name="isWholeBlob"/>).
    /// </summary>
    public static Hash256 PieceHash(ReadOnlySpan<byte> piece, int pieceBytes, bool isWholeBlob) => throw new NotImplementedException();

    /// <summary>Root of a blob from its piece layer (32 bytes a piece).</summary>
    public static Hash256 RootFromPieceLayer(ReadOnlySpan<byte> layer, int pieceBytes) => throw new NotImplementedException();

    /// <summary>Root of a blob held in memory.</summary>
    public static Hash256 Root(ReadOnlySpan<byte> blob) => throw new NotImplementedException();
}

/// <summary>Hashes a blob that arrives in order, in one pass, in memory of one piece plus 32 bytes a piece.</summary>
public sealed class BlobHasher(int pieceBytes)
{
    public int PieceBytes { get; } = pieceBytes;

    public long Length => throw new NotImplementedException();

    public void Append(ReadOnlySpan<byte> data) => throw new NotImplementedException();

    /// <summary>The name and the piece layer (empty for a blob of at most one piece). Only once, after 1 byte or more.</summary>
    public (BlobName Name, byte[] PieceLayer) Finish() => throw new NotImplementedException();
}
