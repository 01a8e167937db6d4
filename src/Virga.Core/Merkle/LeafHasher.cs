using System.Security.Cryptography;

namespace Virga.Core.Merkle;

/// <summary>The hot kernel: SHA-256 of many 16 KiB leaves at once.</summary>
public static class LeafHasher
{
    public const int LeafBytes = 16 * 1024;

    /// <summary>
    /// Hashes consecutive leaves. <paramref name="data"/> is cut every 16 KiB; a shorter last leaf is hashed as it is.
    /// </summary>
    /// <param name="data">1 byte or more.</param>
    /// <param name="hashes">At least 32 bytes a leaf; filled in order.</param>
    public static void HashLeaves(ReadOnlySpan<byte> data, Span<byte> hashes)
    {
        if (data.IsEmpty) throw new ArgumentException("a leaf has at least one byte", nameof(data));
        if (hashes.Length < MerkleTree.LeafCount(data.Length) * Hash256.ByteCount)
            throw new ArgumentException("32 bytes a leaf are needed", nameof(hashes));
        for (; !data.IsEmpty; hashes = hashes[Hash256.ByteCount..])
        {
            var leaf = data[..Math.Min(data.Length, LeafBytes)];
            SHA256.HashData(leaf, hashes);
            data = data[leaf.Length..];
        }
    }

    /// <summary>
    /// One layer of the tree from the layer below: hashes consecutive pairs of hashes (64 bytes each).
    /// <paramref name="parents"/> may be the start of <paramref name="children"/>.
    /// </summary>
    internal static void HashPairs(ReadOnlySpan<byte> children, Span<byte> parents)
    {
        for (; !children.IsEmpty; children = children[(2 * Hash256.ByteCount)..])
        {
            SHA256.HashData(children[..(2 * Hash256.ByteCount)], parents);
            parents = parents[Hash256.ByteCount..];
        }
    }
}
