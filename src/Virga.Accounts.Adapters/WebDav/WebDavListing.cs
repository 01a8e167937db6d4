using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Xml;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>One response element of a multistatus (RFC 4918, 14.24).</summary>
internal sealed record WebDavResource(
    string Href, bool IsFolder, long? Length, DateTimeOffset? Modified, string? ETag, long? QuotaUsed, long? QuotaFree);

/// <summary>
/// PROPFIND, read element by element: memory is bounded by one entry, whatever the server sends. No DTD, no entity but
/// XML's own.
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

    /// <summary>Null where nothing is at that URL.</summary>
    public static async Task<WebDavListing?> OpenAsync(
        WebDavClient client,
        string what,
        Uri url,
        bool withChildren,
        CancellationToken cancellationToken,
        bool asksQuota = false)
    {
        var silence = new StallGuard(client.Services, cancellationToken);
        HttpResponseMessage? reply = null;
        try
        {
            var request = new HttpRequestMessage(WebDavClient.Propfind, url)
            {
                Content = new StringContent(asksQuota ? QuotaBody : Body, Encoding.UTF8, "application/xml"),
                Headers = { { "Depth", withChildren ? "1" : "0" } },
            };
            reply = await client.SendAsync(what, request, silence, cancellationToken);
            if (reply.StatusCode == HttpStatusCode.MultiStatus)
            {
                var content = await reply.Content.ReadAsStreamAsync(silence.Token);
                return new WebDavListing(what, reply, content, silence, client.Endpoint);
            }
            if (reply.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone)
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
        while (await ReadAsync() && xml.Depth > depth)
        {
            if (IsStart("href") && href is null) href = await ReadTextAsync();
            else if (IsStart("propstat")) found = await ReadPropstatAsync(found);
        }
        return new WebDavResource(
            href ?? throw new XmlException("a response without href"),
            found.IsFolder, found.Length, found.Modified, found.ETag, found.QuotaUsed, found.QuotaFree);
    }

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
        bool IsFolder, long? Length, DateTimeOffset? Modified, string? ETag, long? QuotaUsed, long? QuotaFree);
}
