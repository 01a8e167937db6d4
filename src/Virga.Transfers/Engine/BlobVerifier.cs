using Virga.Core;
using Virga.Core.Merkle;

namespace Virga.Transfers.Engine;

/// <summary>Checks runs of whole pieces of a blob against its root and piece layer. Pure; allocates nothing.</summary>
internal static class BlobVerifier
{
    /// <summary>Null when every leaf is right, else which piece isn't.</summary>
    /// <param name="offset">Where <paramref name="data"/> begins in the blob; a multiple of the piece length.</param>
    /// <param name="data">Whole pieces; the blob's last may be shorter.</param>
    public static string? WhyWrong(
        BlobName blob, ReadOnlySpan<byte> layer, int pieceBytes, long offset, ReadOnlySpan<byte> data)
    {
        var isWhole = blob.Length <= pieceBytes;
        for (var index = offset / pieceBytes; !data.IsEmpty; index++)
        {
            var piece = data[..Math.Min(pieceBytes, data.Length)];
            var hash = MerkleTree.PieceHash(piece, pieceBytes, isWhole);
            var expected = isWhole ? blob.Root
                : new Hash256(layer.Slice((int)index * Hash256.ByteCount, Hash256.ByteCount));
            if (hash != expected)
                return $"delivered a wrong piece {index} of blob {blob.Root}: its hash is {hash}, and not {expected}";
            data = data[piece.Length..];
        }
        return null;
    }
}
