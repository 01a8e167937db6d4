using Virga.Accounts;
using Virga.Core;

namespace Virga.Content.Snapshots;

/// <summary>
/// Everything below a folder of an account, several folders at once: an account in the network answers each listing
/// slowly.
/// </summary>
internal static class FolderWalk
{
    public static async Task<List<Entry>> ListAllAsync(
        IAccount account, EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken token)
    {
        var reporting = account.Find<IReportsSkipped>();
        var found = new List<Entry>();
        if (reporting is null && account.Find<IRecursiveListing>() is { } recursive)
        {
            await foreach (var entry in recursive.ListAllAsync(folder, token).WithCancellation(token))
                Add(found, entry);
            return found;
        }

        var level = new List<EntryPath> { folder };
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Max(1, account.Traits.MaxConcurrency),
            CancellationToken = token,
        };
        while (level.Count > 0)
        {
            var below = new List<EntryPath>();
            await Parallel.ForEachAsync(level, options, async (path, cancelled) =>
            {
                var entries = await ListAsync(account, reporting, path, isFirst: path == folder, onSkipped, cancelled);
                lock (found)
                {
                    foreach (var entry in entries)
                    {
                        Add(found, entry);
                        if (entry.Kind == EntryKind.Folder) below.Add(entry.Path);
                    }
                }
            });
            level = below;
        }
        return found;
    }

    private static async Task<List<Entry>> ListAsync(IAccount account, IReportsSkipped? reporting, EntryPath path,
        bool isFirst, Action<SkippedEntry> onSkipped, CancellationToken token)
    {
        var entries = new List<Entry>();
        try
        {
            var listing = reporting is null ? account.ListAsync(path, token) : reporting.ListAsync(path, Report, token);
            await foreach (var entry in listing.WithCancellation(token)) entries.Add(entry);
        }
        catch (VirgaException gone) when (gone.Kind == FailureKind.NotFound && !isFirst)
        {
            // A folder that vanishes during the walk holds nothing.
        }
        return entries;

        void Report(SkippedEntry skipped)
        {
            lock (onSkipped) onSkipped(skipped);
        }
    }

    private static void Add(List<Entry> found, Entry entry)
    {
        if (found.Count == ContentLimits.EntriesMax)
        {
            throw new VirgaException(FailureKind.BadInput,
                $"the folder holds more than {ContentLimits.EntriesMax:N0} entries",
                "Share its subfolders one by one.");
        }
        found.Add(entry);
    }
}
