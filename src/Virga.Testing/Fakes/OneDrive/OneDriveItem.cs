using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.OneDrive;

/// <summary>A file, folder or notebook of a OneDrive. Its user's lock guards it.</summary>
internal sealed class OneDriveItem
{
    public required string Id { get; init; }
    public required string Name { get; set; }

    /// <summary>Id of the folder; null for the root.</summary>
    public string? Parent { get; set; }
    public bool IsFolder { get; init; }

    /// <summary>A OneNote notebook: looks like a folder and holds no files.</summary>
    public bool IsNotebook { get; init; }
    public Blob? Content { get; private set; }
    public string Sha1 { get; private set; } = "";
    public string QuickXor { get; private set; } = "";

    /// <summary>Changes with the content alone; the eTag also with name and place.</summary>
    public int ContentVersion { get; private set; }
    public int Version { get; set; }
    public DateTimeOffset Created { get; init; }
    public DateTimeOffset Modified { get; set; }

    /// <summary>The time that a client keeps with it (fileSystemInfo).</summary>
    public DateTimeOffset ClientModified { get; set; }

    public void Fill(Blob content)
    {
        Content = content;
        ContentVersion++;
        Sha1 = Convert.ToHexString(content.Hash(HashAlgorithmName.SHA1));
        QuickXor = QuickXorOf(content);
    }

    /// <summary>learn.microsoft.com/onedrive/developer/code-snippets/quickxorhash, in 160 bits.</summary>
    private static string QuickXorOf(Blob content)
    {
        const int bits = 160, shift = 11;
        var hash = new byte[bits / 8];
        var position = 0;
        foreach (var slice in content.Slices(0, content.Length))
        {
            foreach (var one in slice.Span)
            {
                var (at, by) = Math.DivRem(position, 8);
                hash[at] ^= (byte)(one << by);
                hash[(at + 1) % hash.Length] ^= (byte)(one >> (8 - by));
                position = (position + shift) % bits;
            }
        }
        for (var i = 0; i < 8; i++) hash[hash.Length - 8 + i] ^= (byte)(content.Length >> (8 * i));
        return Convert.ToBase64String(hash);
    }

    public string ETag => $"a{Id}.{Version}";

    public string CTag => $"c{Id}.{ContentVersion}";

    public JsonObject Describe(OneDriveUser user)
    {
        var told = new JsonObject
        {
            ["id"] = Id,
            ["name"] = Name,
            ["eTag"] = ETag,
            ["createdDateTime"] = Time(Created),
            ["lastModifiedDateTime"] = Time(Modified),
            ["size"] = user.BytesOf(this),
            ["webUrl"] = $"https://1drv.ms/{Id}",
            ["fileSystemInfo"] = new JsonObject
            {
                ["createdDateTime"] = Time(Created), ["lastModifiedDateTime"] = Time(ClientModified),
            },
            ["parentReference"] = new JsonObject
            {
                ["driveId"] = user.DriveId, ["driveType"] = user.DriveType, ["id"] = Parent,
                ["path"] = Parent is null ? null : $"/drives/{user.DriveId}/root:{user.PathOf(user.Items[Parent])}",
            },
        };
        if (Parent is null) told["root"] = new JsonObject();
        if (IsNotebook) told["package"] = new JsonObject { ["type"] = "oneNote" };
        else if (IsFolder) told["folder"] = new JsonObject { ["childCount"] = user.ChildrenOf(this).Count() };
        if (Content is null) return told;
        told["cTag"] = CTag;
        // learn.microsoft.com/graph/api/resources/hashes: at work there is this one alone.
        var hashes = new JsonObject { ["quickXorHash"] = QuickXor };
        if (!user.IsBusiness) hashes["sha1Hash"] = Sha1;
        told["file"] = new JsonObject { ["mimeType"] = "application/octet-stream", ["hashes"] = hashes };
        told["@microsoft.graph.downloadUrl"] = user.IsBusiness
            ? $"https://any.sharepoint.com/_layouts/15/download.aspx/{user.NewLink(this)}"
            : $"https://any.files.1drv.com/{user.NewLink(this)}";
        return told;
    }

    public static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}

/// <summary>An upload session.</summary>
internal sealed class OneDriveSession
{
    /// <summary>learn.microsoft.com/graph/api/driveitem-createuploadsession: multiples of 320 KiB.</summary>
    public const int MultipleBytes = 320 << 10;

    /// <summary>The same page: at most 60 MiB a request.</summary>
    public const long FragmentBytesMax = 60 << 20;

    /// <summary>How long it lives after its last fragment.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(7);

    public required string Parent { get; init; }
    public required string Name { get; init; }
    public required string Conflict { get; init; }
    public DateTimeOffset? ClientModified { get; init; }
    public DateTimeOffset Ends { get; set; }
    public long? Total { get; set; }
    public Blob Content { get; } = new();
}
