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
    /// <summary>That are compared in one go.</summary>
    public const int ChunksMax = 16;

    private const int ChunkBytes = AgePayload.ChunkBytes;

    /// <summary>The tags, from a piece layer of 64 KiB pieces.</summary>
    public static byte[] Cut(ReadOnlySpan<byte> chunkRoots)
    {
        var tags = new byte[chunkRoots.Length / Hash256.ByteCount * OwnedBlob.TagBytes];
        for (var i = 0; i < tags.Length / OwnedBlob.TagBytes; i++)
            chunkRoots.Slice(i * Hash256.ByteCount, OwnedBlob.TagBytes).CopyTo(tags.AsSpan(i * OwnedBlob.TagBytes));
        return tags;
    }

    /// <summary>How many of these consecutive chunks, from the first, are those that were shared.</summary>
    /// <param name="chunks">At most <see cref="ChunksMax"/> chunks; only a blob's last may be shorter.</param>
    /// <param name="first">The first one's number in the blob.</param>
    /// <param name="look">What is remembered of chunks that were right before; null: nothing.</param>
    public static int CountMatching(
        ReadOnlySpan<byte> chunks, OwnedBlob blob, long first, SeenChunks.Look? look = null)
    {
        var count = (chunks.Length + ChunkBytes - 1) / ChunkBytes;
        var same = 0;
        while (look is not null && same < count && look.IsSame(first + same, Chunk(chunks, same))) same++;
        if (same == count) return count;
        Span<byte> roots = stackalloc byte[ChunksMax * Hash256.ByteCount];
        if (blob.PlainLength <= ChunkBytes) MerkleTree.Root(chunks).CopyTo(roots);
        else MerkleTree.PieceHashes(chunks[(same * ChunkBytes)..], ChunkBytes, roots);
        for (var from = same; same < count; same++)
        {
            var root = roots.Slice((same - from) * Hash256.ByteCount, OwnedBlob.TagBytes);
            var tag = blob.Tags.AsSpan((int)(first + same) * OwnedBlob.TagBytes, OwnedBlob.TagBytes);
            if (!root.SequenceEqual(tag)) return same;
            look?.Remember(first + same, Chunk(chunks, same));
        }
        return count;
    }

    private static ReadOnlySpan<byte> Chunk(ReadOnlySpan<byte> chunks, int number) =>
        chunks[(number * ChunkBytes)..Math.Min(chunks.Length, (number + 1) * ChunkBytes)];

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
