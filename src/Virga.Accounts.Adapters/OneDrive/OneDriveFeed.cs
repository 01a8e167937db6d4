using System.Net;
using System.Text.Json;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>
/// What changed in a drive (learn.microsoft.com/graph/api/driveitem-delta). The log is the whole drive's (or app
/// folder's), since that is where the service promises one, and tells ids: of a moved folder nothing that lies in it.
/// </summary>
internal sealed class OneDriveFeed(OneDriveAccount account, OneDriveClient client)
{
    public async ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken)
    {
        var what = $"begin to follow '{folder}'";
        var id = await FolderIdAsync(what, folder, cancellationToken) ?? throw account.Missing(what, folder);
        var url = client.DeltaUrl + "?token=latest";
        while (true)
        {
            var page = (await client.CallAsync(what, HttpMethod.Get, url, null, cancellationToken)).OrThrow(what);
            if (page.TryGetProperty("@odata.deltaLink", out var link))
                return $"{id} {OneDriveClient.Checked(what, link.GetString())}";
            url = OneDriveClient.Checked(what, page.GetProperty("@odata.nextLink").GetString());
        }
    }

    public async ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken)
    {
        var what = $"ask what changed in '{folder}'";
        if (cursor.Split(' ') is not [{ Length: > 0 } id, var link] || !OneDriveClient.IsOwn(link)) return null;
        if (await FolderIdAsync(what, folder, cancellationToken) != id) return null;
        var reply = await client.CallAsync(what, HttpMethod.Get, link, null, cancellationToken);
        // 410 with resyncChangesApplyDifferences or resyncChangesUploadDifferences; other drives know nothing of it.
        if (reply.IsMissing || reply.Status == HttpStatusCode.BadRequest) return null;
        var page = reply.OrThrow(what);
        var changes = page.GetProperty("value").EnumerateArray()
            .Select(told => ChangeOf(told, id)).OfType<Change>().ToList();
        var hasMore = page.TryGetProperty("@odata.nextLink", out var next);
        if (!hasMore) next = page.GetProperty("@odata.deltaLink");
        return new ChangePage(changes, $"{id} {OneDriveClient.Checked(what, next.GetString())}", hasMore);
    }

    private async ValueTask<string?> FolderIdAsync(
        string what, EntryPath folder, CancellationToken cancellationToken)
    {
        var url = client.UrlOf(folder) + "?$select=id,name,folder";
        var reply = await client.CallAsync(what, HttpMethod.Get, url, null, cancellationToken);
        if (reply.IsMissing) return null;
        var item = OneDriveItem.From(reply.OrThrow(what));
        return item.IsFolder ? item.Id : null;
    }

    private static Change? ChangeOf(JsonElement told, string folder)
    {
        var item = OneDriveItem.From(told);
        if (item.Id == folder || item.Id.Length == 0) return null;
        // "deleted" also where it went out of our sight.
        if (told.TryGetProperty("deleted", out _) || TemporaryNames.IsTemporary(item.Name)) return Change.Gone(item.Id);
        var parent = told.TryGetProperty("parentReference", out var reference)
            && reference.TryGetProperty("id", out var above) ? above.GetString() : null;
        // The drive's root itself.
        if (parent is null) return null;
        if (parent == folder) parent = null;
        // OneDrive for Business doesn't tell the cTag here: a listing of the folder does.
        var isClear = item.IsFolder || (item.IsFile && told.TryGetProperty("cTag", out _));
        return isClear && EntryPath.TryParse(item.Name, out var path) && !path.IsRoot
            ? Change.Present(item.Id, parent, item.ToEntry(path)) : Change.Unclear(item.Id, parent);
    }
}
