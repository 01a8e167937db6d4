using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Wire;
using Virga.Core;

namespace Virga.BitTorrent.Utp;

/// <summary>Takes connections of peers that come by uTP.</summary>
public interface IUtpAcceptor
{
    /// <summary>Whether one of this address would be taken now. Called for whoever says to be there.</summary>
    bool MayCome(IPAddress address);

    /// <summary>Takes a connection, and disposes of it; false where it is not taken after all.</summary>
    bool Take(IPeerLink link);
}

/// <summary>What sends datagrams, without waiting: a <see cref="UdpPort"/>, memory in tests.</summary>
internal interface IDatagramSender
{
    AddressFamily Family { get; }

    /// <inheritdoc cref="UdpPort.Send(ReadOnlySpan{byte}, int, SocketAddress)"/>
    bool Send(ReadOnlySpan<byte> datagrams, int segment, SocketAddress to);
}

/// <summary>By what a connection is found: where the peer is, and the id in its packets.</summary>
internal readonly record struct UtpKey(UdpPlace Place, ushort Id);

/// <summary>
/// uTP (BEP 29) on the UDP ports of a machine: connections in both directions. Nothing is kept of who has not proved
/// that it is where its packets say, and it is sent no more bytes than it sent. Safe for many threads.
/// </summary>
public sealed class UtpNode : IAsyncDisposable
{
    /// <summary>A number that was given out is good for so long at least, and twice as long at most.</summary>
    private const long EpochMicros = 30_000_000;

    private readonly TimeProvider time;
    private readonly RandomBytes random;
    private readonly AddressRules rules;
    private readonly long started;
    private readonly KeyedHash numbers;
    private readonly List<IDatagramSender> senders = [];
    private readonly ConcurrentDictionary<UtpKey, UtpConnection> connections = new();
    private readonly SemaphoreSlim beginning = new(UtpLimits.BeginningMax);
    private readonly ITimer timer;
    private readonly Lock gate = new();
    private bool isTicking;
    private bool isDisposed;
    private int count;

    /// <param name="rules">Whom they block is not answered.</param>
    public UtpNode(AddressRules rules, TimeProvider time, RandomBytes random)
    {
        this.rules = rules;
        this.time = time;
        this.random = random;
        started = time.GetTimestamp();
        numbers = new KeyedHash(random);
        ClockOffset = RandomNumber() | ((uint)RandomNumber() << 16);
        timer = time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Null refuses whoever comes: it is told so at once, and comes by TCP.</summary>
    public IUtpAcceptor? Acceptor { get; set; }

    /// <summary>Connections, those that begin and close among them.</summary>
    public int Connections => Volatile.Read(ref count);

    /// <summary>Microseconds since it began.</summary>
    internal long Now => time.GetElapsedTime(started).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>Peers are not told since when this machine runs.</summary>
    internal uint ClockOffset { get; }

    /// <summary>What a connection may keep now in each direction.</summary>
    internal int WindowBytes => UtpLimits.WindowBytes(Connections);

    internal IEnumerable<UtpConnection> All => connections.Values;

    /// <summary>Speaks on a port, before that begins; it stays the caller's.</summary>
    public void Add(UdpPort port) => port.Add(Open(port));

    /// <summary>Whether peers of a family can be connected to.</summary>
    public bool Reaches(AddressFamily family) => senders.Exists(sender => sender.Family == family);

    /// <summary>Connects to a peer. Throws SocketException where it is not there or refuses.</summary>
    public async Task<IPeerLink> ConnectAsync(IPEndPoint place, CancellationToken cancellationToken)
    {
        if (place.Address.IsIPv4MappedToIPv6) place = new IPEndPoint(place.Address.MapToIPv4(), place.Port);
        var sender = senders.Find(sender => sender.Family == place.AddressFamily)
            ?? throw new SocketException((int)SocketError.AddressFamilyNotSupported);
        await beginning.WaitAsync(cancellationToken);
        UtpConnection? connection = null;
        try
        {
            connection = Begin(sender, UdpPlace.Of(place));
            connection.Begin(RandomNumber());
            await connection.Connected.WaitAsync(cancellationToken);
            return connection;
        }
        catch
        {
            if (connection is not null) await connection.DisposeAsync();
            throw;
        }
        finally
        {
            beginning.Release();
        }
    }

    /// <summary>Ends all connections; the ports are the caller's to close.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate) isDisposed = true;
        await timer.DisposeAsync();
        foreach (var connection in connections.Values) connection.Abort();
    }

    /// <summary>What takes the datagrams of a sender's own port.</summary>
    internal IDatagramSink Open(IDatagramSender sender)
    {
        senders.Add(sender);
        return new Door(this, sender);
    }

    internal void Remove(UtpConnection connection)
    {
        if (connections.TryRemove(new KeyValuePair<UtpKey, UtpConnection>(connection.Key, connection)))
            Interlocked.Decrement(ref count);
    }

    private UtpConnection Begin(IDatagramSender sender, UdpPlace place)
    {
        while (true)
        {
            var id = RandomNumber();
            var connection = new UtpConnection(this, sender, place, id, (ushort)(id + 1));
            if (TryAdd(connection)) return connection;
        }
    }

    /// <summary>False where there is one of the same ids.</summary>
    private bool TryAdd(UtpConnection connection)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            if (!connections.TryAdd(connection.Key, connection)) return false;
            Interlocked.Increment(ref count);
            if (isTicking) return true;
            isTicking = true;
            timer.Change(UtpLimits.TickEvery, UtpLimits.TickEvery);
            return true;
        }
    }

    private void Tick()
    {
        var now = Now;
        foreach (var (_, connection) in connections) connection.Tick(now);
        lock (gate)
        {
            if (!connections.IsEmpty || isDisposed) return;
            isTicking = false;
            timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private ushort RandomNumber()
    {
        Span<byte> bytes = stackalloc byte[2];
        random(bytes);
        return BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    /// <summary>
    /// Our first number to who asks for a connection: of who asks, and of when, so that nothing needs to be kept until
    /// it comes back (as SYN cookies of TCP do, RFC 4987, 3.6).
    /// </summary>
    private ushort NumberFor(in UdpPlace place, ushort id, ushort sequence, long epoch) => (ushort)numbers.Of(
        (ulong)place.Address, (ulong)(place.Address >> 64) ^ place.Scope,
        ((ulong)place.Port << 48) | ((ulong)id << 32) | ((ulong)sequence << 16) | (ushort)epoch);

    private bool MayCome(in UdpPlace from) =>
        Acceptor is { } acceptor && Connections < UtpLimits.ConnectionsMax && acceptor.MayCome(from.ToAddress());

    /// <summary>One port: packets come to it from one thread at a time.</summary>
    private sealed class Door(UtpNode node, IDatagramSender sender) : IDatagramSink
    {
        private readonly List<UtpConnection> touched = [];

        public bool Receive(ReadOnlySpan<byte> datagram, in UdpPlace from)
        {
            if (!UtpHeader.IsHeader(datagram)) return false;
            if (!UtpPacket.TryRead(datagram, out var packet)) return true;
            var header = packet.Header;
            if (header.Kind == UtpKind.Syn) OnSyn(header, from);
            else if (Find(header, from) is { } connection) Touch(connection, packet);
            else if (header.Kind != UtpKind.Reset && !node.rules.Blocks(from.ToAddress())) OnUnknown(packet, from);
            return true;
        }

        public void EndBatch()
        {
            if (touched.Count == 0) return;
            var now = node.Now;
            foreach (var connection in touched) connection.EndBatch(now);
            touched.Clear();
        }

        private void Touch(UtpConnection connection, in UtpPacket packet)
        {
            connection.Receive(packet, node.Now);
            if (!touched.Contains(connection)) touched.Add(connection);
        }

        /// <summary>What refuses a connection may have either of its ids.</summary>
        private UtpConnection? Find(in UtpHeader header, in UdpPlace from)
        {
            if (node.connections.TryGetValue(new UtpKey(from, header.Connection), out var found)) return found;
            if (header.Kind != UtpKind.Reset) return null;
            foreach (var id in (ReadOnlySpan<int>)[header.Connection - 1, header.Connection + 1])
            {
                if (node.connections.TryGetValue(new UtpKey(from, (ushort)id), out found)
                    && found.IsNamedBy(header.Connection)) return found;
            }
            return null;
        }

        private void OnSyn(in UtpHeader header, in UdpPlace from)
        {
            // It has been answered already, and was delayed.
            if (node.connections.ContainsKey(new UtpKey(from, (ushort)(header.Connection + 1)))) return;
            if (node.rules.Blocks(from.ToAddress())) return;
            if (!node.MayCome(from))
            {
                Answer(UtpKind.Reset, header, node.RandomNumber(), 0, from);
                return;
            }
            var number = node.NumberFor(from, header.Connection, header.Sequence, node.Now / EpochMicros);
            Answer(UtpKind.State, header, number, (uint)node.WindowBytes, from);
        }

        /// <summary>
        /// The first data of a connection brings our own number back, which proves that the peer is where it says.
        /// </summary>
        private void OnUnknown(in UtpPacket packet, in UdpPlace from)
        {
            var header = packet.Header;
            var id = (ushort)(header.Connection - 1);
            var epoch = node.Now / EpochMicros;
            for (var i = 0; header.Kind == UtpKind.Data && i < 2 * UtpLimits.FirstPackets; i++)
            {
                var syn = (ushort)(header.Sequence - 1 - (i / 2));
                var number = node.NumberFor(from, id, syn, epoch - (i % 2));
                if (number != (ushort)(header.Acknowledged + 1)) continue;
                if (node.Acceptor is not { } acceptor || !node.MayCome(from)) break;
                var connection = new UtpConnection(node, sender, from, header.Connection, id);
                connection.Begin((ushort)(syn + 1), number, node.Now);
                if (!node.TryAdd(connection)) return;
                Touch(connection, packet);
                if (!acceptor.Take(connection)) connection.Abort();
                return;
            }
            Answer(UtpKind.Reset, header, node.RandomNumber(), 0, from);
        }

        /// <summary>To who may not be there: not longer than what it answers.</summary>
        private void Answer(UtpKind kind, in UtpHeader asked, ushort sequence, uint window, in UdpPlace from)
        {
            Span<byte> packet = stackalloc byte[UtpHeader.ByteCount];
            var now = (uint)node.Now + node.ClockOffset;
            new UtpHeader(kind, asked.Connection, now, now - asked.Time, window, sequence, asked.Sequence)
                .Write(packet);
            sender.Send(packet, packet.Length, from.ToEndPoint().Serialize());
        }
    }
}
