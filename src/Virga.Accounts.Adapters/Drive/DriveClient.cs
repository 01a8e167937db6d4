using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>What a call came to.</summary>
/// <param name="Reason">Of an error; "" otherwise.</param>
/// <param name="Value">The answer; undefined where there is none.</param>
/// <param name="StoredBytes">What an upload session says it has, in a 308; -1 otherwise.</param>
internal readonly record struct DriveReply(
    HttpStatusCode Status, string Reason, JsonElement Value, TimeSpan? RetryAfter, Uri? Location, long StoredBytes)
{
    public bool IsGood => Status is HttpStatusCode.OK or HttpStatusCode.Created or HttpStatusCode.NoContent;

    public bool IsGone => Status is HttpStatusCode.NotFound or HttpStatusCode.Gone;

    public JsonElement OrThrow(string what) =>
        IsGood ? Value : throw DriveFailures.Of(what, Status, Reason, RetryAfter);
}

/// <summary>Calls by Google Drive's API, version 3 (developers.google.com/drive/api/reference/rest/v3).</summary>
internal sealed class DriveClient(IAccessTokens tokens, AdapterServices services) : IDisposable
{
    public const string Files = "https://www.googleapis.com/drive/v3/files";
    public const string Uploads = "https://www.googleapis.com/upload/drive/v3/files";
    public const string About = "https://www.googleapis.com/drive/v3/about";

    /// <summary>What is asked of each item.</summary>
    public const string ItemFields =
        "id,name,mimeType,parents,size,modifiedTime,headRevisionId,md5Checksum,appProperties,trashed";

    /// <summary>developers.google.com/drive/api/guides/enable-shareddrives: wherever an id may be there.</summary>
    private const string Everywhere = "supportsAllDrives=true";

    private readonly BearerClient bearer = new(new Uri(Files), tokens, services);

    public AdapterServices Services => bearer.Services;

    public StallGuard Guard(CancellationToken cancellationToken) => bearer.Guard(cancellationToken);

    public static string UrlOf(string id, string more = "") =>
        $"{Files}/{Uri.EscapeDataString(id)}?{Everywhere}&fields={ItemFields}{more}";

    /// <summary>Who may do what with a file; of one permission, or of all.</summary>
    public static string PermissionsOf(string id, string? permission = null) =>
        $"{Files}/{Uri.EscapeDataString(id)}/permissions"
        + (permission is null ? "" : "/" + Uri.EscapeDataString(permission)) + $"?{Everywhere}";

    /// <summary>Makes a copy of a file.</summary>
    public static string CopyOf(string id) => WithItemFields($"{Files}/{Uri.EscapeDataString(id)}/copy");

    public static string WithItemFields(string url) => $"{url}?{Everywhere}&fields={ItemFields}";

    public async Task<DriveReply> CallAsync(
        string what, HttpMethod method, string url, JsonObject? body, CancellationToken cancellationToken)
    {
        var bytes = body is null ? null : JsonSerializer.SerializeToUtf8Bytes(body);
        return await SendAsync(what, _ => Json(method, url, bytes), cancellationToken);
    }

    private static HttpRequestMessage Json(HttpMethod method, string url, byte[]? body)
    {
        var request = new HttpRequestMessage(method, url)
        {
            // Many small calls share one connection.
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        if (body is null) return request;
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "UTF-8" };
        return request;
    }

    /// <summary>Begins a resumable upload; the session's URL is the answer's Location.</summary>
    public Task<DriveReply> StartAsync(
        string what, HttpMethod method, string url, JsonObject metadata, long length,
        CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(metadata);
        return SendAsync(
            what,
            _ =>
            {
                var request = Json(method, url, body);
                request.Headers.Add("X-Upload-Content-Type", "application/octet-stream");
                request.Headers.Add("X-Upload-Content-Length", length.ToString(null, null));
                return request;
            },
            cancellationToken);
    }

    /// <summary>Sends bytes to an upload session, or asks with none how much it has.</summary>
    public Task<DriveReply> SendChunkAsync(
        string what, Uri session, long offset, ReadOnlyMemory<byte> content, long total,
        CancellationToken cancellationToken) =>
        SendAsync(
            what,
            guard =>
            {
                var body = new MemoryContent(content, guard);
                body.Headers.ContentRange = content.Length == 0
                    ? new ContentRangeHeaderValue(total)
                    : new ContentRangeHeaderValue(offset, offset + content.Length - 1, total);
                return new HttpRequestMessage(HttpMethod.Put, session) { Content = body };
            },
            cancellationToken);

    /// <summary>A small file and what is to be told of it, in one request.</summary>
    public Task<DriveReply> SendWholeAsync(
        string what, HttpMethod method, string url, JsonObject metadata, ReadOnlyMemory<byte> content,
        CancellationToken cancellationToken)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(metadata);
        var boundary = "virga-" + Services.RandomHex(16);
        return SendAsync(
            what,
            guard =>
            {
                var first = new ByteArrayContent(json);
                first.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "UTF-8" };
                var second = new MemoryContent(content, guard);
                second.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                return new HttpRequestMessage(method, url)
                {
                    Content = new MultipartContent("related", boundary) { first, second },
                };
            },
            cancellationToken);
    }

    /// <summary>Begins to read a range; the answer's headers are there, and every status is an answer.</summary>
    public Task<HttpResponseMessage> DownloadAsync(
        string what, string id, ByteRange range, StallGuard guard, CancellationToken cancellationToken) =>
        bearer.SendAsync(
            what,
            () =>
            {
                var request = new HttpRequestMessage(
                    HttpMethod.Get, $"{Files}/{Uri.EscapeDataString(id)}?alt=media&{Everywhere}");
                request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
                return request;
            },
            guard,
            cancellationToken);

    private async Task<DriveReply> SendAsync(
        string what, Func<StallGuard, HttpRequestMessage> make, CancellationToken cancellationToken)
    {
        using var guard = bearer.Guard(cancellationToken);
        using var answer = await bearer.SendAsync(what, () => make(guard), guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);
    }

    public async Task<DriveReply> ReadAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken)
    {
        var body = await bearer.ReadAsync(what, answer, guard, cancellationToken);
        var value = Parse(what, body, mustParse: answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Created);
        return new DriveReply(
            answer.StatusCode, DriveFailures.ReasonOf(value), value, bearer.RetryAfter(answer),
            answer.Headers.Location, answer.StatusCode == HttpStatusCode.PermanentRedirect ? StoredBytes(answer) : -1);
    }

    private static JsonElement Parse(string what, byte[] body, bool mustParse)
    {
        if (body.Length == 0) return default;
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            if (!mustParse) return default;
            throw new VirgaException(
                FailureKind.Unavailable, $"{what}: Google Drive's answer is not what its API promises", inner: e);
        }
    }

    // 308 with "Range: bytes=0-42", or without one where nothing is there yet (manage-uploads, "Resume an interrupted
    // upload").
    private static long StoredBytes(HttpResponseMessage answer)
    {
        if (!answer.Headers.TryGetValues("Range", out var values)) return 0;
        var text = string.Join(',', values);
        return long.TryParse(text.AsSpan(text.LastIndexOf('-') + 1), out var last) ? last + 1 : 0;
    }

    public void Dispose() => bearer.Dispose();
}
