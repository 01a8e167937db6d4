using System.Net;
using System.Net.Sockets;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.BitTorrent.Dht;

/// <summary>
/// Goes from the nodes that are known to those nearest to a target, asking the nearest first (BEP 5). Ends once the 8
/// nearest that answer have answered. Whatever nodes say, no more than a fixed number is asked, none that the rules
/// refuse, and, outside of one's own network, one for each address.
/// </summary>
internal sealed class DhtLookup(DhtNode node, NodeId target)
{
    private readonly List<Candidate> candidates = [];
    private readonly HashSet<IPEndPoint> places = [];
    private readonly HashSet<IPAddress> addresses = [];
    private int questions;

    /// <summary>The nearest that answered, with the tokens that they gave.</summary>
    public IReadOnlyList<(DhtContact Contact, byte[]? Token)> Nearest =>
    [
        .. candidates.Where(candidate => candidate.State == State.Answered).Take(DhtLimits.BucketNodes)
            .Select(candidate => (candidate.Contact, candidate.Token)),
    ];

    /// <param name="method">find_node, get_peers or get.</param>
    /// <param name="arguments">Keys between <c>id</c> and <c>target</c>'s; null for none.</param>
    /// <param name="heard">Called for each answer, one at a time.</param>
    public async Task RunAsync(
        string method, Action<BencodeWriter>? arguments, Action<DhtMessage>? heard, CancellationToken cancellationToken)
    {
        foreach (var contact in node.Closest(target, 2 * DhtLimits.BucketNodes)) Add(contact);
        var asking = new List<Task<(Candidate, DhtMessage?)>>();
        while (true)
        {
            while (asking.Count < DhtLimits.LookupParallel && Next() is { } next)
            {
                next.State = State.Asked;
                questions++;
                asking.Add(AskAsync(next, method, arguments, cancellationToken));
            }

            if (asking.Count == 0) return;
            var done = await Task.WhenAny(asking);
            asking.Remove(done);
            var (candidate, answer) = await done;
            candidate.State = answer is null ? State.Failed : State.Answered;
            if (answer is null) continue;
            candidate.Token = answer.Bytes("token", 64);
            foreach (var contact in answer.ReadNodes(node.Family)) Add(contact);
            heard?.Invoke(answer);
        }
    }

    private async Task<(Candidate, DhtMessage?)> AskAsync(
        Candidate candidate, string method, Action<BencodeWriter>? arguments, CancellationToken cancellationToken) =>
        (candidate, await node.AskAsync(candidate.Contact.Id, candidate.Contact.Place, method, w =>
        {
            w.Key("id").Bytes(node.Id.ToArray());
            if (method == "get_peers") w.Key("info_hash").Bytes(target.ToArray());
            arguments?.Invoke(w);
            if (method != "get_peers") w.Key("target").Bytes(target.ToArray());
        }, cancellationToken));

    /// <summary>The nearest that was not asked, among the 8 nearest that did not fail.</summary>
    private Candidate? Next() => questions >= DhtLimits.LookupQuestions ? null
        : candidates.Where(candidate => candidate.State != State.Failed).Take(DhtLimits.BucketNodes)
            .FirstOrDefault(candidate => candidate.State == State.New);

    private void Add(DhtContact contact)
    {
        if (contact.Id == node.Id || !node.Rules.Allows(contact.Place) || places.Contains(contact.Place)
            || (node.IsOneOfAnAddress && addresses.Contains(contact.Place.Address))) return;
        var at = candidates.FindIndex(other => target.CompareDistance(contact.Id, other.Contact.Id) < 0);
        if (at < 0) at = candidates.Count;
        if (at >= DhtLimits.LookupCandidates) return;
        places.Add(contact.Place);
        addresses.Add(contact.Place.Address);
        candidates.Insert(at, new Candidate(contact));
        if (candidates.Count <= DhtLimits.LookupCandidates) return;
        var last = candidates[^1].Contact.Place;
        places.Remove(last);
        addresses.Remove(last.Address);
        candidates.RemoveAt(candidates.Count - 1);
    }

    private enum State { New, Asked, Answered, Failed }

    private sealed class Candidate(DhtContact contact)
    {
        public DhtContact Contact { get; } = contact;

        public State State { get; set; }

        public byte[]? Token { get; set; }
    }
}

/// <summary>What can be asked of the whole DHT.</summary>
public sealed partial class DhtNode
{
    /// <summary>Finds peers of a swarm, and announces us to the nodes nearest to it.</summary>
    /// <param name="listenPort">Where we take connections; 0 announces nothing.</param>
    /// <param name="found">Called for each peer once, one at a time.</param>
    /// <returns>The nodes that took the announce.</returns>
    public async Task<int> FindPeersAsync(
        SwarmHash swarm, int listenPort, bool isSeed, Action<IPEndPoint> found, CancellationToken cancellationToken)
    {
        var seen = new HashSet<IPEndPoint>();
        var lookup = new DhtLookup(this, NodeId.Of(swarm));
        await lookup.RunAsync("get_peers", null, answer =>
        {
            foreach (var peer in answer.ReadPeers())
            {
                if (seen.Count < DhtLimits.LookupPeers && Rules.Allows(peer) && seen.Add(peer)) found(peer);
            }
        }, cancellationToken);
        if (listenPort is <= 0 or > ushort.MaxValue) return 0;
        var taken = await Task.WhenAll(lookup.Nearest.Where(near => near.Token is not null).Select(near => AskAsync(
            near.Contact.Id, near.Contact.Place, "announce_peer", w =>
            {
                w.Key("id").Bytes(Id.ToArray()).Key("implied_port").Integer(0).Key("info_hash").Bytes(swarm.ToArray())
                    .Key("port").Integer(listenPort);
                if (isSeed) w.Key("seed").Integer(1);
                w.Key("token").Bytes(near.Token);
            }, cancellationToken)));
        return taken.Count(answer => answer is not null);
    }

    /// <summary>
    /// The item of a key and salt with the highest number that anybody has; null where nobody has one.
    /// </summary>
    public Task<DhtItem?> GetAsync(VerifyKey key, ReadOnlyMemory<byte> salt, CancellationToken cancellationToken) =>
        GetAsync(DhtItem.TargetOf(key, salt.Span), message =>
            message.Bytes("k", Hash256.ByteCount) is { } k && k.AsSpan().SequenceEqual(key.Bytes.ToArray())
                ? DhtItem.Mutable(
                    key, salt.Span, message.Integer("seq") ?? 0, message.Bytes("sig") ?? [],
                    message.Body!.Value("v").Raw.Span)
                : null, cancellationToken);

    /// <summary>The immutable item of a hash; null where nobody has it.</summary>
    public Task<DhtItem?> GetAsync(NodeId target, CancellationToken cancellationToken) =>
        GetAsync(target, message => DhtItem.Immutable(message.Body!.Value("v").Raw.Span), cancellationToken);

    /// <summary>Gives an item to the nodes nearest to it.</summary>
    /// <returns>The nodes that took it.</returns>
    public async Task<int> PutAsync(DhtItem item, CancellationToken cancellationToken)
    {
        var lookup = new DhtLookup(this, item.Target);
        await lookup.RunAsync("get", null, null, cancellationToken);
        var taken = await Task.WhenAll(lookup.Nearest.Where(near => near.Token is not null).Select(near => AskAsync(
            near.Contact.Id, near.Contact.Place, "put", w =>
            {
                w.Key("id").Bytes(Id.ToArray());
                if (item.Key is { } key)
                {
                    w.Key("k").Bytes(key.Bytes.ToArray());
                    if (item.Salt.Length > 0) w.Key("salt").Bytes(item.Salt.Span);
                    w.Key("seq").Integer(item.Sequence).Key("sig").Bytes(item.Signature.Span);
                }

                w.Key("token").Bytes(near.Token).Key("v").Raw(item.Value.Span);
            }, cancellationToken)));
        return taken.Count(answer => answer is not null);
    }

    private async Task<DhtItem?> GetAsync(
        NodeId target, Func<DhtMessage, DhtItem?> read, CancellationToken cancellationToken)
    {
        DhtItem? best = null;
        await new DhtLookup(this, target).RunAsync("get", null, answer =>
        {
            if (answer.Body is null || !answer.Body.Contains("v")) return;
            try
            {
                // Whoever lies about it is passed over: a hash or a signature says so.
                if (read(answer) is { } item && item.Target == target
                    && (best is null || item.Sequence > best.Sequence)) best = item;
            }
            catch (VirgaException)
            {
                // The same.
            }
        }, cancellationToken);
        return best;
    }
}
