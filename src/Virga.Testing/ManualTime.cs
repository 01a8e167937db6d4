namespace Virga.Testing;

/// <summary>
/// A clock that stands still until it is told to advance. Timers fire inside <see cref="Advance"/>, in the order of their times.
/// </summary>
public sealed class ManualTime : TimeProvider
{
    private readonly Lock sync = new();
    private readonly List<ManualTimer> timers = [];
    private readonly bool skipsDelays;
    private DateTimeOffset now;

    /// <param name="skipsDelays">
    /// Whoever waits is served at once, and the clock jumps ahead by as much: for retries, where a pause means nothing to a test.
    /// Not for code with timeouts, which would all strike.
    /// </param>
    public ManualTime(DateTimeOffset? start = null, bool skipsDelays = false)
    {
        now = start ?? new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        this.skipsDelays = skipsDelays;
    }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Timers that have been set and haven't fired.</summary>
    public int PendingTimers
    {
        get
        {
            lock (sync) return timers.Count;
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (sync) return now;
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var end = GetUtcNow() + by;
        while (TakeDue(end) is { } timer) timer.Fire();
        lock (sync) now = end > now ? end : now;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private ManualTimer? TakeDue(DateTimeOffset end)
    {
        lock (sync)
        {
            var next = timers.Where(timer => timer.Due <= end).MinBy(timer => timer.Due);
            if (next is null) return null;
            if (next.Due > now) now = next.Due;
            timers.Remove(next);
            if (next.Period > TimeSpan.Zero)
            {
                next.Due = now + next.Period;
                timers.Add(next);
            }
            return next;
        }
    }

    private void Set(ManualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        lock (sync)
        {
            timers.Remove(timer);
            if (dueTime < TimeSpan.Zero) return;
            timer.Due = now + dueTime;
            timer.Period = period;
            if (!skipsDelays)
            {
                timers.Add(timer);
                return;
            }
            now = timer.Due;
        }
        // Not on this thread: who sets a timer may hold a lock that its callback needs.
        ThreadPool.UnsafeQueueUserWorkItem(static fired => fired.Fire(), timer, preferLocal: false);
    }

    private void Remove(ManualTimer timer)
    {
        lock (sync) timers.Remove(timer);
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        private volatile bool isDisposed;

        public DateTimeOffset Due { get; set; }

        public TimeSpan Period { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (isDisposed) return false;
            time.Set(this, dueTime, period);
            return true;
        }

        public void Fire()
        {
            if (!isDisposed) callback(state);
        }

        public void Dispose()
        {
            isDisposed = true;
            time.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
