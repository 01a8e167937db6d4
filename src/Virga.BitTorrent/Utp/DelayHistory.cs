namespace Virga.BitTorrent.Utp;

/// <summary>
/// How long packets wait on their way (RFC 6817, 3.4.2): the clocks of both ends do not agree, but the shortest time of
/// the last minutes is the way itself, and what is above it is waiting. All in microseconds that wrap around.
/// </summary>
internal sealed class DelayHistory
{
    /// <summary>The way may change, and clocks drift.</summary>
    private const int Minutes = 10;

    private const long MinuteMicros = 60_000_000;

    /// <summary>One late packet is no queue.</summary>
    private const int Latest = 4;

    private readonly uint[] leastOfMinute = new uint[Minutes];
    private readonly uint[] latest = new uint[Latest];
    private int minutes;
    private int samples;
    private int next;
    private long minuteBegan;

    /// <summary>The way without any waiting; 0 before the first sample.</summary>
    public uint Base { get; private set; }

    public bool IsEmpty => samples == 0;

    /// <summary>How long packets wait now.</summary>
    public uint Waiting
    {
        get
        {
            var least = uint.MaxValue;
            for (var i = 0; i < samples; i++)
                least = Math.Min(least, IsBefore(latest[i], Base) ? 0 : latest[i] - Base);
            return samples == 0 ? 0 : least;
        }
    }

    public void Add(uint sample, long now)
    {
        if (samples == 0)
        {
            (Base, minuteBegan, minutes) = (sample, now, 1);
            leastOfMinute[0] = sample;
        }
        else if (now - minuteBegan >= MinuteMicros)
        {
            minuteBegan = now;
            leastOfMinute[minutes++ % Minutes] = sample;
            Base = leastOfMinute[0];
            for (var i = 1; i < Math.Min(minutes, Minutes); i++)
                if (IsBefore(leastOfMinute[i], Base)) Base = leastOfMinute[i];
        }
        ref var least = ref leastOfMinute[(minutes - 1) % Minutes];
        if (IsBefore(sample, least)) least = sample;
        if (IsBefore(sample, Base)) Base = sample;
        latest[next] = sample;
        next = (next + 1) % Latest;
        samples = Math.Min(samples + 1, Latest);
    }

    /// <summary>The other clock was found to go slower than ours: what looked like the way was a part of it.</summary>
    public void Shift(uint by)
    {
        for (var i = 0; i < Minutes; i++) leastOfMinute[i] += by;
        Base += by;
    }

    private static bool IsBefore(uint a, uint b) => (int)(a - b) < 0;
}
