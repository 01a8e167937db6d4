using System.Buffers.Binary;
using System.Net;
using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>Peers of a torrent, by its trackers. Made by <see cref="TrackerClients.Finder"/>.</summary>
public sealed class TrackerFinder : IPeerFinder
{
    /// <summary>What is announced where we take no connections: trackers refuse 0, and nobody listens here.</summary>
    private const ushort NoPort = 1;

    /// <summary>How soon a tracker hears that we have everything.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    /// <summary>How long a goodbye may take.</summary>
    private static readonly TimeSpan GoodbyeMax = TimeSpan.FromSeconds(5);

    private readonly IReadOnlyList<IReadOnlyList<ITracker>> tiers;
    private readonly PeerId peerId;
    private readonly TimeProvider time;
    private readonly RandomBytes random;
    private readonly Action<TrackerReport>? report;

    internal TrackerFinder(
        IReadOnlyList<IReadOnlyList<ITracker>> tiers, PeerId peerId, TimeProvider time, RandomBytes random,
        Action<TrackerReport>? report)
    {
        this.tiers = tiers;
        this.peerId = peerId;
        this.time = time;
        this.random = random;
        this.report = report;
    }

    /// <summary>The trackers that are asked, tier by tier.</summary>
    public IEnumerable<Uri> Trackers => tiers.SelectMany(tier => tier).Select(tracker => tracker.Address);

    public async IAsyncEnumerable<IPEndPoint> FindAsync(
        SwarmHash swarm, SwarmProgress progress, int listenPort,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (tiers.Count == 0) yield break;
        var asked = new TrackerTiers(tiers, time, random, report);
        var key = Key();
        var wasMissing = progress.Left > 0;
        var isNews = false;
        try
        {
            while (true)
            {
                var told = isNews ? AnnounceEvent.Completed : AnnounceEvent.None;
                if (await asked.AnnounceAsync(Announce(told), cancellationToken) is { } answer)
                {
                    if (isNews) (isNews, wasMissing) = (false, false);
                    foreach (var peer in answer.Peers) yield return peer;
                }

                do
                {
                    var wait = asked.NextIn();
                    await Task.Delay(wait < LookEvery ? wait : LookEvery, time, cancellationToken);
                    isNews = wasMissing && progress.Left == 0;
                }
                while (!isNews && asked.NextIn() > TimeSpan.Zero);
            }
        }
        finally
        {
            using var goodbye = new CancellationTokenSource(GoodbyeMax, time);
            await asked.StopAsync(Announce(AnnounceEvent.Stopped), goodbye.Token);
        }

        TrackerAnnounce Announce(AnnounceEvent told)
        {
            var part = new SwarmPart(
                listenPort is > 0 and <= ushort.MaxValue ? (ushort)listenPort : NoPort, progress.Uploaded,
                progress.Downloaded, progress.Left);
            return new TrackerAnnounce(swarm, peerId, key, part, told, TrackerLimits.Wanted);
        }
    }

    private uint Key()
    {
        Span<byte> bytes = stackalloc byte[4];
        random(bytes);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }
}
