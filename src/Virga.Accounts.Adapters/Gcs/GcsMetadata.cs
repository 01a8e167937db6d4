using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>What we keep with an object: mtime in RFC 3339, as rclone does, and mode as octal st_mode.</summary>
internal static class GcsMetadata
{
    private const string Prefix = "x-goog-meta-", MtimeName = "mtime", ModeName = "mode", ExecutableMode = "0100755";
    private const int OwnerExecuteBit = 0b001_000_000;

    public static void Write(HttpRequestHeaders headers, WriteOptions options)
    {
        if (options.Modified is { } modified) headers.Add(Prefix + MtimeName, Text(modified));
        if (options.IsExecutable) headers.Add(Prefix + ModeName, ExecutableMode);
    }

    /// <summary>As <see cref="Write"/> has it, for the JSON API.</summary>
    public static JsonObject Of(WriteOptions options)
    {
        var metadata = new JsonObject();
        if (options.Modified is { } modified) metadata[MtimeName] = Text(modified);
        if (options.IsExecutable) metadata[ModeName] = ExecutableMode;
        return metadata;
    }

    public static Dictionary<string, string> Of(HttpResponseMessage answer) =>
        answer.Headers.Where(h => h.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)).ToDictionary(
            h => h.Key[Prefix.Length..], h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase);

    public static DateTimeOffset? Modified(IReadOnlyDictionary<string, string> metadata) =>
        metadata.TryGetValue(MtimeName, out var text) && DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time) ? time : null;

    private static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffffZ", CultureInfo.InvariantCulture);

    public static bool IsExecutable(IReadOnlyDictionary<string, string> metadata) =>
        metadata.TryGetValue(ModeName, out var text) && text.Length is > 0 and <= 11
            && !text.AsSpan().ContainsAnyExceptInRange('0', '7')
            && (Convert.ToInt64(text, 8) & OwnerExecuteBit) != 0;
}
