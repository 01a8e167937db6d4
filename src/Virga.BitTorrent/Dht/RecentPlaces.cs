using System.Net;

namespace Virga.BitTorrent.Dht;

/// <summary>
/// Addresses that something holds for, for some minutes: two sets, of which the older one goes when the newer one is
/// full or old. A flood of them only makes that shorter. Safe for many threads.
/// </summary>
internal sealed class RecentPlaces(TimeProvider time)
{
    private readonly Lock gate = new();
    private HashSet<IPEndPoint> now = [], before = [];
    private long since = time.GetTimestamp();

    public int Count
    {
        get
        {
            lock (gate) return now.Count + before.Count;
        }
    }

    public void Add(IPEndPoint place)
    {
        lock (gate)
        {
            Turn();
            if (now.Count >= DhtLimits.Recent / 2 && !now.Contains(place)) Next();
            now.Add(place);
        }
    }

    public bool Contains(IPEndPoint place)
    {
        lock (gate)
        {
            Turn();
            return now.Contains(place) || before.Contains(place);
        }
    }

    public void Remove(IPEndPoint place)
    {
        lock (gate)
        {
            now.Remove(place);
            before.Remove(place);
        }
    }

    private void Turn()
    {
        var age = time.GetElapsedTime(since);
        if (age < DhtLimits.RecentSlot) return;
        Next();
        if (age >= 2 * DhtLimits.RecentSlot) before = [];
    }

    private void Next()
    {
        (before, now) = (now, []);
        since = time.GetTimestamp();
    }
}
