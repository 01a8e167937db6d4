using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// Lists folders. Of several items of one name the oldest is the entry; the others are named as left out, since a path
/// couldn't tell them apart.
/// </summary>
internal sealed class DriveListing(DriveTree tree, DriveSettings settings, Action<SkippedEntry>? onSkipped = null)
{
    /// <summary>How many folders one search asks for: the query has to fit into a URL.</summary>
    private const int FoldersAtOnce = 40;

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        ListAsync(folder, isRecursive: false, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(EntryPath folder, CancellationToken cancellationToken) =>
        ListAsync(folder, isRecursive: true, cancellationToken);

    private async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, bool isRecursive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var what = $"list '{folder}'";
        var id = await tree.FindFolderAsync(what, settings.Folder.Append(folder), cancellationToken)
            ?? throw Missing(what, folder);
        var left = new Queue<(string Id, EntryPath Path)>([(id, folder)]);
        while (left.Count > 0)
        {
            var now = new Dictionary<string, (EntryPath Path, HashSet<string> Names)>(StringComparer.Ordinal);
            while (now.Count < FoldersAtOnce && left.TryDequeue(out var next))
                now[next.Id] = (next.Path, new HashSet<string>(StringComparer.Ordinal));
            var parents = string.Join(" or ", now.Keys.Select(parent => $"'{parent}' in parents"));
            await foreach (var item in tree.QueryAsync(what, $"({parents}) and trashed=false", cancellationToken))
            {
                // A search lags behind: an item may have been moved away since.
                if (!now.TryGetValue(item.Parent, out var at) || Child(at.Path, at.Names, item) is not { } entry)
                    continue;
                if (item.IsFolder)
                {
                    tree.Remember(settings.Folder.Append(entry.Path), item.Id);
                    if (isRecursive) left.Enqueue((item.Id, entry.Path));
                }
                yield return entry;
            }
        }
    }

    public VirgaException Missing(string what, EntryPath folder) => folder.IsRoot
        ? new VirgaException(
            FailureKind.NotFound, $"{what}: there is no folder '{settings.Folder}' in this Drive",
            "Check the account's folder setting; the first file that is written makes the folder.")
        : new VirgaException(FailureKind.NotFound, $"{what}: there is no such folder");

    private Entry? Child(EntryPath folder, HashSet<string> names, DriveItem item)
    {
        if (item.WhyNoEntry() is { } why) return Skip(why);
        if (item.Name.Contains('/')
            || !EntryPath.TryParse(folder.IsRoot ? item.Name : $"{folder}/{item.Name}", out var path))
            return Skip("is a name that can't be part of a path");
        if (!names.Add(item.Name)) return Skip("is another item of the same name in this folder: rename one of them");
        return item.ToEntry(path);

        Entry? Skip(string reason)
        {
            onSkipped?.Invoke(new SkippedEntry(folder, NameRules.Show(item.Name), reason) { Id = item.Id });
            return null;
        }
    }
}
