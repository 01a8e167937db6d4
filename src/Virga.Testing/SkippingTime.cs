namespace Virga.Testing;

/// <summary>
/// A clock for which waiting takes no time: whoever sets a timer is called back at once, and the clock jumps ahead by
/// as much as would have been waited. For retries and injected delays. Not for code with timeouts, which would all
/// strike; that takes <see cref="FakeTimeProvider"/>.
/// </summary>
public sealed class SkippingTime : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private long skippedTicks;

    /// <summary>All that was ever waited.</summary>
    public TimeSpan Skipped => new(Interlocked.Read(ref skippedTicks));

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Start + Skipped;

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(SkippingTime time, TimerCallback callback, object? state) : ITimer
    {
        private volatile bool isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (isDisposed || dueTime < TimeSpan.Zero) return !isDisposed;
            Interlocked.Add(ref time.skippedTicks, dueTime.Ticks);
            // Not on this thread: who sets a timer may hold a lock that its callback needs.
            ThreadPool.UnsafeQueueUserWorkItem(static fired => fired.Fire(), this, preferLocal: false);
            return true;
        }

        public void Dispose() => isDisposed = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Fire()
        {
            if (!isDisposed) callback(state);
        }
    }
}
