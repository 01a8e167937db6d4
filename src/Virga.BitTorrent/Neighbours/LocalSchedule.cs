using System.Net;

namespace Virga.BitTorrent.Neighbours;

/// <summary>
/// What is announced when (BEP 14): one packet a minute at most, and each swarm every five minutes as far as that goes;
/// sooner where somebody new in the network around calls for it. Safe for many threads.
/// </summary>
internal sealed class LocalSchedule(TimeProvider time)
{
    /// <summary>Who calls for a swarm, remembered so that each is answered once.</summary>
    private const int NeighboursMax = 64;

    /// <summary>So many have a packet each, since older programs read but the first swarm of one.</summary>
    private const int AloneMax = 5;

    private static readonly TimeSpan Least = TimeSpan.FromMinutes(1), Usual = TimeSpan.FromMinutes(5);

    private readonly Lock gate = new();
    private readonly Dictionary<SwarmHash, Entry> entries = [];
    private readonly long origin = time.GetTimestamp();
    private TimeSpan free = TimeSpan.Zero;

    private sealed class Entry
    {
        public readonly HashSet<IPEndPoint> Neighbours = [];
        public int Users;
        public TimeSpan DueAt;

        /// <summary>It is to be the first of a packet.</summary>
        public bool IsCalledFor;
    }

    /// <summary>A swarm is to be announced from now on.</summary>
    public void Add(SwarmHash swarm)
    {
        lock (gate)
        {
            if (!entries.TryGetValue(swarm, out var entry))
                entries[swarm] = entry = new Entry { DueAt = time.GetElapsedTime(origin) };
            entry.Users++;
        }
    }

    /// <summary>No more, for who added it.</summary>
    public void Remove(SwarmHash swarm)
    {
        lock (gate)
        {
            if (entries.TryGetValue(swarm, out var entry) && --entry.Users == 0) entries.Remove(swarm);
        }
    }

    /// <summary>Somebody calls for a swarm; whether it is announced sooner for that.</summary>
    public bool Heard(SwarmHash swarm, IPEndPoint from)
    {
        lock (gate)
        {
            if (!entries.TryGetValue(swarm, out var entry) || entry.Neighbours.Count >= NeighboursMax
                || !entry.Neighbours.Add(from)) return false;
            entry.IsCalledFor = true;
            return true;
        }
    }

    /// <summary>
    /// What is to be announced now: those that were called for, then those that have waited longest; empty where
    /// nothing is due.
    /// </summary>
    public IReadOnlyList<SwarmHash> Take()
    {
        lock (gate)
        {
            var now = time.GetElapsedTime(origin);
            if (now < free) return [];
            var due = entries.Where(item => item.Value.IsCalledFor || item.Value.DueAt <= now)
                .OrderBy(item => item.Value.IsCalledFor ? 0 : 1).ThenBy(item => item.Value.DueAt)
                .Take(entries.Count <= AloneMax ? 1 : LocalAnnounce.SwarmsMax).ToList();
            if (due.Count == 0) return [];
            free = now + Least;
            due[0].Value.IsCalledFor = false;
            foreach (var (_, entry) in due) entry.DueAt = now + Usual;
            return due.ConvertAll(item => item.Key);
        }
    }

    /// <summary>When to ask again, unless a swarm is added or heard of before.</summary>
    public TimeSpan NextIn()
    {
        lock (gate)
        {
            var now = time.GetElapsedTime(origin);
            var next = entries.Count == 0 ? now + Usual
                : entries.Values.Min(entry => entry.IsCalledFor ? now : entry.DueAt);
            if (next < free) next = free;
            return next > now ? next - now : TimeSpan.Zero;
        }
    }
}
