using System.Net;
using System.Text.Json;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// What changed in a Drive (developers.google.com/drive/api/guides/manage-changes). The log is the whole Drive's, and
/// tells ids: of a moved folder nothing that lies in it. A shared drive has a log of its own.
/// </summary>
internal sealed class DriveFeed(DriveClient client, DriveTree tree, DriveSettings settings)
{
    private const string Log = "https://www.googleapis.com/drive/v3/changes";

    /// <summary>changes.list, pageSize: at most 1,000.</summary>
    private const int PageChanges = 1000;

    private const string Fields =
        $"nextPageToken,newStartPageToken,changes(changeType,removed,fileId,file({DriveClient.ItemFields}))";

    public async ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken)
    {
        var what = $"begin to follow '{folder}'";
        var id = await tree.FindFolderAnewAsync(what, settings.Folder.Append(folder), cancellationToken)
            ?? throw new DriveListing(tree, settings).Missing(what, folder);
        var told = (await client.CallAsync(
            what, HttpMethod.Get,
            $"{DriveClient.Files}/{Uri.EscapeDataString(id)}?supportsAllDrives=true&fields=driveId", null,
            cancellationToken)).OrThrow(what);
        var drive = told.TryGetProperty("driveId", out var shared) ? shared.GetString() : null;
        var start = (await client.CallAsync(
            what, HttpMethod.Get, $"{Log}/startPageToken?supportsAllDrives=true{Of(drive)}", null,
            cancellationToken)).OrThrow(what);
        return new Cursor(id, drive, start.GetProperty("startPageToken").GetString()!).ToString();
    }

    public async ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken)
    {
        var what = $"ask what changed in '{folder}'";
        if (Cursor.Parse(cursor) is not { } at) return null;
        if (await tree.FindFolderAnewAsync(what, settings.Folder.Append(folder), cancellationToken) != at.Folder)
            return null;
        var reply = await client.CallAsync(
            what, HttpMethod.Get,
            $"{Log}?pageToken={Uri.EscapeDataString(at.Token)}&pageSize={PageChanges}&includeRemoved=true&spaces=drive"
                + $"&supportsAllDrives=true&includeItemsFromAllDrives=true{Of(at.Drive)}&fields={Fields}",
            null, cancellationToken);
        // files.list, pageToken: "if the token is rejected for any reason, it should be discarded".
        if (reply.IsGone || reply.Status == HttpStatusCode.BadRequest) return null;
        var page = reply.OrThrow(what);
        var changes = page.GetProperty("changes").EnumerateArray()
            .Select(told => ChangeOf(told, at.Folder)).OfType<Change>().ToList();
        var hasMore = page.TryGetProperty("nextPageToken", out var next);
        var token = hasMore ? next : page.GetProperty("newStartPageToken");
        return new ChangePage(changes, (at with { Token = token.GetString()! }).ToString(), hasMore);
    }

    private static string Of(string? drive) => drive is null ? "" : "&driveId=" + Uri.EscapeDataString(drive);

    private static Change? ChangeOf(JsonElement told, string folder)
    {
        // The other kind tells of shared drives themselves.
        if (told.TryGetProperty("changeType", out var type) && !type.ValueEquals("file")) return null;
        if (!told.TryGetProperty("fileId", out var fileId) || fileId.GetString() is not { } id || id == folder)
            return null;
        if (!told.TryGetProperty("file", out var file) || file.ValueKind != JsonValueKind.Object
            || (told.TryGetProperty("removed", out var removed) && removed.ValueKind == JsonValueKind.True))
            return Change.Gone(id);
        var item = DriveItem.From(file);
        if (item.IsTrashed) return Change.Gone(id);
        var parent = item.Parent == folder ? null : item.Parent;
        return item.WhyNoEntry() is null && !item.Name.Contains('/') && item.Name.Length > 0
            && EntryPath.TryParse(item.Name, out var path)
            ? Change.Present(id, parent, item.ToEntry(path))
            : Change.Unclear(id, parent);
    }

    /// <summary>Ids and tokens hold no blanks.</summary>
    private sealed record Cursor(string Folder, string? Drive, string Token)
    {
        public static Cursor? Parse(string text) => text.Split(' ') is [{ Length: > 0 } folder, var drive, { } token]
            ? new Cursor(folder, drive == "-" ? null : drive, token) : null;

        public override string ToString() => $"{Folder} {Drive ?? "-"} {Token}";
    }
}
