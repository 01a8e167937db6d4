using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Dht;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Dht;

/// <summary>
/// Nodes in memory, each at an address of its own, and a network between them that delivers packets one after the other
/// and loses some, from a seed. Time stands still while packets are under way.
/// </summary>
internal sealed class DhtWorld(ulong seed, AddressRules? rules = null)
{
    private readonly ConcurrentQueue<(byte[] Packet, IPEndPoint From, IPEndPoint To)> underWay = new();
    private readonly Dictionary<IPEndPoint, Action<byte[], IPEndPoint>> places = [];
    private readonly Seeded random = new(seed);
    private readonly Steps steps = new();

    public FakeTimeProvider Time { get; } = new();

    public List<DhtNode> Nodes { get; } = [];

    public List<IPEndPoint> Places { get; } = [];

    /// <summary>Of a thousand packets so many are lost.</summary>
    public int LossPerMille { get; set; }

    /// <summary>Bytes sent to each address, and by it.</summary>
    public Dictionary<IPEndPoint, (long Sent, long Got)> Traffic { get; } = [];

    public DhtNode Add(bool isReadOnly = false, NodeId? id = null, AddressFamily family = AddressFamily.InterNetwork)
    {
        var place = NewPlace(family);
        DhtNode? node = null;
        node = new DhtNode(
            new DhtOptions
            {
                Time = Time, Random = random.RandomBytes, IsReadOnly = isReadOnly, Family = family,
                Rules = rules ?? AddressRules.LocalToo,
            }, (packet, to) => Send(packet, place, to), id);
        places[place] = (packet, from) => node.Receive(packet, from);
        Nodes.Add(node);
        Places.Add(place);
        return node;
    }

    /// <summary>Somebody who does with packets what it likes.</summary>
    public IPEndPoint AddStranger(Action<byte[], IPEndPoint> receive)
    {
        var place = NewPlace(AddressFamily.InterNetwork);
        places[place] = receive;
        return place;
    }

    /// <summary>What comes to a place goes elsewhere from now on.</summary>
    public void Replace(IPEndPoint place, Action<byte[], IPEndPoint> receive) => places[place] = receive;

    public void Send(ReadOnlySpan<byte> packet, IPEndPoint from, IPEndPoint to) =>
        underWay.Enqueue((packet.ToArray(), from, to));

    /// <summary>A network of so many nodes, each joined by one that was there before.</summary>
    public async Task GrowAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var node = Add();
            if (Nodes.Count == 1) continue;
            var known = Places[(int)random.Next(Places.Count - 1)];
            await RunAsync(() => node.BootstrapAsync([known], default));
        }
    }

    /// <summary>
    /// Lets packets and time pass until what is begun has ended. All of it runs on this thread, one step after the
    /// other: time passes only when nobody has anything left to do.
    /// </summary>
    public Task RunAsync(Func<Task> begin)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(steps);
        try
        {
            var task = begin();
            while (!task.IsCompleted)
            {
                if (!steps.TryRun() && !Deliver()) Time.Advance(TimeSpan.FromMilliseconds(200));
            }

            return task;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public Task<T> RunAsync<T>(Func<Task<T>> begin) => (Task<T>)RunAsync((Func<Task>)begin);

    /// <summary>Delivers what is under way, and what comes of it.</summary>
    public bool Deliver()
    {
        var isAny = false;
        while (underWay.TryDequeue(out var next))
        {
            isAny = true;
            Count(next.From, sent: next.Packet.Length, got: 0);
            if (LossPerMille > 0 && random.Next(1000) < LossPerMille) continue;
            Count(next.To, sent: 0, got: next.Packet.Length);
            if (places.TryGetValue(next.To, out var receive)) receive(next.Packet, next.From);
        }

        return isAny;
    }

    private void Count(IPEndPoint place, long sent, long got)
    {
        var before = Traffic.GetValueOrDefault(place);
        Traffic[place] = (before.Sent + sent, before.Got + got);
    }

    private IPEndPoint NewPlace(AddressFamily family)
    {
        var number = places.Count + 1;
        // Public ones, so that strict rules hold as well.
        var address = family == AddressFamily.InterNetwork
            ? new IPAddress([45, (byte)(number >> 16), (byte)(number >> 8), (byte)number])
            : new IPAddress([0x2a, 0, 0x14, 0x50, 0, 0, (byte)(number >> 8), (byte)number, 0, 0, 0, 0, 0, 0, 0, 1]);
        return new IPEndPoint(address, 6881);
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
