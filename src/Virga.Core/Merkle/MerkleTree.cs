using System.Numerics;
using System.Runtime.CompilerServices;

namespace Virga.Core.Merkle;

/// <summary>The BEP 52 tree: 16 KiB leaves, SHA-256, padded to a power of two with all-zero leaf hashes.</summary>
public static class MerkleTree
{
    /// <summary>
    /// Leaves hashed in one go on the stack: enough to keep the lanes of the kernel full three layers up.
    /// </summary>
    private const int GroupLeaves = 256;
    private const int GroupLevels = 8;
    private const int GroupBytes = GroupLeaves * LeafHasher.LeafBytes;

    /// <summary>More levels than any blob with a 63-bit length can have.</summary>
    private const int MaxLevels = 64;

    private static readonly byte[] ZeroSubtrees = BuildZeroSubtrees();

    /// <summary>Number of leaves of a blob of the given length, without padding.</summary>
    public static long LeafCount(long length) =>
        (length / LeafHasher.LeafBytes) + (length % LeafHasher.LeafBytes == 0 ? 0 : 1);

    /// <summary>
    /// Number of hashes in the piece layer of a blob; 0 when the blob is no longer than one piece (BEP 52).
    /// </summary>
    public static int PieceCount(long length, int pieceBytes)
    {
        CheckPieceBytes(pieceBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length <= pieceBytes) return 0;
        return PiecesIn(length, pieceBytes);
    }

    internal static int PiecesIn(long length, int pieceBytes) =>
        checked((int)((length / pieceBytes) + (length % pieceBytes == 0 ? 0 : 1)));

    /// <summary>Whether a torrent may have this piece length: a power of two, at least one leaf (BEP 52).</summary>
    public static bool IsPieceLength(long pieceBytes) =>
        pieceBytes is >= LeafHasher.LeafBytes and <= 1 << 30 && BitOperations.IsPow2(pieceBytes);

    /// <summary>Levels between the leaves and the root of a blob; 0 for a blob of one leaf.</summary>
    public static int Height(long length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        return HeightOf(LeafCount(length));
    }

    /// <summary>Levels between the leaves and the hashes of the piece layer.</summary>
    public static int PieceLevel(int pieceBytes)
    {
        CheckPieceBytes(pieceBytes);
        return BitOperations.Log2((uint)(pieceBytes / LeafHasher.LeafBytes));
    }

    /// <summary>Hash of a whole subtree of zero leaves, <paramref name="level"/> levels above the leaves.</summary>
    public static Hash256 ZeroSubtree(int level) => new(ZeroSubtreeBytes(level));

    /// <summary>
    /// Root of one piece from its bytes. A piece that is a blob's last is padded with zero leaves to
    /// <paramref name="pieceBytes"/>; a blob no longer than one piece is padded only to the next power of two
    /// (pass <paramref name="isWholeBlob"/>). Allocates nothing.
    /// </summary>
    /// <param name="piece">1 to <paramref name="pieceBytes"/> bytes.</param>
    public static Hash256 PieceHash(ReadOnlySpan<byte> piece, int pieceBytes, bool isWholeBlob)
    {
        var level = PieceLevel(pieceBytes);
        if (piece.IsEmpty || piece.Length > pieceBytes)
            throw new ArgumentException($"a piece has 1 to {pieceBytes} bytes, not {piece.Length}", nameof(piece));
        return SubtreeRoot(piece, isWholeBlob ? Height(piece.Length) : level);
    }

    /// <summary>
    /// Hashes of consecutive whole pieces; the last may be shorter and is padded with zero leaves to
    /// <paramref name="pieceBytes"/>. Fills the lanes of the kernel also where one piece does not. Allocates nothing.
    /// </summary>
    /// <param name="data">1 byte or more, from the start of a piece.</param>
    /// <param name="hashes">At least 32 bytes a piece.</param>
    [SkipLocalsInit]
    public static void PieceHashes(ReadOnlySpan<byte> data, int pieceBytes, Span<byte> hashes)
    {
        var level = PieceLevel(pieceBytes);
        if (data.IsEmpty) throw new ArgumentException("a piece has at least one byte", nameof(data));
        // Room for one hash more: a layer with an odd number of hashes is padded.
        Span<byte> nodes = stackalloc byte[(GroupLeaves + 1) * Hash256.ByteCount];
        var goBytes = Math.Max(pieceBytes, GroupBytes);
        for (; !data.IsEmpty; data = data[Math.Min(data.Length, goBytes)..])
        {
            var go = data[..Math.Min(data.Length, goBytes)];
            if (go.Length > GroupBytes)
            {
                SubtreeRoot(go, level).CopyTo(hashes);
                hashes = hashes[Hash256.ByteCount..];
                continue;
            }
            LeafHasher.HashLeaves(go, nodes);
            var count = ReduceLayers(nodes, (int)LeafCount(go.Length), 0, level);
            nodes[..(count * Hash256.ByteCount)].CopyTo(hashes);
            hashes = hashes[(count * Hash256.ByteCount)..];
        }
    }

    /// <summary>Root of a blob from its piece layer (32 bytes a piece; two pieces or more).</summary>
    public static Hash256 RootFromPieceLayer(ReadOnlySpan<byte> layer, int pieceBytes)
    {
        var level = PieceLevel(pieceBytes);
        var count = CountHashes(layer);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2, nameof(layer));
        return LayerRoot(layer, level, level + HeightOf(count));
    }

    /// <summary>Root of a blob held in memory, 1 byte or more.</summary>
    public static Hash256 Root(ReadOnlySpan<byte> blob)
    {
        if (blob.IsEmpty) throw new ArgumentException("empty content has no root", nameof(blob));
        return SubtreeRoot(blob, Height(blob.Length));
    }

    /// <summary>
    /// Root of the subtree whose layer at <paramref name="level"/> starts with the given hashes; the rest is padding.
    /// </summary>
    /// <param name="top">Level of the root; the layer may be shorter than 2^(top - level) but not longer.</param>
    internal static Hash256 LayerRoot(ReadOnlySpan<byte> layer, int level, int top)
    {
        if (layer.Length <= GroupLeaves * Hash256.ByteCount) return SmallLayerRoot(layer, level, top);
        var groups = (layer.Length + (GroupLeaves * Hash256.ByteCount) - 1) / (GroupLeaves * Hash256.ByteCount);
        var roots = new byte[groups * Hash256.ByteCount];
        for (var i = 0; i < groups; i++)
        {
            var group = layer[(i * GroupLeaves * Hash256.ByteCount)..];
            group = group[..Math.Min(group.Length, GroupLeaves * Hash256.ByteCount)];
            SmallLayerRoot(group, level, level + GroupLevels).CopyTo(roots.AsSpan(i * Hash256.ByteCount));
        }
        return LayerRoot(roots, level + GroupLevels, top);
    }

    internal static ReadOnlySpan<byte> ZeroSubtreeBytes(int level)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)level, (uint)MaxLevels, nameof(level));
        return ZeroSubtrees.AsSpan(level * Hash256.ByteCount, Hash256.ByteCount);
    }

    internal static int HeightOf(long count) => count <= 1 ? 0 : BitOperations.Log2((ulong)(count - 1)) + 1;

    internal static int CountHashes(ReadOnlySpan<byte> layer)
    {
        if (layer.Length % Hash256.ByteCount != 0)
            throw new ArgumentException($"a layer has 32 bytes a hash; {layer.Length} is no multiple", nameof(layer));
        return layer.Length / Hash256.ByteCount;
    }

    internal static void CheckPieceBytes(int pieceBytes)
    {
        if (!IsPieceLength(pieceBytes))
        {
            throw new ArgumentOutOfRangeException(
                nameof(pieceBytes), pieceBytes, "a piece length is a power of two from 16 KiB to 1 GiB");
        }
    }

    [SkipLocalsInit]
    private static Hash256 SubtreeRoot(ReadOnlySpan<byte> data, int top)
    {
        if (data.Length > GroupBytes) return GroupedRoot(data, top);
        var count = (int)LeafCount(data.Length);
        Span<byte> hashes = stackalloc byte[GroupLeaves * Hash256.ByteCount];
        LeafHasher.HashLeaves(data, hashes);
        return Reduce(hashes, count, 0, top);
    }

    [SkipLocalsInit]
    private static Hash256 GroupedRoot(ReadOnlySpan<byte> data, int top)
    {
        // A span has fewer than 2 GiB, which is 512 groups: 16 KiB of stack.
        Span<byte> roots = stackalloc byte[(int.MaxValue / GroupBytes + 1) * Hash256.ByteCount];
        var count = 0;
        for (; !data.IsEmpty; count++)
        {
            var group = data[..Math.Min(data.Length, GroupBytes)];
            SubtreeRoot(group, GroupLevels).CopyTo(roots[(count * Hash256.ByteCount)..]);
            data = data[group.Length..];
        }
        return Reduce(roots, count, GroupLevels, top);
    }

    [SkipLocalsInit]
    private static Hash256 SmallLayerRoot(ReadOnlySpan<byte> layer, int level, int top)
    {
        Span<byte> hashes = stackalloc byte[GroupLeaves * Hash256.ByteCount];
        layer.CopyTo(hashes);
        return Reduce(hashes, CountHashes(layer), level, top);
    }

    private static Hash256 Reduce(Span<byte> hashes, int count, int level, int top)
    {
        var left = ReduceLayers(hashes, count, level, top);
        if (left != 1) throw new ArgumentException($"{left} hashes are left at the top of the tree", nameof(top));
        return new Hash256(hashes[..Hash256.ByteCount]);
    }

    /// <summary>
    /// Hashes layer after layer, in place. <paramref name="hashes"/> has room for an even number of hashes.
    /// </summary>
    /// <returns>How many hashes layer <paramref name="top"/> has.</returns>
    private static int ReduceLayers(Span<byte> hashes, int count, int level, int top)
    {
        for (; level < top; level++)
        {
            if (count % 2 != 0) ZeroSubtreeBytes(level).CopyTo(hashes[(count++ * Hash256.ByteCount)..]);
            LeafHasher.HashPairs(hashes[..(count * Hash256.ByteCount)], hashes);
            count /= 2;
        }
        return count;
    }

    private static byte[] BuildZeroSubtrees()
    {
        var all = new byte[MaxLevels * Hash256.ByteCount];
        Span<byte> pair = stackalloc byte[2 * Hash256.ByteCount];
        for (var level = 1; level < MaxLevels; level++)
        {
            var below = all.AsSpan((level - 1) * Hash256.ByteCount, Hash256.ByteCount);
            below.CopyTo(pair);
            below.CopyTo(pair[Hash256.ByteCount..]);
            LeafHasher.HashPairs(pair, all.AsSpan(level * Hash256.ByteCount));
        }
        return all;
    }
}
