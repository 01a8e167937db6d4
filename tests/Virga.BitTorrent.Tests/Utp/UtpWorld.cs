using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Utp;

/// <summary>
/// Nodes in memory, and a network between them that delays packets, and loses, doubles and mixes them up, from a seed.
/// All of it runs on one thread, and time passes only when nobody has anything left to do.
/// </summary>
internal sealed class UtpWorld(ulong seed)
{
    /// <summary>What stands still for so long comes to no end.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(2);

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(5);

    private readonly PriorityQueue<(byte[] Packet, UdpPlace From, UdpPlace To), (long At, long Order)> underWay = new();
    private readonly Dictionary<UdpPlace, IDatagramSink> places = [];
    private readonly Dictionary<UdpPlace, long> lineFreeAt = [];
    private readonly Seeded random = new(seed);
    private readonly Steps steps = new();
    private long order;

    public FakeTimeProvider Time { get; } = new();

    /// <summary>Of a thousand packets so many are lost, and so many come twice.</summary>
    public int LossPerMille { get; set; }

    public int DoubledPerMille { get; set; }

    public TimeSpan Delay { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Each packet is late by up to this: they overtake each other.</summary>
    public TimeSpan Jitter { get; set; }

    /// <summary>Of each sender's line; 0 for no bound. What does not fit waits.</summary>
    public int BytesPerSecond { get; set; }

    /// <summary>What waits longer is thrown away.</summary>
    public TimeSpan QueueMax { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The longest that a packet waited since this was set to zero.</summary>
    public TimeSpan Waited { get; set; }

    /// <summary>Bytes that were sent from one place to another.</summary>
    public Dictionary<(UdpPlace From, UdpPlace To), long> Sent { get; } = [];

    /// <summary>Sees each packet when it is sent, before anything happens to it.</summary>
    public Action<byte[], UdpPlace, UdpPlace>? Sending { get; set; }

    /// <summary>Sees each packet when it arrives.</summary>
    public Action<byte[], UdpPlace, UdpPlace>? Arriving { get; set; }

    /// <param name="serve">What is done with who comes; null takes nobody.</param>
    public (UtpNode Node, IPEndPoint Place) Add(
        Func<IPeerLink, Task>? serve, AddressRules? rules = null, Func<byte[], byte[]>? bytes = null,
        AddressFamily family = AddressFamily.InterNetwork)
    {
        var place = NewPlace(family);
        var own = new Seeded(Seeded.Hash(seed, place.ToString()));
        var node = new UtpNode(rules ?? AddressRules.LocalToo, Time, destination =>
        {
            own.RandomBytes(destination);
            bytes?.Invoke(destination.ToArray()).CopyTo(destination);
        });
        if (serve is not null) node.Acceptor = new Acceptor(serve);
        places[UdpPlace.Of(place)] = node.Open(new Line(this, UdpPlace.Of(place), family));
        return (node, place);
    }

    /// <summary>Somebody who does with packets what it likes.</summary>
    public IPEndPoint AddStranger(Action<byte[], UdpPlace>? receive = null)
    {
        var place = NewPlace(AddressFamily.InterNetwork);
        if (receive is not null) places[UdpPlace.Of(place)] = new Stranger(receive);
        return place;
    }

    public void Send(ReadOnlySpan<byte> datagram, IPEndPoint from, IPEndPoint to) =>
        Send(datagram, UdpPlace.Of(from), UdpPlace.Of(to));

    /// <summary>Lets packets and time pass until what is begun has ended.</summary>
    public Task RunAsync(Func<Task> begin)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(steps);
        try
        {
            var task = begin();
            var end = Time.GetUtcNow() + Longest;
            while (!task.IsCompleted)
            {
                if (steps.TryRun() || Deliver()) continue;
                if (Time.GetUtcNow() > end) throw new InvalidOperationException("it comes to no end");
                Pass();
            }
            return task;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public Task PassAsync(TimeSpan time) => RunAsync(() => Task.Delay(time, Time));

    private void Pass()
    {
        var now = Time.GetUtcNow().Ticks;
        var step = Step.Ticks;
        if (underWay.TryPeek(out _, out var next)) step = Math.Clamp(next.At - now, 1, step);
        Time.Advance(TimeSpan.FromTicks(step));
    }

    /// <summary>What is due now, as one batch for each place.</summary>
    private bool Deliver()
    {
        var reached = new HashSet<IDatagramSink>();
        var now = Time.GetUtcNow().Ticks;
        while (underWay.TryPeek(out var next, out var due) && due.At <= now)
        {
            underWay.Dequeue();
            Arriving?.Invoke(next.Packet, next.From, next.To);
            if (!places.TryGetValue(next.To, out var sink)) continue;
            sink.Receive(next.Packet, next.From);
            reached.Add(sink);
        }
        foreach (var sink in reached) sink.EndBatch();
        return reached.Count > 0;
    }

    private void Send(ReadOnlySpan<byte> datagram, UdpPlace from, UdpPlace to)
    {
        var packet = datagram.ToArray();
        Sending?.Invoke(packet, from, to);
        Sent[(from, to)] = Sent.GetValueOrDefault((from, to)) + packet.Length;
        if (random.Next(1000) < LossPerMille) return;
        var now = Time.GetUtcNow().Ticks;
        var leaves = now;
        if (BytesPerSecond > 0)
        {
            leaves = Math.Max(now, lineFreeAt.GetValueOrDefault(from));
            var waits = TimeSpan.FromTicks(leaves - now);
            if (waits > QueueMax) return;
            if (waits > Waited) Waited = waits;
            leaves += TimeSpan.TicksPerSecond * packet.Length / BytesPerSecond;
            lineFreeAt[from] = leaves;
        }
        var copies = random.Next(1000) < DoubledPerMille ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            var late = Jitter.Ticks > 0 ? random.Next(Jitter.Ticks) : 0;
            underWay.Enqueue((packet, from, to), (leaves + Delay.Ticks + late, order++));
        }
    }

    private IPEndPoint NewPlace(AddressFamily family)
    {
        var number = (byte)(places.Count + 1);
        var address = family == AddressFamily.InterNetwork
            ? new IPAddress([45, 1, 0, number])
            : new IPAddress([0x2a, 0, 0x14, 0x50, 0, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, 1]);
        var place = new IPEndPoint(address, 6881);
        places[UdpPlace.Of(place)] = new Stranger((_, _) => { });
        return place;
    }

    private sealed class Line(UtpWorld world, UdpPlace own, AddressFamily family) : IDatagramSender
    {
        public AddressFamily Family => family;

        public bool Send(ReadOnlySpan<byte> datagrams, int segment, SocketAddress to)
        {
            Assert.True(segment <= UtpLimits.PacketBytes(family), $"{segment} bytes in a packet");
            for (; datagrams.Length > 0; datagrams = datagrams[Math.Min(segment, datagrams.Length)..])
                world.Send(datagrams[..Math.Min(segment, datagrams.Length)], own, UdpPlace.Read(to));
            return true;
        }
    }

    private sealed class Acceptor(Func<IPeerLink, Task> serve) : IUtpAcceptor
    {
        public bool MayCome(IPAddress address) => true;

        public bool Take(IPeerLink link)
        {
            _ = serve(link);
            return true;
        }
    }

    private sealed class Stranger(Action<byte[], UdpPlace> receive) : IDatagramSink
    {
        public bool Receive(ReadOnlySpan<byte> datagram, in UdpPlace from)
        {
            receive(datagram.ToArray(), from);
            return true;
        }

        public void EndBatch()
        {
        }
    }

    private sealed class Steps : SynchronizationContext
    {
        private readonly ConcurrentQueue<(SendOrPostCallback Step, object? State)> waiting = new();

        public override void Post(SendOrPostCallback d, object? state) => waiting.Enqueue((d, state));

        public bool TryRun()
        {
            if (!waiting.TryDequeue(out var next)) return false;
            next.Step(next.State);
            return true;
        }
    }
}
