using System.Text.Json;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>A file or folder as the service describes it.</summary>
/// <param name="Revision">Of its bytes; "" for a folder.</param>
internal sealed record DriveItem(
    string Id, string Name, string MimeType, string Parent, long Length, DateTimeOffset Modified, string Revision,
    bool IsExecutable, bool IsTrashed)
{
    /// <summary>developers.google.com/drive/api/guides/mime-types: what begins so has no bytes of its own.</summary>
    public const string GoogleTypes = "application/vnd.google-apps.", FolderType = GoogleTypes + "folder";

    private const string ShortcutType = GoogleTypes + "shortcut";

    /// <summary>An appProperty: seen by the OAuth client alone that set it.</summary>
    public const string ExecutableProperty = "virgaExecutable";

    public bool IsFolder => MimeType == FolderType;

    public bool IsFile => !MimeType.StartsWith(GoogleTypes, StringComparison.Ordinal);

    /// <summary>The id is part of it, since a path doesn't name one file for certain.</summary>
    public EntryVersion Version => new($"{Id}/{Revision}");

    /// <summary>The id and revision in a version; null where it is none of ours.</summary>
    public static (string Id, string Revision)? Parse(EntryVersion version) =>
        version.Value.Split('/') is [{ Length: > 0 } id, { Length: > 0 } revision] ? (id, revision) : null;

    public static DriveItem From(JsonElement told)
    {
        var properties = Get("appProperties");
        return new DriveItem(
            Text("id"),
            Text("name"),
            Text("mimeType"),
            Get("parents") is { ValueKind: JsonValueKind.Array } parents && parents.GetArrayLength() > 0
                ? parents[0].GetString()! : "",
            long.TryParse(Text("size"), out var length) ? length : 0,
            Get("modifiedTime") is { } time ? time.GetDateTimeOffset() : default,
            // Every file of bytes has a head revision; where it may not be seen, the content's hash tells as much.
            Text("headRevisionId") is { Length: > 0 } revision ? revision : Text("md5Checksum"),
            properties is { } all && all.TryGetProperty(ExecutableProperty, out var mark) && mark.ValueEquals("true"),
            Get("trashed") is { ValueKind: JsonValueKind.True });

        JsonElement? Get(string name) =>
            told.ValueKind == JsonValueKind.Object && told.TryGetProperty(name, out var value) ? value : null;

        string Text(string name) => Get(name) is { ValueKind: JsonValueKind.String } text ? text.GetString()! : "";
    }

    public Entry ToEntry(EntryPath path) => IsFolder
        ? new Entry(path, EntryKind.Folder, 0) { Id = Id }
        : new Entry(path, EntryKind.File, Length, Modified, Version, IsExecutable: IsExecutable) { Id = Id };

    /// <summary>Why it is no entry; null for files and folders.</summary>
    public string? WhyNoEntry() => IsFile || IsFolder ? null
        : MimeType == ShortcutType ? "is a shortcut to another item"
        : "is a Google document, which has no bytes of its own and can only be exported";
}
