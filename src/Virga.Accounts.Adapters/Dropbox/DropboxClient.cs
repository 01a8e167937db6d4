using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>What a call came to: the value, or the tags of the error by which it was refused.</summary>
/// <param name="Tags">Such as <c>path/not_found</c>; "" where it succeeded.</param>
/// <param name="Value">The result; the error where there is one.</param>
internal readonly record struct DropboxReply(string Tags, JsonElement Value)
{
    public bool IsGood => Tags.Length == 0;

    /// <summary>Whether the error is this one or below it: errors are told apart by the start of their tags.</summary>
    public bool Is(string tags) => Tags.StartsWith(tags, StringComparison.Ordinal);

    public JsonElement OrThrow(string what) => IsGood ? Value : throw DropboxFailures.Of(what, Tags);
}

/// <summary>
/// Calls by Dropbox's HTTP API (www.dropbox.com/developers/documentation/http/documentation): bodies of JSON at one
/// host, bodies of bytes with JSON in a header at another.
/// </summary>
internal sealed class DropboxClient(IAccessTokens tokens, AdapterServices services) : IDisposable
{
    private const string Rpc = "https://api.dropboxapi.com/2/", Transport = "https://content.dropboxapi.com/2/";

    private readonly BearerClient bearer = new(new Uri(Rpc), tokens, services);

    public AdapterServices Services => bearer.Services;

    public async Task<DropboxReply> CallAsync(
        string what, string route, JsonObject? arguments, CancellationToken cancellationToken)
    {
        using var guard = bearer.Guard(cancellationToken);
        var body = arguments is null ? "null"u8.ToArray() : JsonSerializer.SerializeToUtf8Bytes(arguments);
        using var answer = await bearer.SendAsync(what, Request, guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);

        HttpRequestMessage Request()
        {
            var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            return new HttpRequestMessage(HttpMethod.Post, Rpc + route)
            {
                Content = content,
                // Many small calls share one connection.
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            };
        }
    }

    /// <summary>A call that takes bytes.</summary>
    public async Task<DropboxReply> UploadAsync(
        string what, string route, JsonObject arguments, ReadOnlyMemory<byte> content,
        CancellationToken cancellationToken)
    {
        using var guard = bearer.Guard(cancellationToken);
        var header = HeaderSafe(arguments);
        using var answer = await bearer.SendAsync(what, Request, guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);

        HttpRequestMessage Request()
        {
            var body = new MemoryContent(content, guard);
            body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            var request = new HttpRequestMessage(HttpMethod.Post, Transport + route) { Content = body };
            request.Headers.TryAddWithoutValidation("Dropbox-API-Arg", header);
            return request;
        }
    }

    /// <summary>
    /// Begins to read a range; the answer's headers are there. 416 is an answer, too, and so is 409, whose tags
    /// <see cref="ReadAsync"/> tells.
    /// </summary>
    public Task<HttpResponseMessage> DownloadAsync(
        string what, string path, ByteRange range, StallGuard guard, CancellationToken cancellationToken)
    {
        var header = HeaderSafe(new JsonObject { ["path"] = path });
        return bearer.SendAsync(what, Request, guard, cancellationToken);

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(HttpMethod.Post, Transport + "files/download");
            request.Headers.TryAddWithoutValidation("Dropbox-API-Arg", header);
            request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
            return request;
        }
    }

    /// <summary>Reads an answer of JSON; throws for every status but 200 and 409.</summary>
    public async Task<DropboxReply> ReadAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken)
    {
        var body = await bearer.ReadAsync(what, answer, guard, cancellationToken);
        if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.Conflict))
            throw DropboxFailures.Of(what, answer.StatusCode, body, bearer.RetryAfter(answer));
        try
        {
            using var document = JsonDocument.Parse(body.Length == 0 ? "null"u8.ToArray() : body);
            var value = document.RootElement.Clone();
            return answer.StatusCode == HttpStatusCode.OK
                ? new DropboxReply("", value)
                : new DropboxReply(DropboxFailures.Tags(value), value.GetProperty("error"));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"{what}: Dropbox's answer is not what its API promises", inner: e);
        }
    }

    // Whatever is no printable ASCII must be escaped in a header (the same page, "HTTP header safe JSON").
    private static string HeaderSafe(JsonObject arguments)
    {
        var json = arguments.ToJsonString();
        if (json.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0) return json;
        var safe = new StringBuilder(json.Length + 16);
        foreach (var c in json)
        {
            if (c is >= ' ' and <= '~') safe.Append(c);
            else safe.Append("\\u").Append(((int)c).ToString("x4", null));
        }
        return safe.ToString();
    }

    public void Dispose() => bearer.Dispose();
}
