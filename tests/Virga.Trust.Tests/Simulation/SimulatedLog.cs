using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Simulation;

/// <summary>A repository's log in memory: its entries, and the files that a reader sees.</summary>
internal sealed class SimulatedLog(AgentId repository, SigningKey key)
{
    private readonly List<byte[]> entries = [];
    private readonly List<Hash256> leaves = [];
    private readonly Dictionary<Hash256, int> places = [];
    private readonly string origin = LogIdentity.OriginOf(repository);
    private readonly LogFrontier frontier = new();
    private readonly Dictionary<int, Hash256> rootOfTile = [];
    private byte[]? note;

    public long Size => entries.Count;

    public long PublishedSize { get; private set; }

    public IReadOnlyList<byte[]> Entries => entries;

    /// <summary>When the newest checkpoint says that it is of.</summary>
    public DateTimeOffset PublishedAt { get; private set; }

    public void Append(byte[] entry)
    {
        var leaf = LogTree.LeafHash(entry);
        if (!places.TryAdd(leaf, entries.Count)) return;
        entries.Add(entry);
        leaves.Add(leaf);
        frontier.Append(leaf);
    }

    /// <summary>Signs a checkpoint of everything that is there.</summary>
    public void Publish(DateTimeOffset now)
    {
        // Times in a log never go back, even where the clock does.
        if (now > PublishedAt) PublishedAt = now;
        PublishedSize = Size;
        note = SignedCheckpoint.Sign(new Checkpoint(origin, Size, frontier.Root), key, PublishedAt).Note.Encode();
    }

    /// <summary>A file by its path; null where there is none.</summary>
    public byte[]? Read(string path)
    {
        if (path == "checkpoint") return note;
        if (!LogTile.TryParse(path, out var tile)
            || LogTile.WidthAt(tile.Level, tile.Index, PublishedSize) < tile.Width) return null;
        var first = (int)tile.Index * LogTile.FullWidth;
        return tile.Level switch
        {
            LogTile.EntriesLevel => LogTile.EncodeEntries(entries.GetRange(first, tile.Width)),
            0 => LogTile.EncodeHashes(leaves.GetRange(first, tile.Width).ToArray()),
            _ => LogTile.EncodeHashes([.. Enumerable.Range(first, tile.Width).Select(RootOfTile)]),
        };
    }

    /// <summary>The signed word where an entry stands; null where it is not published.</summary>
    public byte[]? Promise(Hash256 leaf) =>
        places.TryGetValue(leaf, out var place) && place < PublishedSize ? Promise(leaf, place) : null;

    /// <summary>Of any place, also where it is a lie.</summary>
    public byte[] Promise(Hash256 leaf, long place) =>
        new LogPromise(origin, place, leaf, PublishedAt).Sign(key).Encode();

    /// <summary>A history of other entries, which goes on from the same time.</summary>
    public SimulatedLog Rewritten(IEnumerable<byte[]> others)
    {
        var log = new SimulatedLog(repository, key) { PublishedAt = PublishedAt };
        foreach (var entry in others) log.Append(entry);
        return log;
    }

    /// <summary>Of the first level above the leaves; no log of a simulation has more.</summary>
    private Hash256 RootOfTile(int tile) =>
        rootOfTile.TryGetValue(tile, out var root) ? root : rootOfTile[tile] =
            LogTree.Root(leaves.GetRange(tile * LogTile.FullWidth, LogTile.FullWidth).ToArray());
}
