using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Merkle;

namespace Virga.Transfers.Swarm;

/// <summary>
/// The numbers of a share's pieces (spec/v1/swarm.md): blob by blob in the order in which the torrent first names them.
/// Immutable.
/// </summary>
public sealed class PieceNumbers
{
    /// <summary>Shares with more pieces have no have-maps.</summary>
    public const int Most = 3 << 20;

    private readonly Dictionary<Hash256, (int First, int Count)> byRoot;

    private PieceNumbers(Dictionary<Hash256, (int First, int Count)> byRoot, int total, int pieceBytes)
    {
        this.byRoot = byRoot;
        Total = total;
        PieceBytes = pieceBytes;
    }

    public int Total { get; }

    public int PieceBytes { get; }

    /// <summary>Null where the share has too many.</summary>
    public static PieceNumbers? Of(TorrentInfo info)
    {
        var byRoot = new Dictionary<Hash256, (int First, int Count)>(info.Files.Count);
        var total = 0;
        foreach (var file in info.Files)
        {
            if (file.Root is not { } root || byRoot.ContainsKey(root)) continue;
            // A blob no longer than one piece has no piece layer, and is a piece all the same.
            var count = Math.Max(1, MerkleTree.PieceCount(file.Length, info.PieceBytes));
            if (count > Most - total) return null;
            byRoot.Add(root, (total, count));
            total += count;
        }
        return new PieceNumbers(byRoot, total, info.PieceBytes);
    }

    /// <summary>Where a blob's pieces begin and how many it has; null when it is not of the share.</summary>
    public (int First, int Count)? Find(Hash256 root) => byRoot.TryGetValue(root, out var found) ? found : null;

    /// <summary>The pieces that a range of a blob touches; none where the blob is not of the share.</summary>
    public (int First, int Count) Of(Hash256 root, long offset, long length)
    {
        if (length <= 0 || Find(root) is not { } blob) return (0, 0);
        var first = (int)(offset / PieceBytes);
        var last = (int)((offset + length - 1) / PieceBytes);
        return (blob.First + first, last - first + 1);
    }
}
