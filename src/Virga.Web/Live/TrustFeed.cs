using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Web.Live;

/// <summary>
/// Tells pages that show trust when it has changed, wherever that was done: asked for while somebody looks, once for
/// all of them together.
/// </summary>
internal sealed class TrustFeed(ControlClient agent, TimeProvider time, ILogger<TrustFeed> log)
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(400);

    private readonly Lock gate = new();
    private readonly HashSet<Action> watchers = [];
    private CancellationTokenSource? running;

    /// <param name="changed">Called from any thread after each change; until the result is disposed.</param>
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

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        long? seen = null;
        try
        {
            while (true)
            {
                if (await NumberAsync(cancellationToken) is { } now)
                {
                    // The first may lie behind what a page has loaded already, or before it.
                    if (now != seen) Tell();
                    seen = now;
                }
                await Task.Delay(Every, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e)
        {
            log.LogError(e, "trust can't be followed");
        }
    }

    /// <summary>Null where the agent does not answer: pages say so by what they ask themselves.</summary>
    private async Task<long?> NumberAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await agent.TrustVersionAsync(cancellationToken)).Number;
        }
        catch (VirgaException)
        {
            return null;
        }
    }

    private void Tell()
    {
        Action[] told;
        lock (gate) told = [.. watchers];
        foreach (var watcher in told) watcher();
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
        }
    }

    private sealed class Watcher(TrustFeed feed, Action changed) : IDisposable
    {
        public void Dispose() => feed.Leave(changed);
    }
}
