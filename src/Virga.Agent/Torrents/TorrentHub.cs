using System.Net;
using Virga.BitTorrent;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Wire;
using Virga.Protocol;

namespace Virga.Agent.Torrents;

/// <summary>What an agent has one of for BitTorrent: its name among peers, the listener, and what was read for
/// peers.</summary>
internal sealed class TorrentHub : IAsyncDisposable
{
    private readonly AgentOptions options;
    private readonly PeerSettings settings;
    private readonly Action<string> log;
    private readonly List<(SwarmLookup Find, Func<IEnumerable<SwarmHash>> All)> lookups = [];
    private PeerListener? listener;

    public TorrentHub(AgentOptions options, Pace sending, Action<string> log)
    {
        this.options = options;
        this.log = log;
        settings = new PeerSettings(options.Time, new PeerId(options.Random), sending)
        {
            Client = $"Virga {options.Version}".TrimEnd(),
        };
    }

    public PeerSettings Settings => listener?.Settings ?? settings;

    public SeedCache Cache { get; } = new(SeedCache.BytesMaxDefault);

    /// <summary>Where peers are taken; null where the user did not turn it on.</summary>
    public IPEndPoint? Listens => listener?.LocalEndPoint;

    /// <summary>Asked, in the order in which they were added, for the swarm that a peer names.</summary>
    /// <param name="all">All that it finds.</param>
    public void Add(SwarmLookup find, Func<IEnumerable<SwarmHash>> all) => lookups.Add((find, all));

    /// <summary>Takes peers from now on, if the user wants that.</summary>
    public void Start()
    {
        if (options.Torrent is not { } listen) return;
        listener = PeerListener.Start(
            listen, settings, FindAsync, () => lookups.SelectMany(lookup => lookup.All()), options.Random, log);
    }

    /// <summary>
    /// How peers reach this machine, for a magnet link; null where they can't. Never anything but its own address, or
    /// the one that its user gave it.
    /// </summary>
    public string? Reach(Uri ownEndpoint)
    {
        if (Listens is not { } at) return null;
        var isAny = at.Address.Equals(IPAddress.Any) || at.Address.Equals(IPAddress.IPv6Any);
        return isAny ? $"{ownEndpoint.Host}:{at.Port}" : at.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        if (listener is not null) await listener.DisposeAsync();
    }

    private async ValueTask<Swarm?> FindAsync(SwarmHash hash, CancellationToken cancellationToken)
    {
        foreach (var (find, _) in lookups)
            if (await find(hash, cancellationToken) is { } swarm) return swarm;
        return null;
    }
}
