using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml;
using System.Xml.Linq;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// One bucket as the account's parts see it. Listings, looks, copies and deletions go by the JSON API; reads, writes
/// and uploads in parts by the XML API, whose parts may come in any order.
/// </summary>
internal sealed class GcsClient : IDisposable
{
    private const string Origin = "https://storage.googleapis.com";

    private readonly BearerClient bearer;

    public GcsClient(GcsSettings settings, IAccessTokens tokens, AdapterServices services)
    {
        Settings = settings;
        bearer = new BearerClient(new Uri(Origin), tokens, services);
    }

    public GcsSettings Settings { get; }

    public AdapterServices Services => bearer.Services;

    public StallGuard Guard(CancellationToken cancellationToken) => bearer.Guard(cancellationToken);

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

    /// <summary>Of the JSON API: the bucket itself.</summary>
    public string BucketUrl => $"{Origin}/storage/v1/b/{Settings.Bucket}";

    /// <summary>Of the JSON API: the bucket's objects, or one of them.</summary>
    public string JsonUrl(string? name) =>
        BucketUrl + "/o" + (name is null ? "" : "/" + Uri.EscapeDataString(name));

    /// <summary>Of the XML API.</summary>
    public string XmlUrl(string? name) =>
        $"{Origin}/{Settings.Bucket}" + (name is null ? "" : "/" + AddressParser.EncodePath(name));

    /// <summary>Returns a good answer as soon as its headers are there; throws our failures for others.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        string what, Func<HttpRequestMessage> make, StallGuard guard, CancellationToken cancellationToken)
    {
        var answer = await bearer.SendAsync(what, make, guard, cancellationToken);
        if (answer.IsSuccessStatusCode) return answer;
        using (answer)
        {
            var body = await bearer.ReadAsync(what, answer, guard, cancellationToken);
            throw GcsFailures.Of(what, answer, body, this, bearer.RetryAfter(answer));
        }
    }

    public async Task<JsonObject> CallAsync(
        string what, HttpMethod method, string url, JsonObject? body, CancellationToken cancellationToken)
    {
        using var guard = Guard(cancellationToken);
        using var answer = await SendAsync(what, Request, guard, cancellationToken);
        var bytes = await bearer.ReadAsync(what, answer, guard, cancellationToken);
        try
        {
            return bytes.Length == 0 ? [] : JsonNode.Parse(bytes)?.AsObject() ?? [];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw GcsFailures.NotGoogle(what, e);
        }

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(method, url)
            {
                Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            };
            if (body is not null)
                request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
            return request;
        }
    }

    public async Task<XElement> CallXmlAsync(
        string what, Func<HttpRequestMessage> make, CancellationToken cancellationToken)
    {
        using var guard = Guard(cancellationToken);
        using var answer = await SendAsync(what, make, guard, cancellationToken);
        var bytes = await bearer.ReadAsync(what, answer, guard, cancellationToken);
        try
        {
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit };
            using var reader = XmlReader.Create(new MemoryStream(bytes), settings);
            return XElement.Load(reader, LoadOptions.PreserveWhitespace);
        }
        catch (XmlException e)
        {
            throw GcsFailures.NotGoogle(what, e);
        }
    }

    /// <summary>
    /// Copies an object inside the service (Objects: rewrite); what has to be moved takes several calls with a token.
    /// </summary>
    /// <param name="metadata">Null: that of the source.</param>
    /// <returns>The object that was made.</returns>
    public async Task<JsonObject> RewriteAsync(
        string what, (string Bucket, string Name, string Generation) source, string target, JsonObject? metadata,
        CancellationToken cancellationToken)
    {
        var url = $"{Origin}/storage/v1/b/{source.Bucket}/o/{Uri.EscapeDataString(source.Name)}"
            + $"/rewriteTo/b/{Settings.Bucket}/o/{Uri.EscapeDataString(target)}"
            + $"?ifSourceGenerationMatch={source.Generation}";
        var token = "";
        while (true)
        {
            var query = token.Length == 0 ? "" : "&rewriteToken=" + Uri.EscapeDataString(token);
            var body = metadata is null ? [] : new JsonObject { ["metadata"] = metadata.DeepClone() };
            var answer = await CallAsync(what, HttpMethod.Post, url + query, body, cancellationToken);
            if ((bool?)answer["done"] == true)
                return answer["resource"]?.AsObject() ?? throw GcsFailures.NotGoogle(what);
            token = (string?)answer["rewriteToken"] ?? throw GcsFailures.NotGoogle(what);
        }
    }

    /// <summary>Null where there is no such object.</summary>
    public async Task<GcsItem?> GetAsync(string what, string name, CancellationToken cancellationToken)
    {
        try
        {
            return GcsItem.From(await CallAsync(what, HttpMethod.Get, JsonUrl(name), null, cancellationToken));
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !GcsFailures.IsOfBucket(e))
        {
            return null;
        }
    }

    public async Task<GcsPage> ListAsync(
        string what, string prefix, string? delimiter, string? token, int most, CancellationToken cancellationToken)
    {
        var query = new StringBuilder($"?maxResults={most}&prefix=").Append(Uri.EscapeDataString(prefix));
        if (delimiter is not null) query.Append("&delimiter=").Append(Uri.EscapeDataString(delimiter));
        if (token is not null) query.Append("&pageToken=").Append(Uri.EscapeDataString(token));
        query.Append("&fields=nextPageToken,prefixes,items(name,size,generation,updated,metadata)");
        var page = await CallAsync(what, HttpMethod.Get, JsonUrl(null) + query, null, cancellationToken);
        return GcsPage.From(page);
    }

    /// <summary>Done when it is gone already.</summary>
    public async Task DeleteAsync(string what, string name, CancellationToken cancellationToken)
    {
        try
        {
            await CallAsync(what, HttpMethod.Delete, JsonUrl(name), null, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !GcsFailures.IsOfBucket(e))
        {
        }
    }

    public void Dispose() => bearer.Dispose();
}
