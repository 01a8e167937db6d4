using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Virga.Core;

namespace Virga.Trust.Log;

/// <summary>
/// The Merkle tree of a log (RFC 6962, section 2.1, with SHA-256): hashes, roots, and the ranges of leaves whose hashes
/// make up a proof. Pure; sizes and indices are counts of leaves.
/// </summary>
public static class LogTree
{
    private const int StackBytesMax = 1024;

    /// <summary>The root of a tree without leaves: SHA-256 of nothing.</summary>
    public static readonly Hash256 EmptyRoot = new(SHA256.HashData([]));

    /// <summary>SHA-256 over a zero byte and the entry.</summary>
    public static Hash256 LeafHash(ReadOnlySpan<byte> entry)
    {
        var length = entry.Length + 1;
        byte[]? rented = null;
        var data = length <= StackBytesMax
            ? stackalloc byte[StackBytesMax]
            : rented = ArrayPool<byte>.Shared.Rent(length);
        data[0] = 0;
        entry.CopyTo(data[1..]);
        var hash = Digest(data[..length]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }

    /// <summary>SHA-256 over a byte 1 and both children.</summary>
    public static Hash256 NodeHash(Hash256 left, Hash256 right)
    {
        if (SimulationMemo.Nodes is not { } known) return HashNode(left, right);
        ref var hash = ref CollectionsMarshal.GetValueRefOrAddDefault(known, (left, right), out var isKnown);
        return isKnown ? hash : hash = HashNode(left, right);
    }

    private static Hash256 HashNode(Hash256 left, Hash256 right)
    {
        Span<byte> data = stackalloc byte[1 + (2 * Hash256.ByteCount)];
        data[0] = 1;
        left.CopyTo(data[1..]);
        right.CopyTo(data[(1 + Hash256.ByteCount)..]);
        return Digest(data);
    }

    /// <summary>The Merkle tree hash over hashes of one height, the last subtree of which may be smaller.</summary>
    public static Hash256 Root(ReadOnlySpan<Hash256> hashes)
    {
        if (hashes.Length == 0) return EmptyRoot;
        if (hashes.Length == 1) return hashes[0];
        var left = (int)LeftOf(hashes.Length);
        return NodeHash(Root(hashes[..left]), Root(hashes[left..]));
    }

    /// <summary>The largest power of two below <paramref name="count"/>, which is 2 or more.</summary>
    public static long LeftOf(long count) => 1L << BitOperations.Log2((ulong)(count - 1));

    /// <summary>The ranges whose hashes are the inclusion proof of a leaf, from its sibling upwards.</summary>
    public static IReadOnlyList<LeafRange> InclusionRanges(long index, long size)
    {
        if (index < 0 || index >= size)
            throw new ArgumentOutOfRangeException(nameof(index), index, "the tree is smaller");
        var ranges = new List<LeafRange>();
        var (start, end) = (0L, size);
        while (end - start > 1)
        {
            var middle = start + LeftOf(end - start);
            ranges.Add(index < middle ? new LeafRange(middle, end) : new LeafRange(start, middle));
            (start, end) = index < middle ? (start, middle) : (middle, end);
        }

        ranges.Reverse();
        return ranges;
    }

    /// <summary>
    /// The ranges whose hashes are the consistency proof between two sizes, 1 &lt;= first &lt;= second.
    /// </summary>
    /// <param name="isWhole">
    /// True for a proof that also shows the first root where RFC 6962 leaves it to the reader (a first size that is a
    /// power of two): then both roots follow from the proof alone.
    /// </param>
    public static IReadOnlyList<LeafRange> ConsistencyRanges(long first, long second, bool isWhole = false)
    {
        if (first < 1 || first > second)
            throw new ArgumentOutOfRangeException(nameof(first), first, "from 1 to the second size");
        var ranges = new List<LeafRange>();
        var (start, end, isLeft) = (0L, second, true);
        while (first != end)
        {
            var middle = start + LeftOf(end - start);
            if (first <= middle)
            {
                ranges.Add(new LeafRange(middle, end));
                end = middle;
            }
            else
            {
                ranges.Add(new LeafRange(start, middle));
                (start, isLeft) = (middle, false);
            }
        }

        if (isWhole || !isLeft) ranges.Add(new LeafRange(start, end));
        ranges.Reverse();
        return ranges;
    }

    private static Hash256 Digest(ReadOnlySpan<byte> data)
    {
        Span<byte> digest = stackalloc byte[Hash256.ByteCount];
        SHA256.HashData(data, digest);
        return new Hash256(digest);
    }
}

/// <summary>Leaves <c>[Start, End)</c> of a log whose hash is a node of its tree.</summary>
public readonly record struct LeafRange(long Start, long End)
{
    /// <summary>How many leaves.</summary>
    public long Count => End - Start;
}

/// <summary>Checks of the proofs of a log (RFC 9162, sections 2.1.3.2 and 2.1.4.2). Pure, for any input.</summary>
public static class LogProof
{
    /// <summary>No tree of less than 2^63 leaves has a longer proof.</summary>
    public const int HashesMax = 64;

    /// <summary>Whether the proof shows that the leaf stands at that place of the tree.</summary>
    public static bool IsIncluded(
        long index, long size, Hash256 leaf, IReadOnlyList<Hash256> proof, Hash256 root) =>
        RootOf(index, size, leaf, proof) == root;

    /// <summary>The root that an inclusion proof leads to, or null where its length is wrong.</summary>
    public static Hash256? RootOf(long index, long size, Hash256 leaf, IReadOnlyList<Hash256> proof)
    {
        if (index < 0 || index >= size || proof.Count > HashesMax) return null;
        var (at, last, root) = (index, size - 1, leaf);
        foreach (var hash in proof)
        {
            if (last == 0) return null;
            if ((at & 1) == 1 || at == last)
            {
                root = LogTree.NodeHash(hash, root);
                while ((at & 1) == 0 && at != 0) (at, last) = (at >> 1, last >> 1);
            }
            else
            {
                root = LogTree.NodeHash(root, hash);
            }

            (at, last) = (at >> 1, last >> 1);
        }

        return last == 0 ? root : null;
    }

    /// <summary>
    /// Whether the proof shows that the first tree is a beginning of the second. Sizes are 1 or more; equal ones need
    /// an empty proof.
    /// </summary>
    public static bool IsConsistent(
        long first, long second, Hash256 firstRoot, Hash256 secondRoot, IReadOnlyList<Hash256> proof)
    {
        if (first < 1 || first > second) return false;
        if (first == second) return proof.Count == 0 && firstRoot == secondRoot;
        if (proof.Count == 0) return false;
        var whole = BitOperations.IsPow2(first) ? [firstRoot, .. proof] : proof;
        return RootsOf(first, second, whole) is var (shownFirst, shownSecond)
            && shownFirst == firstRoot && shownSecond == secondRoot;
    }

    /// <summary>
    /// Both roots that a whole proof (<see cref="LogTree.ConsistencyRanges"/>) leads to: that of the second tree and
    /// that of its own first leaves. Null where its length is wrong.
    /// </summary>
    public static (Hash256 First, Hash256 Second)? RootsOf(long first, long second, IReadOnlyList<Hash256> whole)
    {
        if (first < 1 || first > second || whole.Count is 0 or > HashesMax) return null;
        if (first == second) return whole.Count == 1 ? (whole[0], whole[0]) : null;
        var (at, last) = (first - 1, second - 1);
        while ((at & 1) == 1) (at, last) = (at >> 1, last >> 1);
        var (firstRoot, secondRoot) = (whole[0], whole[0]);
        foreach (var hash in whole.Skip(1))
        {
            if (last == 0) return null;
            if ((at & 1) == 1 || at == last)
            {
                firstRoot = LogTree.NodeHash(hash, firstRoot);
                secondRoot = LogTree.NodeHash(hash, secondRoot);
                while ((at & 1) == 0 && at != 0) (at, last) = (at >> 1, last >> 1);
            }
            else
            {
                secondRoot = LogTree.NodeHash(secondRoot, hash);
            }

            (at, last) = (at >> 1, last >> 1);
        }

        return last == 0 ? (firstRoot, secondRoot) : null;
    }

    /// <summary>
    /// Whether the proof shows that the leaves of the range, which are a subtree or its beginning, have that hash in
    /// the tree (Merkle Tree Certificates draft, section 4): so one bundle of a log is checked alone.
    /// </summary>
    public static bool IsSubtree(
        LeafRange range, long size, Hash256 hash, Hash256 root, IReadOnlyList<Hash256> proof)
    {
        if (range.Count == 0)
            return range.Start >= 0 && range.End <= size && hash == LogTree.EmptyRoot && proof.Count == 0;
        if (!IsSubtree(range) || range.End > size || proof.Count > HashesMax) return false;
        var (first, last, end) = (range.Start, range.End - 1, size - 1);
        while (first != last && (last == end || (last & 1) == 1))
            (first, last, end) = (first >> 1, last >> 1, end >> 1);
        var isGiven = first == last;
        if (!isGiven && proof.Count == 0) return false;
        var (shown, shownRoot) = isGiven ? (hash, hash) : (proof[0], proof[0]);
        foreach (var other in proof.Skip(isGiven ? 0 : 1))
        {
            if (end == 0) return false;
            if ((last & 1) == 1 || last == end)
            {
                if (first < last) shown = LogTree.NodeHash(other, shown);
                shownRoot = LogTree.NodeHash(other, shownRoot);
                while ((last & 1) == 0 && last != 0) (first, last, end) = (first >> 1, last >> 1, end >> 1);
            }
            else
            {
                shownRoot = LogTree.NodeHash(shownRoot, other);
            }

            (first, last, end) = (first >> 1, last >> 1, end >> 1);
        }

        return end == 0 && shown == hash && shownRoot == root;
    }

    private static bool IsSubtree(LeafRange range) => range.Start >= 0 && range.Start < range.End
        && range.Start % (long)Math.Min(BitOperations.RoundUpToPowerOf2((ulong)range.Count), long.MaxValue) == 0;
}
