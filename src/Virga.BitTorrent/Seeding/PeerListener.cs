using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Obfuscation;
using Virga.Core;

namespace Virga.BitTorrent.Seeding;

/// <summary>Finds the swarm that a hash names, opening it where it rests; null for none of ours.</summary>
public delegate ValueTask<Swarm?> SwarmLookup(SwarmHash hash, CancellationToken cancellationToken);

/// <summary>
/// Takes connections of peers, by TCP and by uTP, and hands them to their swarms. Bounded in all, and for each address.
/// </summary>
public sealed class PeerListener : IUtpAcceptor, IAsyncDisposable
{
    /// <summary>Connections that came in, at once: of several swarms.</summary>
    private const int ConnectionsMax = 500;

    /// <summary>From one address: many may stand behind one, none needs more.</summary>
    private const int ConnectionsOfAddressMax = 20;

    private const int Backlog = 128;

    private readonly Socket socket;
    private readonly SwarmLookup lookup;
    private readonly Func<IEnumerable<SwarmHash>> known;
    private readonly AddressRules rules;
    private readonly RandomBytes random;
    private readonly Action<string> log;
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<Task, bool> running = [];
    private readonly Dictionary<IPAddress, int> addresses = [];
    private readonly Task accepting;
    private PeerSettings settings;
    private UtpNode? utp;

    private PeerListener(
        Socket socket, PeerSettings settings, SwarmLookup lookup, Func<IEnumerable<SwarmHash>> known,
        AddressRules rules, RandomBytes random, Action<string> log)
    {
        this.rules = rules;
        this.socket = socket;
        this.lookup = lookup;
        this.known = known;
        this.random = random;
        this.log = log;
        this.settings = settings with { ListenPort = ((IPEndPoint)socket.LocalEndPoint!).Port };
        accepting = AcceptAsync();
    }

    /// <summary>As given, with the port that is listened at, and uTP where it is taken.</summary>
    public PeerSettings Settings => Volatile.Read(ref settings);

    public IPEndPoint LocalEndPoint => (IPEndPoint)socket.LocalEndPoint!;

    /// <param name="listen">[::] takes IPv4, too; port 0 any.</param>
    /// <param name="known">
    /// All swarms that <paramref name="lookup"/> finds: an obfuscated handshake tells which it means only to who knows.
    /// </param>
    /// <param name="rules">Whom they block is not taken; null takes everybody.</param>
    /// <exception cref="VirgaException">InUse or Denied.</exception>
    public static PeerListener Start(
        IPEndPoint listen, PeerSettings settings, SwarmLookup lookup, Func<IEnumerable<SwarmHash>> known,
        RandomBytes random, Action<string> log, AddressRules? rules = null)
    {
        var socket = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (listen.Address.Equals(IPAddress.IPv6Any)) socket.DualMode = true;
            socket.Bind(listen);
            socket.Listen(Backlog);
            return new PeerListener(socket, settings, lookup, known, rules ?? AddressRules.PublicOnly, random, log);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new VirgaException(
                e.SocketErrorCode == SocketError.AddressAlreadyInUse ? FailureKind.InUse : FailureKind.Denied,
                $"BitTorrent peers can't be taken at {listen}: {e.Message}",
                "Name another address or port.", e);
        }
    }

    /// <summary>Takes who comes by uTP, too, and connects by it; it stays the caller's.</summary>
    public void Add(UtpNode node)
    {
        utp = node;
        Volatile.Write(ref settings, settings with { Utp = node });
        node.Acceptor = this;
    }

    bool IUtpAcceptor.MayCome(IPAddress address)
    {
        lock (addresses) return HasRoom(address);
    }

    bool IUtpAcceptor.Take(IPeerLink link)
    {
        lock (addresses)
        {
            if (!TryTake(link.Remote.Address)) return false;
            // The datagrams of others wait for who calls.
            Run(Task.Run(() => ServeAsync(link), CancellationToken.None));
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (utp is not null) utp.Acceptor = null;
        await stop.CancelAsync();
        socket.Dispose();
        await accepting;
        Task[] last;
        lock (addresses) last = [.. running.Keys];
        await Task.WhenAll(last);
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            Socket peer;
            try
            {
                peer = await socket.AcceptAsync(stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // One that was gone before it was taken, or too many open files: others may fare better.
                await Task.Delay(TimeSpan.FromMilliseconds(50), Settings.Time, CancellationToken.None);
                continue;
            }
            SocketLink link;
            try
            {
                link = new SocketLink(peer);
            }
            catch (SocketException)
            {
                // Gone already.
                peer.Dispose();
                continue;
            }
            if (TryTake(link.Remote.Address)) Run(ServeAsync(link));
            else await link.DisposeAsync();
        }
    }

    private void Run(Task task)
    {
        running[task] = true;
        _ = task.ContinueWith(
            done => running.TryRemove(done, out _), CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Called inside of the lock of <see cref="addresses"/>.</summary>
    private bool HasRoom(IPAddress address) =>
        !stop.IsCancellationRequested && running.Count < ConnectionsMax
        && addresses.GetValueOrDefault(address) < ConnectionsOfAddressMax;

    private bool TryTake(IPAddress address)
    {
        if (rules.Blocks(address)) return false;
        lock (addresses)
        {
            if (!HasRoom(address)) return false;
            addresses[address] = addresses.GetValueOrDefault(address) + 1;
            return true;
        }
    }

    private async Task ServeAsync(IPeerLink peer)
    {
        var address = peer.Remote.Address;
        try
        {
            await using var link = peer;
            if (await GreetAsync(link) is not var (swarm, greeted, handshake)) return;
            var end = await new PeerSession(greeted, swarm, Settings, handshake).RunAsync(stop.Token);
            if (end.Reason is PeerEndReason.BrokeProtocol or PeerEndReason.Failed)
                log($"peer {link.Remote}: {end.Detail}");
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or VirgaException)
        {
            // It never came to be a session.
        }
        finally
        {
            lock (addresses)
            {
                if (addresses[address] == 1) addresses.Remove(address);
                else addresses[address]--;
            }
        }
    }

    private async ValueTask<(Swarm Swarm, IPeerLink Link, PeerHandshake Handshake)?> GreetAsync(IPeerLink link)
    {
        using var limit = new CancellationTokenSource(Settings.HandshakeWithin, Settings.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop.Token);
        var (plain, other) = await PeerSession.ReadStartAsync(link, both.Token);
        if (plain is null)
        {
            link = await ObfuscatedHandshake.AcceptAsync(link, other, known(), random, both.Token);
            plain = await PeerSession.ReadHandshakeAsync(link, both.Token);
        }
        return plain is { } handshake && await lookup(handshake.Swarm, both.Token) is { } swarm
            ? (swarm, link, handshake) : null;
    }
}
