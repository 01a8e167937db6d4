using System.Text.Json;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>An item as Microsoft Graph describes it (learn.microsoft.com/graph/api/resources/driveitem).</summary>
/// <param name="ContentTag">cTag, which changes with the bytes alone.</param>
/// <param name="Download">A URL that reads the bytes for about an hour for whoever has it; null if not told.</param>
internal sealed record OneDriveItem(
    string Id, string Name, bool IsFile, bool IsFolder, long Length, DateTimeOffset? Modified, string ContentTag,
    Uri? Download)
{
    public static OneDriveItem From(JsonElement told)
    {
        var isNotebook = told.TryGetProperty("package", out _);
        var isElsewhere = told.TryGetProperty("remoteItem", out _);
        return new OneDriveItem(
            Text("id"),
            Text("name"),
            told.TryGetProperty("file", out _) && !isElsewhere,
            told.TryGetProperty("folder", out _) && !isNotebook && !isElsewhere,
            told.TryGetProperty("size", out var size) && size.TryGetInt64(out var length) ? length : 0,
            told.TryGetProperty("fileSystemInfo", out var info) && info.ValueKind == JsonValueKind.Object
                && info.TryGetProperty("lastModifiedDateTime", out var time) ? time.GetDateTimeOffset() : null,
            Text("cTag") is { Length: > 0 } tag ? tag : Text("eTag"),
            Uri.TryCreate(Text("@microsoft.graph.downloadUrl"), UriKind.Absolute, out var url)
                && url.Scheme == Uri.UriSchemeHttps ? url : null);

        string Text(string name) =>
            told.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()! : "";
    }

    public EntryVersion Version => new(ContentTag);

    public Entry ToEntry(EntryPath path) => IsFolder
        ? new Entry(path, EntryKind.Folder, 0) { Id = Id }
        : new Entry(path, EntryKind.File, Length, Modified, Version) { Id = Id };

    /// <summary>Says nothing of the URL, which opens the file for everybody.</summary>
    public override string ToString() => $"item {Id}";
}
