using System.Collections.Concurrent;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>
/// Which folders were seen, a moment ago, to be folders and not links: the server follows links on the way to what is
/// asked for, and an account must not.
/// </summary>
internal sealed class RealFolders(TimeProvider clock)
{
    private const int Most = 10_000;
    private static readonly TimeSpan Lasts = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<EntryPath, long> seen = [];

    public bool Contains(EntryPath folder) =>
        folder.IsRoot || (seen.TryGetValue(folder, out var when) && clock.GetElapsedTime(when) < Lasts);

    public void Add(EntryPath folder)
    {
        if (seen.Count >= Most) seen.Clear();
        seen[folder] = clock.GetTimestamp();
    }

    /// <summary>Something was removed, moved or made a link: nothing is sure any more.</summary>
    public void Clear() => seen.Clear();
}
