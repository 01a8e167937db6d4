using Virga.Agent.Control;
using Virga.BitTorrent;
using Virga.BitTorrent.Downloads;
using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Transfers;

/// <summary>What is in a share or torrent, before any of it is brought over.</summary>
internal sealed partial class TransferService
{
    /// <param name="step">Told what is tried, as it goes on.</param>
    /// <exception cref="VirgaException">BadInput; Denied, NotFound: it is not for us, or is gone.</exception>
    public async Task<ContentsInfo> ContentsAsync(
        ContentsRequest request, Action<string> step, CancellationToken cancellationToken)
    {
        if (request.Link is { } text)
        {
            var share = ShareLink.Parse(text);
            var content = await OpenContentAsync(share, cancellationToken, step);
            return new ContentsInfo(
                share.InfoHash.ToString(), null, content.Files.Sum(f => f.Entry.Size),
                [.. content.Files.Select(f => new ContentFile(f.Index, f.Entry.Path.Value, f.Entry.Size))]);
        }
        var (link, torrent) = LinkOf(new TorrentRequest(request.Magnet, request.File, "", ""));
        var peers = request.Peers ?? [];
        if (peers.Count > PeersMost)
            throw new VirgaException(FailureKind.BadInput, $"there can be {PeersMost} peers");
        if (link is { Feed: { } feed, IsOnlyFeed: true })
            link = link with { InfoHashV1 = (await torrents.FindNewestAsync(feed, cancellationToken)).Torrent };
        var info = torrent?.Info ?? KnownInfo(link) ?? await torrents.LookAsync(link, peers, step, cancellationToken);
        var files = new List<ContentFile>();
        for (var i = 0; i < info.Files.Count; i++)
        {
            if (info.Files[i] is { IsPadding: false, SymlinkTarget: null } file)
                files.Add(new ContentFile(i, TorrentContent.PathOf(info, i), file.Length));
        }
        return new ContentsInfo(
            (info.InfoHashV2 is { } v2 ? v2.ToString() : new SwarmHash(info.InfoHashV1).ToString())!, info.Name,
            files.Sum(f => f.Bytes), files,
            link.Selected is { } selected ? FileNumbers.Of(selected).ToString() : null);
    }

    /// <summary>Of a torrent that a transfer brought, or brings, over.</summary>
    private TorrentInfo? KnownInfo(MagnetLink link)
    {
        var hash = link.InfoHashV2 ?? TorrentContent.IdOfV1(link.InfoHashV1!.Value.ToArray());
        var known = transfers.Values.FirstOrDefault(
            t => t.Row.InfoHash == hash && t.Row.Torrent is not null && contents.Has(t.Row.Id));
        return known is null ? null : torrents.ReadInfo(known.Row.Id);
    }
}
