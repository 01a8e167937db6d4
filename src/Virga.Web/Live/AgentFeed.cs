using Microsoft.Extensions.Logging;

namespace Virga.Web.Live;

/// <summary>
/// What several open pages show of the agent: asked for while somebody looks, and no more often for many than for one.
/// Safe for many threads.
/// </summary>
internal abstract class AgentFeed(TimeProvider time, ILogger log)
{
    private readonly Lock gate = new();
    private readonly HashSet<Action> watchers = [];
    private CancellationTokenSource? running;

    /// <param name="changed">Called from any thread when there is news; until the result is disposed.</param>
    public IDisposable Watch(Action changed)
    {
        lock (gate)
        {
            watchers.Add(changed);
            if (running is null)
            {
                running = new CancellationTokenSource();
                _ = RunAsync(running.Token);
            }
        }
        return new Watcher(this, changed);
    }

    /// <summary>Asks once, and tells who watches where there is news.</summary>
    /// <returns>How long to wait until the next time.</returns>
    protected abstract Task<TimeSpan> LookAsync(CancellationToken cancellationToken);

    /// <summary>Nobody looks any more.</summary>
    protected abstract void Forget();

    protected void Tell()
    {
        Action[] told;
        lock (gate) told = [.. watchers];
        foreach (var watcher in told) watcher();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true) await Task.Delay(await LookAsync(cancellationToken), time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e)
        {
            log.LogError(e, "what the agent does can't be followed");
        }
    }

    private void Leave(Action changed)
    {
        lock (gate)
        {
            watchers.Remove(changed);
            if (watchers.Count > 0 || running is null) return;
            running.Cancel();
            running.Dispose();
            running = null;
            Forget();
        }
    }

    private sealed class Watcher(AgentFeed feed, Action changed) : IDisposable
    {
        public void Dispose() => feed.Leave(changed);
    }
}
