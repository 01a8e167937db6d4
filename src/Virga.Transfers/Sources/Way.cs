using Virga.Core;

namespace Virga.Transfers.Sources;

/// <summary>
/// The way to a source: measures how long a read waits for its first byte, and goes on in the middle of a range when
/// the connection breaks there.
/// </summary>
internal sealed class Way(TimeProvider time)
{
    private const int MeasuredBytesMin = 256 << 10;
    private const int KeptBytesMin = 64 << 10;
    // A disk answers in less; a storage service, or an agent in another town, takes longer.
    private const double FarSeconds = 0.004;

    /// <summary>
    /// Reads from a position in the destination to its end, and tells how many bytes of that are there so far.
    /// </summary>
    public delegate Task Read(int start, Memory<byte> rest, Action<int> progress);

    private readonly Lock gate = new();
    private double waitShare;
    private double leastWait;
    private double meanFlow;

    /// <inheritdoc cref="ISource.WaitShare"/>
    public double WaitShare => Volatile.Read(ref waitShare);

    /// <inheritdoc cref="ISource.IsFar"/>
    public bool IsFar => Volatile.Read(ref leastWait) > FarSeconds;

    /// <param name="onArrived">Told how much of the destination is there so far; may throw to end the read.</param>
    public async Task ReadAsync(Memory<byte> destination, Read read, Action<int>? onArrived = null)
    {
        var began = time.GetTimestamp();
        long first = 0;
        var start = 0;
        while (true)
        {
            var arrived = 0;
            try
            {
                await read(start, destination[start..], bytes => Arrived(arrived = bytes));
                break;
            }
            catch (VirgaException e) when (e.Kind == FailureKind.Unavailable && arrived >= KeptBytesMin)
            {
                // What came stays, and is verified with the rest.
                start += arrived;
            }
        }
        if (first == 0 || start > 0 || destination.Length < MeasuredBytesMin) return;
        Measure(time.GetElapsedTime(began, first).TotalSeconds, time.GetElapsedTime(first).TotalSeconds);

        void Arrived(int bytes)
        {
            if (first == 0) first = time.GetTimestamp();
            onArrived?.Invoke(start + bytes);
        }
    }

    /// <summary>
    /// The way's own latency is the shortest wait seen lately: longer ones come from a busy machine, where more reads
    /// at once only make it worse.
    /// </summary>
    private void Measure(double wait, double flow)
    {
        lock (gate)
        {
            var least = leastWait == 0 ? wait : Math.Min(wait, leastWait * 1.02);
            Volatile.Write(ref leastWait, least);
            meanFlow = meanFlow == 0 ? flow : (0.8 * meanFlow) + (0.2 * flow);
            Volatile.Write(ref waitShare, least / (least + meanFlow));
        }
    }
}
