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

    /// <summary>How soon is seen that we have everything, or that nothing comes.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);

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
        var pace = new SearchPace(progress, time);
        var wasMissing = progress.Left > 0;
        var (wasAnswered, wasNamed) = (false, false);
        var running = new List<Task<TrackerAnswer?>>();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            while (true)
            {
                // A torrent that the first tracker knows nobody of is asked of the others at once.
                var isWaiting = pace.IsWaiting() || (wasAnswered && !wasNamed && progress.Left > 0);
                var announce = Announce(wasMissing);
                while (asked.TryBegin(announce, isWaiting, out var begun, ends.Token)) running.Add(begun);
                await WaitAsync(running, asked.NextIn(isWaiting), cancellationToken);
                foreach (var done in running.FindAll(task => task.IsCompleted))
                {
                    running.Remove(done);
                    if (await done is not { } answer) continue;
                    (wasAnswered, wasNamed) = (true, wasNamed || answer.Peers.Count > 0);
                    foreach (var peer in answer.Peers) yield return peer;
                }
            }
        }
        finally
        {
            await ends.CancelAsync();
            await ((Task)Task.WhenAll(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            using var goodbye = new CancellationTokenSource(GoodbyeMax, time);
            await asked.StopAsync(Announce(false), goodbye.Token);
        }

        TrackerAnnounce Announce(bool wasMissing)
        {
            var part = new SwarmPart(
                listenPort is > 0 and <= ushort.MaxValue ? (ushort)listenPort : NoPort, progress.Uploaded,
                progress.Downloaded, progress.Left);
            var told = wasMissing && part.Left == 0 ? AnnounceEvent.Completed : AnnounceEvent.None;
            return new TrackerAnnounce(swarm, peerId, key, part, told, TrackerLimits.Wanted);
        }
    }

    /// <summary>Until one of them has ended, or it is time to look.</summary>
    private async Task WaitAsync(
        List<Task<TrackerAnswer?>> running, TimeSpan longest, CancellationToken cancellationToken)
    {
        using var early = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var look = Task.Delay(longest < LookEvery ? longest : LookEvery, time, early.Token);
        await Task.WhenAny([look, .. running]);
        await early.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    private uint Key()
    {
        Span<byte> bytes = stackalloc byte[4];
        random(bytes);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }
}
