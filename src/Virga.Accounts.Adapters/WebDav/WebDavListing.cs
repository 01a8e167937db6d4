using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security;
using System.Text;
using System.Xml;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>One response element of a multistatus (RFC 4918, 14.24).</summary>
internal sealed record WebDavResource(
    string Href, bool IsFolder, long? Length, DateTimeOffset? Modified, string? ETag, long? QuotaUsed, long? QuotaFree)
{
    /// <summary>Of the response as a whole; 0 where only its properties have one.</summary>
    public int Status { get; init; }

    public string? SyncToken { get; init; }

    /// <summary>Whether the server says that it answers sync-collection there.</summary>
    public bool Syncs { get; init; }
}

/// <summary>
/// PROPFIND, and REPORT of what changed, read element by element: memory is bounded by one entry, whatever the server
/// sends. No DTD, no entity but XML's own.
/// </summary>
internal sealed class WebDavListing : IAsyncDisposable
{
    private const string Dav = "DAV:";
    private const int TextCharsMax = 64 << 10;
    private const string Body = """
        <?xml version="1.0" encoding="utf-8"?>
        <propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>
        """;

    private const string QuotaBody = """
        <?xml version="1.0" encoding="utf-8"?>
        <propfind xmlns="DAV:"><prop><resourcetype/><quota-available-bytes/><quota-used-bytes/></prop></propfind>
        """;

    private const string SyncBody = """
        <?xml version="1.0" encoding="utf-8"?>
        <propfind xmlns="DAV:"><prop><resourcetype/><supported-report-set/><sync-token/></prop></propfind>
        """;

    private readonly string what;
    private readonly HttpResponseMessage answer;
    private readonly StallGuard guard;
    private readonly Endpoint endpoint;
    private readonly XmlReader xml;
    private readonly char[] chars = new char[1024];

    private WebDavListing(string what, HttpResponseMessage answer, Stream content, StallGuard guard, Endpoint endpoint)
    {
        this.what = what;
        this.answer = answer;
        this.guard = guard;
        this.endpoint = endpoint;
        xml = XmlReader.Create(new GuardedStream(content, guard), new XmlReaderSettings
        {
            Async = true,
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            CheckCharacters = false,
        });
    }

    /// <summary>Of a REPORT: where the changes end that it tells; known when all was read.</summary>
    public string? SyncToken { get; private set; }

    /// <summary>Null where nothing is at that URL.</summary>
    public static Task<WebDavListing?> OpenAsync(
        WebDavClient client,
        string what,
        Uri url,
        bool withChildren,
        CancellationToken cancellationToken,
        bool asksQuota = false) =>
        OpenAsync(
            client, what, Request(WebDavClient.Propfind, url, asksQuota ? QuotaBody : Body, withChildren ? "1" : "0"),
            static status => status is HttpStatusCode.NotFound or HttpStatusCode.Gone, cancellationToken);

    /// <summary>Whether a folder's changes can be asked for, and its token; null where nothing is.</summary>
    public static Task<WebDavListing?> OpenSyncAsync(
        WebDavClient client, string what, Uri url, CancellationToken cancellationToken) =>
        OpenAsync(
            client, what, Request(WebDavClient.Propfind, url, SyncBody, "0"),
            static status => status is HttpStatusCode.NotFound or HttpStatusCode.Gone, cancellationToken);

    /// <summary>
    /// What changed below a folder since a token (RFC 6578, 3.2); null where the server won't tell, also because the
    /// token is too old (valid-sync-token).
    /// </summary>
    public static Task<WebDavListing?> OpenReportAsync(
        WebDavClient client, string what, Uri url, string token, CancellationToken cancellationToken)
    {
        var body = $"""
            <?xml version="1.0" encoding="utf-8"?>
            <sync-collection xmlns="DAV:"><sync-token>{SecurityElement.Escape(token)}</sync-token>
            <sync-level>infinite</sync-level>
            <prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></sync-collection>
            """;
        return OpenAsync(
            client, what, Request(WebDavClient.Report, url, body, "0"),
            static status => status is HttpStatusCode.BadRequest or HttpStatusCode.Forbidden or HttpStatusCode.NotFound
                or HttpStatusCode.Gone or HttpStatusCode.MethodNotAllowed or HttpStatusCode.Conflict
                or HttpStatusCode.PreconditionFailed or HttpStatusCode.NotImplemented
                or HttpStatusCode.InsufficientStorage,
            cancellationToken);
    }

    private static HttpRequestMessage Request(HttpMethod method, Uri url, string body, string depth) => new(method, url)
    {
        Content = new StringContent(body, Encoding.UTF8, "application/xml"),
        Headers = { { "Depth", depth } },
    };

    private static async Task<WebDavListing?> OpenAsync(
        WebDavClient client, string what, HttpRequestMessage request, Func<HttpStatusCode, bool> isNothing,
        CancellationToken cancellationToken)
    {
        var silence = new StallGuard(client.Services, cancellationToken);
        HttpResponseMessage? reply = null;
        try
        {
            reply = await client.SendAsync(what, request, silence, cancellationToken);
            if (reply.StatusCode == HttpStatusCode.MultiStatus)
            {
                var content = await reply.Content.ReadAsStreamAsync(silence.Token);
                return new WebDavListing(what, reply, content, silence, client.Endpoint);
            }
            if (isNothing(reply.StatusCode))
            {
                reply.Dispose();
                silence.Dispose();
                return null;
            }
            throw reply.StatusCode == HttpStatusCode.OK
                ? new VirgaException(
                    FailureKind.Unsupported, $"{what}: {client.Endpoint.Name} does not speak WebDAV there",
                    WebDavAdapter.Form)
                : client.Failure(what, reply, isWrite: false);
        }
        catch
        {
            reply?.Dispose();
            silence.Dispose();
            throw;
        }
    }

    public async IAsyncEnumerable<WebDavResource> ReadAllAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await NextAsync(cancellationToken) is { } resource)
        {
            yield return resource;
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async ValueTask<WebDavResource?> NextAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ReadAsync())
            {
                if (IsStart("response")) return await ReadResponseAsync();
                if (IsStart("sync-token")) SyncToken = await ReadTextAsync();
            }
            return null;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception) when (guard.HasStalled)
        {
            throw TransportFailures.Stalled(what, guard.Timeout);
        }
        catch (XmlException e)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                $"{what}: {endpoint.Name} sent a listing that breaks off or is no XML: {e.Message}",
                inner: e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw TransportFailures.Map(e, what, endpoint)!;
        }
    }

    private async ValueTask<WebDavResource> ReadResponseAsync()
    {
        var depth = xml.Depth;
        string? href = null;
        var found = new Properties();
        var status = 0;
        while (await ReadAsync() && xml.Depth > depth)
        {
            if (IsStart("href") && href is null) href = await ReadTextAsync();
            else if (IsStart("status")) status = ToStatus(await ReadTextAsync());
            else if (IsStart("propstat")) found = await ReadPropstatAsync(found);
        }
        return new WebDavResource(
            href ?? throw new XmlException("a response without href"),
            found.IsFolder, found.Length, found.Modified, found.ETag, found.QuotaUsed, found.QuotaFree)
        {
            Status = status, SyncToken = found.SyncToken, Syncs = found.Syncs,
        };
    }

    // "HTTP/1.1 404 Not Found" (RFC 4918, 14.28).
    private static int ToStatus(string line) =>
        line.Split(' ') is [_, var code, ..] && int.TryParse(code, CultureInfo.InvariantCulture, out var status)
            ? status : 0;

    // Properties count only where the status that follows them says that they were found.
    private async ValueTask<Properties> ReadPropstatAsync(Properties before)
    {
        var depth = xml.Depth;
        var (now, isFound) = (before, true);
        while (await ReadAsync() && xml.Depth > depth)
        {
            if (IsStart("collection")) now = now with { IsFolder = true };
            else if (IsStart("getcontentlength")) now = now with { Length = ToNumber(await ReadTextAsync()) };
            else if (IsStart("getetag")) now = now with { ETag = await ReadTextAsync() };
            else if (IsStart("getlastmodified")) now = now with { Modified = ToTime(await ReadTextAsync()) };
            else if (IsStart("sync-token")) now = now with { SyncToken = await ReadTextAsync() };
            else if (IsStart("sync-collection")) now = now with { Syncs = true };
            else if (IsStart("quota-used-bytes")) now = now with { QuotaUsed = ToNumber(await ReadTextAsync()) };
            else if (IsStart("quota-available-bytes")) now = now with { QuotaFree = ToNumber(await ReadTextAsync()) };
            else if (IsStart("status")) isFound = (await ReadTextAsync()).Contains(" 2", StringComparison.Ordinal);
        }
        return isFound ? now : before;
    }

    private async ValueTask<bool> ReadAsync()
    {
        guard.Touch();
        return await xml.ReadAsync();
    }

    private bool IsStart(string name) =>
        xml.NodeType == XmlNodeType.Element && xml.LocalName == name && xml.NamespaceURI == Dav;

    /// <summary>The text of the element that begins here; leaves the reader on its end.</summary>
    private async ValueTask<string> ReadTextAsync()
    {
        if (xml.IsEmptyElement) return "";
        var depth = xml.Depth;
        var text = new StringBuilder();
        while (await ReadAsync() && xml.Depth > depth)
        {
            if (xml.NodeType is not (XmlNodeType.Text or XmlNodeType.CDATA
                or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace))
                continue;
            int count;
            while ((count = await xml.ReadValueChunkAsync(chars, 0, chars.Length)) > 0)
            {
                text.Append(chars, 0, count);
                if (text.Length > TextCharsMax) throw new XmlException("a text of absurd length");
            }
        }
        return text.ToString().Trim(' ', '\t', '\r', '\n');
    }

    private static long? ToNumber(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    private static DateTimeOffset? ToTime(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time.ToUniversalTime()
            : null;

    public ValueTask DisposeAsync()
    {
        xml.Dispose();
        answer.Dispose();
        guard.Dispose();
        return ValueTask.CompletedTask;
    }

    private readonly record struct Properties(
        bool IsFolder, long? Length, DateTimeOffset? Modified, string? ETag, long? QuotaUsed, long? QuotaFree,
        string? SyncToken, bool Syncs);
}
