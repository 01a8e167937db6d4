using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// Objects as entries. Names that are no path of an account are left out, and named to whoever wants to know.
/// </summary>
internal sealed class GcsListing(GcsClient client, Action<SkippedEntry>? onSkipped = null)
{
    // Objects: list, maxResults.
    private const int PageMax = 1000;

    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = client.FolderName(folder);
        var isThere = folder.IsRoot;
        await foreach (var page in PagesAsync(prefix, "/", cancellationToken))
        {
            isThere |= page is not { Items.Count: 0, Prefixes.Count: 0 };
            foreach (var common in page.Prefixes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (TryChild(folder, common[prefix.Length..^1], out var path))
                    yield return new Entry(path, EntryKind.Folder, 0);
            }
            foreach (var item in page.Items)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (item.Name != prefix && TryChild(folder, item.Name[prefix.Length..], out var path))
                    yield return item.ToEntry(path);
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
                var isMarker = item.Name.EndsWith('/');
                if (!client.TryPath(isMarker ? item.Name[..^1] : item.Name, out var path))
                {
                    Skip(folder, item.Name[prefix.Length..]);
                    continue;
                }
                var holder = isMarker ? path : path.Parent;
                var missing = new Stack<EntryPath>();
                for (var at = holder; !told.IsWithin(at); at = at.Parent) missing.Push(at);
                foreach (var made in missing) yield return new Entry(made, EntryKind.Folder, 0);
                told = holder;
                if (!isMarker) yield return item.ToEntry(path);
            }
        }
        if (!isThere) throw NoFolder(folder);
    }

    public async IAsyncEnumerable<GcsPage> PagesAsync(
        string prefix, string? delimiter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? next = null;
        do
        {
            var page = await client.ListAsync($"list '{prefix}'", prefix, delimiter, next, PageMax, cancellationToken);
            yield return page;
            next = page.Next;
        }
        while (next is not null);
    }

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
