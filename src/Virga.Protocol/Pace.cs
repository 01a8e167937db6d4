namespace Virga.Protocol;

/// <summary>
/// Bounds the bytes a second of all flows that share it. Bytes that were moved are paid for afterwards, by waiting:
/// who moves none waits for nobody. Without a bound it costs a read of a field. Thread-safe.
/// </summary>
/// <param name="all">What this is a part of, and is bound by as well; null: nothing.</param>
public sealed class Pace(TimeProvider time, Pace? all = null)
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
    public int SliceBytes => Math.Min(
        BytesPerSecond is { } rate ? (int)Math.Clamp(rate / 8, SliceMin, SliceMax) : int.MaxValue,
        all?.SliceBytes ?? int.MaxValue);

    /// <summary>After bytes were moved: returns when the next ones may be.</summary>
    public ValueTask PayAsync(long bytes, CancellationToken cancellationToken)
    {
        var wait = Count(bytes);
        return wait <= TimeSpan.Zero
            ? ValueTask.CompletedTask
            : new ValueTask(Task.Delay(wait, time, cancellationToken));
    }

    /// <summary>How long to wait for them, here and in all: the longer of both.</summary>
    private TimeSpan Count(long bytes)
    {
        var wait = all?.Count(bytes) ?? TimeSpan.Zero;
        if (BytesPerSecond is null) return wait;
        lock (gate)
        {
            if (BytesPerSecond is not { } rate) return wait;
            var now = time.GetTimestamp();
            var burst = (long)(Burst.TotalSeconds * time.TimestampFrequency);
            paidUntil = Math.Max(paidUntil, now - burst) + (long)((double)bytes / rate * time.TimestampFrequency);
            var own = time.GetElapsedTime(now, paidUntil);
            return own > wait ? own : wait;
        }
    }
}
