using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>Lists a folder, page by page, by itself or with all below it.</summary>
internal sealed class DropboxListing(
    DropboxClient client, DropboxSettings settings, Action<SkippedEntry>? onSkipped = null)
{
    /// <summary>files.stone, ListFolderArg: at most 2,000 results for one request.</summary>
    public const int PageEntries = 2000;

    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var told in EntriesAsync(folder, isRecursive: false, cancellationToken))
        {
            if (Child(folder, told) is { } entry) yield return entry;
        }
    }

    public async IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Only the last name of a path has its own case for certain, so the folders' names are kept; lower-case paths
        // are keys.
        var depth = settings.Folder.Append(folder).Names.Length;
        var folders = new Dictionary<string, EntryPath>(StringComparer.Ordinal);
        await foreach (var told in EntriesAsync(folder, isRecursive: true, cancellationToken))
        {
            var key = told.GetProperty("path_lower").GetString()!;
            var level = key.Count(c => c == '/');
            if (level <= depth) continue;
            var above = level == depth + 1 ? folder
                : folders.TryGetValue(Above(key), out var known) ? known
                : Shown(folder, told, depth);
            if (Child(above, told) is not { } entry) continue;
            if (entry.Kind == EntryKind.Folder) folders[key] = entry.Path;
            yield return entry;
        }
    }

    private static string Above(string key) => key[..key.LastIndexOf('/')];

    // A folder that is told after what it holds: its name in the case of path_display then.
    private static EntryPath Shown(EntryPath folder, JsonElement told, int depth)
    {
        var names = told.GetProperty("path_display").GetString()!.Split('/')[(depth + 1)..^1];
        return names.Aggregate(folder, (at, name) => at.Append(name));
    }

    private async IAsyncEnumerable<JsonElement> EntriesAsync(
        EntryPath folder, bool isRecursive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var what = $"list '{folder}'";
        var reply = await client.CallAsync(
            what,
            "files/list_folder",
            new JsonObject
            {
                ["path"] = DropboxAccount.PathOf(settings, folder),
                ["recursive"] = isRecursive,
                ["limit"] = PageEntries,
            },
            cancellationToken);
        if (reply.Is("path/not_found")) throw Missing(what, folder);
        while (true)
        {
            var page = reply.OrThrow(what);
            foreach (var told in page.GetProperty("entries").EnumerateArray())
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return told;
            }
            if (!page.GetProperty("has_more").GetBoolean()) yield break;
            reply = await client.CallAsync(
                what,
                "files/list_folder/continue",
                new JsonObject { ["cursor"] = page.GetProperty("cursor").GetString() },
                cancellationToken);
        }
    }

    public VirgaException Missing(string what, EntryPath folder) => folder.IsRoot
        ? new VirgaException(
            FailureKind.NotFound, $"{what}: there is no folder '{settings.Folder}' in this Dropbox",
            "Check the account's folder setting; the first file that is written makes the folder.")
        : new VirgaException(FailureKind.NotFound, $"{what}: there is no such folder");

    private Entry? Child(EntryPath folder, JsonElement told)
    {
        var name = told.GetProperty("name").GetString()!;
        if (WhySkipped(told) is { } why)
        {
            onSkipped?.Invoke(new SkippedEntry(folder, NameRules.Show(name), why) { Id = IdOf(told) });
            return null;
        }
        // What was deleted while the listing went on is told as such.
        if (told.GetProperty(".tag").ValueEquals("deleted") || TemporaryNames.IsTemporary(name)) return null;
        if (EntryPath.TryParse(folder.IsRoot ? name : $"{folder}/{name}", out var path)) return EntryOf(path, told);
        onSkipped?.Invoke(new SkippedEntry(folder, NameRules.Show(name), "is a name that can't be part of a path")
        {
            Id = IdOf(told),
        });
        return null;
    }

    /// <summary>
    /// path_lower, by which the service tells one thing from another; it changes when the thing is moved.
    /// </summary>
    public static string? IdOf(JsonElement told) =>
        told.TryGetProperty("path_lower", out var path) ? path.GetString() : null;

    public static string? WhySkipped(JsonElement told) =>
        told.TryGetProperty("is_downloadable", out var has) && has.ValueKind == JsonValueKind.False
            ? "is a document that has no bytes of its own and can only be exported"
            : told.TryGetProperty("symlink_info", out _) ? "is a symbolic link of a synced computer" : null;

    /// <summary>A file or a folder, as FileMetadata and FolderMetadata describe it.</summary>
    public static Entry EntryOf(EntryPath path, JsonElement told) =>
        told.TryGetProperty("rev", out var rev)
            ? new Entry(
                path,
                EntryKind.File,
                told.GetProperty("size").GetInt64(),
                told.GetProperty("client_modified").GetDateTimeOffset(),
                new EntryVersion(rev.GetString()!)) { Id = IdOf(told) }
            : new Entry(path, EntryKind.Folder, 0) { Id = IdOf(told) };
}
