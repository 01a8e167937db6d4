using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Virga.BitTorrent.Trackers.Server;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.BitTorrent.Dht;

/// <summary>Sends a packet, or loses it; never waits, never throws.</summary>
public delegate void DhtSend(ReadOnlySpan<byte> packet, IPEndPoint to);

/// <summary>How a node of the DHT behaves.</summary>
public sealed record DhtOptions
{
    public AddressFamily Family { get; init; } = AddressFamily.InterNetwork;

    public AddressRules Rules { get; init; } = AddressRules.PublicOnly;

    /// <summary>Asks, and answers nobody (BEP 43): for machines that nobody can reach.</summary>
    public bool IsReadOnly { get; init; }

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }
}

/// <summary>
/// A node of the BitTorrent DHT, for one family of addresses (BEP 5, 32, 42, 43, 44). It has no socket: packets are
/// handed to <see cref="Receive"/> and leave by a delegate. Others get into its table only by answering it; what others
/// say is bounded everywhere; and an address that has not shown to get what is sent to it is never answered with more
/// bytes than came from it. Safe for many threads.
/// </summary>
public sealed partial class DhtNode
{
    private const int VotesMin = 8;
    private const int VotesMax = 64;
    private const int TransactionBytes = 4;

    private readonly DhtOptions options;
    private readonly DhtSend send;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private readonly Dictionary<uint, Pending> pending = [];
    private readonly Dictionary<IPAddress, IPAddress> votes = [];
    private readonly KeyedHash keyed;
    private readonly AddressRates answerRates, allRates;
    private readonly SwarmTable swarms;
    private readonly long origin;
    /// <summary>Boxed, so that it is read whole while it changes.</summary>
    private volatile StrongBox<NodeId> own;
    private RoutingTable table;

    /// <param name="id">The one of an earlier run; null for a new one.</param>
    public DhtNode(DhtOptions options, DhtSend send, NodeId? id = null)
    {
        this.options = options;
        this.send = send;
        time = options.Time;
        origin = time.GetTimestamp();
        keyed = new KeyedHash(options.Random);
        own = new StrongBox<NodeId>(id ?? NodeId.Random(options.Random));
        table = new RoutingTable(Id, IsStrict, time);
        answerRates = new AddressRates(DhtLimits.AnswersPerSecond, DhtLimits.AnswersBurst);
        allRates = new AddressRates(DhtLimits.AnswersPerSecondInAll, DhtLimits.AnswersBurstInAll);
        proven = new RecentPlaces(time);
        silent = new RecentPlaces(time);
        swarms = new SwarmTable(
            new TrackerServerLimits
            {
                SwarmsMax = DhtLimits.Swarms, PeersMax = DhtLimits.Peers, PeersPerSwarmMax = DhtLimits.PeersPerSwarm,
            }, time, options.Random);
    }

    public NodeId Id => own.Value;

    public AddressFamily Family => options.Family;

    /// <summary>The node of the other family, whose nodes are given to who wants them (BEP 32).</summary>
    public DhtNode? Sibling { get; set; }

    /// <summary>Nodes that have answered us.</summary>
    public int Nodes
    {
        get
        {
            lock (gate) return table.Count;
        }
    }

    /// <summary>Nodes to begin with the next time.</summary>
    public IReadOnlyList<DhtContact> Contacts
    {
        get
        {
            lock (gate) return [.. table.All];
        }
    }

    internal int HeldCount
    {
        get
        {
            lock (gate) return held.Count;
        }
    }

    internal int RememberedCount => proven.Count + silent.Count;

    internal int PendingCount
    {
        get
        {
            lock (gate) return pending.Count;
        }
    }

    /// <summary>Inside one's own network many nodes share an address, and ids fit none (BEP 42).</summary>
    private bool IsStrict => !options.Rules.AllowsLocal;

    /// <summary>Takes a packet; the answer, if any, is sent before it returns.</summary>
    public void Receive(ReadOnlySpan<byte> packet, IPEndPoint from)
    {
        if (packet.Length > DhtLimits.PacketBytes || from.AddressFamily != Family || !options.Rules.Allows(from)
            || !DhtMessage.TryRead(packet, out var message)) return;
        if (message.Kind == (byte)'q') Asked(message, packet.Length, from);
        else Answered(message, from);
    }

    /// <summary>Joins by nodes that are known from elsewhere, then looks for what is near its own id.</summary>
    public async Task BootstrapAsync(IEnumerable<IPEndPoint> places, CancellationToken cancellationToken)
    {
        // Their ids are not known yet: what they answer with is.
        await Task.WhenAll(places.Where(options.Rules.Allows).Take(DhtLimits.BucketNodes * 2)
            .Select(place => AskAsync(null, place, "find_node", w => w.Key("id").Bytes(Id.ToArray())
                .Key("target").Bytes(Id.ToArray()), cancellationToken)));
        await new DhtLookup(this, Id).RunAsync("find_node", null, null, cancellationToken);
    }

    /// <summary>
    /// Asks who was silent for long, looks into the far parts, forgets what is old; every few minutes.
    /// </summary>
    public async Task MaintainAsync(CancellationToken cancellationToken)
    {
        swarms.Sweep();
        SweepItems();
        List<DhtContact> silent;
        NodeId far;
        lock (gate)
        {
            silent = table.Questionable(DhtLimits.BucketNodes * 2);
            Span<byte> bits = stackalloc byte[1];
            options.Random(bits);
            far = Id.Beside(bits[0] % 16, options.Random);
        }

        await Task.WhenAll(silent.Select(contact => AskAsync(
            contact.Id, contact.Place, "ping", w => w.Key("id").Bytes(Id.ToArray()), cancellationToken)));
        await new DhtLookup(this, far).RunAsync("find_node", null, null, cancellationToken);
    }

    internal List<DhtContact> Closest(NodeId target, int count)
    {
        lock (gate) return table.Closest(target, count);
    }

    internal AddressRules Rules => options.Rules;

    internal bool IsOneOfAnAddress => IsStrict;

    internal bool IsReadOnly => options.IsReadOnly;

    /// <summary>
    /// Asks one node and waits; null when it doesn't answer, answers with an error, or is not who it was said to be.
    /// </summary>
    /// <param name="expected">Who must answer; null for anybody.</param>
    internal async Task<DhtMessage?> AskAsync(
        NodeId? expected, IPEndPoint place, string method, Action<BencodeWriter> arguments,
        CancellationToken cancellationToken)
    {
        var asked = new Pending(expected, place);
        // Nobody who does not see the question can answer it.
        var transaction = new byte[TransactionBytes];
        uint number;
        lock (gate)
        {
            if (pending.Count >= DhtLimits.Pending) return null;
            do
            {
                options.Random(transaction);
                number = BinaryPrimitives.ReadUInt32BigEndian(transaction);
            }
            while (!pending.TryAdd(number, asked));
        }

        try
        {
            send(DhtMessage.Question(transaction, method, options.IsReadOnly, arguments), place);
            using var late = new CancellationTokenSource(DhtLimits.AnswerWait, time);
            await using var ends = late.Token.Register(() => asked.Answer.TrySetResult(null));
            await using var stops = cancellationToken.Register(() => asked.Answer.TrySetCanceled(cancellationToken));
            var answer = await asked.Answer.Task;
            if (answer is null && expected is { } id)
            {
                lock (gate) table.Failed(new DhtContact(id, place));
            }

            return answer?.Kind == (byte)'r' ? answer : null;
        }
        finally
        {
            lock (gate) pending.Remove(number);
        }
    }

    private void Answered(DhtMessage message, IPEndPoint from)
    {
        if (message.Transaction.Length != TransactionBytes) return;
        Pending? asked;
        DhtMessage? answer = message;
        lock (gate)
        {
            // Only from where it was asked for: others can't answer in its place.
            if (!pending.TryGetValue(BinaryPrimitives.ReadUInt32BigEndian(message.Transaction), out asked)
                || !asked.Place.Equals(from)) return;
            if (message.Kind == (byte)'r')
            {
                // Who answers as somebody else counts as not there.
                if (asked.Expected is { } expected && expected != message.Id)
                {
                    answer = null;
                }
                else
                {
                    if (message.Id != Id) table.Answered(new DhtContact(message.Id, from));
                    Vote(from.Address, message.Seen);
                }
            }
        }

        Proved(from);
        asked.Answer.TrySetResult(answer);
    }

    /// <summary>
    /// Those who answered say by which address they see us; once enough agree, our id is made to fit it (BEP 42).
    /// </summary>
    private void Vote(IPAddress voter, IPEndPoint? seen)
    {
        if (!IsStrict || seen is null || seen.AddressFamily != Family || !options.Rules.Allows(seen)) return;
        if (votes.Count >= VotesMax) votes.Clear();
        votes[voter] = seen.Address;
        var agree = votes.Values.Count(address => address.Equals(seen.Address));
        if (agree < VotesMin || agree * 2 <= votes.Count || Id.Fits(seen.Address)) return;
        var known = table.All.ToList();
        own = new StrongBox<NodeId>(NodeId.Random(options.Random, seen.Address));
        table = new RoutingTable(Id, IsStrict, time);
        foreach (var contact in known) table.Answered(contact);
        votes.Clear();
    }

    private sealed record Pending(NodeId? Expected, IPEndPoint Place)
    {
        public TaskCompletionSource<DhtMessage?> Answer { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
