using System.Collections.Concurrent;
using System.Net;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.Shares;
using Virga.Agent.State;
using Virga.Agent.Transfers;
using Virga.BitTorrent;
using Virga.BitTorrent.Dht;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Trackers;
using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Engine;
using Virga.Transfers.Journal;
using Virga.Transfers.Sources;

namespace Virga.Agent.Torrents;

/// <summary>Brings torrents over as transfers of the one engine, and gives them to others afterwards.</summary>
internal sealed partial class TorrentRuns : IAsyncDisposable
{
    /// <summary>A piece is held in memory until it is checked.</summary>
    private const int PieceBytesMax = 64 << 20;

    /// <summary>What the engine reads at once begins and ends at multiples of this.</summary>
    private const int UnitBytes = 64 << 10;

    /// <summary>Files under other names than the torrent's that are named: more help nobody.</summary>
    private const int RenamedMost = 10;

    private static readonly TimeSpan MetadataWithin = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);

    private readonly TorrentHub hub;
    private readonly TransferContents contents;
    private readonly ShareService shares;
    private readonly AgentOptions options;
    private readonly Action<string> log;
    private readonly TrackerClients trackers;
    private readonly ConcurrentDictionary<string, Swarm> swarms = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Seeding> seeding = new(StringComparer.Ordinal);

    private sealed record Seeding(CancellationTokenSource Stop, Task Task);

    public TorrentRuns(
        TorrentHub hub, TransferContents contents, ShareService shares, AgentOptions options,
        Action<string> log)
    {
        this.hub = hub;
        this.contents = contents;
        this.shares = shares;
        this.options = options;
        this.log = log;
        trackers = new TrackerClients(options.TorrentAddresses, options.Time, options.Random, hub.Settings.Id);
        hub.Add(
            (hash, _) => ValueTask.FromResult(swarms.Values.FirstOrDefault(s => s.Hashes.Contains(hash))),
            () => swarms.Values.SelectMany(s => s.Hashes));
    }

    /// <summary>Told when a torrent is given to nobody any more, by its transfer.</summary>
    public Func<string, Task>? SeedingEnded { get; set; }

    /// <summary>The torrent that a feed names now (BEP 46), with its number.</summary>
    /// <exception cref="VirgaException">Unsupported without the DHT; NotFound.</exception>
    public async Task<(SwarmHash Torrent, long Version)> FindNewestAsync(
        TorrentFeed feed, CancellationToken cancellationToken)
    {
        if (hub.Dht is not { } dht)
        {
            throw new VirgaException(
                FailureKind.Unsupported, "the link is one of a feed, which is found by the DHT alone",
                "Run the agent with --torrent-dht.");
        }
        var item = await dht.GetAsync(feed.Key, feed.SaltBytes, cancellationToken);
        return item?.FeedTorrent() is { } torrent ? (torrent, item.Sequence) : throw new VirgaException(
            FailureKind.NotFound,
            item is null ? "nobody in the DHT has the feed that the link names"
                : "what the DHT has under the link's key is no feed of torrents",
            "Is the link whole, and has its publisher been there within two hours? Try again later.");
    }

    public ShareContent Open(TransferRow row)
    {
        var (info, layers) = Read(row.Id);
        return TorrentContent.Open(info, layers, row.Torrent!.Choose(info, MagnetLink.Parse(row.Link)));
    }

    /// <summary>Brings a torrent over; then it is given to others as its user wants.</summary>
    /// <param name="opened">Told of the files before any is fetched.</param>
    public async Task<TransferResult> RunAsync(
        RunningTransfer transfer, IAccount target, TransferEngine engine, ITransferJournal journal,
        Func<ShareContent, Task> opened, CancellationToken cancellationToken)
    {
        await EndAsync(transfer.Row.Id);
        var row = transfer.Row;
        var wish = row.Torrent!;
        var link = MagnetLink.Parse(row.Link);
        (TorrentInfo Info, PieceLayers Layers)? known = contents.Has(row.Id) ? Read(row.Id) : null;
        var tried = new TriedWays();
        var download = new TorrentDownload(
            link, known?.Info, hub.SettingsOfDownloads, options.TorrentAddresses, options.Random, log);
        try
        {
            // Also who comes to us may have what a magnet link leaves out.
            swarms[row.Id] = download.Swarm;
            await StartAsync(download, link, wish, tried, known is not null, cancellationToken);
            transfer.Waits = () => download.WhyWaiting(tried.Describe);
            var info = await GetInfoAsync(download, tried, cancellationToken);
            Require(info);
            var isWanted = wish.Choose(info, link);
            var layers = await download.GetLayersAsync(
                info, known?.Layers ?? PieceLayers.Empty, isWanted, cancellationToken);
            contents.Write(row.Id, new FetchedContent(info.Raw.ToArray(), layers.Encode(), null, null));
            var content = TorrentContent.Open(info, layers, isWanted);
            await opened(content);
            var holdings = Hold(download, layers, target, wish);
            transfer.Peers = () => Reports(download);
            var result = await TransferAsync(
                transfer, download, content, layers, isWanted, holdings, target, engine, journal, cancellationToken);
            result = result with { NotKept = [.. result.NotKept, .. Renamed(info, isWanted)] };
            if (result.Failed.Count == 0)
            {
                await ShareAsync(row, info, cancellationToken);
                if (wish.Seeds)
                {
                    Seed(transfer, download, holdings, content.Files.Sum(f => f.Entry.Size));
                    return result;
                }
            }
            holdings.Dispose();
            await EndAsync(row.Id, download);
            return result;
        }
        catch
        {
            await EndAsync(row.Id, download);
            throw;
        }

        void Require(TorrentInfo info)
        {
            if (info.PieceBytes > PieceBytesMax)
            {
                throw new VirgaException(
                    FailureKind.Unsupported,
                    $"its pieces have {info.PieceBytes:N0} bytes, which are more than are held in memory here",
                    "Look for the same content in a torrent with pieces of at most 64 MiB.");
            }
        }
    }

    /// <summary>Goes on giving a torrent that was brought over before the agent was started.</summary>
    public async Task SeedAgainAsync(
        RunningTransfer transfer, IAccount target, JournalState journal, CancellationToken cancellationToken)
    {
        var row = transfer.Row;
        var link = MagnetLink.Parse(row.Link);
        var (info, layers) = Read(row.Id);
        var content = TorrentContent.Open(info, layers, row.Torrent!.Choose(info, link));
        var download = new TorrentDownload(
            link, info, hub.SettingsOfDownloads, options.TorrentAddresses, options.Random, log);
        var holdings = Hold(download, layers, target, row.Torrent);
        foreach (var file in content.Files)
            holdings.Completed(file, row.Path.Append(journal.Renamed.GetValueOrDefault(file.Index, file.Entry.Path)));
        download.Swarm.Progress.Left = 0;
        swarms[row.Id] = download.Swarm;
        await StartAsync(download, link, row.Torrent, new TriedWays(), true, cancellationToken);
        Seed(transfer, download, holdings, content.Files.Sum(f => f.Entry.Size));
    }

    /// <summary>Gives it to nobody any more.</summary>
    public async Task EndAsync(string transfer)
    {
        if (!seeding.TryRemove(transfer, out var ended)) return;
        await ended.Stop.CancelAsync();
        await ended.Task;
        ended.Stop.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(seeding.Keys.Select(EndAsync));
        trackers.Dispose();
    }

    private (TorrentInfo Info, PieceLayers Layers) Read(string transfer)
    {
        var recorded = contents.Read(transfer);
        var info = TorrentInfo.Parse(recorded.Info);
        return (info, info.InfoHashV2 is null ? PieceLayers.Empty : PieceLayers.ParseForeign(recorded.Layers, info));
    }

    private async Task StartAsync(
        TorrentDownload download, MagnetLink link, TorrentWish wish, TriedWays tried, bool isKnown,
        CancellationToken cancellationToken)
    {
        var named = new List<IPEndPoint>();
        foreach (var peer in wish.Peers) named.AddRange(await NamedPeers.ResolveAsync(peer, cancellationToken));
        var finders = new List<IPeerFinder>();
        var asked = trackers.Finder(link.Trackers.Select(t => new[] { t }), tried.Report);
        if (asked.Trackers.Any()) finders.Add(asked);
        if (link.Peers.Count > 0) finders.Add(new NamedPeers(link.Peers));
        if (hub.Dht is { } dht && !download.Swarm.IsTrackerOnly)
        {
            finders.Add(new OpenPeers(dht, download.Swarm, options.Time));
            tried.Dht = dht;
        }
        if (hub.Local is { } local && !download.Swarm.IsTrackerOnly)
        {
            finders.Add(new OpenPeers(local, download.Swarm, options.Time));
            tried.IsLocal = true;
        }

        tried.Trackers = asked.Trackers.Count();
        if (finders.Count == 0 && named.Count == 0 && hub.Listens is null && (!isKnown || link.WebSeeds.Count == 0))
        {
            throw new VirgaException(
                FailureKind.NotFound,
                isKnown
                    ? "there is nobody to ask for it: the torrent names no tracker and no web seed that can be asked"
                    : "there is nobody to ask for what the link names: it names no tracker and no peer that can be "
                        + "asked",
                "Get a link with trackers (tr=) or peers (x.pe=), name a peer with --peer HOST:PORT, or run the "
                    + "agent with --torrent-dht.");
        }
        download.Swarm.Choker = new Choker(
            download.Swarm, options.Time, options.Random, priority: hub.Priority);
        download.Start(finders, named);
    }

    private async Task<TorrentInfo> GetInfoAsync(
        TorrentDownload download, TriedWays tried, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(MetadataWithin, options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await download.GetInfoAsync(both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                $"nobody gave what the link names within {MetadataWithin.TotalMinutes:0} minutes: "
                    + download.WhyWaiting(tried.Describe),
                "Try again later with 'virga resume', or name a peer that has it: --peer HOST:PORT.");
        }
    }

    /// <summary>Says which files have another path than the torrent gives them.</summary>
    private static IEnumerable<TransferNote> Renamed(TorrentInfo info, Func<int, bool> isWanted)
    {
        var renamed = Enumerable.Range(0, info.Files.Count)
            .Where(i => info.Files[i] is { IsRenamed: true, IsPadding: false } && isWanted(i)).ToList();
        if (renamed.Count == 0) yield break;
        var named = string.Join(", ", renamed.Take(RenamedMost).Select(i => $"'{TorrentContent.PathOf(info, i)}'"));
        yield return new TransferNote(
            "", "the torrent gives files paths that lead elsewhere, that no file may have or that other files have: "
                + $"they lie in its own folder as {named}"
                + (renamed.Count > RenamedMost ? $" and {renamed.Count - RenamedMost:N0} more" : ""));
    }

    private TorrentHoldings Hold(TorrentDownload download, PieceLayers layers, IAccount target, TorrentWish wish)
    {
        var swarm = download.Swarm;
        // Where reading back costs money, only who wants to give reads back.
        var readsBack = wish.Seeds || target.Find<IReadsPendingUploads>() is not null;
        var holdings = new TorrentHoldings(
            swarm.Layout!, layers, target, hub.Cache, readsBack, swarm.Have,
            bytes => swarm.Progress.Left = Math.Max(0, swarm.Progress.Left - bytes));
        swarm.Upload = holdings;
        return holdings;
    }

    private async Task<TransferResult> TransferAsync(
        RunningTransfer transfer, TorrentDownload download, ShareContent content, PieceLayers layers,
        Func<int, bool> isWanted, TorrentHoldings holdings, IAccount target, TransferEngine engine,
        ITransferJournal journal, CancellationToken cancellationToken)
    {
        var row = transfer.Row;
        var layout = download.Swarm.Layout!;
        var checker = new PieceChecker(layout, layers);
        var source = download.Begin(layers, isWanted, EngineLimits.Default.RangeBytes, transfer.Receiving);
        transfer.Sources = new SourceSet(new TorrentSourceFinder(source), options.Time, log);
        transfer.Step = "running";
        var job = new TransferJob(
            content, transfer.Sources, target, row.Path, row.Collision, journal, transfer.Status)
        {
            UnitBytes = UnitBytes,
            Received = holdings,
            Scarcity = (file, range) => source.Availability(file.Blob!.Value.Root, range),
            IsSame = (file, entry, token) =>
                TorrentCheck.IsSameAsync(target, entry, file, layout, checker, source, token),
        };
        if (row is { Torrent.FeedVersion: not null, Collision: CollisionPolicy.Overwrite })
            await KeepSameAsync(transfer, job, cancellationToken);
        return await engine.RunAsync(job, cancellationToken);
    }

    /// <summary>Of a feed's newer version: what stands there as it is in it is not fetched again.</summary>
    private static async Task KeepSameAsync(
        RunningTransfer transfer, TransferJob job, CancellationToken cancellationToken)
    {
        var recorded = await job.Journal.LoadAsync(cancellationToken);
        if (recorded.HasStarted) return;
        transfer.Step = "looking at what is there";
        foreach (var file in job.Content.Files)
        {
            if (recorded.Completed.Contains(file.Index) || file.Entry.Size == 0) continue;
            if (await job.Target.StatAsync(job.PathOf(file), cancellationToken) is { Kind: EntryKind.File } there
                && there.Length == file.Entry.Size && await job.IsSame!(file, there, cancellationToken))
                await job.Journal.FileCompletedAsync(file.Index, cancellationToken);
        }
        transfer.Step = "running";
    }

    private async Task ShareAsync(TransferRow row, TorrentInfo info, CancellationToken cancellationToken)
    {
        if (!row.Torrent!.IsShared) return;
        var path = row.Path.Append(EntryPath.Parse(info.Name));
        await shares.CreateAsync(
            new ShareRequest(row.Account, path.Value, "public", []), null, cancellationToken);
    }

    private void Seed(RunningTransfer transfer, TorrentDownload download, TorrentHoldings holdings, long bytes)
    {
        var stop = new CancellationTokenSource();
        download.Scheduler?.Rest();
        var progress = download.Swarm.Progress;
        transfer.Seeds = () => $"complete, giving it to others: {progress.Uploaded / (double)Math.Max(1, bytes):0.00} "
            + $"of its size so far, {download.Swarm.Sessions.Count} connected";
        var wish = transfer.Row.Torrent!;
        var id = transfer.Row.Id;
        var task = Task.Run(
            async () =>
            {
                var isOver = false;
                try
                {
                    var began = options.Time.GetTimestamp();
                    while (!isOver)
                    {
                        await Task.Delay(LookEvery, options.Time, stop.Token);
                        isOver = (wish.Ratio is { } ratio && progress.Uploaded >= ratio * bytes)
                            || (wish.SeedHours is { } hours
                                && options.Time.GetElapsedTime(began) >= TimeSpan.FromHours(hours));
                    }
                }
                catch (OperationCanceledException)
                {
                    // Its user, or the agent, ends it.
                }
                transfer.Seeds = null;
                holdings.Dispose();
                await EndAsync(id, download);
                if (isOver && SeedingEnded is { } ended) await ended(id);
            }, CancellationToken.None);
        seeding[id] = new Seeding(stop, task);
    }

    private async Task EndAsync(string transfer, TorrentDownload download)
    {
        swarms.TryRemove(transfer, out _);
        (download.Swarm.Choker as IDisposable)?.Dispose();
        await download.DisposeAsync();
    }

    private static List<SourceReport> Reports(TorrentDownload download) =>
    [
        .. (download.Scheduler?.Report() ?? []).OrderByDescending(p => p.Bytes).Take(50)
            .Select(p => new SourceReport(p.Name, p.Bytes, null, p.BytesPerSecond, IsOrigin: false)),
        .. download.Bans.Take(50).Select(b => new SourceReport(b.Split(' ')[0], 0, b, IsOrigin: false)),
    ];
}

/// <summary>What was tried to find peers, and what came of it. Safe for many threads.</summary>
internal sealed class TriedWays
{
    private const int NamedMost = 3;

    private readonly ConcurrentDictionary<Uri, string> trackers = [];

    public int Trackers { get; set; }

    /// <summary>Null where it was not asked.</summary>
    public DhtService? Dht { get; set; }

    public void Report(TrackerReport report) => trackers[report.Tracker] = report.Failure is { } failure
        ? failure.Message : $"named {report.Answer!.Peers.Count} peers";

    /// <summary>Whether the network around is listened to.</summary>
    public bool IsLocal { get; set; }

    public string Describe()
    {
        if (Trackers == 0) return "it names no tracker" + Elsewhere("; ");
        // A tracker's address may hold the key of its user.
        var said = trackers.Take(NamedMost).Select(t => $"tracker {t.Key.Host}: {t.Value}").ToList();
        var silent = Trackers - trackers.Count;
        if (silent > 0) said.Add($"{silent} of {Trackers} trackers have not answered yet");
        return string.Join("; ", said) + Elsewhere("; ");
    }

    private string Elsewhere(string before) =>
        (Dht is null ? "" : $"{before}the DHT was asked ({Dht.Nodes.Sum(node => node.Nodes)} nodes)")
        + (IsLocal ? $"{before}your own network is listened to" : "");
}
