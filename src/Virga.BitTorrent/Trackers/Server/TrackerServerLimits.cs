namespace Virga.BitTorrent.Trackers.Server;

/// <summary>What strangers may take of a tracker. An IPv6 network of 64 bits counts as one address.</summary>
public sealed record TrackerServerLimits
{
    /// <summary>Swarms kept; those who come with a new one are then refused.</summary>
    public int SwarmsMax { get; init; } = 1_000_000;

    /// <summary>Peers kept in all swarms together, about 15 bytes (IPv6: 40) each.</summary>
    public int PeersMax { get; init; } = 10_000_000;

    /// <summary>Peers kept of one swarm and family; who comes later gets peers, but is not given to others.</summary>
    public int PeersPerSwarmMax { get; init; } = 20_000;

    /// <summary>
    /// Ports of one address in one swarm: people share addresses, but not a thousand of them one swarm.
    /// </summary>
    public int PeersPerAddressMax { get; init; } = 16;

    /// <summary>Requests of one address that may go on for ever.</summary>
    public double RequestsPerSecond { get; init; } = 50;

    /// <summary>Requests of one address at once after a pause: a client with many torrents starts.</summary>
    public int RequestsBurst { get; init; } = 5_000;

    /// <summary>
    /// New peers of one address that may go on for ever; with the burst it bounds what one address keeps.
    /// </summary>
    public double NewPeersPerSecond { get; init; } = 2;

    public int NewPeersBurst { get; init; } = 5_000;

    /// <summary>
    /// When clients are told to come again; some come up to a tenth earlier or later, to spread them.
    /// </summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// How long a peer is kept that says nothing; longer than the interval and its tenth, below 8 hours.
    /// </summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromMinutes(45);

    /// <summary>Peers given where a client says no number.</summary>
    public int WantedUsual { get; init; } = 50;

    /// <summary>Peers given at most: the answer over UDP stays in one packet of any network.</summary>
    public int WantedMax { get; init; } = 200;
}
