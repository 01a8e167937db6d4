using System.Globalization;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Shares;

/// <summary>
/// Blobs of our own shares to whatever speaks HTTP: whole, or one range as RFC 9110 has them. Who may read was decided.
/// </summary>
internal sealed class HttpRanges(Pace sending, Action<string> log)
{
    /// <param name="root">Null for an empty file, and for padding, which is zeros.</param>
    public async Task AnswerAsync(HttpContext http, ShareReader reader, Hash256? root, long length)
    {
        var (range, isPart) = RangeOf(http.Request.Headers.Range.ToString(), length);
        var response = http.Response;
        response.ContentType = "application/octet-stream";
        response.Headers.AcceptRanges = "bytes";
        // What a share names never changes.
        response.Headers.ETag = $"\"{root?.ToString() ?? "empty"}\"";
        if (range is not { } wanted)
        {
            response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            response.Headers.ContentRange = $"bytes */{length}";
            return;
        }
        response.ContentLength = wanted.Length;
        if (isPart)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = $"bytes {wanted.Offset}-{wanted.End - 1}/{length}";
        }
        if (HttpMethods.IsHead(http.Request.Method) || wanted.Length == 0) return;
        using var paced = sending.BytesPerSecond is null ? null : new PacedWriter(response.BodyWriter, sending);
        try
        {
            var output = paced ?? response.BodyWriter;
            if (root is { } named) await reader.CopyRangeAsync(named, wanted, output, http.RequestAborted);
            else WriteZeros(output, wanted.Length);
            await output.FlushAsync(http.RequestAborted);
        }
        catch (VirgaException e) when (response.HasStarted)
        {
            log($"an answer for share {reader.Index.InfoHash} was cut: {e.Message}");
            http.Abort();
        }
        catch (VirgaException)
        {
            (response.ContentLength, response.Headers.ContentRange, response.Headers.ETag) = (null, default, default);
            throw;
        }
    }

    private static void WriteZeros(PipeWriter output, long count)
    {
        while (count > 0)
        {
            var room = output.GetSpan();
            room = room[..(int)Math.Min(room.Length, count)];
            room.Clear();
            output.Advance(room.Length);
            count -= room.Length;
        }
    }

    /// <summary>One range, or the whole file: other forms may be answered so. Null: outside of the file.</summary>
    private static (ByteRange? Range, bool IsPart) RangeOf(string header, long length)
    {
        const string unit = "bytes=";
        var whole = (new ByteRange(0, length), false);
        if (!header.StartsWith(unit, StringComparison.OrdinalIgnoreCase) || header.Contains(',')) return whole;
        var parts = header[unit.Length..].Split('-');
        if (parts.Length != 2) return whole;
        if (parts[0].Length == 0)
        {
            if (Number(parts[1]) is not { } last) return whole;
            return last == 0 || length == 0 ? (null, true)
                : (new ByteRange(Math.Max(0, length - last), Math.Min(last, length)), true);
        }
        if (Number(parts[0]) is not { } first || (parts[1].Length > 0 && Number(parts[1]) is null)) return whole;
        var end = Math.Min(length, parts[1].Length > 0 ? Number(parts[1])!.Value + 1 : length);
        return first >= length || end <= first ? (null, true) : (new ByteRange(first, end - first), true);

        static long? Number(string text) =>
            long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number < long.MaxValue ? number : null;
    }
}
