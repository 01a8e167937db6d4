using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>
/// Google Cloud Storage: its JSON API (cloud.google.com/storage/docs/json_api), of the XML API what uploads in parts,
/// reads and signed URLs need (cloud.google.com/storage/docs/xml-api), and the token endpoint for service accounts
/// (RFC 7523). Where the documents leave something open, the fake takes the stricter reading.
/// </summary>
public sealed partial class FakeGcs(TimeProvider clock) : FakeService(clock)
{
    private const string Storage = "storage.googleapis.com", Tokens = "oauth2.googleapis.com",
        Old = "www.googleapis.com";

    private readonly Lock gate = new();
    private readonly Dictionary<string, SortedDictionary<string, GcsObject>> buckets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, GcsSession> sessions = new(StringComparer.Ordinal);
    private long lastGeneration = 1_700_000_000_000_000;
    private int lastSession;

    public override IReadOnlyList<string> Hosts => [Storage, Tokens, Old];

    /// <summary>Multipart uploads and resumable sessions that were begun and not ended.</summary>
    public int OpenSessions
    {
        get
        {
            lock (gate) return sessions.Count;
        }
    }

    /// <summary>The names of all objects of a bucket.</summary>
    public IReadOnlyList<string> NamesIn(string bucket)
    {
        lock (gate) return [.. buckets[bucket].Keys];
    }

    public void AddBucket(string name)
    {
        lock (gate) buckets.Add(name, new SortedDictionary<string, GcsObject>(StringComparer.Ordinal));
    }

    protected override string OperationOf(HttpRequest request)
    {
        if (request.Host.Host == Tokens) return "token";
        var path = request.Path.Value ?? "";
        var method = request.Method;
        if (path.StartsWith("/upload/", StringComparison.Ordinal))
            return request.Query.ContainsKey("upload_id") ? "upload.chunk" : "upload." + request.Query["uploadType"];
        if (IsJson(path))
        {
            return path.Contains("/rewriteTo/", StringComparison.Ordinal) ? "objects.rewrite"
                : path.EndsWith("/compose", StringComparison.Ordinal) ? "objects.compose"
                : path.EndsWith("/o", StringComparison.Ordinal) ? "objects.list"
                : path.Contains("/o/", StringComparison.Ordinal) ? "objects." + method.ToLowerInvariant()
                : "buckets." + method.ToLowerInvariant();
        }
        if (request.Query.ContainsKey("uploads")) return method == "POST" ? "multipart.begin" : "multipart.list";
        if (request.Query.ContainsKey("partNumber")) return "multipart.part";
        if (request.Query.ContainsKey("uploadId"))
            return method == "POST" ? "multipart.complete" : method == "DELETE" ? "multipart.abort" : "multipart.parts";
        return "xml." + method.ToLowerInvariant();
    }

    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait) context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        return AnswerAsync(
            context,
            new GcsProblem(
                429, "rateLimitExceeded", "The object exceeded the rate limit for object mutation.", "SlowDown"));
    }

    protected override Task RefuseExpiredAsync(HttpContext context) => AnswerAsync(context, GcsProblem.Unauthorized());

    /// <summary>Buckets grow without end; it is a project whose quota ends.</summary>
    protected override Task RefuseFullAsync(HttpContext context) => AnswerAsync(
        context,
        new GcsProblem(
            403, "quotaExceeded", "The requested operation would cause a resource to exceed a quota limit.",
            "QuotaExceeded"));

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        try
        {
            var path = RawPath(context);
            if (operation == "token") await TokenAsync(context);
            else if (path.StartsWith("/upload/storage/v1/b/", StringComparison.Ordinal))
                await UploadAsync(context, path["/upload/storage/v1/b/".Length..]);
            else if (path.StartsWith("/download/storage/v1/b/", StringComparison.Ordinal))
                await JsonAsync(context, path["/download/storage/v1/b/".Length..]);
            else if (path.StartsWith("/storage/v1/b", StringComparison.Ordinal))
                await JsonAsync(context, path["/storage/v1/b".Length..].TrimStart('/'));
            else await XmlAsync(context, path.TrimStart('/'), operation);
        }
        catch (GcsProblem problem)
        {
            await AnswerAsync(context, problem);
        }
        catch (JsonException e)
        {
            await AnswerAsync(context, new GcsProblem(400, "parseError", e.Message, "InvalidArgument"));
        }
    }

    private static bool IsJson(string path) =>
        path.StartsWith("/storage/v1/", StringComparison.Ordinal)
        || path.StartsWith("/download/storage/v1/", StringComparison.Ordinal);

    // Names hold %2F: Kestrel's own path has it decoded in part.
    private static string RawPath(HttpContext context)
    {
        var raw = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget;
        var at = raw.IndexOf('?', StringComparison.Ordinal);
        return at < 0 ? raw : raw[..at];
    }

    private SortedDictionary<string, GcsObject> BucketOf(string name) =>
        buckets.TryGetValue(name, out var bucket) ? bucket : throw GcsProblem.NoBucket();

    private GcsObject ObjectOf(string bucket, string name) =>
        BucketOf(bucket).TryGetValue(name, out var found) ? found : throw GcsProblem.NoObject(bucket, name);

    /// <summary>Stores a new generation; 0 as the condition means that none may be there.</summary>
    private GcsObject Put(
        string bucket, string name, Blob content, string contentType, IReadOnlyDictionary<string, string> metadata,
        long? ifGenerationMatch)
    {
        CheckName(name);
        lock (gate)
        {
            var objects = BucketOf(bucket);
            if (ifGenerationMatch is { } wanted && (objects.GetValueOrDefault(name)?.Generation ?? 0) != wanted)
                throw GcsProblem.Precondition();
            return objects[name] = new GcsObject(
                name, content, ++lastGeneration, Clock.GetUtcNow(), contentType, metadata);
        }
    }

    // Cloud Storage, "Objects", "Object name requirements".
    private static void CheckName(string name)
    {
        var bytes = System.Text.Encoding.UTF8.GetByteCount(name);
        if (bytes is < 1 or > 1024) throw GcsProblem.Bad("The specified object name is not valid: its length.");
        if (name.AsSpan().ContainsAny('\r', '\n') || name is "." or ".."
            || name.StartsWith(".well-known/acme-challenge/", StringComparison.Ordinal))
            throw GcsProblem.Bad("The specified object name is not valid.");
    }

    private static long? Number(HttpContext context, string name) =>
        context.Request.Query[name].FirstOrDefault() is { Length: > 0 } text
            ? long.TryParse(text, out var number) ? number : throw GcsProblem.Bad($"Invalid long value: '{text}'.")
            : null;

    private static Task AnswerAsync(HttpContext context, GcsProblem problem)
    {
        if (IsJson(context.Request.Path) || context.Request.Path.StartsWithSegments("/upload"))
        {
            return AnswerAsync(context, problem.Status, new JsonObject
            {
                ["error"] = new JsonObject
                {
                    ["code"] = problem.Status,
                    ["message"] = problem.Message,
                    ["errors"] = new JsonArray(new JsonObject
                    {
                        ["message"] = problem.Message, ["domain"] = "global", ["reason"] = problem.Reason,
                    }),
                },
            });
        }
        return AnswerAsync(context, problem.Status, new XElement(
            "Error", new XElement("Code", problem.Code), new XElement("Message", problem.Message)));
    }

    private static Task AnswerAsync(HttpContext context, int status, JsonNode body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=UTF-8";
        var bytes = JsonSerializer.SerializeToUtf8Bytes(body);
        context.Response.ContentLength = bytes.Length;
        return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }

    private static Task AnswerAsync(HttpContext context, int status, XElement body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml; charset=UTF-8";
        if (HttpMethods.IsHead(context.Request.Method)) return Task.CompletedTask;
        var bytes = System.Text.Encoding.UTF8.GetBytes(
            "<?xml version='1.0' encoding='UTF-8'?>" + body.ToString(SaveOptions.DisableFormatting));
        context.Response.ContentLength = bytes.Length;
        return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }
}
