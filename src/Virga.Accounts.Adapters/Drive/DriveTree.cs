using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// Paths over a service that knows ids alone. What was found is remembered for a while; what was made here is known by
/// its id and found also while searches lag behind. Ids of what is to be made are asked for beforehand
/// (developers.google.com/drive/api/guides/create-file, "Generate IDs"), so that a request made again makes nothing
/// twice. All paths here begin at the Drive's root, not at the account's.
/// </summary>
internal sealed class DriveTree(DriveClient client, string? rootId)
{
    /// <summary>files.list: at most 1,000 a page.</summary>
    private const int PageItems = 1000;
    private const int IdsAtOnce = 100, RememberedMax = 20_000;

    /// <summary>Somebody may move or delete a folder behind our back: it is looked up anew after this.</summary>
    private static readonly TimeSpan FolderLife = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<EntryPath, (string Id, DateTimeOffset Until)> folders = new();
    private readonly ConcurrentDictionary<EntryPath, string> made = new();
    private readonly ConcurrentQueue<string> ids = new();
    private readonly SemaphoreSlim askingForIds = new(1, 1);
    private readonly PathLocks making = new();
    private string? root = rootId;

    /// <summary>Held while a path's file is written, moved or deleted.</summary>
    public PathLocks Locks { get; } = new();

    private DateTimeOffset Now => client.Services.Clock.GetUtcNow();

    private async ValueTask<string> RootAsync(string what, CancellationToken cancellationToken) =>
        root ??= (await client.CallAsync(what, HttpMethod.Get, DriveClient.UrlOf("root"), null, cancellationToken))
            .OrThrow(what).GetProperty("id").GetString()!;

    /// <summary>The folder's id; null where there is none.</summary>
    public async ValueTask<string?> FindFolderAsync(
        string what, EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return await RootAsync(what, cancellationToken);
        if (folders.TryGetValue(path, out var known) && Now < known.Until) return known.Id;
        if (await FindAsync(what, path, cancellationToken) is not { IsFolder: true } found) return null;
        return found.Id;
    }

    /// <summary>The file or folder at a path; null where there is none.</summary>
    public async ValueTask<DriveItem?> FindAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        if (await FindFolderAsync(what, path.Parent, cancellationToken) is not { } parent) return null;
        if (made.TryGetValue(path, out var id))
        {
            var own = await GetAsync(what, id, cancellationToken);
            if (own is { IsTrashed: false } && own.Name == path.Name && own.Parent == parent)
                return Remembered(path, own);
            // Somebody has thrown it away or moved it. An id that nothing has yet is still to be used.
            if (own is not null) made.TryRemove(path, out _);
        }
        // "=" doesn't look at case; of several items of one name the oldest is meant, as in listings.
        var query = $"'{parent}' in parents and name='{Escaped(path.Name)}' and trashed=false";
        await foreach (var item in QueryAsync(what, query, cancellationToken))
        {
            if (item.Name == path.Name && item.WhyNoEntry() is null) return Remembered(path, item);
        }
        return null;
    }

    /// <summary>Null where it isn't there.</summary>
    public async ValueTask<DriveItem?> GetAsync(string what, string id, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            what, HttpMethod.Get, DriveClient.UrlOf(id), null, cancellationToken);
        return reply.IsGone ? null : DriveItem.From(reply.OrThrow(what));
    }

    private DriveItem Remembered(EntryPath path, DriveItem item)
    {
        if (item.IsFolder) folders[path] = (item.Id, Now + FolderLife);
        return item;
    }

    /// <summary>The folder's id as it is now, whatever is remembered of it and of those above.</summary>
    public ValueTask<string?> FindFolderAnewAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        for (var at = path; !at.IsRoot; at = at.Parent) folders.TryRemove(at, out _);
        return FindFolderAsync(what, path, cancellationToken);
    }

    public void Remember(EntryPath folder, string id) => folders[folder] = (id, Now + FolderLife);

    /// <summary>The id under which a path's new item is made, also when that is tried again.</summary>
    public async ValueTask<string> PlanAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        if (made.TryGetValue(path, out var planned)) return planned;
        if (made.Count > RememberedMax) made.Clear();
        return made.GetOrAdd(path, await NextIdAsync(what, cancellationToken));
    }

    public void Made(EntryPath path, string id) => made[path] = id;

    public string? MadeAt(EntryPath path) => made.GetValueOrDefault(path);

    /// <summary>What was made here below a folder, whether or not searches find it yet.</summary>
    public IReadOnlyList<EntryPath> MadeBelow(EntryPath folder) =>
        [.. made.Keys.Where(path => path != folder && path.IsWithin(folder))];

    public void Forget(EntryPath path)
    {
        foreach (var one in folders.Keys.Where(p => p.IsWithin(path))) folders.TryRemove(one, out _);
        foreach (var one in made.Keys.Where(p => p.IsWithin(path))) made.TryRemove(one, out _);
    }

    public async ValueTask<string> NextIdAsync(string what, CancellationToken cancellationToken)
    {
        if (ids.TryDequeue(out var id)) return id;
        await askingForIds.WaitAsync(cancellationToken);
        try
        {
            if (ids.TryDequeue(out id)) return id;
            var reply = await client.CallAsync(
                what, HttpMethod.Get, $"{DriveClient.Files}/generateIds?count={IdsAtOnce}&fields=ids", null,
                cancellationToken);
            foreach (var one in reply.OrThrow(what).GetProperty("ids").EnumerateArray()) ids.Enqueue(one.GetString()!);
            return ids.TryDequeue(out id) ? id
                : throw new VirgaException(FailureKind.Unavailable, $"{what}: Google Drive gives out no ids");
        }
        finally
        {
            askingForIds.Release();
        }
    }

    /// <summary>Makes a folder and what is missing above it; Conflict where a file is in the way.</summary>
    public async ValueTask<string> MakeFolderAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return await RootAsync(what, cancellationToken);
        if (folders.TryGetValue(path, out var known) && Now < known.Until) return known.Id;
        var parent = await MakeFolderAsync(what, path.Parent, cancellationToken);
        using var turn = await making.EnterAsync(path, cancellationToken);
        if (await FindAsync(what, path, cancellationToken) is { } there)
            return there.IsFolder ? there.Id
                : throw new VirgaException(
                    FailureKind.Conflict, $"{what}: '{path}' is a file", "Move that file out of the way.");
        var id = await PlanAsync(what, path, cancellationToken);
        var body = new JsonObject
        {
            ["id"] = id, ["name"] = path.Name, ["mimeType"] = DriveItem.FolderType, ["parents"] = new JsonArray(parent),
        };
        var reply = await client.CallAsync(
            what, HttpMethod.Post, DriveClient.WithItemFields(DriveClient.Files), body, cancellationToken);
        // An earlier try has made it, and its answer got lost.
        if (reply.Reason != "fileIdInUse") reply.OrThrow(what);
        Remember(path, id);
        return id;
    }

    /// <summary>All items that a search finds, oldest first, page by page.</summary>
    public async IAsyncEnumerable<DriveItem> QueryAsync(
        string what, string query, [EnumeratorCancellation] CancellationToken cancellationToken,
        int pageItems = PageItems)
    {
        string? next = null;
        do
        {
            var url = $"{DriveClient.Files}?q={Uri.EscapeDataString(query)}&pageSize={pageItems}&orderBy=createdTime"
                + "&supportsAllDrives=true&includeItemsFromAllDrives=true"
                + $"&fields=nextPageToken,files({DriveClient.ItemFields})"
                + (next is null ? "" : "&pageToken=" + Uri.EscapeDataString(next));
            var page = (await client.CallAsync(what, HttpMethod.Get, url, null, cancellationToken)).OrThrow(what);
            foreach (var told in page.GetProperty("files").EnumerateArray())
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return DriveItem.From(told);
            }
            next = page.TryGetProperty("nextPageToken", out var token) ? token.GetString() : null;
        }
        while (next is not null);
    }

    // developers.google.com/drive/api/guides/search-files: \' and \\ stand for ' and \.
    private static string Escaped(string name) =>
        name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal);
}
