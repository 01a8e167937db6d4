using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// Opens files for copies by sharing each with one person for reading (permissions.create), without a mail to them. The
/// files themselves carry for which opening and whom, as appProperties, so that it is taken back also after a restart,
/// and what their owner shares is never touched.
/// </summary>
internal sealed class DriveCopyGrants(DriveClient client) : ICopyGrants
{
    private const string What = "open entries for copies";
    private const string Mark = "virgaOpening", Reader = "virgaReader";
    private const string Fields = "id,headRevisionId,md5Checksum,modifiedTime,trashed,appProperties,"
        + "permissions(id,type,emailAddress)";
    private const int AtOnce = 8;

    // developers.google.com/drive/api/guides/properties: at most 30 of an app on a file, two for each opening, each of
    // at most 124 bytes with its key.
    private const int OpeningsMax = 12, AddressMax = 80;

    /// <summary>Files of recent openings: a search may not find yet what was marked a moment ago.</summary>
    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> recent = new(StringComparer.Ordinal);

    public string Service => DriveCopyFromOthers.ServiceName;

    public async ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken)
    {
        foreach (var id in close) await CloseAsync(id, cancellationToken);
        if (open is null) return [];
        if (!IsAddress(open.Principal))
            throw new VirgaException(
                FailureKind.Unsupported,
                $"{What}: '{NameRules.Show(open.Principal)}' is not one Google account's address");
        var sources = new CopySource?[open.Entries.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, sources.Length), parallel, async (index, token) =>
            sources[index] = await OpenAsync(open, open.Entries[index].Pin, token));
        return sources;
    }

    /// <summary>One mail address: no domain, no group of everybody.</summary>
    private static bool IsAddress(string principal) =>
        principal.Length <= AddressMax && principal.All(char.IsAscii)
        && principal.Split('@') is [{ Length: > 0 }, { Length: > 0 } host]
        && host.Contains('.', StringComparison.Ordinal)
        && principal.AsSpan().IndexOfAny(" \t,;<>\"'*") < 0;

    private async Task<CopySource?> OpenAsync(CopyOpening open, EntryVersion pin, CancellationToken cancellationToken)
    {
        if (DriveItem.Parse(pin) is not { } wanted) return null;
        var reply = await client.CallAsync(What, HttpMethod.Get, UrlOf(wanted.Id), null, cancellationToken);
        if (reply.IsGone) return null;
        var file = reply.OrThrow(What);
        var item = DriveItem.From(file);
        if (item.IsTrashed || item.Revision != wanted.Revision || Text(file, "md5Checksum") is not { Length: 32 } hash)
            return null;
        var source = new CopySource("", $"{hash}:{item.Id}", pin);
        var marks = PropertiesOf(file);
        var isOurs = marks.Any(m => IsReader(m.Key) && IsSame(m.Value, open.Principal));
        var reads = PermissionsOf(file).Any(p => IsSame(p.Address, open.Principal));
        // The owner has shared it with them already, for good: that is not ours to take back.
        if (reads && !isOurs) return source;
        if (marks.Keys.Count(IsReader) >= OpeningsMax) return null;
        recent.GetOrAdd(open.Id, _ => []).Add(item.Id);
        // First the mark, so that no permission is left which nobody knows of.
        await MarkAsync(item.Id, item.Modified, open.Id, "open", open.Principal, cancellationToken);
        if (!reads)
            (await client.CallAsync(
                What, HttpMethod.Post, DriveClient.PermissionsOf(item.Id) + "&sendNotificationEmail=false",
                new JsonObject { ["type"] = "user", ["role"] = "reader", ["emailAddress"] = open.Principal },
                cancellationToken)).OrThrow(What);
        return source;
    }

    private async Task CloseAsync(string opening, CancellationToken cancellationToken)
    {
        var files = new HashSet<string>(recent.GetValueOrDefault(opening) ?? [], StringComparer.Ordinal);
        var query = $"appProperties has {{ key='{Mark}{opening}' and value='open' }}";
        for (string? page = ""; page is not null;)
        {
            var url = $"{DriveClient.Files}?q={Uri.EscapeDataString(query)}&pageSize=1000"
                + "&fields=nextPageToken,files(id)&supportsAllDrives=true&includeItemsFromAllDrives=true"
                + (page.Length > 0 ? "&pageToken=" + Uri.EscapeDataString(page) : "");
            var found = (await client.CallAsync(What, HttpMethod.Get, url, null, cancellationToken)).OrThrow(What);
            foreach (var file in found.GetProperty("files").EnumerateArray()) files.Add(Text(file, "id"));
            page = found.TryGetProperty("nextPageToken", out var next) ? next.GetString() : null;
        }
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(files, parallel, (id, token) => CloseAsync(opening, id, token));
        recent.TryRemove(opening, out _);
    }

    private async ValueTask CloseAsync(string opening, string id, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(What, HttpMethod.Get, UrlOf(id), null, cancellationToken);
        if (reply.IsGone) return;
        var file = reply.OrThrow(What);
        var marks = PropertiesOf(file);
        if (!marks.TryGetValue(Reader + opening, out var address)) return;
        // Another opening for the same person goes on.
        var isShared = marks.Any(m => IsReader(m.Key) && m.Key != Reader + opening && IsSame(m.Value, address));
        foreach (var permission in PermissionsOf(file).Where(p => !isShared && IsSame(p.Address, address)))
        {
            var removed = await client.CallAsync(
                What, HttpMethod.Delete, DriveClient.PermissionsOf(id, permission.Id), null, cancellationToken);
            if (!removed.IsGone) removed.OrThrow(What);
        }
        await MarkAsync(id, DriveItem.From(file).Modified, opening, null, null, cancellationToken);
    }

    private static bool IsReader(string property) => property.StartsWith(Reader, StringComparison.Ordinal);

    private static bool IsSame(string address, string other) =>
        string.Equals(address, other, StringComparison.OrdinalIgnoreCase);

    // The time of change stays what it was: nothing of the content has changed.
    private async Task MarkAsync(
        string id, DateTimeOffset modified, string opening, string? mark, string? reader,
        CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            What, HttpMethod.Patch, DriveClient.UrlOf(id),
            new JsonObject
            {
                ["appProperties"] = new JsonObject { [Mark + opening] = mark, [Reader + opening] = reader },
                ["modifiedTime"] = modified.UtcDateTime.ToString(
                    "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            },
            cancellationToken);
        if (reply.Status != HttpStatusCode.NotFound) reply.OrThrow(What);
    }

    private static string UrlOf(string id) =>
        $"{DriveClient.Files}/{Uri.EscapeDataString(id)}?supportsAllDrives=true&fields={Fields}";

    private static Dictionary<string, string> PropertiesOf(JsonElement file) =>
        file.TryGetProperty("appProperties", out var properties)
            ? properties.EnumerateObject().ToDictionary(
                p => p.Name, p => p.Value.GetString() ?? "", StringComparer.Ordinal)
            : new Dictionary<string, string>(StringComparer.Ordinal);

    private static IEnumerable<(string Id, string Address)> PermissionsOf(JsonElement file) =>
        file.TryGetProperty("permissions", out var permissions)
            ? permissions.EnumerateArray().Where(p => Text(p, "type") == "user")
                .Select(p => (Text(p, "id"), Text(p, "emailAddress")))
            : [];

    private static string Text(JsonElement told, string name) =>
        told.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
