using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>A file or folder; never changed, only replaced, so that whoever holds one sees one moment.</summary>
/// <param name="Children">By folded name; null for files.</param>
/// <param name="Rev">"" for folders.</param>
/// <param name="IsDownloadable">False for documents that have no bytes of their own.</param>
public sealed record DropboxNode(
    string Id,
    string Name,
    ImmutableSortedDictionary<string, DropboxNode>? Children,
    string Rev = "",
    Blob? Content = null,
    string ContentHash = "",
    DateTimeOffset ClientModified = default,
    DateTimeOffset ServerModified = default,
    bool IsDownloadable = true)
{
    private const int HashBlockBytes = 4 << 20;

    public static readonly ImmutableSortedDictionary<string, DropboxNode> NoChildren =
        ImmutableSortedDictionary.Create<string, DropboxNode>(StringComparer.Ordinal);

    public bool IsFolder => Children is not null;

    /// <summary>Names that differ in case or in normalisation are one.</summary>
    public static string Fold(string name)
    {
        var folded = new StringBuilder(name.Length);
        foreach (var c in name.ToLowerInvariant())
        {
            var at = Composed.IndexOf(c, StringComparison.Ordinal);
            if (at < 0) folded.Append(c);
            else folded.Append(Bases[at]).Append(Marks[at]);
        }
        return folded.ToString();
    }

    // The framework normalises nothing without ICU: the letters of Latin-1 are enough to find out who relies on it.
    private const string
        Composed = "àáâãäåçèéêëìíîïñòóôõöùúûüýÿ",
        Bases = "aaaaaaceeeeiiiinooooouuuuyy",
        Marks = "\u0300\u0301\u0302\u0303\u0308\u030A\u0327\u0300\u0301\u0302\u0308\u0300\u0301\u0302\u0308"
            + "\u0303\u0300\u0301\u0302\u0303\u0308\u0300\u0301\u0302\u0308\u0301\u0308";

    public long Bytes => IsFolder ? Children!.Values.Sum(child => child.Bytes) : Content!.Length;

    /// <summary>SHA-256 of the SHA-256 of each block of 4 MiB (Dropbox, "Content hash").</summary>
    public static string HashOf(Blob content)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long at = 0; at < content.Length; at += HashBlockBytes)
            all.AppendData(
                content.Hash(HashAlgorithmName.SHA256, at, Math.Min(HashBlockBytes, content.Length - at)));
        return Convert.ToHexStringLower(all.GetHashAndReset());
    }

    /// <summary>
    /// As FileMetadata or FolderMetadata. Only the last name of path_display has the case that it was given:
    /// files.stone promises no more, so that whoever relies on the others is found out.
    /// </summary>
    /// <param name="parent">Folded path of the folder; "" for the root.</param>
    /// <param name="withTag">Whether the type is told (where a union or a struct with subtypes stands).</param>
    public JsonObject Describe(string parent, bool withTag)
    {
        var told = new JsonObject();
        if (withTag) told[".tag"] = IsFolder ? "folder" : "file";
        told["name"] = Name;
        told["path_lower"] = $"{parent}/{Fold(Name)}";
        told["path_display"] = $"{parent}/{Name}";
        told["id"] = Id;
        if (IsFolder) return told;
        told["client_modified"] = Time(ClientModified);
        told["server_modified"] = Time(ServerModified);
        told["rev"] = Rev;
        told["size"] = Content!.Length;
        told["is_downloadable"] = IsDownloadable;
        if (!IsDownloadable)
        {
            told["export_info"] = new JsonObject { ["export_as"] = "docx" };
            return told;
        }
        told["content_hash"] = ContentHash;
        return told;
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
