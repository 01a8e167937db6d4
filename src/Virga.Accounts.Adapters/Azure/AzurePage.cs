using System.Globalization;
using System.Xml.Linq;

namespace Virga.Accounts.Adapters.Azure;

/// <param name="Metadata">By lower-case name.</param>
internal sealed record AzureItem(
    string Name, long Length, string ETag, DateTimeOffset? Modified, IReadOnlyDictionary<string, string> Metadata);

/// <summary>A page of List Blobs (Blob service REST API, "List Blobs", response body).</summary>
/// <param name="Prefixes">Each ends in the delimiter.</param>
internal sealed record AzurePage(IReadOnlyList<AzureItem> Items, IReadOnlyList<string> Prefixes, string? Next)
{
    private static readonly Dictionary<string, string> NoMetadata = [];

    public static AzurePage From(XDocument document)
    {
        var blobs = document.Root?.Element("Blobs");
        var next = document.Root?.Element("NextMarker")?.Value;
        return new AzurePage(
            [.. (blobs?.Elements("Blob") ?? []).Select(Item)],
            [.. (blobs?.Elements("BlobPrefix") ?? []).Select(p => NameOf(p.Element("Name")))],
            string.IsNullOrEmpty(next) ? null : next);
    }

    private static AzureItem Item(XElement blob)
    {
        var properties = blob.Element("Properties");
        _ = long.TryParse(
            properties?.Element("Content-Length")?.Value, NumberStyles.None, CultureInfo.InvariantCulture,
            out var length);
        return new AzureItem(
            NameOf(blob.Element("Name")), length, properties?.Element("Etag")?.Value ?? "",
            AzureMetadata.ParseHttpTime(properties?.Element("Last-Modified")?.Value),
            blob.Element("Metadata") is { HasElements: true } metadata
                ? metadata.Elements().GroupBy(e => e.Name.LocalName.ToLowerInvariant(), StringComparer.Ordinal)
                    .ToDictionary(g => g.Key, g => g.First().Value, StringComparer.Ordinal)
                : NoMetadata);
    }

    // From version 2021-02-12 on, names with characters that XML can't hold are percent-encoded and marked.
    private static string NameOf(XElement? name) =>
        name is null ? ""
        : name.Attribute("Encoded")?.Value == "true" ? Uri.UnescapeDataString(name.Value)
        : name.Value;
}
