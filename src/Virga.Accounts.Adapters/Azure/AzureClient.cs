using System.Globalization;
using System.Net;
using System.Xml;
using System.Xml.Linq;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>One container as the account's parts see it: names for paths, and calls whose failures are ours.</summary>
internal sealed class AzureClient : IDisposable
{
    // 2019-12-12 brought blocks of 4,000 MiB, 2021-02-12 names that XML can't hold.
    public const string Version = "2023-11-03";

    /// <summary>Where uploads are put together, below the account's root.</summary>
    public const string StagingFolder = ".virga-uploads";

    private const int ErrorBytesMax = 64 << 10;

    private readonly HttpClient http;
    private readonly string root;

    public AzureClient(AzureSettings settings, AdapterServices services)
    {
        Settings = settings;
        Services = services;
        Endpoint = new Endpoint(settings.Endpoint, settings.CertSha256);
        Signer = settings.AccountKey is { } key ? new AzureSigner(settings.Account, key) : null;
        http = new HttpClient(Endpoint.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        var account = settings.HasAccountInPath ? settings.Account + "/" : "";
        root = $"{settings.Endpoint.GetLeftPart(UriPartial.Authority)}/{account}{settings.Container}";
    }

    public AzureSettings Settings { get; }

    public AdapterServices Services { get; }

    public Endpoint Endpoint { get; }

    /// <summary>Null without the account's key.</summary>
    public AzureSigner? Signer { get; }

    public string Name(EntryPath path) => Settings.Prefix + path.Value;

    /// <summary>Prefix of all names in a folder: "" or ending in '/'. Also the name of the folder's marker.</summary>
    public string FolderName(EntryPath folder) => folder.IsRoot ? Settings.Prefix : Name(folder) + "/";

    /// <summary>False for names that are no path of an account ("a//b", "../a", a leading '/').</summary>
    public bool TryPath(string name, out EntryPath path)
    {
        path = EntryPath.Root;
        return name.StartsWith(Settings.Prefix, StringComparison.Ordinal)
            && EntryPath.TryParse(name[Settings.Prefix.Length..], out path);
    }

    /// <summary>URL of a blob, or of the container itself, without a signature.</summary>
    public string UrlOf(string? blob, string query = "") =>
        root + (blob is null ? "" : "/" + AddressParser.EncodePath(blob)) + (query.Length > 0 ? "?" + query : "");

    public HttpRequestMessage Request(HttpMethod method, string? blob, string query = "") =>
        new(method, UrlOf(blob, query));

    public async Task<HttpResponseMessage> SendAsync(
        string what, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(Services, cancellationToken);
        return await SendAsync(what, request, guard, cancellationToken);
    }

    /// <summary>
    /// Signs and sends; returns as soon as the headers of a good answer are there, and throws our failures for others.
    /// The answer belongs to the caller.
    /// </summary>
    public async Task<HttpResponseMessage> SendAsync(
        string what, HttpRequestMessage request, StallGuard guard, CancellationToken cancellationToken)
    {
        var answer = await GuardedAsync(
            what, guard, () => http.SendAsync(Signed(request), HttpCompletionOption.ResponseHeadersRead, guard.Token),
            cancellationToken);
        if (answer.IsSuccessStatusCode) return answer;
        using (answer)
        {
            var error = await GuardedAsync(what, guard, () => ReadErrorAsync(answer, guard), cancellationToken);
            throw AzureFailures.FromAnswer(answer, error, what, this);
        }
    }

    /// <summary>An answer's XML, of one page at the most.</summary>
    public async Task<XDocument> SendForXmlAsync(
        string what, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(Services, cancellationToken);
        using var answer = await SendAsync(what, request, guard, cancellationToken);
        return await ReadXmlAsync(what, answer, guard, cancellationToken);
    }

    public Task<XDocument> ReadXmlAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken) =>
        GuardedAsync(what, guard, () => ParseAsync(answer, guard), cancellationToken);

    /// <summary>Whether a signed URL is answered, without anything of ours in the request.</summary>
    public async Task<bool> CanReadAsync(string what, Uri url, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(Services, cancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Head, url);
        using var answer = await GuardedAsync(
            what, guard, () => http.SendAsync(request, guard.Token), cancellationToken);
        return answer.StatusCode != HttpStatusCode.Forbidden;
    }

    /// <summary>
    /// Null where there is no such blob. An answer to HEAD has no body and so no reason: on a refusal the container is
    /// listed, whose refusal tells it.
    /// </summary>
    public async Task<HttpResponseMessage?> HeadAsync(string what, string blob, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(what, Request(HttpMethod.Head, blob), cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !AzureFailures.IsOfContainer(e))
        {
            return null;
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Denied or FailureKind.BadInput
            or FailureKind.Unauthenticated)
        {
            await ListAsync(what, Settings.Prefix, delimiter: null, marker: null, 1, cancellationToken);
            throw;
        }
    }

    /// <summary>One page of names, with metadata (List Blobs: 5,000 at the most).</summary>
    public async Task<AzurePage> ListAsync(
        string what, string prefix, string? delimiter, string? marker, int? most, CancellationToken cancellationToken)
    {
        var query = "restype=container&comp=list&include=metadata&prefix=" + Uri.EscapeDataString(prefix);
        if (delimiter is not null) query += "&delimiter=" + Uri.EscapeDataString(delimiter);
        if (marker is not null) query += "&marker=" + Uri.EscapeDataString(marker);
        if (most is { } count) query += string.Create(CultureInfo.InvariantCulture, $"&maxresults={count}");
        var page = await SendForXmlAsync(what, Request(HttpMethod.Get, null, query), cancellationToken);
        // A web page may be XML, too: it must not pass for an empty container.
        return page.Root?.Name == "EnumerationResults"
            ? AzurePage.From(page) : throw AzureFailures.NotAzure(what, this);
    }

    public async Task DeleteAsync(string what, string blob, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await SendAsync(what, Request(HttpMethod.Delete, blob), cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !AzureFailures.IsOfContainer(e))
        {
        }
    }

    public void Dispose() => http.Dispose();

    private HttpRequestMessage Signed(HttpRequestMessage request)
    {
        request.Headers.Add("x-ms-version", Version);
        request.Headers.Add("x-ms-date", Services.Clock.GetUtcNow().ToString("R", CultureInfo.InvariantCulture));
        if (Settings.Sas is { } sas)
        {
            var url = request.RequestUri!.AbsoluteUri;
            request.RequestUri = new Uri(url + (url.Contains('?', StringComparison.Ordinal) ? "&" : "?") + sas);
        }
        Signer?.Sign(request);
        return request;
    }

    private async Task<T> GuardedAsync<T>(
        string what, StallGuard guard, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
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
            throw AzureFailures.NotAzure(what, this, e);
        }
        catch (Exception e) when (e is not VirgaException)
        {
            throw AzureFailures.FromTransport(e, what, this);
        }
    }

    private static async Task<XDocument> ParseAsync(HttpResponseMessage answer, StallGuard guard)
    {
        await using var body = new GuardedStream(await answer.Content.ReadAsStreamAsync(guard.Token), guard);
        return await LoadAsync(body, guard.Token);
    }

    private static async Task<XDocument?> ReadErrorAsync(HttpResponseMessage answer, StallGuard guard)
    {
        await using var body = new GuardedStream(await answer.Content.ReadAsStreamAsync(guard.Token), guard);
        var buffer = new byte[ErrorBytesMax];
        var count = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, guard.Token);
        if (count == 0) return null;
        try
        {
            return await LoadAsync(new MemoryStream(buffer, 0, count), guard.Token);
        }
        catch (XmlException)
        {
            return null;
        }
    }

    private static async Task<XDocument> LoadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var settings = new XmlReaderSettings
        {
            Async = true, DtdProcessing = DtdProcessing.Prohibit, CheckCharacters = false,
        };
        using var reader = XmlReader.Create(stream, settings);
        return await XDocument.LoadAsync(reader, LoadOptions.PreserveWhitespace, cancellationToken);
    }
}
