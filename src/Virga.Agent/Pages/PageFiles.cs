using System.Collections.Concurrent;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Pages;

/// <summary>
/// The page on which people without an agent open a share (docs/guides/share-page.md): static files that stand in this
/// assembly as they were written. The page is the same for every share; what the share is, it asks for itself.
/// </summary>
internal sealed class PageFiles
{
    /// <summary>Scripts of ours alone, none in the markup; nothing is asked of another host.</summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        + "connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'";

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8", [".js"] = "text/javascript; charset=utf-8",
        [".css"] = "text/css; charset=utf-8", [".svg"] = "image/svg+xml",
    };

    private readonly ConcurrentDictionary<string, PageFile?> files = new(StringComparer.Ordinal);

    private sealed record PageFile(string Type, byte[] Plain, byte[] Zipped, string Tag);

    public void Map(PeerRoutes routes)
    {
        // It says itself that this is no share's address.
        routes.Guest("GET", "/", http => AnswerAsync(http, "share.html"), RequestClass.Read);
        routes.Guest("GET", "/s/{hash}", http => AnswerAsync(http, "share.html"), RequestClass.Read);
        routes.Guest("GET", "/s/page/{**name}", http => AnswerAsync(http, http.RouteText("name")), RequestClass.Read);
        // The page's own service worker answers these; who comes here came without it.
        routes.Guest("GET", "/s/{hash}/file/{**rest}", async http =>
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            http.Response.ContentType = "text/plain; charset=utf-8";
            await http.Response.WriteAsync(
                "Open the share's page first, then the file there.\n", http.RequestAborted);
        }, RequestClass.Read);
    }

    private async Task AnswerAsync(HttpContext http, string name)
    {
        var file = files.Count < 100 ? files.GetOrAdd(name, Load) : files.GetValueOrDefault(name);
        if (file is null) throw new VirgaException(FailureKind.NotFound, "there is no such file here");
        var response = http.Response;
        response.Headers.ContentSecurityPolicy = Policy;
        response.ContentType = file.Type;
        response.Headers.ETag = file.Tag;
        response.Headers.CacheControl = "no-cache";
        response.Headers.Vary = "Accept-Encoding";
        if (name == "service.js") response.Headers["Service-Worker-Allowed"] = "/s/";
        if (http.Request.Headers.IfNoneMatch == file.Tag)
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        var isZipped = http.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal);
        if (isZipped) response.Headers.ContentEncoding = "gzip";
        var body = isZipped ? file.Zipped : file.Plain;
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, http.RequestAborted);
    }

    private static PageFile? Load(string name)
    {
        if (!Types.TryGetValue(Path.GetExtension(name), out var type)) return null;
        using var stream = typeof(PageFiles).Assembly.GetManifestResourceStream("page/" + name);
        if (stream is null) return null;
        using var plain = new MemoryStream();
        stream.CopyTo(plain);
        using var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionLevel.SmallestSize, leaveOpen: true))
            gzip.Write(plain.GetBuffer(), 0, (int)plain.Length);
        var bytes = plain.ToArray();
        return new PageFile(
            type, bytes, zipped.ToArray(), $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes)[..12])}\"");
    }
}
