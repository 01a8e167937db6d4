using Virga.BitTorrent.Wire;
using Virga.Core;

namespace Virga.BitTorrent.Seeding;

/// <summary>
/// Chooses whom a swarm serves (BEP 3): those who give to us, by how much they gave lately; among those who can't,
/// everyone in turn; and one more by chance, so that newcomers get a first piece. Who has a higher
/// <see cref="IPeerPriority"/> goes first whatever it gives: the place where payment is to come in.
/// </summary>
public sealed class Choker : IChoker, IDisposable
{
    /// <summary>Peers that are served by merit at once: enough to fill a line, so few that each gets much.</summary>
    public const int SlotsDefault = 8;

    /// <summary>BEP 3: often enough to answer a change, not so often that TCP never comes up to speed.</summary>
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    /// <summary>BEP 3: the one by chance changes every third time.</summary>
    private const int ChanceEvery = 3;

    /// <summary>Who got so much in its turn lets others go first.</summary>
    private const long TurnBytes = 64 << 20;

    private readonly Swarm swarm;
    private readonly RandomBytes random;
    private readonly int slots;
    private readonly IPeerPriority? priority;
    private readonly Lock gate = new();
    private readonly ITimer timer;
    private Dictionary<PeerSession, Standing> standings = [];
    private PeerSession? byChance;
    private long round;

    /// <param name="priority">Null: none has a claim to be served before others.</param>
    public Choker(
        Swarm swarm, TimeProvider time, RandomBytes random, int slots = SlotsDefault,
        IPeerPriority? priority = null)
    {
        this.swarm = swarm;
        this.random = random;
        this.slots = slots;
        this.priority = priority;
        timer = time.CreateTimer(_ => Choose(), null, Every, Every);
    }

    private readonly record struct Standing(long Received, long Sent, long TurnBegan, long LastTurn);

    /// <summary>Who wants something and finds a free place needs not wait for the next round.</summary>
    public void Changed(PeerSession session)
    {
        lock (gate)
        {
            if (!session.IsPeerInterested)
            {
                session.SetChoking(true);
                if (byChance == session) byChance = null;
            }
            var served = swarm.Sessions.Count(s => !s.IsChoking);
            foreach (var waiting in swarm.Sessions)
            {
                if (served > slots) return;
                if (!waiting.IsPeerInterested || !waiting.IsChoking) continue;
                Serve(waiting);
                served++;
            }
        }
    }

    /// <summary>A round: who is served until the next one.</summary>
    public void Choose()
    {
        lock (gate)
        {
            round++;
            var wanting = swarm.Sessions.Where(s => s.IsPeerInterested).ToList();
            var ranked = wanting.OrderByDescending(s => priority?.Of(s) ?? 0).ThenByDescending(Given).ThenBy(IsTurnOver)
                .ThenByDescending(s => !s.IsChoking).ThenBy(LastTurn).ToList();
            var chosen = ranked.Take(slots).ToHashSet();
            if (round % ChanceEvery == 0 || byChance is null || !wanting.Contains(byChance)
                || chosen.Contains(byChance))
                byChance = Any(ranked.Skip(slots).ToList());
            if (byChance is not null) chosen.Add(byChance);
            foreach (var session in swarm.Sessions)
                if (!chosen.Contains(session)) session.SetChoking(true);
            foreach (var session in chosen)
                if (session.IsChoking) Serve(session);
            standings = wanting.ToDictionary(
                s => s, s => standings.GetValueOrDefault(s) with { Received = s.ReceivedBytes, Sent = s.SentBytes });
        }
    }

    public void Dispose() => timer.Dispose();

    private void Serve(PeerSession session)
    {
        standings[session] = standings.GetValueOrDefault(session) with
        {
            TurnBegan = session.SentBytes, LastTurn = round,
        };
        session.SetChoking(false);
    }

    /// <summary>What came from it since the last round.</summary>
    private long Given(PeerSession session) => session.ReceivedBytes - standings.GetValueOrDefault(session).Received;

    private bool IsTurnOver(PeerSession session) => !session.IsChoking
        && session.SentBytes - standings.GetValueOrDefault(session).TurnBegan >= TurnBytes;

    private long LastTurn(PeerSession session) => standings.GetValueOrDefault(session).LastTurn;

    private PeerSession? Any(List<PeerSession> rest)
    {
        if (rest.Count == 0) return null;
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        random(bytes);
        return rest[(int)(BitConverter.ToUInt32(bytes) % (uint)rest.Count)];
    }
}
