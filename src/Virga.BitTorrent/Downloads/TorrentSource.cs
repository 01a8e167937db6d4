using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Sources;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// A swarm of BitTorrent as one source of a transfer: its peers and web seeds together. What it delivers is checked
/// piece by piece already, since a piece may come from many and may lie across files.
/// </summary>
public sealed class TorrentSource : ISource
{
    /// <summary>Bytes of reads that are under way at once: what all peers together are asked for.</summary>
    private const int WindowBytes = 16 << 20;

    private const int ReadsLeast = 2;

    private readonly PieceLayout layout;
    private readonly BlockScheduler scheduler;
    private readonly Pace? receiving;
    private readonly Dictionary<Hash256, (long Start, long Length)> places = [];

    /// <param name="rangeBytes">Bytes of one read of the engine.</param>
    /// <param name="receiving">Bounds what comes; null: nothing does.</param>
    public TorrentSource(PieceLayout layout, BlockScheduler scheduler, int rangeBytes, Pace? receiving = null)
    {
        this.receiving = receiving;
        this.layout = layout;
        this.scheduler = scheduler;
        for (var i = 0; i < layout.Info.Files.Count; i++)
        {
            var file = layout.Info.Files[i];
            if (file.Length > 0) places.TryAdd(TorrentContent.NameOf(layout.Info, i), (layout.StartOf(i), file.Length));
        }
        // The engine takes two reads at once from a source that never waits, and more from one that does. Together
        // they take all of a large piece as soon as it is here: what is left of it would take memory.
        WaitShare = 1 - ((double)ReadsLeast / Math.Max(ReadsLeast, WindowBytes / rangeBytes));
    }

    public string Name => "peers";

    public bool IsVerified => true;

    public double WaitShare { get; }

    public async Task ReadAsync(
        Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var read = scheduler.ReadAsync(PlaceOf(root).Start + offset, destination, cancellationToken);
        // A piece longer than a read holds up all reads in it: the next one is begun while it comes.
        if (layout.PieceBytes > destination.Length)
        {
            var last = (PlaceOf(root).Start + offset + destination.Length - 1) / layout.PieceBytes;
            if (offset + destination.Length < PlaceOf(root).Length) scheduler.Prefetch((int)last + 1);
        }
        await read;
        await PaidAsync(destination.Length, cancellationToken);
    }

    public async Task ReadManyAsync(
        IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var reads = new List<Task>(ranges.Count);
        foreach (var (root, range) in ranges)
        {
            var part = destination[..(int)range.Length];
            destination = destination[part.Length..];
            reads.Add(scheduler.ReadAsync(PlaceOf(root).Start + range.Offset, part, cancellationToken));
        }
        await Task.WhenAll(reads);
        await PaidAsync(reads.Count == 0 ? 0 : ranges.Sum(r => r.Range.Length), cancellationToken);
    }

    /// <summary>What was read is paid for by waiting; the next read is asked for later then.</summary>
    private ValueTask PaidAsync(long bytes, CancellationToken cancellationToken) =>
        receiving?.PayAsync(bytes, cancellationToken) ?? ValueTask.CompletedTask;

    /// <summary>How many peers have all of a range: for the choice of what is fetched first.</summary>
    public int Availability(Hash256 root, ByteRange range)
    {
        var start = PlaceOf(root).Start + range.Offset;
        var first = (int)(start / layout.PieceBytes);
        var last = (int)((start + range.Length - 1) / layout.PieceBytes);
        return scheduler.Availability(first, last - first + 1);
    }

    /// <summary>Where a blob begins in the row of all pieces.</summary>
    internal long StartOf(Hash256 root) => PlaceOf(root).Start;

    private (long Start, long Length) PlaceOf(Hash256 root) => places.TryGetValue(root, out var place)
        ? place
        : throw new VirgaException(FailureKind.NotFound, $"blob {root} is not of this torrent");
}

/// <summary>The one source of a torrent's transfer.</summary>
public sealed class TorrentSourceFinder(TorrentSource source) : ISourceFinder
{
    public Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<ISource>>([source]);
}
