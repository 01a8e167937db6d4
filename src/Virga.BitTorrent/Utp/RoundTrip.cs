namespace Virga.BitTorrent.Utp;

/// <summary>How long there and back takes, and when to give up waiting (BEP 29, "timeouts"). In microseconds.</summary>
internal sealed class RoundTrip
{
    private long variance;

    /// <summary>0 before the first.</summary>
    public long Micros { get; private set; }

    /// <summary>Times in a row that nothing came in time.</summary>
    public int Timeouts { get; private set; }

    /// <summary>Doubled for each time in a row.</summary>
    public long TimeoutMicros
    {
        get
        {
            var once = Micros == 0
                ? UtpLimits.TimeoutFirstMicros : Math.Max(Micros + (4 * variance), UtpLimits.TimeoutMinMicros);
            return Math.Min(once << Math.Min(Timeouts, UtpLimits.TimeoutsMax), UtpLimits.TimeoutMaxMicros);
        }
    }

    /// <summary>Of a packet that was sent once: of others nobody knows which one was acknowledged.</summary>
    public void Add(long micros)
    {
        if (Micros == 0)
        {
            (Micros, variance) = (Math.Max(1, micros), micros / 2);
            return;
        }
        variance += (Math.Abs(Micros - micros) - variance) / 4;
        Micros = Math.Max(1, Micros + ((micros - Micros) / 8));
    }

    public void OnTimeout() => Timeouts++;

    public void OnProgress() => Timeouts = 0;
}
