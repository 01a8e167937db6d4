using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Shares;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;

namespace Virga.Agent.Torrents;

/// <summary>
/// Public shares as web seed (BEP 19): each file under its name in the torrent, to whoever asks, with ranges as HTTP
/// has them (RFC 9110).
/// </summary>
internal sealed class WebSeedEndpoints(ShareService shares, Pace sending, Action<string> log)
{
    public const string Place = "v1/web/";

    public void Map(PeerRoutes routes)
    {
        routes.Public("GET", $"/{Place}{{hash}}/{{**path}}", ReadAsync, RequestClass.Read);
        routes.Public("HEAD", $"/{Place}{{hash}}/{{**path}}", ReadAsync, RequestClass.Read);
    }

    private async Task ReadAsync(HttpContext http)
    {
        var infoHash = http.RouteHash("hash");
        if (shares.Find(infoHash) is not { Audience: AudienceKind.Public }) throw NotHere();
        var reader = await shares.OpenAsync(infoHash, http.RequestAborted);
        var file = Find(reader.Index.Info, http.RouteText("path")) ?? throw NotHere();
        var (range, isPart) = RangeOf(http.Request.Headers.Range.ToString(), file.Length);
        var response = http.Response;
        response.ContentType = "application/octet-stream";
        response.Headers.AcceptRanges = "bytes";
        // What a share names never changes.
        response.Headers.ETag = $"\"{file.Root?.ToString() ?? "empty"}\"";
        if (range is not { } wanted)
        {
            response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            response.Headers.ContentRange = $"bytes */{file.Length}";
            return;
        }
        response.ContentLength = wanted.Length;
        if (isPart)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = $"bytes {wanted.Offset}-{wanted.End - 1}/{file.Length}";
        }
        if (HttpMethods.IsHead(http.Request.Method) || wanted.Length == 0) return;
        using var paced = sending.BytesPerSecond is null ? null : new PacedWriter(response.BodyWriter, sending);
        try
        {
            var output = paced ?? response.BodyWriter;
            await reader.CopyRangeAsync(file.Root!.Value, wanted, output, http.RequestAborted);
            await output.FlushAsync(http.RequestAborted);
        }
        catch (VirgaException e) when (response.HasStarted)
        {
            log($"an answer for share {infoHash} was cut: {e.Message}");
            http.Abort();
        }
        catch (VirgaException)
        {
            (response.ContentLength, response.Headers.ContentRange, response.Headers.ETag) = (null, default, default);
            throw;
        }
    }

    /// <summary>A folder's files stand below its name; a single file under its own.</summary>
    private static TorrentFile? Find(TorrentInfo info, string path)
    {
        if (!info.IsSingleFile)
        {
            if (!path.StartsWith(info.Name + '/', StringComparison.Ordinal)) return null;
            path = path[(info.Name.Length + 1)..];
        }
        return info.Files.FirstOrDefault(f => f.SymlinkTarget is null && string.Join('/', f.Path) == path);
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

    private static VirgaException NotHere() =>
        new(FailureKind.NotFound, "there is no such file here", "The share may have been withdrawn.");
}
