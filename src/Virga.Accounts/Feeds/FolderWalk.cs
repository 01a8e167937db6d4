using Virga.Core;

namespace Virga.Accounts.Feeds;

/// <summary>
/// Everything below a folder of an account, several folders at once: an account in the network answers each listing
/// slowly.
/// </summary>
public static class FolderWalk
{
    /// <summary>What lies directly in one folder.</summary>
    public sealed record Listed(EntryPath Folder, List<Entry> Entries, List<SkippedEntry> Skipped);

    /// <summary>BadInput when there are more than <paramref name="entriesMax"/>.</summary>
    public static async Task<(List<Entry> Entries, List<SkippedEntry> Skipped)> ListAllAsync(
        IAccount account, EntryPath folder, int entriesMax, CancellationToken cancellationToken)
    {
        var (found, skipped) = (new List<Entry>(), new List<SkippedEntry>());
        if (account.Find<IRecursiveListing>() is { } recursive)
        {
            var listing = recursive.ListAllAsync(folder, skipped.Add, cancellationToken);
            await foreach (var entry in listing.WithCancellation(cancellationToken))
            {
                found.Add(entry);
                CheckCount(found.Count, entriesMax);
            }
            return (found, skipped);
        }

        var level = new List<EntryPath> { folder };
        while (level.Count > 0)
        {
            var below = new List<EntryPath>();
            await ListAsync(
                account, level, folder,
                listed =>
                {
                    found.AddRange(listed.Entries);
                    skipped.AddRange(listed.Skipped);
                    CheckCount(found.Count, entriesMax);
                    below.AddRange(listed.Entries.Where(e => e.Kind == EntryKind.Folder).Select(e => e.Path));
                },
                cancellationToken);
            level = below;
        }
        return (found, skipped);
    }

    /// <summary>Lists some folders; calls back once for each, one after the other.</summary>
    /// <param name="first">Must be there; any other that isn't there holds nothing: it vanished meanwhile.</param>
    public static Task ListAsync(
        IAccount account, IReadOnlyCollection<EntryPath> folders, EntryPath first, Action<Listed> onListed,
        CancellationToken cancellationToken)
    {
        var gate = new Lock();
        var reporting = account.Find<IReportsSkipped>();
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Max(1, account.Traits.MaxConcurrency), CancellationToken = cancellationToken,
        };
        return Parallel.ForEachAsync(folders, options, async (folder, token) =>
        {
            var listed = new Listed(folder, [], []);
            try
            {
                var listing = reporting is null
                    ? account.ListAsync(folder, token) : reporting.ListAsync(folder, listed.Skipped.Add, token);
                await foreach (var entry in listing.WithCancellation(token)) listed.Entries.Add(entry);
            }
            catch (VirgaException gone) when (gone.Kind == FailureKind.NotFound && folder != first)
            {
                listed.Entries.Clear();
                listed.Skipped.Clear();
            }
            lock (gate) onListed(listed);
        });
    }

    internal static void CheckCount(int count, int entriesMax)
    {
        if (count > entriesMax)
            throw new VirgaException(
                FailureKind.BadInput, $"the folder holds more than {entriesMax:N0} entries",
                "Share its subfolders one by one.");
    }
}
