using System.Numerics;
using Virga.Core;

namespace Virga.Trust.Log;

/// <summary>
/// The right edge of a growing tree: the roots of its complete subtrees, the largest first. Enough to append leaves and
/// to know the root; at most 63 hashes. Not thread-safe.
/// </summary>
public sealed class LogFrontier
{
    private readonly List<Hash256> nodes;

    /// <summary>Of an empty tree.</summary>
    public LogFrontier() => nodes = [];

    private LogFrontier(long size, List<Hash256> nodes)
    {
        Size = size;
        this.nodes = nodes;
    }

    /// <summary>Leaves.</summary>
    public long Size { get; private set; }

    /// <summary>The root of the tree.</summary>
    public Hash256 Root
    {
        get
        {
            if (nodes.Count == 0) return LogTree.EmptyRoot;
            var root = nodes[^1];
            for (var i = nodes.Count - 2; i >= 0; i--) root = LogTree.NodeHash(nodes[i], root);
            return root;
        }
    }

    /// <summary>Adds a leaf's hash.</summary>
    public void Append(Hash256 leaf)
    {
        for (var full = Size; (full & 1) == 1; full >>= 1)
        {
            leaf = LogTree.NodeHash(nodes[^1], leaf);
            nodes.RemoveAt(nodes.Count - 1);
        }

        nodes.Add(leaf);
        Size++;
    }

    /// <summary>One of its own that grows apart from this.</summary>
    public LogFrontier Copy() => new(Size, [.. nodes]);

    /// <summary>The subtrees' roots one after the other.</summary>
    public byte[] Encode() => LogTile.EncodeHashes(nodes.ToArray());

    /// <exception cref="VirgaException">Corrupt: that size needs another number of hashes.</exception>
    public static LogFrontier Parse(long size, ReadOnlySpan<byte> data)
    {
        var count = size < 0 ? -1 : BitOperations.PopCount((ulong)size);
        if (data.Length != count * Hash256.ByteCount)
        {
            throw new VirgaException(FailureKind.Corrupt,
                $"the right edge of a log of {size} entries has {data.Length} bytes",
                "Restore the data folder from a backup.");
        }

        var nodes = new List<Hash256>(count);
        for (var i = 0; i < count; i++)
            nodes.Add(new Hash256(data.Slice(i * Hash256.ByteCount, Hash256.ByteCount)));
        return new LogFrontier(size, nodes);
    }
}
