using System.Numerics;
using Virga.Core;

namespace Virga.Trust.Log;

/// <summary>
/// Fetches a file of a log by its path below the log's prefix, such as <c>checkpoint</c> or <c>tile/0/000</c>; null
/// where there is none. Bounds what it reads by <see cref="LogReader.FileBytesMax"/>.
/// </summary>
public delegate ValueTask<byte[]?> LogFetch(string path, CancellationToken cancellationToken);

/// <summary>
/// Reads the tiles of a log at the size of one checkpoint and makes proofs of them. What it returns is not verified:
/// a proof is, by its check against the checkpoint's root. For one caller at a time; keeps the tiles that it fetched.
/// </summary>
public sealed class LogReader(LogFetch fetch, long size)
{
    /// <summary>No file of a log is longer: 256 entries of 65,535 bytes and their lengths.</summary>
    public const int FileBytesMax = LogTile.FullWidth * (2 + LogEntry.BytesMax);

    private const int CachedTilesMax = 256;

    private readonly Dictionary<(int Level, long Index), Hash256[]> tiles = [];

    /// <summary>Entries of the log, by the checkpoint that is read.</summary>
    public long Size => size;

    /// <summary>The inclusion proof of a leaf.</summary>
    /// <exception cref="VirgaException">NotFound or Corrupt: a tile is missing or has the wrong length.</exception>
    public ValueTask<IReadOnlyList<Hash256>> InclusionAsync(long index, CancellationToken cancellationToken) =>
        HashesAsync(LogTree.InclusionRanges(index, size), cancellationToken);

    /// <summary>The consistency proof from a smaller size of 1 or more on.</summary>
    /// <inheritdoc cref="LogTree.ConsistencyRanges"/>
    public ValueTask<IReadOnlyList<Hash256>> ConsistencyAsync(
        long first, bool isWhole, CancellationToken cancellationToken) =>
        HashesAsync(LogTree.ConsistencyRanges(first, size, isWhole), cancellationToken);

    /// <summary>The hash of the leaf at that index, as the level 0 tile says.</summary>
    public ValueTask<Hash256> LeafAsync(long index, CancellationToken cancellationToken) =>
        HashAsync(new LeafRange(index, index + 1), cancellationToken);

    /// <summary>The entries of a bundle, as many as the log has there at this size.</summary>
    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> EntriesAsync(
        long bundle, CancellationToken cancellationToken)
    {
        var tile = new LogTile(LogTile.EntriesLevel, bundle, LogTile.WidthAt(LogTile.EntriesLevel, bundle, size));
        var (found, data) = await FetchAsync(tile, cancellationToken);
        var entries = found.ParseEntries(data);
        return entries.Count == tile.Width ? entries : [.. entries.Take(tile.Width)];
    }

    private async ValueTask<IReadOnlyList<Hash256>> HashesAsync(
        IReadOnlyList<LeafRange> ranges, CancellationToken cancellationToken)
    {
        var hashes = new List<Hash256>(ranges.Count);
        foreach (var range in ranges) hashes.Add(await HashAsync(range, cancellationToken));
        return hashes;
    }

    private async ValueTask<Hash256> HashAsync(LeafRange range, CancellationToken cancellationToken)
    {
        if (BitOperations.IsPow2(range.Count)) return await SubtreeAsync(range, cancellationToken);
        var middle = range.Start + LogTree.LeftOf(range.Count);
        var left = await SubtreeAsync(new LeafRange(range.Start, middle), cancellationToken);
        return LogTree.NodeHash(left, await HashAsync(new LeafRange(middle, range.End), cancellationToken));
    }

    /// <summary>Of as many leaves as a power of two says, which stand in one tile of the highest such level.</summary>
    private async ValueTask<Hash256> SubtreeAsync(LeafRange range, CancellationToken cancellationToken)
    {
        var height = BitOperations.Log2((ulong)range.Count);
        var level = height / 8;
        var first = range.Start >> (8 * level);
        var tile = await TileAsync(level, first / LogTile.FullWidth, cancellationToken);
        return LogTree.Root(tile.AsSpan((int)(first % LogTile.FullWidth), 1 << (height % 8)));
    }

    private async ValueTask<Hash256[]> TileAsync(int level, long index, CancellationToken cancellationToken)
    {
        if (tiles.TryGetValue((level, index), out var held)) return held;
        var tile = new LogTile(level, index, LogTile.WidthAt(level, index, size));
        var (found, data) = await FetchAsync(tile, cancellationToken);
        var hashes = found.ParseHashes(data);
        if (hashes.Length > tile.Width) hashes = hashes[..tile.Width];
        if (tiles.Count >= CachedTilesMax) tiles.Clear();
        tiles[(level, index)] = hashes;
        return hashes;
    }

    /// <summary>A partial tile may be gone once the full one is there.</summary>
    private async ValueTask<(LogTile Found, byte[] Data)> FetchAsync(
        LogTile tile, CancellationToken cancellationToken)
    {
        var data = await fetch(tile.Path, cancellationToken);
        if (data is null && tile.IsPartial)
        {
            tile = tile with { Width = LogTile.FullWidth };
            data = await fetch(tile.Path, cancellationToken);
        }

        return data is not null ? (tile, data) : throw new VirgaException(FailureKind.NotFound,
            $"the log has no {tile.Path}, though its checkpoint of {size} entries needs it",
            "Try again; if it stays, the repository keeps parts of its log back: use another.");
    }
}
