using System.Runtime.CompilerServices;

namespace Virga.Testing.Simulation;

/// <summary>
/// A world with one thread and a time of its own: whatever awaits inside goes on here, in an order that depends on
/// nothing outside. Time jumps from one alarm to the next. A continuation that turns up on another thread is an error,
/// since its place in the order would be chance.
/// </summary>
public sealed class SimulationLoop : SynchronizationContext
{
    private readonly PriorityQueue<Alarm, (long Due, long Order)> alarms = new();
    private readonly Queue<(SendOrPostCallback Callback, object? State)> ready = new();
    private readonly Thread thread = Thread.CurrentThread;
    private readonly DateTimeOffset start;
    private long elapsed;
    private long order;
    private Exception? failure;
    private volatile string? stray;

    public SimulationLoop(DateTimeOffset start) => this.start = start;

    /// <summary>The true time, which no node's clock need agree with.</summary>
    public DateTimeOffset Now => start.AddTicks(elapsed);

    /// <summary>Alarms and continuations so far.</summary>
    public long Steps { get; private set; }

    /// <summary>A hash of all that was traced, in its order: equal for equal runs.</summary>
    public ulong TraceHash { get; private set; } = 0xCBF29CE484222325;

    /// <summary>Adds an event to the trace.</summary>
    public void Trace(long what, long who, long whom = 0, long more = 0)
    {
        Mix((ulong)elapsed);
        Mix((ulong)what);
        Mix((ulong)who);
        Mix((ulong)whom);
        Mix((ulong)more);
    }

    /// <summary>Runs an action after a while; dispose what is returned to call it off.</summary>
    public IDisposable After(TimeSpan wait, Action action)
    {
        RequireThread();
        var alarm = new Alarm { Action = action };
        alarms.Enqueue(alarm, (elapsed + Math.Max(0, wait.Ticks), order++));
        return alarm;
    }

    /// <summary>To be awaited inside of the world.</summary>
    public Pause PauseFor(TimeSpan wait) => new(this, wait);

    /// <summary>Begins something that goes on by itself; what it throws ends the run.</summary>
    public void Begin(Func<Task> work) => Post(_ => _ = WatchAsync(work), null);

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (Thread.CurrentThread == thread) ready.Enqueue((d, state));
        else stray ??= Environment.StackTrace;
    }

    public override void Send(SendOrPostCallback d, object? state) =>
        throw new NotSupportedException("nothing in a simulation waits for another thread");

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Lets everything happen up to that time. Throws what any of it threw.</summary>
    public void RunUntil(DateTimeOffset end)
    {
        RequireThread();
        var outside = Current;
        SetSynchronizationContext(this);
        try
        {
            while (Step((end - start).Ticks)) { }
            elapsed = Math.Max(elapsed, (end - start).Ticks);
        }
        finally
        {
            SetSynchronizationContext(outside);
        }
    }

    /// <summary>Fails where it is called from another thread than the world's.</summary>
    public void RequireThread()
    {
        if (Thread.CurrentThread != thread)
            throw new InvalidOperationException("this thread does not belong to the simulation");
    }

    private bool Step(long end)
    {
        if (stray is { } where)
            throw new InvalidOperationException($"a continuation came from another thread: {where}");
        if (failure is not null)
            throw new InvalidOperationException($"the simulation failed at {Now:HH:mm:ss.fff}", failure);
        if (ready.TryDequeue(out var next))
        {
            Steps++;
            next.Callback(next.State);
            return true;
        }

        if (!alarms.TryPeek(out var alarm, out var at) || at.Due > end) return false;
        alarms.Dequeue();
        elapsed = at.Due;
        if (alarm.Action is not { } action) return true;
        Steps++;
        alarm.Dispose();
        action();
        return true;
    }

    private async Task WatchAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e)
        {
            failure ??= e;
        }
    }

    private void Mix(ulong value)
    {
        TraceHash = (TraceHash ^ value) * 0x100000001B3;
        TraceHash ^= TraceHash >> 29;
    }

    /// <summary>A wait in the world's time; goes on in the world.</summary>
    public readonly struct Pause(SimulationLoop loop, TimeSpan wait) : INotifyCompletion
    {
        public bool IsCompleted => false;

        public Pause GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => loop.After(wait, continuation);
    }

    private sealed class Alarm : IDisposable
    {
        public Action? Action { get; set; }

        public void Dispose() => Action = null;
    }
}
