using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Virga.Testing.Fakes;

/// <summary>Which service's words a <see cref="FaultyFront"/> refuses in.</summary>
public enum FrontWords { S3, Azure, WebDav }

/// <summary>
/// Stands before a real server that can't be told to fail: passes on what is asked and answered, but for the faults
/// that a test has planned, which it words as that kind of service does. Plain HTTP on loopback.
/// </summary>
public sealed class FaultyFront : FakeService
{
    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false, UseCookies = false, UseProxy = false,
        // The server is this machine's own.
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
    });
    private readonly Uri server;
    private readonly FrontWords words;

    public FaultyFront(Uri server, FrontWords words) : base(TimeProvider.System)
    {
        this.server = server;
        this.words = words;
    }

    public override IReadOnlyList<string> Hosts => ["localhost"];

    /// <summary>While true, the first byte of everything that is read is another, and nothing else tells.</summary>
    public bool Rots { get; set; }

    public Uri Url => new($"http://127.0.0.1:{EndPoint.Port}");

    protected override bool IsPlain => true;

    /// <summary>begin, part, complete, write, read, list, stat, delete, move; other verbs as they are.</summary>
    protected override string OperationOf(HttpRequest request)
    {
        var (method, query, headers) = (request.Method, request.Query, request.Headers);
        return words switch
        {
            FrontWords.S3 when method == "POST" => query.ContainsKey("uploads") ? "begin"
                : query.ContainsKey("uploadId") ? "complete" : "POST",
            FrontWords.S3 when query.ContainsKey("partNumber") => "part",
            FrontWords.S3 when method == "PUT" => headers.ContainsKey("x-amz-copy-source") ? "move" : "write",
            FrontWords.S3 when method == "GET" => query.ContainsKey("list-type") ? "list"
                : query.ContainsKey("uploads") ? "uploads" : "read",
            FrontWords.Azure when method == "PUT" => query["comp"].ToString() switch
            {
                "block" => "part",
                "blocklist" => "complete",
                "" => headers.ContainsKey("x-ms-copy-source") ? "move"
                    : request.Path.Value!.Contains("/.virga", StringComparison.Ordinal) ? "begin" : "write",
                var other => other,
            },
            FrontWords.Azure when method == "GET" => query["comp"] == "list" ? "list" : "read",
            FrontWords.WebDav when method == "PUT" => headers.ContainsKey("Content-Range") ? "part" : "write",
            FrontWords.WebDav when method == "GET" => "read",
            FrontWords.WebDav when method == "PROPFIND" => headers["Depth"] == "0" ? "stat" : "list",
            FrontWords.WebDav when method == "MOVE" => "move",
            _ => method switch { "HEAD" => "stat", "DELETE" => "delete", var other => other },
        };
    }

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        using var request = Copy(context.Request);
        HttpResponseMessage answer;
        try
        {
            answer = await http.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        }
        catch (HttpRequestException)
        {
            throw new BrokenConnectionException();
        }
        using (answer)
        {
            context.Response.StatusCode = (int)answer.StatusCode;
            if (context.Features.Get<IHttpResponseFeature>() is { } feature) feature.ReasonPhrase = answer.ReasonPhrase;
            foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
            {
                if (name is "Transfer-Encoding" or "Connection" or "Keep-Alive") continue;
                context.Response.Headers[name] = values.ToArray();
            }
            if (Rots && operation == "read") await CopyRottenAsync(answer.Content, context);
            else await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
    }

    private static async Task CopyRottenAsync(HttpContent content, HttpContext context)
    {
        await using var body = await content.ReadAsStreamAsync(context.RequestAborted);
        var first = new byte[1];
        if (await body.ReadAsync(first, context.RequestAborted) == 0) return;
        first[0] ^= 1;
        await context.Response.Body.WriteAsync(first, context.RequestAborted);
        await body.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    /// <summary>The server sees the part begin, as it would.</summary>
    protected override Task BreakRequestAsync(HttpContext context, string operation) =>
        context.Request.ContentLength is > 0 ? HandleAsync(context, operation) : Task.CompletedTask;

    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait) context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        return words switch
        {
            FrontWords.S3 => RefuseAsync(context, 503, "SlowDown"),
            FrontWords.Azure => RefuseAsync(context, 503, "ServerBusy"),
            _ => RefuseAsync(context, 429, "Too Many Requests"),
        };
    }

    protected override Task RefuseBrokenAsync(HttpContext context) => RefuseAsync(context, 500, "InternalError");

    /// <summary>Keys and passwords don't expire: they are taken back.</summary>
    protected override Task RefuseExpiredAsync(HttpContext context)
    {
        if (words == FrontWords.WebDav) context.Response.Headers.WWWAuthenticate = "Basic realm=\"files\"";
        return words switch
        {
            FrontWords.S3 => RefuseAsync(context, 403, "InvalidAccessKeyId"),
            FrontWords.Azure => RefuseAsync(context, 403, "AuthenticationFailed"),
            _ => RefuseAsync(context, 401, "Unauthorized"),
        };
    }

    protected override Task RefuseFullAsync(HttpContext context) => words switch
    {
        FrontWords.S3 => RefuseAsync(context, 403, "QuotaExceeded"),
        _ => RefuseAsync(context, 507, "Insufficient Storage"),
    };

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        http.Dispose();
        GC.SuppressFinalize(this);
    }

    private async Task RefuseAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        if (words == FrontWords.Azure)
        {
            context.Response.Headers["x-ms-request-id"] = "1";
            context.Response.Headers["x-ms-error-code"] = code;
        }
        // As real servers do, the body is taken first: not every client reads an answer that comes before.
        await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        if (context.Request.Method == "HEAD") return;
        context.Response.ContentType = "application/xml";
        await context.Response.WriteAsync(
            $"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>",
            context.RequestAborted);
    }

    private HttpRequestMessage Copy(HttpRequest from)
    {
        var raw = from.HttpContext.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var to = new HttpRequestMessage(new HttpMethod(from.Method), new Uri(server, raw));
        if (from.ContentLength is not null || from.Headers.ContainsKey("Transfer-Encoding"))
            to.Content = new StreamContent(from.Body);
        foreach (var (name, values) in from.Headers)
        {
            if (name is "Transfer-Encoding" or "Connection" or "Expect") continue;
            // Signatures cover the Host; a WebDAV server wants its own in a Destination.
            var passed = name == "Destination"
                ? [values.ToString().Replace(Url.GetLeftPart(UriPartial.Authority),
                    server.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)]
                : name == "Host" && words == FrontWords.WebDav ? [server.Authority] : values.ToArray();
            if (!to.Headers.TryAddWithoutValidation(name, passed))
                to.Content?.Headers.TryAddWithoutValidation(name, passed);
        }
        return to;
    }
}
