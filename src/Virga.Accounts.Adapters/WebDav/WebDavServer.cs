using System.Net;
using System.Net.Http.Headers;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>What a server turned out to be.</summary>
/// <param name="IsApacheFolder">Apache's mod_dav_fs: keeps .DAV to itself and replaces files by renaming.</param>
/// <param name="TakesTimes">Nextcloud and ownCloud keep the time in X-OC-Mtime.</param>
/// <param name="ReplacesWhole">A PUT that is cut leaves the old file.</param>
/// <param name="TakesPartialPut">
/// PUT with Content-Range changes only that range (RFC 9110, 14.5, leaves it to the server).
/// </param>
/// <param name="TagsFolders">
/// A folder's ETag changes with anything below it: Nextcloud's and ownCloud's clients find changes by that.
/// </param>
/// <param name="Syncs">It tells what changed below a folder (sync-collection, RFC 6578).</param>
internal sealed record WebDavServer(
    bool IsApacheFolder, bool TakesTimes, bool ReplacesWhole, bool TakesPartialPut, bool TagsFolders, bool Syncs)
{
    public static async Task<WebDavServer> AskAsync(WebDavClient client, CancellationToken cancellationToken)
    {
        const string what = "ask the WebDAV server what it can do";
        using var answer = await client.SendAsync(
            what,
            new HttpRequestMessage(HttpMethod.Options, client.UrlOf(EntryPath.Root, isFolder: true)),
            cancellationToken);
        if (!answer.IsSuccessStatusCode) throw client.Failure(what, answer, isWrite: false);
        var classes = answer.Headers.TryGetValues("DAV", out var lines) ? string.Join(',', lines) : "";
        if (classes.Length == 0)
        {
            throw new VirgaException(
                FailureKind.Unsupported,
                $"{client.Endpoint.Name} answers, but does not speak WebDAV at {client.Settings.Url.AbsolutePath}",
                "Check the account's URL: Nextcloud's is https://HOST/remote.php/dav/files/USER, its settings show it. "
                    + WebDavAdapter.Form);
        }
        var isApacheFolder = classes.Contains("apache.org/dav/propset/fs", StringComparison.Ordinal);
        var isOwnCloud = classes.Contains("nextcloud", StringComparison.OrdinalIgnoreCase)
            || classes.Contains("oc-resource-sharing", StringComparison.OrdinalIgnoreCase);
        return new WebDavServer(
            isApacheFolder,
            TakesTimes: isOwnCloud,
            ReplacesWhole: isApacheFolder || isOwnCloud,
            TakesPartialPut: client.Settings.PartialPut
                ?? (isApacheFolder && await TriesPartialPutAsync(client, cancellationToken)),
            TagsFolders: isOwnCloud,
            Syncs: !isOwnCloud && answer.Content.Headers.Allow.Contains("REPORT", StringComparer.OrdinalIgnoreCase)
                && await SyncsAsync(client, cancellationToken));
    }

    /// <summary>REPORT is for calendars and versions as well: the folder itself says what it answers.</summary>
    private static async Task<bool> SyncsAsync(WebDavClient client, CancellationToken cancellationToken)
    {
        const string what = "ask the WebDAV server whether it tells changes";
        try
        {
            await using var listing = await WebDavListing.OpenSyncAsync(
                client, what, client.UrlOf(EntryPath.Root, isFolder: true), cancellationToken);
            if (listing is not null)
                await foreach (var found in listing.ReadAllAsync(cancellationToken))
                    return found is { Syncs: true, SyncToken.Length: > 0 };
        }
        catch (VirgaException e) when (!e.IsTransient)
        {
            // Whoever lists it is told what is wrong.
        }
        return false;
    }

    /// <summary>
    /// Writes "ab" to a scratch file, then "c" as its third byte. A server that ignores Content-Range is left with "c".
    /// False as well where nothing may be written: whoever writes gets told then.
    /// </summary>
    private static async Task<bool> TriesPartialPutAsync(WebDavClient client, CancellationToken cancellationToken)
    {
        const string what = "try whether the server takes files in parts";
        var url = client.UrlOf(EntryPath.Root.Append(TemporaryNames.New(client.Services, "probe")));
        if (!await PutsAsync("ab"u8.ToArray(), null)) return false;
        try
        {
            if (!await PutsAsync("c"u8.ToArray(), new ContentRangeHeaderValue(2, 2, 3))) return false;
            using var head = await client.SendAsync(
                what, new HttpRequestMessage(HttpMethod.Head, url), cancellationToken);
            return head is { StatusCode: HttpStatusCode.OK, Content.Headers.ContentLength: 3 };
        }
        finally
        {
            using var deleted = await client.SendAsync(
                what, new HttpRequestMessage(HttpMethod.Delete, url), CancellationToken.None);
        }

        async Task<bool> PutsAsync(byte[] bytes, ContentRangeHeaderValue? range)
        {
            var request = new HttpRequestMessage(HttpMethod.Put, url) { Content = new ByteArrayContent(bytes) };
            request.Content.Headers.ContentRange = range;
            using var answer = await client.SendAsync(what, request, cancellationToken);
            return answer.IsSuccessStatusCode;
        }
    }
}
