using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Blobs as entries. Names that are no path of an account are left out, and named to whoever wants to know; so is the
/// folder in which uploads are put together.
/// </summary>
internal sealed class AzureListing(AzureClient client, Action<SkippedEntry>? onSkipped = null)
{
    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = client.FolderName(folder);
        var isThere = folder.IsRoot;
        // A page can be empty though others follow it.
        await foreach (var page in PagesAsync(prefix, "/", cancellationToken))
        {
            isThere |= page is not { Items.Count: 0, Prefixes.Count: 0 };
            var folders = new HashSet<string>(page.Prefixes.Select(p => p[prefix.Length..^1]), StringComparer.Ordinal);
            foreach (var name in folders)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (name != AzureClient.StagingFolder && TryChild(folder, name, out var path))
                    yield return new Entry(path, EntryKind.Folder, 0);
            }
            foreach (var item in page.Items)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (item.Name == prefix
                    || (IsFolderBlob(item) && folders.Contains(item.Name[prefix.Length..]))) continue;
                if (TryChild(folder, item.Name[prefix.Length..], out var path)) yield return ToEntry(path, item);
            }
        }
        if (!isThere) throw NoFolder(folder);
    }

    /// <summary>
    /// Names come in the order of their bytes, in which all of a folder stand together: a folder is told when its first
    /// name comes, before what is in it.
    /// </summary>
    public async IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = client.FolderName(folder);
        var told = folder;
        var isThere = folder.IsRoot;
        await foreach (var page in PagesAsync(prefix, null, cancellationToken))
        {
            isThere |= page.Items.Count > 0;
            foreach (var item in page.Items)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (item.Name == prefix) continue;
                var isMarker = item.Name.EndsWith('/') || IsFolderBlob(item);
                if (!client.TryPath(item.Name.EndsWith('/') ? item.Name[..^1] : item.Name, out var path))
                {
                    Skip(folder, item.Name[prefix.Length..]);
                    continue;
                }
                if (path.Names.Contains(AzureClient.StagingFolder, StringComparer.Ordinal)) continue;
                var holder = isMarker ? path : path.Parent;
                foreach (var made in Between(told, holder)) yield return new Entry(made, EntryKind.Folder, 0);
                told = holder;
                if (!isMarker) yield return ToEntry(path, item);
            }
        }
        if (!isThere) throw NoFolder(folder);
    }

    // The folders from the root down to `holder` that do not hold `told` (nor are it): those not told yet.
    private static Stack<EntryPath> Between(EntryPath told, EntryPath holder)
    {
        var missing = new Stack<EntryPath>();
        for (var at = holder; !told.IsWithin(at); at = at.Parent) missing.Push(at);
        return missing;
    }

    public async IAsyncEnumerable<AzurePage> PagesAsync(
        string prefix, string? delimiter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? next = null;
        do
        {
            var page = await client.ListAsync($"list '{prefix}'", prefix, delimiter, next, null, cancellationToken);
            yield return page;
            next = page.Next;
        }
        while (next is not null);
    }

    public static Entry ToEntry(EntryPath path, AzureItem item) => IsFolderBlob(item)
        ? new Entry(path, EntryKind.Folder, 0)
        : new Entry(
            path, EntryKind.File, item.Length, AzureMetadata.Modified(item.Metadata) ?? item.Modified,
            AzureAccount.Version(item.ETag), IsExecutable: AzureMetadata.IsExecutable(item.Metadata));

    // Azure's own tools mark folders by an empty blob of the folder's name.
    private static bool IsFolderBlob(AzureItem item) => item.Length == 0 && AzureMetadata.IsFolder(item.Metadata);

    private bool TryChild(EntryPath folder, string name, out EntryPath path)
    {
        path = folder;
        if (name.Length > 0 && EntryPath.TryParse(folder.IsRoot ? name : $"{folder}/{name}", out path)) return true;
        Skip(folder, name);
        return false;
    }

    private void Skip(EntryPath folder, string name) =>
        onSkipped?.Invoke(
            new SkippedEntry(folder, NameRules.Show(name), "is a name that can't be a path in an account"));

    private static VirgaException NoFolder(EntryPath folder) =>
        new(FailureKind.NotFound, $"list '{folder}': there is no such folder");
}
