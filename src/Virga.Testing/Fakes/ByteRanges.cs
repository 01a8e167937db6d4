using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Virga.Testing.Fakes;

/// <summary>Answers with one range of bytes (RFC 9110, 14); anything else is answered with the whole.</summary>
internal static class ByteRanges
{
    public static async Task SendAsync(HttpContext context, Blob content)
    {
        context.Response.ContentType = "application/octet-stream";
        context.Response.Headers.AcceptRanges = "bytes";
        var (offset, length) = (0L, content.Length);
        if (RangeHeaderValue.TryParse(context.Request.Headers.Range.ToString(), out var range)
            && range.Ranges.Count == 1 && range.Unit.Equals("bytes", StringComparison.Ordinal))
        {
            var one = range.Ranges.First();
            var first = one.From ?? Math.Max(0, content.Length - one.To!.Value);
            var last = Math.Min(content.Length - 1, one.From is null ? content.Length - 1 : one.To ?? long.MaxValue);
            if (first >= content.Length)
            {
                context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
                context.Response.Headers.ContentRange = $"bytes */{content.Length}";
                return;
            }
            (offset, length) = (first, last - first + 1);
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {first}-{last}/{content.Length}";
        }
        context.Response.ContentLength = length;
        await content.WriteAsync(context.Response.Body, offset, length, context.RequestAborted);
    }
}
