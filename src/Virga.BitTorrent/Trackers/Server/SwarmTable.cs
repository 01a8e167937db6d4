using System.Buffers.Binary;
using Virga.Core;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>Why an announce was not taken, or was.</summary>
public enum AnnounceVerdict
{
    Taken,

    /// <summary>
    /// Answered, but the peer itself is given to nobody: its swarm or its address has enough of them.
    /// </summary>
    NotKept,

    /// <summary>There is no room for another swarm.</summary>
    Full,

    /// <summary>The address asks too often.</summary>
    TooOften,
}

/// <summary>One announce, as a tracker sees it.</summary>
/// <param name="Wanted">Peers asked for; below 0 for as many as is usual.</param>
public readonly record struct SwarmAnnounce(
    SwarmHash Hash, PeerPlace Place, AnnounceEvent Event, bool IsSeeder, int Wanted);

/// <summary>What it is answered with; the bytes are those of compact addresses.</summary>
public readonly record struct SwarmAnswer(
    AnnounceVerdict Verdict, int IntervalSeconds, int Seeders, int Leechers, int Completed, int V4Bytes, int V6Bytes);

/// <summary>
/// All swarms of a tracker, in memory: 1 million peers in 100,000 swarms take some 40 MB. Shards have a lock each, so
/// that announces meet rarely. Who is silent is forgotten by a wheel of minutes: each swarm stands in the slot of the
/// minute in which its oldest peer is due, and nothing else is ever looked at. Safe for many threads; a known peer's
/// announce allocates nothing.
/// </summary>
public sealed class SwarmTable
{
    private const int ShardBits = 6;

    private readonly Shard[] shards;
    private readonly TrackerServerLimits limits;
    private readonly TimeProvider time;
    private readonly long origin;
    private readonly KeyedHash hash;
    private readonly AddressRates requests, newPeers;
    private readonly int lifetime, intervalSeconds, intervalSpread;
    private int swarms, peers;
    private int sweptMinute;

    public SwarmTable(TrackerServerLimits limits, TimeProvider time, RandomBytes random)
    {
        this.limits = limits;
        this.time = time;
        origin = time.GetTimestamp();
        hash = new KeyedHash(random);
        requests = new AddressRates(limits.RequestsPerSecond, limits.RequestsBurst);
        newPeers = new AddressRates(limits.NewPeersPerSecond, limits.NewPeersBurst);
        lifetime = (int)Math.Clamp(limits.Lifetime.TotalMinutes, 1, 480);
        intervalSeconds = (int)limits.Interval.TotalSeconds;
        intervalSpread = Math.Max(1, intervalSeconds / 5);
        shards = new Shard[1 << ShardBits];
        Span<byte> seed = stackalloc byte[8];
        for (var i = 0; i < shards.Length; i++)
        {
            random(seed);
            shards[i] = new Shard(hash, lifetime + 1, BinaryPrimitives.ReadUInt64LittleEndian(seed) | 1);
        }
    }

    public TrackerServerLimits Limits => limits;

    /// <summary>Swarms kept, also those whose last peer has just left.</summary>
    public int Swarms => Volatile.Read(ref swarms);

    public int PeerCount => Volatile.Read(ref peers);

    /// <summary>Whether an address may ask now; counts the question.</summary>
    public bool MayAsk(PeerPlace from)
    {
        var network = from.Network;
        return requests.TryAcquire(hash.Of(network.High, network.Low, 0), Now.Ticks);
    }

    /// <summary>
    /// Takes an announce of who may ask and writes peers: for an IPv4 asker IPv4 peers first, as far as there is room.
    /// </summary>
    /// <param name="v4">Room for IPv4 peers; empty for none.</param>
    /// <param name="v6">Room for IPv6 peers; empty for none.</param>
    public SwarmAnswer Announce(in SwarmAnnounce announce, Span<byte> v4, Span<byte> v6)
    {
        var now = Now;
        var minute = (int)now.TotalMinutes;
        var wanted = announce.Event == AnnounceEvent.Stopped ? 0
            : Math.Min(announce.Wanted < 0 ? limits.WantedUsual : announce.Wanted, limits.WantedMax);
        var shard = ShardOf(announce.Hash);
        lock (shard.Gate)
        {
            if (!shard.Swarms.TryGetValue(announce.Hash, out var swarm))
            {
                if (announce.Event == AnnounceEvent.Stopped) return Nothing(AnnounceVerdict.Taken);
                if (!TryReserve(ref swarms, limits.SwarmsMax)) return Nothing(AnnounceVerdict.Full);
                swarm = new Swarm(announce.Hash);
                shard.Swarms.Add(announce.Hash, swarm);
                shard.Wheel[(minute + lifetime) % shard.Wheel.Length].Add(swarm);
            }

            ref var set = ref announce.Place.IsV4 ? ref swarm.V4 : ref swarm.V6;
            var verdict = AnnounceVerdict.Taken;
            var self = set.Find(announce.Place);
            if (announce.Event == AnnounceEvent.Stopped)
            {
                if (self >= 0) Remove(ref set, self);
            }
            else if (self >= 0)
            {
                self = set.Touch(self, announce.IsSeeder, (ushort)minute);
                if (announce.Event == AnnounceEvent.Completed) swarm.Completed++;
            }
            else
            {
                verdict = MayAdd(set, announce, now.Ticks);
                if (verdict == AnnounceVerdict.Taken) self = set.Add(announce.Place, announce.IsSeeder, (ushort)minute);
            }

            // Who begins by a magnet link knows of nothing that is missing, and says so (aria2): at its start everybody
            // gets everybody.
            var isForLeechers = announce.IsSeeder && announce.Event != AnnounceEvent.Started;
            var random = shard.NextRandom();
            return new SwarmAnswer(
                verdict, intervalSeconds - (intervalSpread / 2) + (int)(random % (uint)intervalSpread),
                swarm.V4.Seeders + swarm.V6.Seeders, swarm.V4.Leechers + swarm.V6.Leechers, swarm.Completed,
                swarm.V4.Write(v4, wanted, announce.Place.IsV4 ? self : -1, isForLeechers, (uint)(random >> 32)),
                swarm.V6.Write(v6, wanted, announce.Place.IsV4 ? -1 : self, isForLeechers, (uint)(random >> 32)));
        }
    }

    /// <summary>What is known of a swarm; nothing of one that is not here.</summary>
    public SwarmCounts Count(SwarmHash swarm)
    {
        var shard = ShardOf(swarm);
        lock (shard.Gate)
        {
            return shard.Swarms.TryGetValue(swarm, out var found)
                ? new SwarmCounts(
                    found.V4.Seeders + found.V6.Seeders, found.V4.Leechers + found.V6.Leechers, found.Completed)
                : new SwarmCounts(0, 0, 0);
        }
    }

    /// <summary>Writes peers of a swarm, of one family, without announcing anybody.</summary>
    /// <returns>The bytes written.</returns>
    public int Peers(SwarmHash swarm, Span<byte> destination, int wanted, bool isV4)
    {
        var shard = ShardOf(swarm);
        lock (shard.Gate)
        {
            if (!shard.Swarms.TryGetValue(swarm, out var found)) return 0;
            ref var set = ref isV4 ? ref found.V4 : ref found.V6;
            return set.Write(destination, wanted, -1, false, (uint)(shard.NextRandom() >> 32));
        }
    }

    /// <summary>Forgets who was silent for too long; to be called about once a minute.</summary>
    public void Sweep()
    {
        var now = (int)Now.TotalMinutes;
        // After a long pause, as of a machine that slept, one round of the wheel sees everything.
        var from = Math.Max(sweptMinute + 1, now - lifetime);
        for (var minute = from; minute <= now; minute++)
        {
            foreach (var shard in shards) Sweep(shard, minute, now);
        }

        sweptMinute = now;
    }

    private TimeSpan Now => time.GetElapsedTime(origin);

    private Shard ShardOf(SwarmHash swarm) => shards[swarm.Keyed(hash) >> (64 - ShardBits)];

    private SwarmAnswer Nothing(AnnounceVerdict verdict) => new(verdict, intervalSeconds, 0, 0, 0, 0, 0);

    private AnnounceVerdict MayAdd(in PeerSet set, in SwarmAnnounce announce, long now)
    {
        if (set.Count >= limits.PeersPerSwarmMax
            || set.CountOf(announce.Place, limits.PeersPerAddressMax) >= limits.PeersPerAddressMax)
            return AnnounceVerdict.NotKept;
        var network = announce.Place.Network;
        if (!newPeers.TryAcquire(hash.Of(network.High, network.Low, 1), now)) return AnnounceVerdict.NotKept;
        if (!TryReserve(ref peers, limits.PeersMax)) return AnnounceVerdict.NotKept;
        return AnnounceVerdict.Taken;
    }

    private void Remove(ref PeerSet set, int index)
    {
        set.RemoveAt(index);
        Interlocked.Decrement(ref peers);
    }

    private void Sweep(Shard shard, int minute, int now)
    {
        lock (shard.Gate)
        {
            var slot = minute % shard.Wheel.Length;
            var due = shard.Wheel[slot];
            if (due.Count == 0) return;
            shard.Wheel[slot] = shard.Spare;
            foreach (var swarm in due)
            {
                var before = swarm.V4.Count + swarm.V6.Count;
                var oldest = Math.Max(
                    swarm.V4.Sweep((ushort)now, lifetime), swarm.V6.Sweep((ushort)now, lifetime));
                var after = swarm.V4.Count + swarm.V6.Count;
                Interlocked.Add(ref peers, after - before);
                if (after > 0)
                {
                    shard.Wheel[(now + lifetime - oldest) % shard.Wheel.Length].Add(swarm);
                    continue;
                }

                shard.Swarms.Remove(swarm.Hash);
                Interlocked.Decrement(ref swarms);
            }

            due.Clear();
            if (due.Capacity > Shard.SpareMax) due.Capacity = Shard.SpareMax;
            shard.Spare = due;
        }
    }

    private static bool TryReserve(ref int counter, int max)
    {
        if (Interlocked.Increment(ref counter) <= max) return true;
        Interlocked.Decrement(ref counter);
        return false;
    }

    private sealed class Swarm(SwarmHash hash)
    {
        public PeerSet V4, V6;
        public int Completed;

        public SwarmHash Hash { get; } = hash;
    }

    /// <summary>Strangers choose the hashes: none of them may know which meet in the table.</summary>
    private sealed class Keyed(KeyedHash hash) : IEqualityComparer<SwarmHash>
    {
        public bool Equals(SwarmHash x, SwarmHash y) => x == y;

        public int GetHashCode(SwarmHash swarm) => (int)swarm.Keyed(hash);
    }

    private sealed class Shard
    {
        /// <summary>Room that an emptied slot keeps for the next one.</summary>
        public const int SpareMax = 1_024;

        private ulong random;

        public Shard(KeyedHash hash, int slots, ulong random)
        {
            Swarms = new Dictionary<SwarmHash, Swarm>(new Keyed(hash));
            this.random = random;
            Wheel = new List<Swarm>[slots];
            for (var i = 0; i < slots; i++) Wheel[i] = [];
        }

        public Lock Gate { get; } = new();

        public Dictionary<SwarmHash, Swarm> Swarms { get; }

        public List<Swarm>[] Wheel { get; }

        public List<Swarm> Spare { get; set; } = [];

        /// <summary>xorshift64*: which peers are given need not be secret.</summary>
        public ulong NextRandom()
        {
            random ^= random >> 12;
            random ^= random << 25;
            random ^= random >> 27;
            return random * 0x2545F4914F6CDD1D;
        }
    }
}
