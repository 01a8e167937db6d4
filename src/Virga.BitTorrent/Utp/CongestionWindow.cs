namespace Virga.BitTorrent.Utp;

/// <summary>
/// How much may be under way (LEDBAT, RFC 6817): as much as makes packets wait for 100 ms at most, so that who else
/// uses the line, with TCP, goes first. Grows fast at first, as TCP does.
/// </summary>
internal sealed class CongestionWindow(int packetBytes)
{
    /// <summary>How long packets may wait on their way.</summary>
    public const uint TargetMicros = 100_000;

    /// <summary>What it grows by in the time of one round trip while nothing waits.</summary>
    private const double GainBytes = 3_000;

    private const int FirstPackets = 4;
    private const int LeastPackets = 2;

    private double bytes = FirstPackets * packetBytes;
    private double threshold = double.MaxValue;
    private bool isStarting = true;

    public int Bytes => (int)bytes;

    /// <param name="waiting">Microseconds that packets wait on their way.</param>
    /// <param name="isFull">It was what kept more from being sent.</param>
    public void OnAcknowledged(int acknowledged, uint waiting, bool isFull)
    {
        var offTarget = Math.Max(-1, 1 - ((double)waiting / TargetMicros));
        if (isStarting && waiting > TargetMicros * 9 / 10) (isStarting, threshold) = (false, bytes);
        // Who does not use what it may send learns nothing of whether more would fit.
        if (!isFull && offTarget > 0) return;
        if (isStarting && bytes + acknowledged > threshold) isStarting = false;
        bytes += isStarting ? acknowledged : GainBytes * offTarget * Math.Min(1, acknowledged / bytes);
        bytes = Math.Clamp(bytes, LeastPackets * packetBytes, UtpLimits.WindowBytesMax);
    }

    /// <summary>A packet was lost; for all losses of one round trip once.</summary>
    public void OnLoss()
    {
        bytes = Math.Max(bytes / 2, LeastPackets * packetBytes);
        (threshold, isStarting) = (bytes, false);
    }

    /// <summary>Nothing was acknowledged in time: nothing is known of the line any more.</summary>
    public void OnTimeout()
    {
        threshold = Math.Max(bytes / 2, LeastPackets * packetBytes);
        (bytes, isStarting) = (packetBytes, true);
    }
}
