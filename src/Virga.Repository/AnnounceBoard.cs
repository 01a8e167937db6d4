using System.Runtime.InteropServices;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Repository;

/// <param name="HashesMax">Announced info-hashes, each agent's counted.</param>
/// <param name="HashesPerAgentMax">Of one agent.</param>
/// <param name="RecordBytesMax">Memory for the records themselves.</param>
/// <param name="AgentsPerHashMax">Agents held for one info-hash; the one whose announce is oldest makes room.</param>
public sealed record AnnounceLimits(
    int HashesMax = 500_000, int HashesPerAgentMax = 20_000, long RecordBytesMax = 256 << 20,
    int AgentsPerHashMax = ProtocolLimits.AnnouncesListed);

/// <summary>
/// What is announced at the moment (spec/v1/announces.md), in memory only. Records are dropped when they expire, on the
/// next call of any kind. The caller has checked signatures. Thread-safe; every call is short.
/// </summary>
internal sealed class AnnounceBoard(TimeProvider time, AnnounceLimits limits)
{
    private readonly Lock gate = new();
    private readonly Dictionary<AgentId, Announcer> announcers = [];
    private readonly Dictionary<Hash256, List<Announcer>> byHash = [];
    private readonly SortedSet<Record> byExpiry = new(Record.ByExpiry);
    private int total;
    private long recordBytes;
    private long recordNumber;

    /// <summary>Announced info-hashes, each agent's counted.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                DropExpired(time.GetUtcNow());
                return total;
            }
        }
    }

    /// <summary>Records that are held; one that a newer has replaced altogether is not.</summary>
    public int Records
    {
        get
        {
            lock (gate) return byExpiry.Count;
        }
    }

    public int Agents
    {
        get
        {
            lock (gate) return announcers.Count;
        }
    }

    /// <summary>Holds the record for each of the info-hashes until it expires.</summary>
    /// <exception cref="VirgaException">Full; nothing has changed then.</exception>
    public void Add(Announce announce, SignedEnvelope envelope, IReadOnlyList<Hash256> infoHashes)
    {
        lock (gate)
        {
            DropExpired(time.GetUtcNow());
            var announcer = announcers.GetValueOrDefault(announce.Agent);
            var fresh = infoHashes.Count(hash => announcer is null || !announcer.Held.ContainsKey(hash));
            RequireRoom(announcer?.Held.Count ?? 0, fresh);
            if (announcer is null) announcers.Add(announce.Agent, announcer = new Announcer(announce.Agent));
            var record =
                new Record(announcer, recordNumber++, announce.Time, announce.Expires, envelope, [.. infoHashes]);
            byExpiry.Add(record);
            recordBytes += record.Bytes;
            foreach (var hash in infoHashes) Hold(announcer, hash, record);
            var before = announcer.Newest;
            var isNewest = before is null || before.Time <= record.Time;
            if (isNewest) announcer.Newest = record;
            DropIfDead(isNewest ? before : record);
        }
    }

    /// <summary>The newest record of each agent that announces the info-hash, newest first.</summary>
    public IReadOnlyList<SignedEnvelope> LookUp(Hash256 infoHash)
    {
        lock (gate)
        {
            DropExpired(time.GetUtcNow());
            if (!byHash.TryGetValue(infoHash, out var found)) return [];
            return [.. found
                .Select(announcer => announcer.Newest ?? announcer.Held[infoHash])
                .OrderByDescending(record => record.Time)
                .Take(ProtocolLimits.AnnouncesListed)
                .Select(record => record.Envelope)];
        }
    }

    /// <summary>
    /// Removes what the agent announced up to that time; returns how many of the info-hashes were held.
    /// </summary>
    public int Withdraw(AgentId agent, IReadOnlyList<Hash256> infoHashes, DateTimeOffset until)
    {
        lock (gate)
        {
            DropExpired(time.GetUtcNow());
            if (!announcers.TryGetValue(agent, out var announcer)) return 0;
            var removed = 0;
            foreach (var hash in infoHashes)
            {
                if (!announcer.Held.TryGetValue(hash, out var record) || record.Time > until) continue;
                Release(announcer, hash);
                removed++;
            }

            return removed;
        }
    }

    public void RemoveAgent(AgentId agent)
    {
        lock (gate)
        {
            if (!announcers.TryGetValue(agent, out var announcer)) return;
            foreach (var hash in announcer.Held.Keys.ToList()) Release(announcer, hash);
        }
    }

    private void RequireRoom(int held, int fresh)
    {
        if (held + fresh > limits.HashesPerAgentMax)
        {
            throw new VirgaException(FailureKind.Full,
                $"one agent may announce {limits.HashesPerAgentMax} shares here, and {held} are announced",
                "Withdraw shares that are no longer offered, or use another repository.");
        }

        if (total + fresh > limits.HashesMax || recordBytes >= limits.RecordBytesMax)
            throw new VirgaException(FailureKind.Full, "this repository is full",
                "Use another repository, or try again later.");
    }

    private void Hold(Announcer announcer, Hash256 hash, Record record)
    {
        ref var held = ref CollectionsMarshal.GetValueRefOrAddDefault(announcer.Held, hash, out var isKnown);
        // Of two records that came in the wrong order the one that was made later counts.
        if (isKnown && held!.Time > record.Time) return;
        var before = held;
        held = record;
        record.Live++;
        if (isKnown)
        {
            before!.Live--;
            DropIfDead(before);
            return;
        }

        ref var list = ref CollectionsMarshal.GetValueRefOrAddDefault(byHash, hash, out _);
        list ??= new List<Announcer>(1);
        if (list.Count >= limits.AgentsPerHashMax) Release(list.MinBy(other => other.Held[hash].Time)!, hash, list);
        list.Add(announcer);
        total++;
    }

    private void Release(Announcer announcer, Hash256 hash)
    {
        var list = byHash[hash];
        Release(announcer, hash, list);
        if (list.Count == 0) byHash.Remove(hash);
    }

    private void Release(Announcer announcer, Hash256 hash, List<Announcer> list)
    {
        announcer.Held.Remove(hash, out var record);
        list.Remove(announcer);
        total--;
        record!.Live--;
        if (announcer.Held.Count == 0)
        {
            announcers.Remove(announcer.Agent);
            var newest = announcer.Newest;
            announcer.Newest = null;
            DropIfDead(newest);
        }

        DropIfDead(record);
    }

    /// <summary>A record is held for its info-hashes, or because its endpoints are the newest.</summary>
    private void DropIfDead(Record? record)
    {
        if (record is not { Live: 0 } || record.Announcer.Newest == record) return;
        if (byExpiry.Remove(record)) recordBytes -= record.Bytes;
    }

    private void DropExpired(DateTimeOffset now)
    {
        while (byExpiry.Min is { } record && record.Expires <= now)
        {
            var announcer = record.Announcer;
            if (announcer.Newest == record) announcer.Newest = null;
            foreach (var hash in record.Hashes)
            {
                if (announcer.Held.TryGetValue(hash, out var held) && held == record) Release(announcer, hash);
            }

            DropIfDead(record);
        }
    }

    private sealed class Announcer(AgentId agent)
    {
        public AgentId Agent { get; } = agent;

        /// <summary>Each announced info-hash with the newest record that names it.</summary>
        public Dictionary<Hash256, Record> Held { get; } = [];

        /// <summary>Its endpoints hold for all; null once it has expired before older ones.</summary>
        public Record? Newest { get; set; }
    }

    private sealed class Record(
        Announcer announcer, long number, DateTimeOffset time, DateTimeOffset expires, SignedEnvelope envelope,
        Hash256[] hashes)
    {
        private const int OverheadBytes = 400;

        public static readonly Comparer<Record> ByExpiry = Comparer<Record>.Create(static (a, b) =>
            a.Expires != b.Expires ? a.Expires.CompareTo(b.Expires) : a.number.CompareTo(b.number));

        private readonly long number = number;

        public Announcer Announcer { get; } = announcer;

        public DateTimeOffset Time { get; } = time;

        public DateTimeOffset Expires { get; } = expires;

        public SignedEnvelope Envelope { get; } = envelope;

        public Hash256[] Hashes { get; } = hashes;

        /// <summary>How many of its info-hashes no newer record names.</summary>
        public int Live { get; set; }

        public int Bytes => OverheadBytes + Envelope.Body.Length + (Hashes.Length * Hash256.ByteCount);
    }
}
