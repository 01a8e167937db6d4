using Virga.Accounts;

namespace Virga.Transfers.Journal;

/// <summary>An upload that was begun: its token and the receipts of the parts that are stored.</summary>
public sealed record RecordedUpload(string Token, long PartBytes, IReadOnlyList<PartReceipt> Parts);

/// <summary>What earlier runs of a transfer recorded.</summary>
/// <param name="HasStarted">Names and collisions were checked; what stands at our paths is ours.</param>
/// <param name="Completed">Indices of files that are done.</param>
/// <param name="Uploads">By index of file.</param>
public sealed record JournalState(
    bool HasStarted, IReadOnlySet<int> Completed, IReadOnlyDictionary<int, RecordedUpload> Uploads);

/// <summary>
/// What a transfer must not forget (spec/v1/journal.md). Each call returns when the record survives the process; calls
/// from many tasks at once are grouped into few commits. Files are named by their index in the manifest's order.
/// </summary>
public interface ITransferJournal
{
    ValueTask<JournalState> LoadAsync(CancellationToken cancellationToken);

    ValueTask StartedAsync(CancellationToken cancellationToken);

    /// <summary>Before the first part is sent.</summary>
    ValueTask UploadBegunAsync(int file, string token, long partBytes, CancellationToken cancellationToken);

    /// <summary>After the part is stored.</summary>
    ValueTask PartStoredAsync(int file, PartReceipt receipt, CancellationToken cancellationToken);

    /// <summary>The upload is gone; its parts count no more.</summary>
    ValueTask UploadEndedAsync(int file, CancellationToken cancellationToken);

    /// <summary>After the file is complete and checked; forgets its upload.</summary>
    ValueTask FileCompletedAsync(int file, CancellationToken cancellationToken);
}
