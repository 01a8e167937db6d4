using Microsoft.AspNetCore.Http;
using Virga.Agent.Shares;
using Virga.Agent.State;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Hosting;
using Virga.Protocol;

namespace Virga.Agent.Pages;

/// <summary>What readers that are no agents, such as a page in a browser, ask (spec/v1/guests.md).</summary>
internal sealed class GuestEndpoints(
    ShareService shares, PeerIdentity self, HttpRanges ranges, TimeProvider time)
{
    public void Map(PeerRoutes routes)
    {
        const string share = "/v1/guest/{hash}";
        Get("/v1/guest", http => http.AnswerAsync(BencodeWriter.Encode(writer => writer
            .StartDictionary().Key("agent").Bytes(self.Id.Hash.ToArray()).Key("link").Text(shares.LinkTail())
            .Key("now").Integer(time.GetUtcNow().ToUnixTimeSeconds()).End())));
        Get(share, http => http.AnswerAsync(Describe(Admit(http))));
        Get(share + "/info", async http => await WriteAsync(http, (await OpenAsync(http)).Index.Info.Raw));
        Get(share + "/layers", async http => await WriteAsync(http, (await OpenAsync(http)).Index.Layers.Encode()));
        Get(share + "/torrent", TorrentAsync);
        Get(share + "/blobs/{root}", ReadAsync);
        routes.Guest("HEAD", share + "/blobs/{root}", ReadAsync, RequestClass.Read);

        void Get(string pattern, Func<HttpContext, Task> answer) =>
            routes.Guest("GET", pattern, answer, RequestClass.Read);
    }

    private byte[] Describe(ShareRow row) => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("audience").Text(row.Audience == AudienceKind.Public ? "public" : "link");
        if (shares.MagnetOf(row) is { } magnet) writer.Key("magnet").Text(magnet);
        writer.End();
    });

    private async Task ReadAsync(HttpContext http)
    {
        var reader = await OpenAsync(http);
        var root = http.RouteHash("root");
        var length = reader.LengthOf(root)
            ?? throw new VirgaException(FailureKind.NotFound, "the share has no such blob");
        await ranges.AnswerAsync(http, reader, root, length);
    }

    private async Task TorrentAsync(HttpContext http)
    {
        var row = Admit(http);
        if (row.Audience != AudienceKind.Public)
            throw new VirgaException(FailureKind.NotFound, "only public shares have a torrent for everybody");
        var torrent = await shares.TorrentAsync(
            row.InfoHash, http.Request.Query.ContainsKey("v1"), http.RequestAborted);
        http.Response.ContentType = "application/x-bittorrent";
        http.Response.Headers.ContentDisposition = $"attachment; filename=\"{row.InfoHash}.torrent\"";
        http.Response.ContentLength = torrent.Length;
        await http.Response.Body.WriteAsync(torrent, http.RequestAborted);
    }

    private async Task<Content.Snapshots.ShareReader> OpenAsync(HttpContext http)
    {
        var row = Admit(http);
        try
        {
            return await shares.OpenAsync(row.InfoHash, http.RequestAborted);
        }
        catch (VirgaException e) when (shares.Find(row.InfoHash) is not null)
        {
            // The reason names the owner's own files and accounts: not for others to know.
            throw new VirgaException(
                FailureKind.Unavailable, "the share can't be read now", "Try again later, or tell its owner.", e);
        }
    }

    /// <summary>
    /// NotFound alike for shares that are not there and those that this guest may not know of.
    /// </summary>
    private ShareRow Admit(HttpContext http)
    {
        var infoHash = http.RouteHash("hash");
        var authorization = http.Request.Headers.Authorization.ToString();
        if (shares.Find(infoHash) is { } row && MayRead(row)) return row;
        if (shares.FindEnded(infoHash) is { } over && MayRead(over)) throw EndedShares.Over(over);
        throw new VirgaException(
            FailureKind.NotFound, $"there is no share {infoHash} here for you",
            "It may have been withdrawn, or is meant for others: ask its owner.");

        bool MayRead(ShareRow row) => row.Audience == AudienceKind.Public
            || (row is { Audience: AudienceKind.Link, ProofKey: { } key }
                && LinkPass.Verify(new VerifyKey(key), infoHash, self.Id, time.GetUtcNow(), authorization));
    }

    private static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        http.Response.ContentType = "application/octet-stream";
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }
}
