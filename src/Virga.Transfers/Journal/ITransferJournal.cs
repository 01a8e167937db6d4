using Virga.Accounts;
using Virga.Transfers.Engine;

namespace Virga.Transfers.Journal;

/// <summary>An upload that was begun: its token and the receipts of the parts that are stored.</summary>
public sealed record RecordedUpload(string Token, long PartBytes, IReadOnlyList<PartReceipt> Parts);

/// <summary>What earlier runs of a transfer recorded.</summary>
/// <param name="HasStarted">Names and collisions were checked; what stands at our paths is ours.</param>
/// <param name="Completed">Indices of files that are done.</param>
/// <param name="Uploads">By index of file.</param>
public sealed record JournalState(
    bool HasStarted, IReadOnlySet<int> Completed, IReadOnlyDictionary<int, RecordedUpload> Uploads)
{
    /// <summary>
    /// Files whose bytes a service copied, and how they were checked; null: their upload was begun for that, and what
    /// it holds was compared with nothing.
    /// </summary>
    public IReadOnlyDictionary<int, CopyCheck?> Copies { get; init; } = new Dictionary<int, CopyCheck?>();

    /// <summary>Paths, within the target's folder, of files that were given another name there.</summary>
    public IReadOnlyDictionary<int, EntryPath> Renamed { get; init; } = new Dictionary<int, EntryPath>();
}

/// <summary>
/// What a transfer must not forget (spec/v1/journal.md). Each call returns when the record survives the process; calls
/// from many tasks at once are grouped into few commits. Files are named by their index in the manifest's order.
/// </summary>
public interface ITransferJournal
{
    ValueTask<JournalState> LoadAsync(CancellationToken cancellationToken);

    /// <summary>Names and collisions were checked; the new names stand before anything is written.</summary>
    /// <param name="renamed">As <see cref="JournalState.Renamed"/>.</param>
    ValueTask StartedAsync(IReadOnlyDictionary<int, EntryPath> renamed, CancellationToken cancellationToken);

    /// <summary>Before the first part is sent.</summary>
    ValueTask UploadBegunAsync(int file, string token, long partBytes, CancellationToken cancellationToken);

    /// <summary>After the part is stored.</summary>
    ValueTask PartStoredAsync(int file, PartReceipt receipt, CancellationToken cancellationToken);

    /// <summary>The upload is gone; its parts count no more.</summary>
    ValueTask UploadEndedAsync(int file, CancellationToken cancellationToken);

    /// <summary>After the file is complete and checked; forgets its upload.</summary>
    ValueTask FileCompletedAsync(int file, CancellationToken cancellationToken);

    /// <summary>Before an upload is begun that the service itself will fill.</summary>
    ValueTask CopyBegunAsync(int file, CancellationToken cancellationToken);

    /// <summary>After the file was copied and checked; forgets its upload.</summary>
    ValueTask CopyCompletedAsync(int file, CopyCheck how, CancellationToken cancellationToken);

    /// <summary>The copy and its upload are gone: the file is fetched.</summary>
    ValueTask CopyDroppedAsync(int file, CancellationToken cancellationToken);
}
