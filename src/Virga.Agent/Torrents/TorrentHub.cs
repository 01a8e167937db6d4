using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent;
using Virga.BitTorrent.Dht;
using Virga.BitTorrent.Neighbours;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Core;
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
    private readonly Lock gate = new();
    private IReadOnlyList<UdpPort> ports = [];
    private UtpNode? utp;
    private DhtService? dht;
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

    /// <summary>With uTP, for which a port is opened now where none is.</summary>
    public PeerSettings SettingsOfDownloads
    {
        get
        {
            lock (gate)
            {
                if (utp is null && options.TorrentUtp) Open(Free);
                return options.TorrentUtp ? Settings with { Utp = utp } : Settings;
            }
        }
    }

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

        lock (gate)
        {
            if (Listens is not null || options.Dht is not null) Open(Listens ?? Free);
        }
        if (!options.TorrentLocalSearch) return;
        local = LocalSearch.Start(new LocalSearchOptions
        {
            Peers = Listens, Rules = options.TorrentAddresses, Time = options.Time, Random = options.Random,
        });
    }

    private static IPEndPoint Free => new(IPAddress.IPv6Any, 0);

    /// <summary>
    /// UDP on the port where peers are taken, for uTP and the DHT; where none are, on a free one, only to ask and to
    /// connect.
    /// </summary>
    private void Open(IPEndPoint place)
    {
        try
        {
            ports = UdpPort.OpenAll(place);
        }
        catch (SocketException e) when (options.Dht is not null)
        {
            throw new VirgaException(
                e.SocketErrorCode == SocketError.AddressAlreadyInUse ? FailureKind.InUse : FailureKind.BadInput,
                $"the DHT can't listen on UDP {place} ({e.SocketErrorCode})", "Choose another port or address.", e);
        }
        catch (SocketException e)
        {
            log($"no peers by uTP: UDP {place} can't be listened at ({e.SocketErrorCode})");
            // Who takes no TCP is reached all the same.
            if (place.Port != 0) Open(new IPEndPoint(place.Address, 0));
            return;
        }
        utp = new UtpNode(options.TorrentAddresses, options.Time, options.Random);
        foreach (var port in ports) utp.Add(port);
        // Else it refuses: some wait for long until they come by TCP.
        if (options.TorrentUtp) listener?.Add(utp);
        if (options.Dht is { } nodes) dht = StartDht(nodes);
        foreach (var port in ports) port.Begin();
    }

    /// <summary>On the port where peers are taken; where none are, only to ask (BEP 43).</summary>
    private DhtService StartDht(IReadOnlyList<string> nodes)
    {
        var started = new DhtServiceOptions
        {
            Ports = ports,
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
        if (local is not null) await local.DisposeAsync();
        if (utp is not null) await utp.DisposeAsync();
        if (dht is not null) await dht.DisposeAsync();
        foreach (var port in ports) await port.DisposeAsync();
        if (dht is null) return;
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
