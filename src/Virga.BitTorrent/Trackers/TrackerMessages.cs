using System.Net;

namespace Virga.BitTorrent.Trackers;

/// <summary>What an announce tells besides being there; the numbers are those of BEP 15.</summary>
public enum AnnounceEvent
{
    None = 0,

    /// <summary>The last missing piece has just arrived; never sent by who had everything from the start.</summary>
    Completed = 1,

    Started = 2,

    Stopped = 3,
}

/// <summary>Where a client stands in a swarm.</summary>
/// <param name="Port">Where it takes connections; 0 says that it takes none.</param>
/// <param name="Left">Bytes that it lacks; 0 makes it a seeder.</param>
public readonly record struct SwarmPart(ushort Port, long Uploaded, long Downloaded, long Left);

/// <summary>One announce to a tracker.</summary>
/// <param name="Key">Tells the tracker that it is still us when our address has changed.</param>
/// <param name="Wanted">Peers asked for, at most; 0 for none.</param>
public sealed record TrackerAnnounce(
    SwarmHash Hash, PeerId PeerId, uint Key, SwarmPart Part, AnnounceEvent Event, int Wanted);

/// <summary>What a tracker knows of a swarm.</summary>
/// <param name="Completed">Downloads ever finished; null where the tracker does not say.</param>
public readonly record struct SwarmCounts(int Seeders, int Leechers, int? Completed);

/// <summary>A tracker's answer to an announce.</summary>
/// <param name="Interval">When it wants to hear from us again.</param>
/// <param name="MinInterval">Never ask before; zero where it says nothing.</param>
/// <param name="Peers">Those that <see cref="AddressRules"/> allow.</param>
/// <param name="Warning">The tracker's words for a person; null for none.</param>
public sealed record TrackerAnswer(
    TimeSpan Interval, TimeSpan MinInterval, SwarmCounts Counts, IReadOnlyList<IPEndPoint> Peers, string? Warning);

/// <summary>
/// One tracker, by whatever it is spoken to. Failures are <see cref="Core.VirgaException"/>: Denied for its own refusal
/// (in its words) and for an address that may not be asked, BadInput for an answer that makes no sense, Unavailable
/// and Timeout where there is none, Unsupported for a scrape that it doesn't have. Safe to call from several threads.
/// </summary>
public interface ITracker
{
    Uri Address { get; }

    Task<TrackerAnswer> AnnounceAsync(TrackerAnnounce announce, CancellationToken cancellationToken);

    /// <param name="hashes">1 to <see cref="TrackerLimits.ScrapeHashes"/>.</param>
    Task<IReadOnlyDictionary<SwarmHash, SwarmCounts>> ScrapeAsync(
        IReadOnlyList<SwarmHash> hashes, CancellationToken cancellationToken);
}

/// <summary>What is taken from trackers at most, whatever they send.</summary>
public static class TrackerLimits
{
    /// <summary>An answer over HTTP; 2,000 peers in the long form of BEP 3 stay below.</summary>
    public const int AnswerBytes = 512 << 10;

    /// <summary>Peers of one answer; no client needs more at once.</summary>
    public const int Peers = 2_000;

    /// <summary>As many as fit into one packet of BEP 15.</summary>
    public const int ScrapeHashes = 74;

    /// <summary>The usual number of peers asked for.</summary>
    public const int Wanted = 80;

    /// <summary>Redirects of one request.</summary>
    public const int Redirects = 5;

    /// <summary>Whole request over HTTP.</summary>
    public static readonly TimeSpan HttpTimeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Nobody is asked more often, whatever it says; but a few times while nothing comes from anybody.
    /// </summary>
    public static readonly TimeSpan IntervalMin = TimeSpan.FromMinutes(1);

    /// <summary>And nobody less often: a wrong answer must not silence us for ever.</summary>
    public static readonly TimeSpan IntervalMax = TimeSpan.FromHours(2);

    /// <summary>What holds where a tracker names no interval.</summary>
    public static readonly TimeSpan IntervalUsual = TimeSpan.FromMinutes(30);

    /// <summary>Characters of a tracker's own words that are kept.</summary>
    public const int WordsMax = 300;
}
