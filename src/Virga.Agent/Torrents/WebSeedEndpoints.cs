using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Shares;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Torrents;

/// <summary>
/// Public shares as web seed (BEP 19): each file under its name in the torrent, to whoever asks, with ranges as HTTP
/// has them (RFC 9110). Where the owner lets others read the storage directly, it is the storage that answers: no byte
/// of content passes through here.
/// </summary>
internal sealed class WebSeedEndpoints(ShareService shares, HttpRanges ranges, StorageLinks storage)
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
        if (shares.Find(infoHash) is not { Audience: AudienceKind.Public } row) throw NotHere();
        var reader = await shares.OpenAsync(infoHash, http.RequestAborted);
        var path = http.RouteText("path");
        var file = Find(reader.Index.Info, path)
            ?? (row.V1Alone is null ? null : PaddingOf(reader.Index.Info, path)) ?? throw NotHere();
        if (row.IsDirect && file is { Root: { } root, Length: > 0 } && HttpMethods.IsGet(http.Request.Method)
            && await storage.FindAsync(reader, root, http.RequestAborted) is { } url)
        {
            http.Response.Headers.Location = url.AbsoluteUri;
            http.Response.Headers.CacheControl = "no-store";
            http.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
            return;
        }
        await ranges.AnswerAsync(http, reader, file.Root, file.Length);
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

    /// <summary>A pad file of the v1 part (BEP 47), which clients that know none ask for like any other.</summary>
    private static TorrentFile? PaddingOf(TorrentInfo info, string path)
    {
        var folder = $"{info.Name}/.pad/";
        return path.StartsWith(folder, StringComparison.Ordinal)
            && int.TryParse(path.AsSpan(folder.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && length > 0 && length < info.PieceBytes
            ? new TorrentFile([".pad", path[folder.Length..]], length, Root: null) : null;
    }

    private static VirgaException NotHere() =>
        new(FailureKind.NotFound, "there is no such file here", "The share may have been withdrawn.");
}
