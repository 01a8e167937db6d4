using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Virga.Web.Serving;

/// <summary>
/// The page's files, out of the assembly. Their URLs name their content, so that browsers keep them for good; they are
/// compressed once, when they are first asked for.
/// </summary>
internal static class PageFiles
{
    private const string Prefix = "wwwroot/";
    private const int HashCharacters = 16;

    private static readonly FrozenDictionary<string, Lazy<Asset>> Files = typeof(PageFiles).Assembly
        .GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .ToFrozenDictionary(name => name[Prefix.Length..], name => new Lazy<Asset>(() => Load(name)));

    private sealed record Asset(string Type, string Tag, byte[] Plain, byte[]? Brotli, byte[]? Gzip);

    /// <summary>Where a file is, such as <c>/a/virga.css?v=0123...</c>.</summary>
    public static string Url(string name) => $"/a/{name}?v={Files[name].Value.Tag}";

    public static Task AnswerAsync(HttpContext http)
    {
        var name = http.Request.RouteValues["name"] as string ?? "";
        if (!Files.TryGetValue(name, out var file))
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        }
        var asset = file.Value;
        var headers = http.Response.Headers;
        var accepted = http.Request.Headers.AcceptEncoding;
        var (body, encoding) = asset.Brotli is { } brotli && Takes(accepted, "br") ? (brotli, "br")
            : asset.Gzip is { } gzip && Takes(accepted, "gzip") ? (gzip, "gzip")
            : (asset.Plain, null);
        if (encoding is not null) headers.ContentEncoding = encoding;
        headers.Vary = HeaderNames.AcceptEncoding;
        headers.CacheControl = http.Request.Query["v"] == asset.Tag
            ? "public, max-age=31536000, immutable" : "no-cache";
        http.Response.ContentType = asset.Type;
        http.Response.ContentLength = body.Length;
        return http.Response.Body.WriteAsync(body, http.RequestAborted).AsTask();
    }

    private static bool Takes(StringValues accepted, string encoding) =>
        accepted.Any(line => line?.Contains(encoding, StringComparison.OrdinalIgnoreCase) == true);

    private static Asset Load(string resource)
    {
        using var stream = typeof(PageFiles).Assembly.GetManifestResourceStream(resource)!;
        var plain = new byte[stream.Length];
        stream.ReadExactly(plain);
        var type = Path.GetExtension(resource) switch
        {
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            ".webmanifest" => "application/manifest+json",
            _ => "text/plain; charset=utf-8",
        };
        var tag = Convert.ToHexStringLower(SHA256.HashData(plain))[..HashCharacters];
        return new Asset(
            type, tag, plain,
            Compress(plain, s => new BrotliStream(s, CompressionLevel.Optimal)),
            Compress(plain, s => new GZipStream(s, CompressionLevel.Optimal)));
    }

    private static byte[]? Compress(byte[] plain, Func<Stream, Stream> wrap)
    {
        using var packed = new MemoryStream();
        using (var stream = wrap(packed)) stream.Write(plain);
        var body = packed.ToArray();
        return body.Length < plain.Length ? body : null;
    }
}
