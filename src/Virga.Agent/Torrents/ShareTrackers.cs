using System.Collections.Concurrent;
using Virga.Agent.Shares;
using Virga.BitTorrent;
using Virga.BitTorrent.Trackers;

namespace Virga.Agent.Torrents;

/// <summary>
/// Announces public shares, and nothing else, at the trackers that the user named, and in the DHT and the network
/// around where those are on, as long as peers are taken here; a share that is withdrawn is taken away at trackers at
/// once, and in the DHT fades away.
/// </summary>
internal sealed class ShareTrackers(
    ShareService shares, TorrentHub hub, AgentOptions options, Action<string> log) : IDisposable
{
    /// <summary>Swarms that are announced; each is a task that mostly waits.</summary>
    private const int SwarmsMax = 4000;

    private readonly TrackerClients clients =
        new(AddressRules.LocalToo, options.Time, options.Random, hub.Settings.Id);
    private readonly ConcurrentDictionary<SwarmHash, (CancellationTokenSource Stop, Task Task)> announced = [];
    private readonly ConcurrentDictionary<string, bool> failing = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim wake = new(0);

    /// <summary>Shares came or went.</summary>
    public void Changed() => wake.Release();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (hub.Listens is null || (options.Trackers.Count == 0 && hub.Dht is null && hub.Local is null)) return;
        try
        {
            while (true)
            {
                var wanted = shares.PublicSwarms().Take(SwarmsMax).ToHashSet();
                foreach (var hash in announced.Keys.Where(hash => !wanted.Contains(hash)).ToList())
                    await EndAsync(hash);
                foreach (var hash in wanted)
                    if (!announced.ContainsKey(hash)) announced[hash] = Begin(hash);
                await wake.WaitAsync(cancellationToken);
            }
        }
        finally
        {
            // Each says goodbye to its trackers, which takes seconds where they are slow: all at once.
            await Task.WhenAll(announced.Keys.Select(EndAsync));
        }
    }

    public void Dispose()
    {
        clients.Dispose();
        wake.Dispose();
    }

    private (CancellationTokenSource Stop, Task Task) Begin(SwarmHash hash)
    {
        var stop = new CancellationTokenSource();
        return (stop, Task.Run(() => AnnounceAsync(hash, stop.Token), CancellationToken.None));
    }

    private async Task EndAsync(SwarmHash hash)
    {
        if (!announced.TryRemove(hash, out var running)) return;
        await running.Stop.CancelAsync();
        await running.Task;
        running.Stop.Dispose();
    }

    private async Task AnnounceAsync(SwarmHash hash, CancellationToken cancellationToken)
    {
        // Each tracker on its own: a tier would be content with one.
        IEnumerable<IPeerFinder> finders = options.Trackers.Select(tracker => clients.Finder([[tracker]], Report));
        if (hub.Dht is { } dht) finders = finders.Append(dht);
        if (hub.Local is { } local) finders = finders.Append(local);
        await Task.WhenAll(finders.Select(finder => AnnounceAsync(finder, hash, cancellationToken)));
    }

    private async Task AnnounceAsync(IPeerFinder finder, SwarmHash hash, CancellationToken cancellationToken)
    {
        try
        {
            var found = finder.FindAsync(hash, new SwarmProgress(), hub.Settings.ListenPort, cancellationToken);
            await foreach (var _ in found.WithCancellation(cancellationToken))
            {
                // Peers come to us; we have all and look for nobody.
            }
        }
        catch (OperationCanceledException)
        {
            // Withdrawn, or the agent stops.
        }
    }

    private void Report(TrackerReport report)
    {
        var tracker = report.Tracker.ToString();
        if (report.Failure is null) failing.TryRemove(tracker, out _);
        else if (failing.TryAdd(tracker, true)) log($"tracker {tracker}: {report.Failure.Message}");
    }
}
