using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent;
using Virga.BitTorrent.Dht;
using Virga.BitTorrent.Neighbours;
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
    private DhtService? dht;
    private MicroTransport? refuser;
    private LocalSearch? local;

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

    /// <summary>Of all swarms, once peers can pay; null: they are served by what they give alone.</summary>
    public IPeerPriority? Priority { get; init; }

    /// <summary>Where peers are taken; null where the user did not turn it on.</summary>
    public IPEndPoint? Listens => listener?.LocalEndPoint;

    /// <summary>Null where the user did not turn it on.</summary>
    public DhtService? Dht => dht;

    /// <summary>Null where the user did not turn it on.</summary>
    public LocalSearch? Local => local;

    /// <summary>Asked, in the order in which they were added, for the swarm that a peer names.</summary>
    /// <param name="all">All that it finds.</param>
    public void Add(SwarmLookup find, Func<IEnumerable<SwarmHash>> all) => lookups.Add((find, all));

    /// <summary>Takes peers from now on, if the user wants that.</summary>
    public void Start()
    {
        if (options.Torrent is { } listen)
        {
            listener = PeerListener.Start(
                listen, settings, FindAsync, () => lookups.SelectMany(lookup => lookup.All()), options.Random, log,
                options.TorrentAddresses);
        }

        if (options.Dht is { } nodes) dht = StartDht(nodes);
        // The DHT has the port, and refuses there itself.
        else if (Listens is { } place) refuser = MicroTransport.Start(place);
        if (!options.TorrentLocalSearch) return;
        local = LocalSearch.Start(new LocalSearchOptions
        {
            Peers = Listens, Rules = options.TorrentAddresses, Time = options.Time, Random = options.Random,
        });
    }

    /// <summary>On the port where peers are taken; where none are, on a free one, only to ask (BEP 43).</summary>
    private DhtService StartDht(IReadOnlyList<string> nodes)
    {
        var place = Listens ?? new IPEndPoint(IPAddress.IPv6Any, 0);
        var started = new DhtServiceOptions
        {
            Listen = place.Address.Equals(IPAddress.IPv6Any) && Socket.OSSupportsIPv6
                ? [new IPEndPoint(IPAddress.Any, place.Port), place] : [place],
            Rules = options.TorrentAddresses,
            IsReadOnly = Listens is null,
            State = File.Exists(StatePath) ? File.ReadAllBytes(StatePath) : ReadOnlyMemory<byte>.Empty,
            Time = options.Time,
            Random = options.Random,
        };
        return DhtService.Start(nodes.Count == 0 ? started : started with { Bootstrap = nodes });
    }

    private string StatePath => Path.Combine(options.DataFolder, "dht");

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
        if (refuser is not null) await refuser.DisposeAsync();
        if (local is not null) await local.DisposeAsync();
        if (dht is null) return;
        await dht.DisposeAsync();
        // Nothing is lost without it but the time to join.
        if (dht.Nodes.Any(node => node.Nodes > 0)) await File.WriteAllBytesAsync(StatePath, dht.Save());
    }

    private async ValueTask<Swarm?> FindAsync(SwarmHash hash, CancellationToken cancellationToken)
    {
        foreach (var (find, _) in lookups)
            if (await find(hash, cancellationToken) is { } swarm) return swarm;
        return null;
    }
}
