using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Net.Http.Headers;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Web.Serving;

/// <summary>
/// Bytes of files to the browser and back, through the agent's API. What a file holds is never run here: only harmless
/// types are named, and the answer is sandboxed in an origin of its own.
/// </summary>
internal static class FileEndpoints
{
    internal const string Sandbox =
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; "
            + "frame-ancestors 'self'";

    /// <summary>
    /// The browser's own PDF viewer runs in no sandbox. It shows the file in an origin of its own, and with its type
    /// told and not guessed (nosniff) a file of that name is never a page.
    /// </summary>
    private const string PdfPolicy = "frame-ancestors 'self'";

    private static readonly Dictionary<string, string> Types = new(StringComparer.OrdinalIgnoreCase)
    {
        [".png"] = "image/png", [".jpg"] = "image/jpeg", [".jpeg"] = "image/jpeg", [".gif"] = "image/gif",
        [".webp"] = "image/webp", [".avif"] = "image/avif", [".bmp"] = "image/bmp", [".svg"] = "image/svg+xml",
        [".ico"] = "image/x-icon",
        [".mp4"] = "video/mp4", [".m4v"] = "video/mp4", [".webm"] = "video/webm", [".ogv"] = "video/ogg",
        [".mov"] = "video/quicktime", [".mkv"] = "video/x-matroska",
        [".mp3"] = "audio/mpeg", [".m4a"] = "audio/mp4", [".ogg"] = "audio/ogg", [".oga"] = "audio/ogg",
        [".opus"] = "audio/ogg", [".flac"] = "audio/flac", [".wav"] = "audio/wav",
        [".pdf"] = "application/pdf",
        [".txt"] = "text/plain; charset=utf-8", [".md"] = "text/plain; charset=utf-8",
        [".markdown"] = "text/plain; charset=utf-8",
        [".csv"] = "text/plain; charset=utf-8", [".log"] = "text/plain; charset=utf-8",
        [".json"] = "text/plain; charset=utf-8", [".xml"] = "text/plain; charset=utf-8",
        [".yml"] = "text/plain; charset=utf-8", [".yaml"] = "text/plain; charset=utf-8",
        [".ini"] = "text/plain; charset=utf-8", [".toml"] = "text/plain; charset=utf-8",
        [".cs"] = "text/plain; charset=utf-8", [".py"] = "text/plain; charset=utf-8",
        [".sh"] = "text/plain; charset=utf-8", [".srt"] = "text/plain; charset=utf-8",
    };

    /// <summary>Whether it is text that is shown as a document.</summary>
    public static bool IsMarkdown(string name) =>
        Path.GetExtension(name).ToLowerInvariant() is ".md" or ".markdown";

    /// <summary>image, video, audio, pdf, text; null for what is only downloaded.</summary>
    public static string? KindOf(string name) => Types.GetValueOrDefault(Path.GetExtension(name)) switch
    {
        null => null,
        "application/pdf" => "pdf",
        var type => type[..type.IndexOf('/')],
    };

    public static string Url(string account, string path, bool isDownload = false) =>
        $"/raw/{Uri.EscapeDataString(account)}?path={Uri.EscapeDataString(path)}{(isDownload ? "&download=1" : "")}";

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/raw/{account}", ReadAsync);
        routes.MapPut("/raw/{account}", WriteAsync);
    }

    private static async Task ReadAsync(HttpContext http)
    {
        var (account, path) = PlaceOf(http);
        var name = path[(path.LastIndexOf('/') + 1)..];
        try
        {
            var range = http.Request.Headers.Range is [{ } asked] ? asked : null;
            using var content = await http.RequestServices.GetRequiredService<ControlClient>()
                .OpenContentAsync(account, path, range, http.RequestAborted);
            var type = Types.GetValueOrDefault(Path.GetExtension(name));
            var headers = http.Response.Headers;
            http.Response.StatusCode = (int)content.StatusCode;
            http.Response.ContentLength = content.Content.Headers.ContentLength;
            http.Response.ContentType = type ?? "application/octet-stream";
            headers.ContentRange = content.Content.Headers.ContentRange?.ToString();
            headers.AcceptRanges = "bytes";
            headers.ContentSecurityPolicy = type == "application/pdf" ? PdfPolicy : Sandbox;
            headers.XFrameOptions = "SAMEORIGIN";
            var isDownload = type is null || http.Request.Query["download"] == "1";
            var disposition = new ContentDispositionHeaderValue(isDownload ? "attachment" : "inline");
            disposition.SetHttpFileName(name);
            headers.ContentDisposition = disposition.ToString();
            await content.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
        }
        catch (VirgaException e)
        {
            await RefuseAsync(http, e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // Half a file must not pass for the whole.
            http.Abort();
        }
    }

    private static async Task WriteAsync(HttpContext http)
    {
        var (account, path) = PlaceOf(http);
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        try
        {
            var length = http.Request.ContentLength ?? throw new VirgaException(
                FailureKind.BadInput, "an upload says how long it is", "Send a Content-Length.");
            var entry = await http.RequestServices.GetRequiredService<ControlClient>()
                .PutContentAsync(account, path, http.Request.Body, length, http.RequestAborted);
            await http.Response.WriteAsJsonAsync(entry, ControlJson.Default.EntryInfo, null, http.RequestAborted);
        }
        catch (VirgaException e)
        {
            await RefuseAsync(http, e);
        }
    }

    private static (string Account, string Path) PlaceOf(HttpContext http) =>
        (http.Request.RouteValues["account"] as string ?? "", http.Request.Query["path"].ToString());

    internal static async Task RefuseAsync(HttpContext http, VirgaException failure)
    {
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }
        http.Response.Clear();
        http.Response.Headers.ContentSecurityPolicy = Sandbox;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.StatusCode = ErrorMessage.StatusOf(failure).Status;
        await http.Response.WriteAsJsonAsync(
            new ControlError(failure.Kind.ToString(), failure.Message, failure.Advice),
            ControlJson.Default.ControlError, null, http.RequestAborted);
    }
}
