using System.Globalization;
using System.Text.Json.Nodes;

namespace Virga.Accounts.Adapters.B2;

/// <summary>A file of a listing; for a folder <see cref="Id"/> is "" and the name ends in '/'.</summary>
internal sealed record B2Item(
    string Name, string Id, long Length, long Timestamp, IReadOnlyDictionary<string, string> Info)
{
    // "Files", "File information": the name that the service itself shows, and rclone uses.
    private const string TimeName = "src_last_modified_millis", ModeName = "mode", ExecutableMode = "0100755";
    private const int OwnerExecuteBit = 0b001_000_000;

    public bool IsFolder => Id.Length == 0;

    public static B2Item From(JsonNode node) => new(
        (string?)node["fileName"] ?? "", (string?)node["fileId"] ?? "", (long?)node["contentLength"] ?? 0,
        (long?)node["uploadTimestamp"] ?? 0,
        node["fileInfo"] is JsonObject info
            ? info.ToDictionary(i => i.Key, i => (string?)i.Value ?? "", StringComparer.OrdinalIgnoreCase)
            : new Dictionary<string, string>());

    public static Dictionary<string, string> InfoOf(WriteOptions options)
    {
        var info = new Dictionary<string, string>(StringComparer.Ordinal);
        if (options.Modified is { } modified)
            info[TimeName] = modified.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        if (options.IsExecutable) info[ModeName] = ExecutableMode;
        return info;
    }

    public static JsonObject ToJson(IReadOnlyDictionary<string, string> info) =>
        new(info.Select(i => KeyValuePair.Create(i.Key, (JsonNode?)i.Value)));

    public Entry ToEntry(EntryPath path) => ToEntry(path, Id, Length, Timestamp, Info);

    public static Entry ToEntry(
        EntryPath path, string id, long length, long timestamp, IReadOnlyDictionary<string, string> info) => new(
        path, EntryKind.File, length, Time(info) ?? DateTimeOffset.FromUnixTimeMilliseconds(timestamp),
        new EntryVersion(id), IsExecutable: IsExecutable(info));

    private static DateTimeOffset? Time(IReadOnlyDictionary<string, string> info) =>
        info.TryGetValue(TimeName, out var text)
            && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var ms)
            && ms > DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            && ms < DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;

    private static bool IsExecutable(IReadOnlyDictionary<string, string> info) =>
        info.TryGetValue(ModeName, out var text) && text.Length is > 0 and <= 11
            && !text.AsSpan().ContainsAnyExceptInRange('0', '7')
            && (Convert.ToInt64(text, 8) & OwnerExecuteBit) != 0;
}
