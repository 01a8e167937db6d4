using System.Net;
using System.Runtime.CompilerServices;
using Virga.BitTorrent;

namespace Virga.Agent.Torrents;

/// <summary>
/// Peers of one swarm by the DHT, or in the network around. While nobody knows whether the torrent is for its trackers
/// alone (BEP 27), as of a magnet link before its metadata is here, it is looked for and not announced; if it is, it is
/// not looked for again.
/// </summary>
internal sealed class OpenPeers(IPeerFinder finder, Swarm swarm, TimeProvider time) : IPeerFinder
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    public bool FindsNeighbours => finder.FindsNeighbours;

    public async IAsyncEnumerable<IPEndPoint> FindAsync(
        SwarmHash hash, SwarmProgress progress, int listenPort,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var peer in UntilKnownAsync(hash, progress, cancellationToken)) yield return peer;
        if (swarm.IsTrackerOnly) yield break;
        await foreach (var peer in finder.FindAsync(hash, progress, listenPort, cancellationToken)) yield return peer;
    }

    private async IAsyncEnumerable<IPEndPoint> UntilKnownAsync(
        SwarmHash hash, SwarmProgress progress, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (swarm.Layout is not null) yield break;
        using var known = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = WaitAsync();
        await using var found = finder.FindAsync(hash, progress, 0, known.Token).GetAsyncEnumerator(known.Token);
        while (await NextAsync(found)) yield return found.Current;
        await known.CancelAsync();
        await waiting;
        cancellationToken.ThrowIfCancellationRequested();

        async Task WaitAsync()
        {
            try
            {
                while (swarm.Layout is null) await Task.Delay(LookEvery, time, known.Token);
                await known.CancelAsync();
            }
            catch (OperationCanceledException)
            {
                // Nobody looks any more.
            }
        }
    }

    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<IPEndPoint> found)
    {
        try
        {
            return await found.MoveNextAsync();
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
