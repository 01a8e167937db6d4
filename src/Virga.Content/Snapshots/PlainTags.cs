using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Merkle;

namespace Virga.Content.Snapshots;

/// <summary>
/// What a public share's chunks are compared with before they leave: the first 16 bytes of the Merkle root of each 64
/// KiB. Nobody finds a second content for them, and they cost what the tags of private files cost.
/// </summary>
internal static class PlainTags
{
    private const int ChunkBytes = AgePayload.ChunkBytes;

    /// <summary>The tags, from a piece layer of 64 KiB pieces.</summary>
    public static byte[] Cut(ReadOnlySpan<byte> chunkRoots)
    {
        var tags = new byte[chunkRoots.Length / Hash256.ByteCount * OwnedBlob.TagBytes];
        for (var i = 0; i < tags.Length / OwnedBlob.TagBytes; i++)
            chunkRoots.Slice(i * Hash256.ByteCount, OwnedBlob.TagBytes).CopyTo(tags.AsSpan(i * OwnedBlob.TagBytes));
        return tags;
    }

    /// <summary>How many of these consecutive chunks, from the first, are those that the tags stand for.</summary>
    /// <param name="chunks">At most 16 chunks; only a blob's last may be shorter.</param>
    public static int CountMatching(ReadOnlySpan<byte> chunks, bool isWholeBlob, ReadOnlySpan<byte> tags)
    {
        const int chunksMax = 16;
        Span<byte> roots = stackalloc byte[chunksMax * Hash256.ByteCount];
        var count = (chunks.Length + ChunkBytes - 1) / ChunkBytes;
        if (isWholeBlob) MerkleTree.Root(chunks).CopyTo(roots);
        else MerkleTree.PieceHashes(chunks, ChunkBytes, roots);
        for (var i = 0; i < count; i++)
        {
            var root = roots.Slice(i * Hash256.ByteCount, OwnedBlob.TagBytes);
            if (!root.SequenceEqual(tags.Slice(i * OwnedBlob.TagBytes, OwnedBlob.TagBytes))) return i;
        }
        return count;
    }

    /// <summary>
    /// The piece layer for longer pieces, from that for 64 KiB pieces (BEP 52: missing hashes are those of zero
    /// leaves).
    /// </summary>
    public static byte[] Reduce(ReadOnlySpan<byte> chunkRoots, int pieceBytes)
    {
        var hashes = chunkRoots.ToArray();
        var count = hashes.Length / Hash256.ByteCount;
        var level = MerkleTree.PieceLevel(ChunkBytes);
        for (var top = MerkleTree.PieceLevel(pieceBytes); level < top; level++)
        {
            if (count % 2 != 0)
            {
                if ((count + 1) * Hash256.ByteCount > hashes.Length)
                    Array.Resize(ref hashes, (count + 1) * Hash256.ByteCount);
                MerkleTree.ZeroSubtree(level).CopyTo(hashes.AsSpan(count++ * Hash256.ByteCount));
            }
            count /= 2;
            for (var i = 0; i < count; i++)
                SHA256.HashData(hashes.AsSpan(i * 2 * Hash256.ByteCount, 2 * Hash256.ByteCount),
                    hashes.AsSpan(i * Hash256.ByteCount));
        }
        return hashes[..(count * Hash256.ByteCount)];
    }
}
