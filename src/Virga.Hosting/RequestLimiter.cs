namespace Virga.Hosting;

/// <summary>
/// Limits requests by key, in bounded memory and without timers: the generic cell rate algorithm (ITU-T I.371), one
/// time for each key that is not at rest. When there are too many keys, those that are new share one.
/// </summary>
internal sealed class RequestLimiter<TKey>(RequestRate rate, TimeProvider time, int keysMax = 50_000)
    where TKey : notnull
{
    private readonly Dictionary<TKey, long> arrivals = [];
    private readonly Lock gate = new();
    private readonly long interval = Math.Max(1, (long)(TimeSpan.TicksPerSecond / rate.PerSecond));
    private long sharedArrival;

    internal int Keys
    {
        get
        {
            lock (gate) return arrivals.Count;
        }
    }

    /// <summary>Zero when the request may go on, else how long to wait before the next try.</summary>
    public TimeSpan TryAcquire(TKey key)
    {
        var now = time.GetElapsedTime(0).Ticks;
        lock (gate)
        {
            var isKnown = arrivals.TryGetValue(key, out var arrival);
            var isShared = !isKnown && arrivals.Count >= keysMax && !MakeRoom(now);
            if (isShared) arrival = sharedArrival;
            var next = Math.Max(now, arrival) + interval;
            var wait = next - now - (interval * rate.Burst);
            if (wait > 0) return TimeSpan.FromTicks(wait);
            if (isShared) sharedArrival = next;
            else arrivals[key] = next;
            return TimeSpan.Zero;
        }
    }

    /// <summary>Forgets the keys that are at rest: they would be treated like new ones.</summary>
    private bool MakeRoom(long now)
    {
        foreach (var (key, arrival) in arrivals)
        {
            if (arrival <= now) arrivals.Remove(key);
        }

        return arrivals.Count < keysMax;
    }
}
