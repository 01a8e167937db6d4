using System.Globalization;
using System.Text.Json.Nodes;

namespace Virga.Accounts.Adapters.Gcs;

/// <param name="Generation">Changes with every write of the object.</param>
/// <param name="Md5">In Base64; objects that were put together of parts have none.</param>
internal sealed record GcsItem(
    string Name, long Length, string Generation, DateTimeOffset? Updated, IReadOnlyDictionary<string, string> Metadata,
    uint? Crc32C, string? Md5)
{
    public static GcsItem From(JsonNode node) => new(
        (string?)node["name"] ?? "", Number((string?)node["size"]), (string?)node["generation"] ?? "",
        DateTimeOffset.TryParse(
            (string?)node["updated"], CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time : null,
        node["metadata"] is JsonObject metadata
            ? metadata.ToDictionary(m => m.Key, m => (string?)m.Value ?? "", StringComparer.OrdinalIgnoreCase)
            : new Dictionary<string, string>(),
        Gcs.Crc32C.Parse((string?)node["crc32c"]), (string?)node["md5Hash"]);

    public Entry ToEntry(EntryPath path) => new(
        path, EntryKind.File, Length, GcsMetadata.Modified(Metadata) ?? Updated, new EntryVersion(Generation),
        IsExecutable: GcsMetadata.IsExecutable(Metadata));

    private static long Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}

/// <summary>A page of Objects: list.</summary>
internal sealed record GcsPage(IReadOnlyList<GcsItem> Items, IReadOnlyList<string> Prefixes, string? Next)
{
    public static GcsPage From(JsonObject page) => new(
        [.. (page["items"]?.AsArray() ?? []).OfType<JsonNode>().Select(GcsItem.From)],
        [.. (page["prefixes"]?.AsArray() ?? []).Select(p => (string?)p ?? "")],
        (string?)page["nextPageToken"]);
}
