using System.Numerics;

namespace Virga.Core.Merkle;

/// <summary>
/// Shows that a run of hashes of one layer belongs to a blob: the run, then one uncle hash for each level between the
/// run's own root and the blob's, lowest first. That is what a BEP 52 "hashes" message carries when all layers up to
/// the root are asked for (its "proof layers" is then height - base layer - 1).
/// </summary>
/// <remarks>
/// What a proof shows depends on the blob's length, since leaves and inner nodes are not told apart by their hash; so
/// it is checked against a <see cref="BlobName"/>, never against a bare root.
/// </remarks>
public sealed class MerkleProof
{
    private MerkleProof(int baseLayer, long index, int count, byte[] hashes)
    {
        BaseLayer = baseLayer;
        Index = index;
        Count = count;
        Hashes = hashes;
    }

    /// <summary>Levels above the leaves: 0 for leaves, <see cref="MerkleTree.PieceLevel"/> for piece hashes.</summary>
    public int BaseLayer { get; }

    /// <summary>Place of the run's first hash in its layer; a multiple of <see cref="Count"/>.</summary>
    public long Index { get; }

    /// <summary>Hashes in the run: a power of two. Those past the end of the blob are hashes of padding.</summary>
    public int Count { get; }

    /// <summary>32 bytes a hash: the run, then the uncles.</summary>
    public ReadOnlyMemory<byte> Hashes { get; }

    public ReadOnlySpan<byte> Run => Hashes.Span[..(Count * Hash256.ByteCount)];

    public ReadOnlySpan<byte> Uncles => Hashes.Span[(Count * Hash256.ByteCount)..];

    /// <summary>Proof from a whole layer of a blob.</summary>
    /// <param name="layer">
    /// All hashes of the base layer up to the end of the blob, 32 bytes each, without padding.
    /// </param>
    /// <param name="length">Bytes of the blob.</param>
    /// <param name="index">A multiple of <paramref name="count"/>, inside the layer.</param>
    /// <param name="count">A power of two, not above the padded width of the layer.</param>
    public static MerkleProof Build(ReadOnlySpan<byte> layer, int baseLayer, long length, long index, int count)
    {
        var there = LayerCount(length, baseLayer);
        if (MerkleTree.CountHashes(layer) != there)
            throw new ArgumentException($"layer {baseLayer} of {length} bytes has {there} hashes", nameof(layer));
        if (Flaw(length, baseLayer, index, count) is { } flaw) throw new ArgumentException(flaw, nameof(index));

        var hashes = new byte[checked((count + UncleCount(length, baseLayer, count)) * Hash256.ByteCount)];
        CopyRun(layer, baseLayer, index, count, hashes);
        var uncles = hashes.AsSpan(count * Hash256.ByteCount);
        AddUncles(layer, baseLayer, MerkleTree.Height(length), index / count, BitOperations.Log2((uint)count), uncles);
        return new MerkleProof(baseLayer, index, count, hashes);
    }

    /// <summary>Proof of leaves from the bytes of the one piece that holds them and the blob's piece layer.</summary>
    /// <param name="piece">All bytes of the piece; the last piece of a blob is shorter.</param>
    /// <param name="pieceLayer">32 bytes a piece; empty for a blob of at most one piece.</param>
    /// <param name="leaf">Place of the first leaf in the blob; a multiple of <paramref name="count"/>.</param>
    /// <param name="count">A power of two, not above the leaves of a piece.</param>
    public static MerkleProof BuildForLeaves(
        ReadOnlySpan<byte> piece, ReadOnlySpan<byte> pieceLayer, int pieceBytes, long length, long leaf, int count)
    {
        var leaves = new byte[MerkleTree.LeafCount(piece.Length) * Hash256.ByteCount];
        LeafHasher.HashLeaves(piece, leaves);
        if (length <= pieceBytes) return Build(leaves, 0, length, leaf, count);

        var pieceLevel = MerkleTree.PieceLevel(pieceBytes);
        var pieces = MerkleTree.PieceCount(length, pieceBytes);
        if (MerkleTree.CountHashes(pieceLayer) != pieces)
            throw new ArgumentException($"the piece layer has {pieces} hashes", nameof(pieceLayer));
        if (Flaw(length, 0, leaf, count) is { } flaw) throw new ArgumentException(flaw, nameof(leaf));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1 << pieceLevel);
        var pieceIndex = leaf >> pieceLevel;
        if (piece.Length != Math.Min(pieceBytes, length - (pieceIndex * pieceBytes)))
            throw new ArgumentException($"piece {pieceIndex} does not have {piece.Length} bytes", nameof(piece));

        var leafInPiece = leaf & ((1L << pieceLevel) - 1);
        var hashes = new byte[checked((count + UncleCount(length, 0, count)) * Hash256.ByteCount)];
        CopyRun(leaves, 0, leafInPiece, count, hashes);
        var uncles = hashes.AsSpan(count * Hash256.ByteCount);
        var runLevels = BitOperations.Log2((uint)count);
        AddUncles(leaves, 0, pieceLevel, leafInPiece / count, runLevels, uncles);
        uncles = uncles[((pieceLevel - runLevels) * Hash256.ByteCount)..];
        AddUncles(pieceLayer, pieceLevel, MerkleTree.Height(length), pieceIndex, 0, uncles);
        return new MerkleProof(0, leaf, count, hashes);
    }

    /// <summary>
    /// A proof from outside: what was asked for and what came. Whether it holds is for <see cref="Verify"/> to say.
    /// </summary>
    /// <param name="length">Bytes of the blob.</param>
    /// <param name="hashes">The run and the uncles.</param>
    /// <exception cref="VirgaException">
    /// BadInput: such a run does not exist, or the number of hashes is not the one it takes.
    /// </exception>
    public static MerkleProof FromHashes(int baseLayer, long index, int count, long length, ReadOnlySpan<byte> hashes)
    {
        var flaw = length < 1 ? "empty content has no tree" : Flaw(length, baseLayer, index, count);
        if (flaw is null && hashes.Length != ((long)count + UncleCount(length, baseLayer, count)) * Hash256.ByteCount)
            flaw = $"{count + UncleCount(length, baseLayer, count)} hashes are needed, {hashes.Length} bytes came";
        if (flaw is not null)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"proof of hashes: {flaw}", "Ask another source for the proof.");
        }
        return new MerkleProof(baseLayer, index, count, hashes.ToArray());
    }

    /// <summary>Whether the run stands in the tree of the blob at the place that this proof names.</summary>
    public bool Verify(BlobName blob)
    {
        if (blob.Length < 1 || Flaw(blob.Length, BaseLayer, Index, Count) is not null) return false;
        if (Uncles.Length != UncleCount(blob.Length, BaseLayer, Count) * Hash256.ByteCount) return false;

        var runLevels = BitOperations.Log2((uint)Count);
        Span<byte> pair = stackalloc byte[LeafHasher.PairBytes];
        Span<byte> node = stackalloc byte[Hash256.ByteCount];
        MerkleTree.LayerRoot(Run, BaseLayer, BaseLayer + runLevels).CopyTo(node);
        var place = Index / Count;
        for (var uncles = Uncles; !uncles.IsEmpty; uncles = uncles[Hash256.ByteCount..], place /= 2)
        {
            var isRight = place % 2 != 0;
            node.CopyTo(pair[(isRight ? Hash256.ByteCount : 0)..]);
            uncles[..Hash256.ByteCount].CopyTo(pair[(isRight ? 0 : Hash256.ByteCount)..]);
            LeafHasher.HashPairs(pair, node);
        }
        return blob.Root.Matches(node);
    }

    /// <summary>Hashes of a layer up to the end of the blob.</summary>
    private static long LayerCount(long length, int layer) => ((MerkleTree.LeafCount(length) - 1) >> layer) + 1;

    private static int UncleCount(long length, int baseLayer, int count) =>
        MerkleTree.Height(length) - baseLayer - BitOperations.Log2((uint)count);

    /// <summary>What makes such a run impossible; null when nothing does.</summary>
    private static string? Flaw(long length, int baseLayer, long index, int count)
    {
        var height = MerkleTree.Height(length);
        if (baseLayer < 0 || baseLayer > height)
            return $"layer {baseLayer} of a tree of {height} layers above the leaves";
        if (!BitOperations.IsPow2(count) || BitOperations.Log2((uint)count) > height - baseLayer)
            return $"{count} is no power of two that fits into layer {baseLayer}";
        if (index < 0 || index % count != 0) return $"place {index} is no multiple of {count}";
        return index < LayerCount(length, baseLayer) ? null : $"place {index} is past the end of layer {baseLayer}";
    }

    /// <summary>The run, with hashes of padding where the layer ends before it does.</summary>
    private static void CopyRun(ReadOnlySpan<byte> layer, int level, long index, int count, Span<byte> run)
    {
        var there = (int)Math.Min(count, MerkleTree.CountHashes(layer) - index);
        layer.Slice((int)index * Hash256.ByteCount, there * Hash256.ByteCount).CopyTo(run);
        for (; there < count; there++) MerkleTree.ZeroSubtreeBytes(level).CopyTo(run[(there * Hash256.ByteCount)..]);
    }

    /// <summary>
    /// One uncle for each level from the run's root up to the root of the tree that <paramref name="layer"/> is the
    /// base of.
    /// </summary>
    /// <param name="place">
    /// Place of the run's root in its own layer, <paramref name="runLevels"/> above <paramref name="level"/>.
    /// </param>
    private static void AddUncles(
        ReadOnlySpan<byte> layer, int level, int top, long place, int runLevels, Span<byte> uncles)
    {
        var all = MerkleTree.CountHashes(layer);
        for (var levels = runLevels; level + levels < top; levels++, place /= 2)
        {
            // The hashes of the base layer that stand under the uncle: a whole subtree, a part, or nothing but padding.
            var first = (place ^ 1) << levels;
            var there = (int)Math.Clamp(all - first, 0, 1L << levels);
            var uncle = there == 0
                ? MerkleTree.ZeroSubtree(level + levels)
                : MerkleTree.LayerRoot(
                    layer.Slice((int)first * Hash256.ByteCount, there * Hash256.ByteCount), level, level + levels);
            uncle.CopyTo(uncles);
            uncles = uncles[Hash256.ByteCount..];
        }
    }
}
