using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Virga.Core;

namespace Virga.BitTorrent.Neighbours;

/// <summary>Settings of the search in the network around this machine.</summary>
public sealed record LocalSearchOptions
{
    /// <summary>Where peers are taken: at which address, or which families, it calls; null: it only listens.</summary>
    public IPEndPoint? Peers { get; init; }

    /// <summary>Whom it refuses whatever it says: <see cref="AddressRules.Blocks"/>.</summary>
    public AddressRules Rules { get; init; } = AddressRules.PublicOnly;

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }
}

/// <summary>
/// Finds peers in the network around this machine (LSD, BEP 14): calls to a group of machines which swarms we are in,
/// and hears who else is. It goes no further than the next router, and takes only who is in a network of this machine.
/// Safe for many threads.
/// </summary>
public sealed class LocalSearch : IPeerFinder, IAsyncDisposable
{
    /// <summary>Peers found that nobody has taken yet; more are left out, and heard again.</summary>
    private const int FoundMax = 200;

    private const int CookieBytes = 8;

    private static readonly IPEndPoint GroupV4 = new(IPAddress.Parse("239.192.152.143"), 6771);
    private static readonly IPEndPoint GroupV6 = new(IPAddress.Parse("ff15::efc0:988f"), 6771);

    /// <summary>Networks come and go: so often the group is joined in new ones.</summary>
    private static readonly TimeSpan JoinEvery = TimeSpan.FromMinutes(1);

    private readonly LocalSearchOptions options;
    private readonly string cookie;
    private readonly LocalSchedule schedule;
    private readonly List<(IPEndPoint Group, Socket Socket)> ears = [];
    private readonly Lock gate = new();
    private readonly Dictionary<SwarmHash, List<Channel<IPEndPoint>>> seekers = [];
    private readonly SemaphoreSlim news = new(0);
    private readonly CancellationTokenSource stop = new();
    private readonly List<Task> running = [];
    private volatile IReadOnlyList<LocalPlace> places = [];

    /// <summary>An address of this machine, in a network in which groups can be called.</summary>
    private sealed record LocalPlace(IPAddress Address, IPNetwork Network, int Interface);

    private LocalSearch(LocalSearchOptions options)
    {
        this.options = options;
        schedule = new LocalSchedule(options.Time);
        var bytes = new byte[CookieBytes];
        options.Random(bytes);
        cookie = Convert.ToHexStringLower(bytes);
    }

    public bool FindsNeighbours => true;

    /// <exception cref="VirgaException">Denied where no family can be listened to.</exception>
    public static LocalSearch Start(LocalSearchOptions options)
    {
        var search = new LocalSearch(options);
        SocketException? failure = null;
        foreach (var group in search.Groups())
        {
            try
            {
                search.ears.Add((group, Open(new IPEndPoint(AnyOf(group), group.Port))));
            }
            catch (SocketException e)
            {
                failure = e;
            }
        }

        if (search.ears.Count == 0)
        {
            throw new VirgaException(
                FailureKind.Denied, $"peers in your own network can't be looked for: {failure?.Message}",
                "Leave out --torrent-lsd, or end the program that has UDP port 6771 for itself.", failure);
        }

        search.Join();
        foreach (var (_, socket) in search.ears) search.running.Add(search.HearAsync(socket));
        search.running.Add(search.CallAsync());
        return search;
    }

    public async IAsyncEnumerable<IPEndPoint> FindAsync(
        SwarmHash swarm, SwarmProgress progress, int listenPort,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var found = Channel.CreateBounded<IPEndPoint>(
            new BoundedChannelOptions(FoundMax) { FullMode = BoundedChannelFullMode.DropWrite });
        lock (gate)
        {
            if (!seekers.TryGetValue(swarm, out var all)) seekers[swarm] = all = [];
            all.Add(found);
        }

        var isAnnounced = listenPort > 0 && options.Peers is not null;
        try
        {
            if (isAnnounced)
            {
                schedule.Add(swarm);
                news.Release();
            }

            await foreach (var peer in found.Reader.ReadAllAsync(cancellationToken)) yield return peer;
        }
        finally
        {
            if (isAnnounced) schedule.Remove(swarm);
            lock (gate)
            {
                if (seekers[swarm].Remove(found) && seekers[swarm].Count == 0) seekers.Remove(swarm);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        foreach (var (_, socket) in ears) socket.Dispose();
        await Task.WhenAll(running);
        stop.Dispose();
        news.Dispose();
    }

    private IEnumerable<IPEndPoint> Groups()
    {
        var at = options.Peers?.Address;
        if (at is null || at.AddressFamily == AddressFamily.InterNetwork || at.Equals(IPAddress.IPv6Any))
            yield return GroupV4;
        if ((at is null || at.AddressFamily == AddressFamily.InterNetworkV6) && Socket.OSSupportsIPv6)
            yield return GroupV6;
    }

    private static IPAddress AnyOf(IPEndPoint group) =>
        group.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;

    /// <summary>Others on this machine may listen there, too.</summary>
    private static Socket Open(IPEndPoint place)
    {
        var socket = new Socket(place.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (place.AddressFamily == AddressFamily.InterNetworkV6) socket.DualMode = false;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(place);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Looks which networks there are, and joins the group in each.</summary>
    private void Join()
    {
        places = Look();
        foreach (var (group, socket) in ears)
        {
            foreach (var place in places.Where(p => p.Address.AddressFamily == group.AddressFamily))
            {
                try
                {
                    if (group.AddressFamily == AddressFamily.InterNetwork)
                        socket.SetSocketOption(
                            SocketOptionLevel.IP, SocketOptionName.AddMembership,
                            new MulticastOption(group.Address, place.Address));
                    else
                        socket.SetSocketOption(
                            SocketOptionLevel.IPv6, SocketOptionName.AddMembership,
                            new IPv6MulticastOption(group.Address, place.Interface));
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    // It is joined already, or the network has gone.
                }
            }
        }
    }

    private List<LocalPlace> Look()
    {
        var found = new List<LocalPlace>();
        try
        {
            foreach (var card in NetworkInterface.GetAllNetworkInterfaces())
            {
                if (!card.SupportsMulticast || card.OperationalStatus == OperationalStatus.Down) continue;
                var properties = card.GetIPProperties();
                foreach (var own in properties.UnicastAddresses)
                {
                    // Those of a single link carry an interface's number, which peers can't be remembered with.
                    if (own.Address.IsIPv6LinkLocal) continue;
                    var bits = own.PrefixLength;
                    var index = own.Address.AddressFamily == AddressFamily.InterNetworkV6
                        ? properties.GetIPv6Properties().Index : 0;
                    found.Add(new LocalPlace(own.Address, NetworkOf(own.Address, bits), index));
                }
            }
        }
        catch (NetworkInformationException)
        {
            // Changed while it was read: it is read again.
        }

        return found;
    }

    private static IPNetwork NetworkOf(IPAddress address, int bits)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++) bytes[i] &= (byte)(0xFF00 >> Math.Clamp(bits - (8 * i), 0, 8));
        return new IPNetwork(new IPAddress(bytes), bits);
    }

    private async Task HearAsync(Socket socket)
    {
        var packet = GC.AllocateUninitializedArray<byte>(LocalAnnounce.PacketBytes + 1);
        var any = new IPEndPoint(
            socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(packet, SocketFlags.None, any, stop.Token);
                Heard(packet.AsSpan(0, received.ReceivedBytes), ((IPEndPoint)received.RemoteEndPoint).Address);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // One was too long: it is no announce.
            }
        }
    }

    private void Heard(ReadOnlySpan<byte> packet, IPAddress from)
    {
        if (!LocalAnnounce.TryRead(packet, out var announce) || announce.Cookie == cookie
            || options.Rules.Blocks(from) || !places.Any(place => place.Network.Contains(from))) return;
        var peer = new IPEndPoint(from, announce.Port);
        foreach (var swarm in announce.Swarms)
        {
            lock (gate)
            {
                foreach (var seeker in seekers.GetValueOrDefault(swarm) ?? []) seeker.Writer.TryWrite(peer);
            }

            if (schedule.Heard(swarm, peer)) news.Release();
        }
    }

    private async Task CallAsync()
    {
        var joined = options.Time.GetTimestamp();
        try
        {
            while (true)
            {
                if (options.Time.GetElapsedTime(joined) >= JoinEvery)
                {
                    Join();
                    joined = options.Time.GetTimestamp();
                }

                if (schedule.Take() is { Count: > 0 } swarms) await SendAsync(swarms);
                var wait = schedule.NextIn();
                using var early = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
                await Task.WhenAny(
                    Task.Delay(wait < JoinEvery ? wait : JoinEvery, options.Time, early.Token),
                    news.WaitAsync(early.Token));
                await early.CancelAsync();
                stop.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }

    /// <summary>From each address at which peers are taken, into its network.</summary>
    private async Task SendAsync(IReadOnlyList<SwarmHash> swarms)
    {
        var at = options.Peers!.Address;
        var isAny = at.Equals(IPAddress.Any) || at.Equals(IPAddress.IPv6Any);
        var announce = new LocalAnnounce((ushort)options.Peers.Port, swarms, cookie);
        foreach (var (group, _) in ears)
        {
            var packet = announce.Write(group);
            foreach (var place in places.Where(p => p.Address.AddressFamily == group.AddressFamily
                && (isAny || p.Address.Equals(at))))
            {
                try
                {
                    using var socket = new Socket(group.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                    socket.Bind(new IPEndPoint(place.Address, 0));
                    if (group.AddressFamily == AddressFamily.InterNetwork)
                        socket.SetSocketOption(
                            SocketOptionLevel.IP, SocketOptionName.MulticastInterface,
                            place.Address.GetAddressBytes());
                    else
                        socket.SetSocketOption(
                            SocketOptionLevel.IPv6, SocketOptionName.MulticastInterface, place.Interface);
                    await socket.SendToAsync(packet, SocketFlags.None, group, stop.Token);
                }
                catch (SocketException)
                {
                    // Lost, as packets get lost, or the network has gone.
                }
            }
        }
    }
}
