using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>
/// Files as entries. Names that are no path of an account are left out, and named to whoever wants to know; so are the
/// service's marks of empty folders, and what is being put together.
/// </summary>
internal sealed class B2Listing(B2Client client, Action<SkippedEntry>? onSkipped = null)
{
    /// <summary>The service's own mark of an empty folder, "folder/.bzEmpty".</summary>
    public const string Marker = ".bzEmpty";

    // b2_list_file_names: up to 10,000, billed for each 1,000.
    private const int PageMax = 1000;

    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = client.FolderName(folder);
        var isThere = folder.IsRoot;
        await foreach (var page in PagesAsync(prefix, "/", cancellationToken))
        {
            isThere |= page.Count > 0;
            foreach (var item in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var name = item.Name[prefix.Length..];
                if (name is Marker or B2Upload.StagingFolder + "/") continue;
                if (!TryChild(folder, item.IsFolder ? name[..^1] : name, out var path)) continue;
                yield return item.IsFolder ? new Entry(path, EntryKind.Folder, 0) : item.ToEntry(path);
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
            isThere |= page.Count > 0;
            foreach (var item in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!client.TryPath(item.Name, out var path))
                {
                    Skip(folder, item.Name[prefix.Length..]);
                    continue;
                }
                if (path.Names.Contains(B2Upload.StagingFolder, StringComparer.Ordinal)) continue;
                var missing = new Stack<EntryPath>();
                for (var at = path.Parent; !told.IsWithin(at); at = at.Parent) missing.Push(at);
                foreach (var made in missing) yield return new Entry(made, EntryKind.Folder, 0);
                told = path.Parent;
                if (path.Name != Marker) yield return item.ToEntry(path);
            }
        }
        if (!isThere) throw NoFolder(folder);
    }

    public async IAsyncEnumerable<IReadOnlyList<B2Item>> PagesAsync(
        string prefix, string? delimiter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? next = null;
        do
        {
            var (items, after) = await PageAsync(
                client, $"list '{prefix}'", prefix, delimiter, next, PageMax, cancellationToken);
            yield return items;
            next = after;
        }
        while (next is not null);
    }

    public static async Task<(IReadOnlyList<B2Item> Items, string? Next)> PageAsync(
        B2Client client, string what, string prefix, string? delimiter, string? start, int most,
        CancellationToken cancellationToken)
    {
        var arguments = new JsonObject { ["maxFileCount"] = most, ["prefix"] = prefix };
        if (delimiter is not null) arguments["delimiter"] = delimiter;
        if (start is not null) arguments["startFileName"] = start;
        var page = await client.CallAsync(what, "b2_list_file_names", arguments, cancellationToken, ofBucket: true);
        return ([.. (page["files"]?.AsArray() ?? []).OfType<JsonNode>().Select(B2Item.From)],
            (string?)page["nextFileName"]);
    }

    /// <summary>Null where there is no such file.</summary>
    public static async Task<B2Item?> GetAsync(
        B2Client client, string what, string name, CancellationToken cancellationToken)
    {
        var (items, _) = await PageAsync(client, what, name, null, name, 1, cancellationToken);
        return items.Count > 0 && items[0].Name == name ? items[0] : null;
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
