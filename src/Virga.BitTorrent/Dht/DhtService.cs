using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Virga.BitTorrent.Wire;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.BitTorrent.Dht;

/// <summary>Settings of the DHT on this machine.</summary>
public sealed record DhtServiceOptions
{
    /// <summary>One for IPv4, one for IPv6 at most; port 0 takes a free one.</summary>
    public IReadOnlyList<IPEndPoint> Listen { get; init; } = [];

    /// <summary>
    /// Ports that are shared with others, used beside those of <see cref="Listen"/>; who opened them begins them, once
    /// all have been added, and closes them.
    /// </summary>
    public IReadOnlyList<UdpPort> Ports { get; init; } = [];

    public AddressRules Rules { get; init; } = AddressRules.PublicOnly;

    /// <inheritdoc cref="DhtOptions.IsReadOnly"/>
    public bool IsReadOnly { get; init; }

    /// <summary>HOST:PORT of nodes by which one joins; those that everybody uses where nothing is said.</summary>
    public IReadOnlyList<string> Bootstrap { get; init; } =
        ["router.bittorrent.com:6881", "dht.transmissionbt.com:6881", "dht.libtorrent.org:25401"];

    /// <summary>What <see cref="DhtService.Save"/> gave in an earlier run.</summary>
    public ReadOnlyMemory<byte> State { get; init; }

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }
}

/// <summary>
/// The DHT on this machine: a node for each family on a UDP port, joined and kept up by itself. Safe for many threads.
/// </summary>
public sealed class DhtService : IPeerFinder, IAsyncDisposable
{
    /// <summary>Peers found that nobody has taken yet; more are left out, and found again.</summary>
    private const int FoundMax = 1_000;

    /// <summary>Nodes that torrents and peers named; while we are alone they are tried again.</summary>
    private const int ToldMax = 64;

    private static readonly TimeSpan MaintainEvery = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Swarms that are looked for at once: who announces hundreds at its start would else ask the few nodes that it
    /// knows more often than they answer anybody.
    /// </summary>
    private const int LookupsAtOnce = 8;

    private static readonly TimeSpan AloneEvery = TimeSpan.FromSeconds(30);
    private static readonly BencodeLimits StateLimits = new(1 << 20, 4, 100);

    private readonly DhtServiceOptions options;
    private readonly List<(DhtNode Node, UdpPort Port)> nodes = [];
    private readonly List<UdpPort> owned = [];
    private Task running = Task.CompletedTask;
    private readonly CancellationTokenSource stop = new();
    private readonly SemaphoreSlim looking = new(LookupsAtOnce);
    private readonly Channel<IPEndPoint> told = Channel.CreateBounded<IPEndPoint>(
        new BoundedChannelOptions(ToldMax) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly List<IPEndPoint> toldBefore = [];
    private readonly TaskCompletionSource joined = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private DhtService(DhtServiceOptions options) => this.options = options;

    /// <summary>Where it listens.</summary>
    public IReadOnlyList<IPEndPoint> Places => nodes.ConvertAll(item => item.Port.Place);

    public IReadOnlyList<DhtNode> Nodes => nodes.ConvertAll(item => item.Node);

    /// <summary>Ends once it was tried to join, with or without success.</summary>
    public Task Joined => joined.Task;

    /// <exception cref="VirgaException">InUse, Denied or BadInput where it can't listen.</exception>
    public static DhtService Start(DhtServiceOptions options)
    {
        var service = new DhtService(options);
        try
        {
            foreach (var place in options.Listen) service.owned.Add(UdpPort.Open(place));
        }
        catch (SocketException e)
        {
            foreach (var port in service.owned) port.Close();
            throw new VirgaException(
                e.SocketErrorCode == SocketError.AddressAlreadyInUse ? FailureKind.InUse : FailureKind.BadInput,
                $"the DHT can't listen on UDP {string.Join(", ", options.Listen)} ({e.SocketErrorCode})",
                "Choose another port or address.", e);
        }

        foreach (var port in service.owned.Concat(options.Ports)) service.Add(port);
        foreach (var (node, _) in service.nodes)
            node.Sibling = service.nodes.Find(other => other.Node != node).Node;
        foreach (var port in service.owned) port.Begin();
        service.running = service.KeepUpAsync();
        return service;
    }

    /// <summary>Tells of a node, as a torrent or a peer names one (BEP 5).</summary>
    public void Add(IPEndPoint node) => told.Writer.TryWrite(node);

    /// <summary>
    /// The item of a key and salt with the highest number that anybody has; null where nobody has one. Waits until it
    /// was tried to join.
    /// </summary>
    public async Task<DhtItem?> GetAsync(
        VerifyKey key, ReadOnlyMemory<byte> salt, CancellationToken cancellationToken)
    {
        await joined.Task.WaitAsync(cancellationToken);
        var found = await Task.WhenAll(nodes.Select(item => item.Node.GetAsync(key, salt, cancellationToken)));
        return found.OfType<DhtItem>().MaxBy(item => item.Sequence);
    }

    /// <summary>Gives an item to the nodes nearest to it, of both families.</summary>
    /// <returns>The nodes that took it; they forget it after two hours (BEP 44).</returns>
    public async Task<int> PutAsync(DhtItem item, CancellationToken cancellationToken)
    {
        await joined.Task.WaitAsync(cancellationToken);
        var taken = await Task.WhenAll(nodes.Select(own => own.Node.PutAsync(item, cancellationToken)));
        return taken.Sum();
    }

    /// <summary>Ids and nodes, to begin with the next time.</summary>
    public byte[] Save() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary();
        foreach (var (node, _) in nodes.OrderBy(item => item.Node.Family == AddressFamily.InterNetworkV6))
        {
            writer.Key(KeyOf(node.Family)).StartDictionary().Key("id").Bytes(node.Id.ToArray())
                .Key("nodes").Bytes(DhtMessage.Nodes([.. node.Contacts.Take(500)])).End();
        }

        writer.End();
    });

    public async IAsyncEnumerable<IPEndPoint> FindAsync(
        SwarmHash swarm, SwarmProgress progress, int listenPort,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var found = Channel.CreateBounded<IPEndPoint>(
            new BoundedChannelOptions(FoundMax) { FullMode = BoundedChannelFullMode.DropWrite });
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop.Token);
        var asking = AskAsync();
        try
        {
            await foreach (var peer in found.Reader.ReadAllAsync(cancellationToken)) yield return peer;
        }
        finally
        {
            await ends.CancelAsync();
            await asking;
        }

        async Task AskAsync()
        {
            try
            {
                await joined.Task.WaitAsync(ends.Token);
                var pace = new SearchPace(progress, options.Time);
                for (var inVain = 0; ; )
                {
                    await looking.WaitAsync(ends.Token);
                    try
                    {
                        await Task.WhenAll(nodes.Select(item => item.Node.FindPeersAsync(
                            swarm, listenPort, progress.Left == 0, peer => found.Writer.TryWrite(peer), ends.Token)));
                    }
                    finally
                    {
                        looking.Release();
                    }

                    inVain = await PauseAsync(pace, inVain, ends.Token) ? inVain + 1 : 0;
                }
            }
            catch (OperationCanceledException)
            {
                found.Writer.TryComplete();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        foreach (var port in owned) await port.DisposeAsync();
        await running;
        stop.Dispose();
        // Lookups under way are cancelled, and give back their places.
        for (var i = 0; i < LookupsAtOnce; i++) await looking.WaitAsync(CancellationToken.None);
        looking.Dispose();
    }

    /// <summary>Until it is time to look again, or, where nothing comes, sooner; whether that was so.</summary>
    private async Task<bool> PauseAsync(SearchPace pace, int inVain, CancellationToken cancellationToken)
    {
        var usual = nodes.TrueForAll(item => item.Node.Nodes == 0) ? AloneEvery : DhtLimits.AnnounceEvery;
        var soon = SearchPace.After(inVain, usual);
        var began = options.Time.GetTimestamp();
        while (true)
        {
            await Task.Delay(SearchPace.Patience, options.Time, cancellationToken);
            var passed = options.Time.GetElapsedTime(began);
            if (passed >= usual) return false;
            if (pace.IsWaiting() && passed >= soon) return true;
        }
    }

    private void Add(UdpPort port)
    {
        var node = new DhtNode(
            new DhtOptions
            {
                Family = port.Family, Rules = options.Rules, IsReadOnly = options.IsReadOnly, Time = options.Time,
                Random = options.Random,
            }, (packet, to) => port.Send(packet, to), Remembered(port.Family).Id);
        nodes.Add((node, port));
        port.Add(new Sink(node));
    }

    private async Task KeepUpAsync()
    {
        try
        {
            while (true)
            {
                var isAlone = nodes.TrueForAll(item => item.Node.Nodes == 0);
                var known = isAlone ? await KnownAsync() : [];
                while (told.Reader.TryRead(out var place))
                {
                    known.Add(place);
                    if (toldBefore.Count >= ToldMax) toldBefore.RemoveAt(0);
                    toldBefore.Add(place);
                }

                foreach (var (node, _) in nodes)
                {
                    var own = known.Where(place => place.AddressFamily == node.Family).ToList();
                    if (own.Count > 0) await node.BootstrapAsync(own, stop.Token);
                    else await node.MaintainAsync(stop.Token);
                }

                joined.TrySetResult();
                isAlone = nodes.TrueForAll(item => item.Node.Nodes == 0);
                using var early = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
                await Task.WhenAny(
                    Task.Delay(isAlone ? AloneEvery : MaintainEvery, options.Time, early.Token),
                    told.Reader.WaitToReadAsync(early.Token).AsTask());
                await early.CancelAsync();
                stop.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            joined.TrySetResult();
        }
    }

    /// <summary>The nodes of the last run, and those by which everybody joins.</summary>
    private async Task<List<IPEndPoint>> KnownAsync()
    {
        List<IPEndPoint> known = [.. toldBefore, .. nodes.SelectMany(item => Remembered(item.Node.Family).Places)];
        foreach (var text in options.Bootstrap)
        {
            var colon = text.LastIndexOf(':');
            if (colon <= 0 || !ushort.TryParse(
                text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)) continue;
            try
            {
                var addresses = await options.Rules.ResolveAsync(text[..colon], stop.Token);
                known.AddRange(addresses.Select(address => new IPEndPoint(address, port)));
            }
            catch (VirgaException)
            {
                // Others may be there.
            }
        }

        return known;
    }

    private (NodeId? Id, List<IPEndPoint> Places) Remembered(AddressFamily family)
    {
        if (options.State.IsEmpty) return (null, []);
        try
        {
            var state = BencodeValue.ParseDictionary(options.State.Span, StateLimits, "the DHT's state");
            if (state.OptionalDictionary(KeyOf(family)) is not { } own) return (null, []);
            var size = NodeId.ByteCount
                + (family == AddressFamily.InterNetwork ? CompactAddress.V4Bytes : CompactAddress.V6Bytes);
            var list = own.Bytes("nodes");
            var places = new List<IPEndPoint>();
            for (var at = 0; at + size <= list.Length; at += size)
                places.Add(CompactAddress.Read(list.AsSpan((at + NodeId.ByteCount)..(at + size))));
            return (new NodeId(own.Bytes("id", NodeId.ByteCount, NodeId.ByteCount)), places);
        }
        catch (VirgaException)
        {
            // Without it one joins as for the first time.
            return (null, []);
        }
    }

    private static string KeyOf(AddressFamily family) => family == AddressFamily.InterNetwork ? "v4" : "v6";

    private sealed class Sink(DhtNode node) : IDatagramSink
    {
        public bool Receive(ReadOnlySpan<byte> datagram, in UdpPlace from)
        {
            node.Receive(datagram, from.ToEndPoint());
            return true;
        }

        public void EndBatch()
        {
            // Each question was answered when it came.
        }
    }
}
