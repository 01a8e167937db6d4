using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Agent.Torrents;
using Virga.BitTorrent;
using Virga.BitTorrent.Downloads;
using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.Agent.Transfers;

/// <summary>Torrents of others, brought over like shares.</summary>
internal sealed partial class TransferService
{
    private const int SelectMost = 1000;
    private const int PeersMost = 100;

    /// <summary>A publisher is in no hurry, and each look asks a few dozen nodes.</summary>
    private static readonly TimeSpan FollowEvery = TimeSpan.FromMinutes(30);

    /// <exception cref="VirgaException">BadInput: what is given is no torrent, or is asked for wrongly.</exception>
    public async Task<TransferInfo> CreateTorrentAsync(TorrentRequest request, CancellationToken cancellationToken)
    {
        var (link, torrent) = LinkOf(request);
        var path = EntryPath.Parse(request.Path);
        var wish = Wish(request);
        if (link is { Feed: { } feed, IsOnlyFeed: true })
        {
            var (newest, version) = await torrents.FindNewestAsync(feed, cancellationToken);
            (link, wish) = (link with { InfoHashV1 = newest }, wish with { FeedVersion = version });
        }
        // What a person looked into before is not fetched twice.
        var info = torrent?.Info ?? torrents.FindLooked(link);
        if (info is not null) wish.Choose(info, link);
        var collision = Collision(new TransferRequest("", request.Account, request.Path, request.Collision));
        await accounts.GetAsync(request.Account, cancellationToken);
        var row = NewRow(link, wish, request.Account, path, collision, Checked(request.Priority)) with
        {
            Receive = LimitKeeper.Rate(request.Receive),
        };
        if (info is not null)
        {
            contents.Write(row.Id, new FetchedContent(
                info.Raw.ToArray(), (torrent?.Layers ?? PieceLayers.Empty).Encode(), null, null));
        }
        await table.AddAsync(row, cancellationToken);
        var transfer = Add(row);
        Start(transfer);
        return transfer.Describe();
    }

    /// <summary>Brings newer versions of the feeds that are followed (BEP 46), as long as the agent runs.</summary>
    public async Task FollowFeedsAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(FollowEvery, options.Time, cancellationToken);
            await FollowOnceAsync(cancellationToken);
        }
    }

    /// <summary>Looks at each feed that is followed, and begins what is newer.</summary>
    internal async Task FollowOnceAsync(CancellationToken cancellationToken)
    {
        foreach (var transfer in transfers.Values.Where(IsFollowed).ToList())
        {
            try
            {
                await FollowAsync(transfer, cancellationToken);
            }
            catch (VirgaException e)
            {
                log($"the feed of torrent {transfer.Row.Id}: {e.Message}");
            }
        }
    }

    /// <summary>
    /// A version that is here, or never came, after which no other was begun: so a crash between both makes no third.
    /// </summary>
    private bool IsFollowed(RunningTransfer transfer)
    {
        if (transfer.Row is not
            {
                State: TransferState.Completed or TransferState.Failed, Torrent.FeedVersion: { } version,
            }) return false;
        var (row, feed) = (transfer.Row, MagnetLink.Parse(transfer.Row.Link).Feed);
        return !transfers.Values.Any(other => other.Row.Torrent?.FeedVersion > version
            && (other.Row.Account, other.Row.Path) == (row.Account, row.Path)
            && MagnetLink.Parse(other.Row.Link).Feed == feed);
    }

    private async Task FollowAsync(RunningTransfer transfer, CancellationToken cancellationToken)
    {
        var (row, link) = (transfer.Row, MagnetLink.Parse(transfer.Row.Link));
        var (newest, version) = await torrents.FindNewestAsync(link.Feed!, cancellationToken);
        // A node may still have an older one, and a feed may be pointed at what it pointed at before.
        if (version <= row.Torrent!.FeedVersion || newest == link.InfoHashV1) return;
        // Its files are about to change: it is the newer version that is given to others.
        await torrents.EndAsync(row.Id);
        var next = NewRow(
            link with { InfoHashV1 = newest, InfoHashV2 = null }, row.Torrent with { FeedVersion = version },
            row.Account, row.Path, CollisionPolicy.Overwrite, row.Priority) with { Receive = row.Receive };
        await table.AddAsync(next, cancellationToken);
        var begun = Add(next);
        await SetAsync(
            transfer, row with { Serve = ServeMode.Never, Torrent = row.Torrent with { FeedVersion = null } });
        log($"torrent {next.Id} is a newer version of {row.Id}");
        Start(begun);
    }

    private TransferRow NewRow(
        MagnetLink link, TorrentWish wish, string account, EntryPath path, CollisionPolicy collision,
        TransferPriority priority)
    {
        var id = new byte[IdBytes];
        options.Random(id);
        return new TransferRow(
            Convert.ToHexStringLower(id),
            link.InfoHashV2 ?? TorrentContent.IdOfV1(link.InfoHashV1!.Value.ToArray()), link.ToText(), account, path,
            collision, TransferState.Waiting, options.Time.GetUtcNow(), Ended: null, Fetched: 0, FilesTotal: 0,
            BytesTotal: 0, Outcome: null, Planning.TransferPlan.None, priority, Copies: null,
            wish.Seeds ? ServeMode.Always : ServeMode.Never)
        {
            Torrent = wish,
        };
    }

    private static (MagnetLink Link, Torrent? Torrent) LinkOf(TorrentRequest request)
    {
        if (request.File is not { } file)
            return (MagnetLink.Parse(request.Magnet ?? ""), null);
        Torrent torrent;
        try
        {
            torrent = Torrent.Parse(file);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"that is no torrent file that can be used: {e.Message}",
                "Give a .torrent file that is whole, or a magnet link.", e);
        }
        var info = torrent.Info;
        return (new MagnetLink
        {
            InfoHashV1 = info.InfoHashV1 is { } v1 ? new SwarmHash(v1) : null,
            InfoHashV2 = info.InfoHashV2,
            Name = info.Name,
            Trackers = [.. torrent.Trackers.Take(MagnetLink.ListMax)],
            WebSeeds = [.. torrent.WebSeeds.Take(MagnetLink.ListMax)],
        }, torrent);
    }

    private static TorrentWish Wish(TorrentRequest request)
    {
        var (select, peers) = (request.Select ?? [], request.Peers ?? []);
        if (select.Count > SelectMost || peers.Count > PeersMost)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{select.Count} patterns and {peers.Count} peers are too many",
                $"There can be {SelectMost} patterns and {PeersMost} peers.");
        }
        if (request.Ratio is < 0 or double.NaN || request.SeedHours is < 0 or double.NaN)
        {
            throw new VirgaException(
                FailureKind.BadInput, "how long a torrent is given to others is a number, and not below zero",
                "Say for example --ratio 1.5 or --seed-hours 24; --no-seed gives nothing.");
        }
        FileChoice.Of(select, request.Only);
        return new TorrentWish(select, peers, request.Ratio, request.SeedHours, request.Share)
        {
            Only = request.Only,
        };
    }

    private Task<TransferResult> FetchTorrentAsync(
        RunningTransfer transfer, IAccount target, CancellationToken cancellationToken) =>
        torrents.RunAsync(
            transfer, target, engine, new SqliteJournal(state, transfer.Row.Id),
            content => SetAsync(transfer, transfer.Row with
            {
                FilesTotal = content.Files.Count,
                BytesTotal = content.Files.Sum(f => f.Entry.Size),
            }),
            cancellationToken);

    /// <summary>Goes on giving what a completed torrent brought, as its user wanted.</summary>
    private async Task SeedAgainAsync(RunningTransfer transfer)
    {
        try
        {
            var target = await accounts.GetAsync(transfer.Row.Account, stopping.Token);
            var journal = await new SqliteJournal(state, transfer.Row.Id).LoadAsync(stopping.Token);
            await torrents.SeedAgainAsync(transfer, target, journal, stopping.Token);
        }
        catch (Exception e) when (e is VirgaException or IOException or OperationCanceledException)
        {
            log($"torrent {transfer.Row.Id} can't be given to others: {e.Message}");
        }
    }

    private async Task SeedingEndedAsync(string id)
    {
        if (transfers.GetValueOrDefault(id) is { Row.State: TransferState.Completed } transfer)
            await SetAsync(transfer, transfer.Row with { Serve = ServeMode.Never });
    }

    /// <summary>For who needs no source.</summary>
    private sealed class NoSources : ISourceFinder
    {
        public Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ISource>>([]);
    }
}
