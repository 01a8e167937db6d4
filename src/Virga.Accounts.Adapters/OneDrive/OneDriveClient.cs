using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>What a call came to.</summary>
/// <param name="Code">Of an error; "" otherwise.</param>
internal readonly record struct OneDriveReply(
    HttpStatusCode Status, string Code, JsonElement Value, TimeSpan? RetryAfter)
{
    public bool IsGood => (int)Status is >= 200 and < 300;

    public bool IsMissing => Status is HttpStatusCode.NotFound or HttpStatusCode.Gone;

    public JsonElement OrThrow(string what) =>
        IsGood ? Value : throw OneDriveFailures.Of(what, Status, Code, RetryAfter);
}

/// <summary>Calls by Microsoft Graph 1.0, and to the URLs that it hands out, which open by themselves.</summary>
internal sealed class OneDriveClient(OneDriveSettings settings, IAccessTokens tokens, AdapterServices services)
    : IDisposable
{
    private const string Graph = "https://graph.microsoft.com/v1.0/";

    private readonly BearerClient bearer = new(new Uri(Graph), tokens, services);

    public AdapterServices Services => bearer.Services;

    public StallGuard Guard(CancellationToken cancellationToken) => bearer.Guard(cancellationToken);

    /// <summary>
    /// An item by its path (learn.microsoft.com/graph/onedrive-addressing-driveitems), and what is wanted of it.
    /// </summary>
    public string UrlOf(EntryPath path, string call = "") => UrlAt(settings.Folder.Append(path), call);

    /// <summary>The same for a path from the drive's root.</summary>
    public string UrlAt(EntryPath whole, string call = "")
    {
        var item = whole.IsRoot ? "" : $":/{AddressParser.EncodePath(whole.Value)}";
        return $"{Graph}{settings.Root}{item}{(call.Length == 0 ? "" : whole.IsRoot ? "/" + call : ":/" + call)}";
    }

    public string UrlOf(string id) => $"{Graph}{settings.Drive}/items/{Uri.EscapeDataString(id)}";

    public string DriveUrl => Graph + settings.Drive;

    /// <summary>Where the log of changes is: of the drive, or of the app's own folder.</summary>
    public string DeltaUrl => $"{Graph}{settings.Root}/delta";

    public static bool IsOwn(string url) => url.StartsWith(Graph, StringComparison.Ordinal);

    /// <summary>A page's address that an answer named; never one elsewhere, since the token goes with it.</summary>
    public static string Checked(string what, string? next) =>
        next is not null && IsOwn(next)
            ? next
            : throw new VirgaException(FailureKind.Unavailable, $"{what}: OneDrive sends us elsewhere");

    public async Task<OneDriveReply> CallAsync(
        string what, HttpMethod method, string url, JsonObject? body, CancellationToken cancellationToken)
    {
        var bytes = body is null ? null : JsonSerializer.SerializeToUtf8Bytes(body);
        using var guard = bearer.Guard(cancellationToken);
        using var answer = await bearer.SendAsync(what, Request, guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(method, url)
            {
                // Many small calls share one connection.
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            };
            if (bytes is null) return request;
            request.Content = new ByteArrayContent(bytes);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            return request;
        }
    }

    /// <summary>An empty file: there is no session without bytes.</summary>
    public async Task<OneDriveReply> PutNothingAsync(string what, string url, CancellationToken cancellationToken)
    {
        using var guard = bearer.Guard(cancellationToken);
        using var answer = await bearer.SendAsync(what, Request, guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);

        HttpRequestMessage Request()
        {
            var content = new ByteArrayContent([]);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            return new HttpRequestMessage(HttpMethod.Put, url) { Content = content };
        }
    }

    /// <summary>A request to an upload session: bytes, or none to ask (GET) or end it (DELETE).</summary>
    public async Task<OneDriveReply> SessionAsync(
        string what, HttpMethod method, Uri session, long offset, ReadOnlyMemory<byte> content, long total,
        CancellationToken cancellationToken)
    {
        using var guard = bearer.Guard(cancellationToken);
        var request = new HttpRequestMessage(method, session);
        if (method == HttpMethod.Put)
        {
            request.Content = new MemoryContent(content, guard);
            request.Content.Headers.ContentRange =
                new ContentRangeHeaderValue(offset, offset + content.Length - 1, total);
        }
        using var answer = await bearer.SendBareAsync(what, request, guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);
    }

    /// <summary>Begins to read a range; the answer's headers are there, and every status is an answer.</summary>
    public Task<HttpResponseMessage> DownloadAsync(
        string what, Uri url, ByteRange range, StallGuard guard, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
        return bearer.SendBareAsync(what, request, guard, cancellationToken);
    }

    public async Task<OneDriveReply> ReadAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken)
    {
        var body = await bearer.ReadAsync(what, answer, guard, cancellationToken);
        var value = default(JsonElement);
        try
        {
            if (body.Length > 0)
            {
                using var document = JsonDocument.Parse(body);
                value = document.RootElement.Clone();
            }
        }
        catch (JsonException e) when (answer.IsSuccessStatusCode)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"{what}: OneDrive's answer is not what its API promises", inner: e);
        }
        catch (JsonException)
        {
            // An error page of a proxy: the status has to do.
        }
        return new OneDriveReply(
            answer.StatusCode, OneDriveFailures.CodeOf(value), value, bearer.RetryAfter(answer));
    }

    public void Dispose() => bearer.Dispose();
}
