using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Web.Live;

/// <summary>
/// The agent's transfers as they stand now, for all open pages together: asked for while somebody looks, and no more
/// often for many than for one.
/// </summary>
internal sealed class TransferFeed(ControlClient agent, TimeProvider time, ILogger<TransferFeed> log)
{
    private static readonly TimeSpan WhileRunning = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AtRest = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly HashSet<Action> watchers = [];
    private CancellationTokenSource? running;

    /// <summary>Newest first; null until they were asked for.</summary>
    public IReadOnlyList<TransferInfo>? Now { get; private set; }

    /// <summary>Why they can't be had; null when they can.</summary>
    public VirgaException? Problem { get; private set; }

    /// <param name="changed">Called from any thread after each look; until the result is disposed.</param>
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

    /// <summary>Looks at once, after something was begun or changed.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            Now = await agent.TransfersAsync(cancellationToken);
            Problem = null;
        }
        catch (VirgaException e)
        {
            Problem = e;
        }
        Action[] told;
        lock (gate) told = [.. watchers];
        foreach (var watcher in told) watcher();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                await RefreshAsync(cancellationToken);
                var wait = Now?.Any(t => t.State == TransferState.Running) == true ? WhileRunning : AtRest;
                await Task.Delay(wait, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e)
        {
            log.LogError(e, "transfers can't be followed");
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
            Now = null;
        }
    }

    private sealed class Watcher(TransferFeed feed, Action changed) : IDisposable
    {
        public void Dispose() => feed.Leave(changed);
    }
}
