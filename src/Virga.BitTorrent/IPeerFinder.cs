using System.Net;

namespace Virga.BitTorrent;

/// <summary>What trackers are told of a swarm's progress. Safe for many threads.</summary>
public sealed class SwarmProgress
{
    private long uploaded;
    private long downloaded;
    private long left;

    /// <summary>Payload bytes since the swarm was opened.</summary>
    public long Uploaded => Volatile.Read(ref uploaded);

    /// <summary>Payload bytes since the swarm was opened.</summary>
    public long Downloaded => Volatile.Read(ref downloaded);

    /// <summary>Bytes still missing; 0 makes us a seed. Unknown before the metadata is: then more than 0.</summary>
    public long Left
    {
        get => Volatile.Read(ref left);
        set => Volatile.Write(ref left, value);
    }

    public void AddUploaded(long bytes) => Interlocked.Add(ref uploaded, bytes);

    public void AddDownloaded(long bytes) => Interlocked.Add(ref downloaded, bytes);
}

/// <summary>One way to find peers of swarms: trackers, the DHT, a local search, a magnet link's own list.</summary>
public interface IPeerFinder
{
    /// <summary>
    /// It names peers in networks of this machine, as its user wants, and nobody outside can have it name one:
    /// <see cref="AddressRules"/> refuse whom the user blocks, and nobody else.
    /// </summary>
    bool FindsNeighbours => false;

    /// <summary>
    /// Peers as they are found, some of them perhaps again and again. Goes on, asking and announcing again when it is
    /// due, until it is cancelled or has nothing more to say; says goodbye, where that is usual, before it ends. A way
    /// that doesn't work ends without peers, and says so to whoever made it; it throws nothing but cancellation.
    /// </summary>
    /// <param name="listenPort">Where we take connections for this swarm; 0 where we take none: nothing is announced.
    /// </param>
    IAsyncEnumerable<IPEndPoint> FindAsync(
        SwarmHash swarm, SwarmProgress progress, int listenPort, CancellationToken cancellationToken);
}
