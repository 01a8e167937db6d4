using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Web.Live;

namespace Virga.Web.Serving;

/// <summary>Small pictures for lists: those that photographs carry, and whole files where they are small.</summary>
internal static class ThumbEndpoints
{
    /// <summary>A larger file is not read whole for a list.</summary>
    public const long WholeBytesMax = 512 << 10;

    /// <summary>No list takes the account away from who works with it.</summary>
    private static readonly SemaphoreSlim AtOnce = new(6);

    /// <summary>Null where a list shows the kind's sign alone.</summary>
    public static string? Url(string account, EntryInfo entry)
    {
        if (entry.Kind != "file" || FileEndpoints.KindOf(entry.Path) != "image" || entry.Length == 0) return null;
        if (entry.Length <= WholeBytesMax) return FileEndpoints.Url(account, entry.Path);
        // What changes has another address, so that browsers keep the rest.
        return IsJpeg(entry.Path)
            ? $"/thumb/{Uri.EscapeDataString(account)}?path={Uri.EscapeDataString(entry.Path)}"
                + $"&v={entry.Length}-{entry.Modified?.ToUnixTimeSeconds()}"
            : null;
    }

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/thumb/{account}", AnswerAsync);

    private static bool IsJpeg(string path) => Path.GetExtension(path).ToLowerInvariant() is ".jpg" or ".jpeg";

    private static async Task AnswerAsync(HttpContext http)
    {
        var account = http.Request.RouteValues["account"] as string ?? "";
        var path = http.Request.Query["path"].ToString();
        byte[]? picture = null;
        await AtOnce.WaitAsync(http.RequestAborted);
        try
        {
            using var content = await http.RequestServices.GetRequiredService<ControlClient>().OpenContentAsync(
                account, path, $"bytes=0-{ExifThumbnail.HeadBytes - 1}", http.RequestAborted);
            if (content.StatusCode == HttpStatusCode.PartialContent)
                picture = ExifThumbnail.Find(await content.Content.ReadAsByteArrayAsync(http.RequestAborted));
        }
        catch (Exception e) when (e is VirgaException or HttpRequestException or IOException)
        {
            // The list shows the kind's sign; who opens the picture is told why not.
        }
        finally
        {
            AtOnce.Release();
        }
        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = FileEndpoints.Sandbox;
        headers.CacheControl = "private, max-age=86400";
        if (picture is null)
        {
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }
        http.Response.ContentType = "image/jpeg";
        http.Response.ContentLength = picture.Length;
        await http.Response.Body.WriteAsync(picture, http.RequestAborted);
    }
}
