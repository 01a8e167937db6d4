using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// What changed below a folder (files.stone, list_folder/get_latest_cursor and list_folder/continue). The service tells
/// paths as they were and are: of a moved folder all that it holds, at the old place as deleted with the folder, at the
/// new place one by one.
/// </summary>
internal sealed class DropboxFeed(DropboxClient client, DropboxSettings settings)
{
    private const char Separator = '\n';

    public async ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken)
    {
        var what = $"begin to follow '{folder}'";
        var path = DropboxAccount.PathOf(settings, folder);
        var arguments = new JsonObject
        {
            ["path"] = path, ["recursive"] = true, ["limit"] = DropboxListing.PageEntries,
        };
        var reply = await client.CallAsync(what, "files/list_folder/get_latest_cursor", arguments, cancellationToken);
        if (reply.Is("path/not_found")) throw new DropboxListing(client, settings).Missing(what, folder);
        return path + Separator + reply.OrThrow(what).GetProperty("cursor").GetString();
    }

    public async ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken)
    {
        var what = $"ask what changed in '{folder}'";
        var path = DropboxAccount.PathOf(settings, folder);
        var at = cursor.LastIndexOf(Separator);
        if (at < 0 || cursor[..at] != path) return null;
        DropboxReply reply;
        try
        {
            reply = await client.CallAsync(
                what, "files/list_folder/continue", new JsonObject { ["cursor"] = cursor[(at + 1)..] },
                cancellationToken);
        }
        // What is no cursor at all is refused with 400.
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            return null;
        }
        // ListFolderContinueError: reset, "call list_folder to obtain a new cursor"; path, the folder is gone.
        if (reply.Is("reset") || reply.Is("path")) return null;
        var page = reply.OrThrow(what);
        var depth = path.Count(c => c == '/');
        var changes = new List<Change>();
        foreach (var told in page.GetProperty("entries").EnumerateArray())
        {
            var id = DropboxListing.IdOf(told)!;
            var level = id.Count(c => c == '/');
            var isGone = told.GetProperty(".tag").ValueEquals("deleted");
            if (level > depth) changes.Add(ChangeOf(told, id, level == depth + 1 ? null : Above(id), isGone));
            // Another folder may stand there now, and of the old one's content nothing is told.
            else if (isGone) return null;
        }
        return new ChangePage(
            changes, path + Separator + page.GetProperty("cursor").GetString(),
            page.GetProperty("has_more").GetBoolean());
    }

    private static string Above(string id) => id[..id.LastIndexOf('/')];

    private static Change ChangeOf(JsonElement told, string id, string? parent, bool isGone)
    {
        var name = told.GetProperty("name").GetString()!;
        if (isGone || TemporaryNames.IsTemporary(name)) return Change.Gone(id);
        return DropboxListing.WhySkipped(told) is null && EntryPath.TryParse(name, out var path)
            ? Change.Present(id, parent, DropboxListing.EntryOf(path, told))
            : Change.Unclear(id, parent);
    }
}
