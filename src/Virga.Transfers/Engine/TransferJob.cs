using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Transfers.Journal;
using Virga.Transfers.Sources;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Engine;

/// <summary>What to do when something stands at a path of the target already, before the first run.</summary>
public enum CollisionPolicy { Fail, Skip, Overwrite, Rename }

/// <summary>Bounds of one running transfer's memory and concurrency; the same whatever the share's size.</summary>
/// <param name="RangesInFlight">
/// Most range reads at once, over all files; as many are used as the way to the sources needs.
/// </param>
/// <param name="RangeBytes">Bytes of one range read, rounded to whole pieces; at most 8 MiB.</param>
/// <param name="LargeFilesAtOnce">Files that are written in parts at once.</param>
/// <param name="PartMemoryBytes">
/// Memory for parts being filled, a file; at least three parts are held whatever this says.
/// </param>
/// <param name="SmallFileBytes">
/// Blobs up to this length are fetched many in one request and written in one call.
/// </param>
/// <param name="BatchBytes">Bytes of one such request.</param>
/// <param name="BatchFiles">Files of one such request.</param>
/// <param name="CopyInPartsBytes">
/// Copies inside a service beyond this length are made in parts, several at once, where their result can be compared.
/// </param>
/// <param name="SwarmReadsInFlight">Range reads at once of a file that several holders have.</param>
/// <param name="SwarmRangeBytes">Bytes of one of them: short, so that they are soon passed on.</param>
/// <param name="FarRangeBytes">
/// Bytes of one range read where a read waits long for its first byte; at most 8 MiB.
/// </param>
public sealed record EngineLimits(
    int RangesInFlight = 8,
    int RangeBytes = 2 << 20,
    int LargeFilesAtOnce = 2,
    long PartMemoryBytes = 16 << 20,
    int SmallFileBytes = 512 << 10,
    int BatchBytes = 2 << 20,
    int BatchFiles = 128,
    long CopyInPartsBytes = 1L << 30,
    int SwarmReadsInFlight = 12,
    int SwarmRangeBytes = 512 << 10,
    int FarRangeBytes = 8 << 20)
{
    public static readonly EngineLimits Default = new();
}

/// <summary>Ways on which the bytes of a share may come.</summary>
[Flags]
public enum TransferRoutes
{
    None = 0,
    /// <summary>Copied by the service that holds them, into another account there.</summary>
    Copy = 1,
    /// <summary>Read from the owner's storage.</summary>
    Direct = 2,
    /// <summary>Passed on by an agent.</summary>
    Agent = 4,
    All = Copy | Direct | Agent,
}

/// <summary>One transfer: what, from where, to where.</summary>
public sealed record TransferJob(
    ShareContent Content, SourceSet Sources, IAccount Target, EntryPath Folder, CollisionPolicy Collision,
    ITransferJournal Journal, TransferStatus Status)
{
    /// <summary>The ways on which bytes may come.</summary>
    public TransferRoutes Routes { get; init; } = TransferRoutes.All;

    /// <summary>Told of what is verified and stored, to pass it on; null where nothing is passed on.</summary>
    public IReceivedPieces? Received { get; init; }

    /// <summary>How to get copies made inside the target's service; null: not at all.</summary>
    public CopyRoute? Copy { get; init; }

    /// <summary>
    /// Reads begin and end at multiples of this in a file, but at its end: whole pieces, where the sources don't
    /// verify by themselves.
    /// </summary>
    public int UnitBytes { get; init; } = Content.PieceBytes;

    /// <summary>
    /// How many can deliver a range of a file now: where the target takes parts in any order, those that the fewest
    /// have are fetched first. Null: in their order.
    /// </summary>
    public Func<SharedFile, ByteRange, int>? Scarcity { get; init; }

    /// <summary>
    /// Whether an entry of the target is the file, by its content. Null: read and hashed against the file's tree.
    /// </summary>
    public Func<SharedFile, Entry, CancellationToken, Task<bool>>? IsSame { get; init; }

    /// <inheritdoc cref="JournalState.Renamed"/>
    internal IReadOnlyDictionary<int, EntryPath> Renamed { get; init; } = new Dictionary<int, EntryPath>();

    /// <summary>Where a file goes in the target's account.</summary>
    public EntryPath PathOf(SharedFile file) =>
        Folder.Append(Renamed.TryGetValue(file.Index, out var renamed) ? renamed : file.Entry.Path);
}

/// <summary>Something of the share that the target can't hold, or that failed, with the reason.</summary>
public sealed record TransferNote(string Path, string Reason);

/// <param name="NotKept">
/// Left out because the target can't hold it (symlinks, times); the transfer is whole otherwise.
/// </param>
/// <param name="Failed">Files that could not be brought over; empty when the transfer is complete.</param>
public sealed record TransferResult(
    IReadOnlyList<TransferNote> NotKept, IReadOnlyList<(TransferNote Note, FailureKind Kind)> Failed);

/// <summary>Live counters of a transfer, written by the engine, read by anybody.</summary>
public sealed class TransferStatus
{
    private long bytesDone;
    private long bytesFetched;
    private int filesDone;
    private CopiedTotals copied;
    private readonly Lock gate = new();

    /// <summary>Plain bytes that are stored at the target, of earlier runs, too.</summary>
    public long BytesDone => Volatile.Read(ref bytesDone);

    /// <summary>Bytes of blobs that came from sources in this run, wrong ones too.</summary>
    public long BytesFetched => Volatile.Read(ref bytesFetched);

    public int FilesDone => Volatile.Read(ref filesDone);

    /// <summary>What was copied inside the service, in this and earlier runs; part of what is done.</summary>
    public CopiedTotals Copied
    {
        get
        {
            lock (gate) return copied;
        }
    }

    internal void AddDone(long bytes) => Interlocked.Add(ref bytesDone, bytes);

    internal void AddFetched(long bytes) => Interlocked.Add(ref bytesFetched, bytes);

    internal void AddFile() => Interlocked.Increment(ref filesDone);

    internal void AddCopied(long bytes, CopyCheck how, long compared)
    {
        lock (gate) copied = copied.With(bytes, how, compared);
    }
}
