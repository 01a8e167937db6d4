namespace Virga.BitTorrent.Trackers.Server;

/// <summary>
/// Limits what each address may do, in memory that never grows and without a lock: the generic cell rate algorithm
/// (ITU-T I.371) in a table whose places a keyed hash chooses. Addresses that fall onto one place share its rate. A
/// race may let one more through; nothing else.
/// </summary>
internal sealed class AddressRates
{
    private const int PlaceBits = 16;

    private readonly long[] arrivals = new long[1 << PlaceBits];
    private readonly long interval, burst;

    public AddressRates(double perSecond, int burst)
    {
        interval = Math.Max(1, (long)(TimeSpan.TicksPerSecond / perSecond));
        this.burst = interval * burst;
    }

    /// <param name="hash">A keyed hash of the address.</param>
    /// <param name="now">Ticks since some fixed time.</param>
    public bool TryAcquire(ulong hash, long now)
    {
        ref var arrival = ref arrivals[hash >> (64 - PlaceBits)];
        var next = Math.Max(now, Volatile.Read(ref arrival)) + interval;
        if (next - now > burst) return false;
        Volatile.Write(ref arrival, next);
        return true;
    }
}
