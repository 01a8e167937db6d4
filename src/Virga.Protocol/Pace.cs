namespace Virga.Protocol;

/// <summary>
/// Bounds the bytes a second of all flows that share it. Bytes that were moved are paid for afterwards, by waiting:
/// who moves none waits for nobody. Without a bound it costs a read of a field. Thread-safe.
/// </summary>
public sealed class Pace(TimeProvider time)
{
    /// <summary>What may come at once after a pause.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(250);

    private const int SliceMin = 4 << 10;
    private const int SliceMax = 64 << 10;

    private readonly Lock gate = new();
    private long bytesPerSecond;
    private long paidUntil;

    /// <summary>Null: no bound.</summary>
    public long? BytesPerSecond
    {
        get => Volatile.Read(ref bytesPerSecond) is > 0 and var rate ? rate : null;
        set
        {
            if (value is <= 0) throw new ArgumentOutOfRangeException(nameof(value), value, "a rate is above zero");
            lock (gate)
            {
                if (value == BytesPerSecond) return;
                paidUntil = time.GetTimestamp();
                Volatile.Write(ref bytesPerSecond, value ?? 0);
            }
        }
    }

    /// <summary>Most bytes to move between two waits, so that they are short and the line is used evenly.</summary>
    public int SliceBytes => BytesPerSecond is { } rate
        ? (int)Math.Clamp(rate / 8, SliceMin, SliceMax)
        : int.MaxValue;

    /// <summary>After bytes were moved: returns when the next ones may be.</summary>
    public ValueTask PayAsync(long bytes, CancellationToken cancellationToken)
    {
        if (BytesPerSecond is null) return ValueTask.CompletedTask;
        TimeSpan wait;
        lock (gate)
        {
            if (BytesPerSecond is not { } rate) return ValueTask.CompletedTask;
            var now = time.GetTimestamp();
            var burst = (long)(Burst.TotalSeconds * time.TimestampFrequency);
            paidUntil = Math.Max(paidUntil, now - burst) + (long)((double)bytes / rate * time.TimestampFrequency);
            wait = time.GetElapsedTime(now, paidUntil);
        }
        return wait <= TimeSpan.Zero
            ? ValueTask.CompletedTask
            : new ValueTask(Task.Delay(wait, time, cancellationToken));
    }
}
