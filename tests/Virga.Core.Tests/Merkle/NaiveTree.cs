using System.Security.Cryptography;

namespace Virga.Core.Tests.Merkle;

/// <summary>
/// BEP 52 word by word, slow and recursive, sharing nothing with the code under test: pad the leaves' hashes to a
/// power of two with zero hashes, then hash pairs up to the root.
/// </summary>
internal static class NaiveTree
{
    private const int Leaf = 16384;

    public static List<byte[]> Leaves(byte[] blob) => [.. blob.Chunk(Leaf).Select(SHA256.HashData)];

    public static byte[] Root(byte[] blob)
    {
        var leaves = Leaves(blob);
        return PaddedRoot(leaves, NextPowerOfTwo(leaves.Count));
    }

    /// <summary>Piece layer; empty when the blob fits into one piece.</summary>
    public static byte[] PieceLayer(byte[] blob, int pieceBytes) =>
        blob.Length <= pieceBytes
            ? []
            : [.. Leaves(blob).Chunk(pieceBytes / Leaf).SelectMany(piece => PaddedRoot([.. piece], pieceBytes / Leaf))];

    /// <summary>
    /// The hash of the node that stands <paramref name="level"/> levels above the leaves at the given place.
    /// </summary>
    public static byte[] Node(byte[] blob, int level, long index)
    {
        if (level > 0)
            return SHA256.HashData([.. Node(blob, level - 1, 2 * index), .. Node(blob, level - 1, (2 * index) + 1)]);
        var start = Math.Min(index * Leaf, blob.Length);
        var bytes = (int)Math.Min(Leaf, blob.Length - start);
        return bytes > 0 ? SHA256.HashData(blob.AsSpan((int)start, bytes)) : new byte[32];
    }

    private static byte[] PaddedRoot(List<byte[]> hashes, int count)
    {
        if (count == 1) return hashes.Count == 1 ? hashes[0] : new byte[32];
        var left = hashes.Take(count / 2).ToList();
        var right = hashes.Skip(count / 2).ToList();
        return SHA256.HashData([.. PaddedRoot(left, count / 2), .. PaddedRoot(right, count / 2)]);
    }

    private static int NextPowerOfTwo(int count)
    {
        var power = 1;
        while (power < count) power *= 2;
        return power;
    }
}
