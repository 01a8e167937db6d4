using Virga.Agent.Shares;
using Virga.Agent.State;
using Virga.BitTorrent;
using Virga.BitTorrent.Seeding;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.Agent.Torrents;

/// <summary>
/// The swarms of this agent's public shares. One is opened when a peer asks for it, and closed when it has had none for
/// a while, or the share is withdrawn: a thousand shares cost nothing while nobody asks.
/// </summary>
internal sealed class ShareSwarms : IDisposable
{
    /// <summary>Swarms that are open at once; each holds the share's index in memory.</summary>
    private const int OpenMax = 64;

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private readonly ShareService shares;
    private readonly TorrentHub hub;
    private readonly AgentOptions options;
    private readonly Action<string> log;
    private readonly SemaphoreSlim opening = new(1, 1);
    private readonly Lock gate = new();
    private readonly Dictionary<SwarmHash, OpenSwarm> open = [];
    private readonly ITimer timer;

    public ShareSwarms(ShareService shares, TorrentHub hub, AgentOptions options, Action<string> log)
    {
        this.shares = shares;
        this.hub = hub;
        this.options = options;
        this.log = log;
        timer = options.Time.CreateTimer(_ => Look(), null, LookEvery, LookEvery);
    }

    private sealed record OpenSwarm(Hash256 Share, Swarm Swarm, SeedUpload Upload, Choker Choker) : IDisposable
    {
        public bool WasIdle { get; set; }

        public void Dispose()
        {
            Swarm.Close("the share is no longer served");
            Choker.Dispose();
            Upload.Dispose();
        }
    }

    /// <summary>The swarm of a public share of ours; null for anything else, shares that are not public above all.
    /// </summary>
    public async ValueTask<Swarm?> FindAsync(SwarmHash hash, CancellationToken cancellationToken)
    {
        if (Known(hash) is { } known) return known;
        if (shares.FindPublic(hash) is not { } row) return null;
        await opening.WaitAsync(cancellationToken);
        try
        {
            if (Known(hash) is { } opened) return opened;
            lock (gate)
            {
                if (open.Count >= OpenMax) return null;
            }
            return await OpenAsync(hash, row, cancellationToken);
        }
        catch (VirgaException e)
        {
            log($"share {row.InfoHash} can't be opened for peers: {e.Message}");
            return null;
        }
        finally
        {
            opening.Release();
        }
    }

    /// <summary>Closes what was withdrawn since, at once, and what nobody used for a while.</summary>
    public void Look() => Sweep(isTimed: true);

    /// <summary>Closes what was withdrawn since.</summary>
    public void Cut() => Sweep(isTimed: false);

    public void Dispose()
    {
        timer.Dispose();
        lock (gate)
        {
            foreach (var swarm in open.Values) swarm.Dispose();
            open.Clear();
        }
    }

    private Swarm? Known(SwarmHash hash)
    {
        lock (gate)
        {
            if (!open.TryGetValue(hash, out var found)) return null;
            found.WasIdle = false;
            return found.Swarm;
        }
    }

    private async Task<Swarm> OpenAsync(SwarmHash hash, ShareRow row, CancellationToken cancellationToken)
    {
        var reader = await shares.OpenAsync(row.InfoHash, cancellationToken);
        var info = SwarmHash.OfV2(row.InfoHash) == hash ? reader.Index.Info
            : row.V1Alone == hash ? HybridTorrent.CreateV1(reader.Index)
            : TorrentInfo.Parse(shares.ReadHybrid(row.InfoHash));
        var swarm = new Swarm(info);
        var upload = new SeedUpload(
            swarm.Layout!, reader.Index.Layers, new ShareSeedSource(reader, info), hub.Cache);
        var choker = new Choker(swarm, options.Time, options.Random, priority: hub.Priority);
        (swarm.Upload, swarm.Choker) = (upload, choker);
        lock (gate) open[hash] = new OpenSwarm(row.InfoHash, swarm, upload, choker);
        return swarm;
    }

    private void Sweep(bool isTimed)
    {
        lock (gate)
        {
            foreach (var (hash, swarm) in open.ToList())
            {
                var isIdle = isTimed && swarm.WasIdle && swarm.Swarm.Sessions.Count == 0;
                if (isTimed) swarm.WasIdle = swarm.Swarm.Sessions.Count == 0;
                if (!isIdle && shares.FindPublic(hash) is not null) continue;
                open.Remove(hash);
                swarm.Dispose();
            }
        }
    }
}
