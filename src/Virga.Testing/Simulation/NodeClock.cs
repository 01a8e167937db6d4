namespace Virga.Testing.Simulation;

/// <summary>
/// The clock of one node of a simulation: may be wrong, and stops for good when the node does, so that nothing of it
/// goes on. Waiting takes as long as by the true time.
/// </summary>
public sealed class NodeClock(SimulationLoop loop) : TimeProvider
{
    /// <summary>By how much it is ahead.</summary>
    public TimeSpan Ahead { get; set; }

    /// <summary>The node is gone.</summary>
    public bool IsStopped { get; private set; }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public void Stop() => IsStopped = true;

    public override DateTimeOffset GetUtcNow()
    {
        loop.RequireThread();
        return loop.Now + Ahead;
    }

    public override long GetTimestamp() => loop.Now.UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, loop, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(NodeClock clock, SimulationLoop loop, TimerCallback callback, object? state) : ITimer
    {
        private IDisposable? alarm;
        private TimeSpan every;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            alarm?.Dispose();
            every = period;
            alarm = dueTime < TimeSpan.Zero ? null : loop.After(dueTime, Fire);
            return true;
        }

        public void Dispose() => alarm?.Dispose();

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Fire()
        {
            if (clock.IsStopped) return;
            if (every > TimeSpan.Zero) alarm = loop.After(every, Fire);
            callback(state);
        }
    }
}
