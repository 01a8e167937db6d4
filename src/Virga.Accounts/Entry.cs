namespace Virga.Accounts;

/// <summary>What an entry is. Devices, sockets and pipes are no entries.</summary>
public enum EntryKind { File, Folder, Symlink }

/// <summary>
/// What pins an entry's bytes: an ETag, a rev, a versionId, or mtime, size and inode. Opaque to everybody but its
/// adapter. Two reads that return one version returned the same bytes, as surely as <see cref="AccountTraits.Pin"/>
/// says.
/// </summary>
public readonly record struct EntryVersion(string Value)
{
    public override string ToString() => Value;
}

/// <param name="Path">From the account's root.</param>
/// <param name="Length">Bytes; 0 for folders and symlinks.</param>
/// <param name="Modified">When its bytes were last changed, where the account knows.</param>
/// <param name="Version">Null only for folders.</param>
/// <param name="LinkTarget">Target of a symlink, as it is written in the link.</param>
/// <param name="IsExecutable">The owner may execute it, where the account knows of such a thing.</param>
public sealed record Entry(
    EntryPath Path,
    EntryKind Kind,
    long Length,
    DateTimeOffset? Modified = null,
    EntryVersion? Version = null,
    string? LinkTarget = null,
    bool IsExecutable = false)
{
    /// <summary>
    /// What the account's <see cref="IChangeFeed"/> calls it; null where the account has none. Listings tell it of
    /// everything, StatAsync may.
    /// </summary>
    public string? Id { get; init; }

    /// <summary>
    /// Of a folder: changes whenever anything below it does, at any depth (<see cref="AccountTraits.TagsFolders"/>).
    /// </summary>
    public string? FolderTag { get; init; }
}

/// <summary>An open range of an entry: who it is, and a forward-only stream of exactly the bytes asked for.</summary>
public sealed class EntryReader(Entry entry, Stream content) : IAsyncDisposable
{
    /// <summary>
    /// As the account described it when the read began; its version is the one that the bytes come from.
    /// </summary>
    public Entry Entry { get; } = entry;

    /// <summary>
    /// Ends (returns 0) only after the whole range; a shorter delivery throws Unavailable, a changed entry Changed.
    /// </summary>
    public Stream Content { get; } = content;

    public ValueTask DisposeAsync() => Content.DisposeAsync();
}
