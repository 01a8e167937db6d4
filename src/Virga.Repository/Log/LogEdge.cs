using Virga.Core;
using Virga.Trust.Log;

namespace Virga.Repository.Log;

/// <summary>
/// The right edge of the log that is being written: of each level the tile that is not yet full, and the entries of the
/// last bundle. Bounded by 255 hashes a level and 255 entries. Not thread-safe.
/// </summary>
internal sealed class LogEdge
{
    private readonly List<List<Hash256>> levels = [];
    private readonly List<byte[]> entries = [];
    private readonly LogFrontier frontier;

    public LogEdge() => frontier = new LogFrontier();

    private LogEdge(LogFrontier frontier) => this.frontier = frontier;

    public long Size => frontier.Size;

    public Hash256 Root => frontier.Root;

    /// <summary>One of its own, so that a failed write changes nothing.</summary>
    public LogEdge Copy()
    {
        var copy = new LogEdge(frontier.Copy());
        copy.levels.AddRange(levels.Select(level => level.ToList()));
        copy.entries.AddRange(entries);
        return copy;
    }

    /// <summary>Adds an entry; hands out the tiles that it fills.</summary>
    public void Append(byte[] entry, Hash256 leaf, Action<LogTile, byte[]>? full)
    {
        frontier.Append(leaf);
        entries.Add(entry);
        if (entries.Count == LogTile.FullWidth)
        {
            full?.Invoke(TileAt(LogTile.EntriesLevel, entries.Count), LogTile.EncodeEntries(entries));
            entries.Clear();
        }

        Add(0, leaf, full);
    }

    /// <summary>The tiles that are not full at this size.</summary>
    public IEnumerable<(LogTile Tile, byte[] Data)> Partial()
    {
        if (entries.Count > 0)
            yield return (TileAt(LogTile.EntriesLevel, entries.Count), LogTile.EncodeEntries(entries));
        for (var level = 0; level < levels.Count; level++)
        {
            if (levels[level].Count > 0)
                yield return (TileAt(level, levels[level].Count), LogTile.EncodeHashes(levels[level].ToArray()));
        }
    }

    /// <summary>The edge of a log whose size is a multiple of 256, from the tiles that are full.</summary>
    /// <param name="read">The hashes of a full tile.</param>
    public static LogEdge Restore(long size, Func<LogTile, Hash256[]> read)
    {
        var nodes = new List<Hash256>();
        var edge = new List<List<Hash256>>();
        for (var level = 1; size >> (8 * level) > 0; level++)
        {
            var end = size >> (8 * level);
            var hashes = new List<Hash256>();
            for (var i = end / LogTile.FullWidth * LogTile.FullWidth; i < end; i++)
                hashes.Add(LogTree.Root(read(new LogTile(level - 1, i, LogTile.FullWidth))));
            edge.Add(hashes);
            // Each level's hashes are the subtrees below what the level above it covers.
            nodes.InsertRange(0, Subtrees(hashes));
        }

        var restored = new LogEdge(LogFrontier.Parse(size, LogTile.EncodeHashes(nodes.ToArray())));
        if (edge.Count > 0) restored.levels.Add([]);
        restored.levels.AddRange(edge);
        return restored;
    }

    private static IEnumerable<Hash256> Subtrees(List<Hash256> hashes)
    {
        var at = 0;
        for (var width = LogTile.FullWidth / 2; width > 0; width /= 2)
        {
            if ((hashes.Count & width) == 0) continue;
            yield return LogTree.Root(hashes.GetRange(at, width).ToArray());
            at += width;
        }
    }

    private void Add(int level, Hash256 hash, Action<LogTile, byte[]>? full)
    {
        if (level == levels.Count) levels.Add([]);
        var hashes = levels[level];
        hashes.Add(hash);
        if (hashes.Count < LogTile.FullWidth) return;
        var array = hashes.ToArray();
        hashes.Clear();
        full?.Invoke(TileAt(level, array.Length), LogTile.EncodeHashes(array));
        Add(level + 1, LogTree.Root(array), full);
    }

    /// <summary>The tile that holds the newest hash of the level.</summary>
    private LogTile TileAt(int level, int width)
    {
        var newest = (Size >> (8 * Math.Max(level, 0))) - 1;
        return new LogTile(level, newest / LogTile.FullWidth, width);
    }
}
