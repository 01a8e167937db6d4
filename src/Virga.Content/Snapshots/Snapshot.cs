using Virga.Accounts.Feeds;
using Virga.Core.Age;

namespace Virga.Content.Snapshots;

/// <param name="Readers">The audience's recipients; empty for a public share.</param>
/// <param name="Previous">
/// The snapshot before, of the same account and path: unchanged entries are not read again.
/// </param>
/// <param name="NewKeys">
/// True when a reader left the audience: nothing of the previous snapshot's keys is used again.
/// </param>
public sealed record SnapshotOptions(bool IsPrivate, IReadOnlyList<AgeRecipient> Readers, OwnerIndex? Previous = null,
    bool NewKeys = false)
{
    /// <summary>Name of a public share; null takes the shared entry's own.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// What an earlier snapshot of that folder of that account saw (<see cref="SnapshotResult.Listing"/>): then only
    /// what changed since is looked at, where the account can tell. The snapshot is the same with and without.
    /// </summary>
    public FolderListing? Listing { get; init; }

    /// <summary>Of a public share: makes what a hybrid torrent of it needs, in the same reading.</summary>
    public bool HasV1 { get; init; }
}

/// <summary>Running totals while a snapshot is made.</summary>
public readonly record struct SnapshotProgress(int FilesSeen, int FilesHashed, int FilesUnchanged, long BytesRead);

/// <param name="Skipped">Entries that could not be taken in, each with its reason, e.g. special files.</param>
public sealed record SnapshotResult(OwnerIndex Index, SnapshotProgress Totals,
    IReadOnlyList<(string Path, string Reason)> Skipped)
{
    /// <summary>
    /// For the next snapshot's <see cref="SnapshotOptions.Listing"/>; null where the account can't tell what changes,
    /// and where what it told turned out to be wrong.
    /// </summary>
    public FolderListing? Listing { get; init; }
}
