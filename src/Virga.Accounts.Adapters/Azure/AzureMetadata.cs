using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// What we keep with a blob: metadata mtime in RFC 3339 (as rclone does) and mode as octal st_mode. A folder is marked
/// by an empty blob "folder/"; the mark of Azure's own tools, hdi_isfolder on a blob "folder", is known, too.
/// </summary>
internal static class AzureMetadata
{
    public const string Upload = "virgaupload";

    private const string Prefix = "x-ms-meta-";
    private const string MtimeName = "mtime", ModeName = "mode", PathName = "virgapath", FolderName = "hdi_isfolder";
    private const string ExecutableMode = "0100755";
    private const int OwnerExecuteBit = 0b001_000_000;

    public static void Write(HttpRequestHeaders headers, WriteOptions options)
    {
        if (options.Modified is { } modified)
            headers.Add(
                Prefix + MtimeName,
                    modified.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffffZ", CultureInfo.InvariantCulture));
        if (options.IsExecutable) headers.Add(Prefix + ModeName, ExecutableMode);
    }

    public static void WriteFolder(HttpRequestHeaders headers) => headers.Add(Prefix + FolderName, "true");

    public static void WriteUpload(HttpRequestHeaders headers, string token) => headers.Add(Prefix + Upload, token);

    /// <summary>Headers are ASCII: the path goes into one as Base64.</summary>
    public static void WritePath(HttpRequestHeaders headers, EntryPath path) =>
        headers.Add(Prefix + PathName, Convert.ToBase64String(Encoding.UTF8.GetBytes(path.Value)));

    public static EntryPath? PathOf(IReadOnlyDictionary<string, string> metadata)
    {
        if (!metadata.TryGetValue(PathName, out var text)) return null;
        var buffer = new byte[text.Length];
        return Convert.TryFromBase64String(text, buffer, out var count)
            && EntryPath.TryParse(Encoding.UTF8.GetString(buffer, 0, count), out var path) ? path : null;
    }

    public static Dictionary<string, string> Of(HttpResponseMessage answer) =>
        answer.Headers.Where(h => h.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)).ToDictionary(
            h => h.Key[Prefix.Length..].ToLowerInvariant(), h => string.Join(',', h.Value), StringComparer.Ordinal);

    public static bool IsFolder(IReadOnlyDictionary<string, string> metadata) =>
        metadata.TryGetValue(FolderName, out var text) && text.Equals("true", StringComparison.OrdinalIgnoreCase);

    public static DateTimeOffset? Modified(IReadOnlyDictionary<string, string> metadata) =>
        metadata.TryGetValue(MtimeName, out var text) && DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time) ? time : null;

    public static bool IsExecutable(IReadOnlyDictionary<string, string> metadata) =>
        metadata.TryGetValue(ModeName, out var text) && text.Length is > 0 and <= 11
            && !text.AsSpan().ContainsAnyExceptInRange('0', '7')
            && (Convert.ToInt64(text, 8) & OwnerExecuteBit) != 0;

    public static DateTimeOffset? ParseHttpTime(string? text) =>
        DateTimeOffset.TryParseExact(
            text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
}
