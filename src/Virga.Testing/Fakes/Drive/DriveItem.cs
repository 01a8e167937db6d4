using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.Drive;

/// <summary>A file, folder, shortcut or Google document of a Drive. Its user's lock guards it.</summary>
internal sealed class DriveItem
{
    public const string Folder = "application/vnd.google-apps.folder", GoogleTypes = "application/vnd.google-apps.",
        Shortcut = "application/vnd.google-apps.shortcut";

    public required string Id { get; init; }
    public required string Name { get; set; }
    public required string MimeType { get; set; }
    public string? Parent { get; set; }
    public Blob? Content { get; private set; }
    public string Md5 { get; private set; } = "";
    public string Sha256 { get; private set; } = "";
    public string HeadRevision { get; private set; } = "";
    public DateTimeOffset Created { get; init; }
    public DateTimeOffset Modified { get; set; }
    public bool IsTrashed { get; set; }
    public bool IsOwned { get; init; } = true;
    public bool CanEdit { get; set; } = true;
    public bool IsAbusive { get; set; }

    /// <summary>The OAuth client that made it: scope drive.file sees nothing else.</summary>
    public string App { get; init; } = "";

    public Dictionary<string, string> AppProperties { get; } = new(StringComparer.Ordinal);

    /// <summary>Who else may read it: ids of permissions, and addresses.</summary>
    public Dictionary<string, string> Readers { get; } = new(StringComparer.Ordinal);

    public bool IsFolder => MimeType == Folder;

    public bool HasBytes => !MimeType.StartsWith(GoogleTypes, StringComparison.Ordinal);

    public void Fill(Blob content, string revision)
    {
        (Content, HeadRevision) = (content, revision);
        Md5 = Convert.ToHexStringLower(content.Hash(HashAlgorithmName.MD5));
        Sha256 = Convert.ToHexStringLower(content.Hash(HashAlgorithmName.SHA256));
    }

    /// <summary>Everything that the resource tells; the field mask chooses.</summary>
    /// <param name="isTrashed">It or a folder above it.</param>
    public JsonObject Describe(bool isTrashed)
    {
        var told = new JsonObject
        {
            ["kind"] = "drive#file",
            ["id"] = Id,
            ["name"] = Name,
            ["mimeType"] = MimeType,
            ["trashed"] = isTrashed,
            ["explicitlyTrashed"] = IsTrashed,
            ["createdTime"] = Time(Created),
            ["modifiedTime"] = Time(Modified),
            ["ownedByMe"] = IsOwned,
            ["webViewLink"] = $"https://drive.google.com/file/d/{Id}/view",
            ["capabilities"] = new JsonObject { ["canEdit"] = CanEdit, ["canDownload"] = HasBytes },
        };
        if (Parent is not null) told["parents"] = new JsonArray(Parent);
        if (IsOwned)
            told["permissions"] = new JsonArray([.. Readers.Select(r => (JsonNode)new JsonObject
            {
                ["kind"] = "drive#permission", ["id"] = r.Key, ["type"] = "user", ["role"] = "reader",
                ["emailAddress"] = r.Value,
            })]);
        if (AppProperties.Count > 0)
            told["appProperties"] = new JsonObject(
                AppProperties.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value)));
        if (MimeType == Shortcut)
            told["shortcutDetails"] = new JsonObject { ["targetId"] = "gone", ["targetMimeType"] = "text/plain" };
        if (!HasBytes || Content is null) return told;
        told["size"] = Content.Length.ToString(CultureInfo.InvariantCulture);
        told["md5Checksum"] = Md5;
        told["sha256Checksum"] = Sha256;
        told["headRevisionId"] = HeadRevision;
        told["originalFilename"] = Name;
        return told;
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
