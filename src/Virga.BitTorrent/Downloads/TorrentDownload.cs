using System.Net;
using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// One torrent that is brought over: finds peers, gets what a magnet link leaves out, then gives a transfer its source.
/// Everything ends when it is disposed. Safe for many threads.
/// </summary>
public sealed class TorrentDownload : IAsyncDisposable
{
    /// <summary>So many ports of one address lied: the address is banned with all its ports.</summary>
    private const int LiarsOfAddress = 3;
    private const int BannedMost = 10_000;

    /// <summary>Who has not answered a question about the torrent itself by then makes room for others.</summary>
    private static readonly TimeSpan HurryEvery = TimeSpan.FromSeconds(10);

    private readonly PeerSettings settings;
    private readonly AddressRules rules;
    private readonly Action<string>? log;
    private readonly PeerPool pool;
    private readonly CancellationTokenSource stop = new();
    private readonly List<Task> running = [];
    private readonly Lock gate = new();
    private readonly HashSet<PeerDownload> sides = [];
    private readonly HashSet<IPEndPoint> banned = [];
    private readonly Dictionary<IPAddress, int> bannedOfAddress = [];
    private readonly List<string> proofs = [];
    private readonly List<WebSeedPeer> webSeeds = [];
    private readonly MagnetLink link;
    private BlockScheduler? scheduler;
    private ITimer? timer;

    /// <param name="info">Where it is known already.</param>
    /// <param name="rules">Where peers and web seeds that others named may lie.</param>
    public TorrentDownload(
        MagnetLink link, TorrentInfo? info, PeerSettings settings, AddressRules rules, RandomBytes random,
        Action<string>? log = null)
    {
        this.link = link;
        this.settings = settings;
        this.rules = rules;
        this.log = log;
        Swarm = info is null ? new Swarm(link.InfoHashV1?.ToArray(), link.InfoHashV2) : new Swarm(info);
        Swarm.Downloads = Join;
        Swarm.Progress.Left = 1;
        Metadata = new MetadataFetch(link, Ban);
        pool = new PeerPool(Swarm, settings, rules, random, IsBanned, log);
    }

    public Swarm Swarm { get; }

    /// <summary>Of the pieces that are wanted; null before <see cref="Begin"/>.</summary>
    public BlockScheduler? Scheduler => Volatile.Read(ref scheduler);

    /// <summary>Peers that were banned, with what proves that they lied.</summary>
    public IReadOnlyList<string> Bans
    {
        get
        {
            lock (gate) return [.. proofs];
        }
    }

    internal MetadataFetch Metadata { get; }

    internal LayerFetch? Layers { get; private set; }

    /// <summary>Begins to look for peers and to connect to them.</summary>
    /// <param name="trusted">Peers that the user named.</param>
    public void Start(IReadOnlyList<IPeerFinder> finders, IReadOnlyList<IPEndPoint> trusted)
    {
        foreach (var peer in trusted) Trust(peer);
        running.Add(Task.Run(() => pool.RunAsync(stop.Token), CancellationToken.None));
        foreach (var finder in finders)
        {
            foreach (var hash in Swarm.Hashes)
                running.Add(Task.Run(() => FindAsync(finder, hash), CancellationToken.None));
        }
        timer = settings.Time.CreateTimer(
            _ =>
            {
                Metadata.Hurry();
                Layers?.Hurry();
            },
            null, HurryEvery, HurryEvery);
    }

    /// <summary>A peer that the user named: it may lie in a private network.</summary>
    public void Trust(IPEndPoint peer) => pool.Add(peer, isTrusted: true);

    /// <summary>A peer that somebody told of.</summary>
    public void Found(IReadOnlyList<IPEndPoint> peers, string how)
    {
        // A torrent of trackers alone takes nobody whom they did not name (BEP 27).
        if (Swarm.IsTrackerOnly) return;
        foreach (var peer in peers)
            if (!pool.Add(peer)) log?.Invoke($"{how} named {peer}, which may not be connected to");
    }

    /// <summary>The torrent's info: from peers, where it is not known.</summary>
    /// <exception cref="VirgaException">BadInput: it has the right hash, and is no torrent.</exception>
    public async Task<TorrentInfo> GetInfoAsync(CancellationToken cancellationToken)
    {
        if (Swarm.Layout is { } known) return known.Info;
        var info = TorrentInfo.Parse(await Metadata.Info.WaitAsync(cancellationToken));
        Swarm.SetInfo(info);
        return info;
    }

    /// <summary>The piece layers of a v2 torrent that came without them, from peers.</summary>
    public async Task<PieceLayers> GetLayersAsync(
        TorrentInfo info, PieceLayers have, Func<int, bool> isNeeded, CancellationToken cancellationToken)
    {
        // With SHA-1 hashes of all pieces a hybrid needs none.
        if (info.InfoHashV2 is null || !info.PieceHashesV1.IsEmpty) return have;
        var fetch = new LayerFetch(info, have, isNeeded, Ban);
        Layers = fetch;
        foreach (var side in Sides()) fetch.Joined(side);
        return await fetch.Layers.WaitAsync(cancellationToken);
    }

    /// <summary>Everything is known: pieces may come.</summary>
    /// <param name="isWanted">By place in the torrent's list of files.</param>
    /// <param name="receiving">Bounds what comes, with everything else that shares it; null: nothing does.</param>
    public TorrentSource Begin(
        PieceLayers layers, Func<int, bool> isWanted, int rangeBytes, Pace? receiving = null)
    {
        var layout = Swarm.Layout ?? throw new InvalidOperationException("the torrent is not known yet");
        var needed = new bool[layout.PieceCount];
        long left = 0;
        for (var file = 0; file < layout.Info.Files.Count; file++)
        {
            if (!isWanted(file)) continue;
            left += layout.Info.Files[file].Length;
            var (first, count) = layout.PiecesOf(file);
            Array.Fill(needed, true, first, count);
        }
        Swarm.Progress.Left = left;
        var made = new BlockScheduler(
            layout, new PieceChecker(layout, layers), piece => needed[piece], settings.Time, log)
        {
            Banned = (peer, proof) => Ban(peer, proof),
        };
        Volatile.Write(ref scheduler, made);
        foreach (var side in Sides()) side.Attach(made);
        foreach (var url in link.WebSeeds) AddWebSeed(url, layout, made);
        return new TorrentSource(layout, made, rangeBytes, receiving);
    }

    /// <summary>Why nothing comes now, with what was tried; null while something does.</summary>
    public string? WhyWaiting(Func<string>? others = null)
    {
        var (found, connected, failed) = pool.Counts;
        var sessions = Swarm.Sessions.Count;
        var words = new List<string>();
        if (others?.Invoke() is { Length: > 0 } tried) words.Add(tried);
        if (found == 0) words.Add("no peers were found");
        else if (sessions == 0)
            words.Add($"none of {found} peers answers" + (pool.Problem is { } problem ? $" ({problem})" : ""));
        if (Scheduler is not { } now)
        {
            if (sessions > 0 && Swarm.Layout is not null)
                words.Add($"{sessions} of {found} peers are connected, and have not sent its piece hashes yet");
            else if (sessions > 0)
                words.Add($"{sessions} of {found} peers are connected, {Metadata.Asked} were asked for its metadata");
            return "looking for what the link names: " + string.Join("; ", words);
        }
        List<WebSeedPeer> seeds;
        lock (gate) seeds = [.. webSeeds];
        var (all, open) = now.Peers;
        if (open > 0) return now.Unavailable is > 0 and var missing && all > 0 && !IsMoving(now)
            ? $"{missing} pieces are with nobody who is connected" : null;
        words.AddRange(seeds.Where(s => s.Problem is not null).Select(s => s.Problem!));
        if (all > 0) words.Add($"{all} peers are connected and give nothing yet");
        return "waiting for peers: " + string.Join("; ", words);
    }

    /// <summary>A peer is not spoken to again.</summary>
    public bool IsBanned(IPEndPoint place)
    {
        lock (gate)
            return banned.Contains(place) || bannedOfAddress.GetValueOrDefault(place.Address) >= LiarsOfAddress;
    }

    public async ValueTask DisposeAsync()
    {
        if (timer is not null) await timer.DisposeAsync();
        await stop.CancelAsync();
        Swarm.Close("the download has ended");
        await Task.WhenAll(running);
        Scheduler?.Dispose();
        foreach (var seed in webSeeds) seed.Dispose();
        stop.Dispose();
    }

    internal void Ended(PeerDownload side)
    {
        lock (gate) sides.Remove(side);
        Metadata.Ended(side);
        Layers?.Ended(side);
    }

    private static bool IsMoving(BlockScheduler scheduler) => scheduler.Report().Any(p => p.BytesPerSecond > 0);

    private PeerDownload? Join(PeerSession session)
    {
        if (IsBanned(session.Remote))
        {
            session.End(PeerEndReason.Local, "banned");
            return null;
        }
        var side = new PeerDownload(this, session);
        lock (gate) sides.Add(side);
        if (Scheduler is { } known) side.Attach(known);
        Layers?.Joined(side);
        return side;
    }

    private List<PeerDownload> Sides()
    {
        lock (gate) return [.. sides];
    }

    private async Task FindAsync(IPeerFinder finder, SwarmHash hash)
    {
        try
        {
            await foreach (var peer in finder.FindAsync(hash, Swarm.Progress, settings.ListenPort, stop.Token))
                pool.Add(peer, isNeighbour: finder.FindsNeighbours);
        }
        catch (OperationCanceledException)
        {
            // The download has ended.
        }
        catch (VirgaException e)
        {
            log?.Invoke($"finding peers: {e.Message}");
        }
    }

    private void AddWebSeed(string url, PieceLayout layout, BlockScheduler to)
    {
        var http = new HttpClient(rules.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        if (WebSeedPeer.Create(url, layout, http, settings.Time) is not { } seed)
        {
            http.Dispose();
            return;
        }
        lock (gate) webSeeds.Add(seed);
        running.Add(Task.Run(() => seed.RunAsync(to, stop.Token), CancellationToken.None));
    }

    private void Ban(PeerDownload peer, string why)
    {
        peer.Close($"banned: it {why}");
        Ban((IBlockPeer)peer, $"{peer.Name} {why}");
    }

    private void Ban(IBlockPeer peer, string proof)
    {
        log?.Invoke($"banned: {proof}");
        lock (gate)
        {
            if (proofs.Count < BannedMost) proofs.Add(proof);
            if (peer.Address is not { } address || banned.Count >= BannedMost || !banned.Add(address)) return;
            bannedOfAddress[address.Address] = bannedOfAddress.GetValueOrDefault(address.Address) + 1;
        }
    }
}
