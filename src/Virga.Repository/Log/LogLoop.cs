using Microsoft.Extensions.Logging;
using Virga.Core;

namespace Virga.Repository.Log;

/// <summary>
/// Does one thing again and again in the background: at once when woken, else after an interval. A failure of the
/// outside is logged and the thing done again later. Dispose ends it.
/// </summary>
internal sealed class LogLoop : IAsyncDisposable
{
    private readonly Func<CancellationToken, ValueTask> work;
    private readonly string name;
    private readonly TimeSpan interval;
    private readonly TimeProvider time;
    private readonly ILogger? logger;
    private readonly CancellationTokenSource stopping = new();
    private readonly SemaphoreSlim woken = new(0, 1);
    private readonly SemaphoreSlim working = new(1, 1);
    private readonly Task running;
    private string? lastFailure;

    public LogLoop(
        string name, Func<CancellationToken, ValueTask> work, TimeSpan interval, TimeProvider time, ILogger? logger)
    {
        this.name = name;
        this.work = work;
        this.interval = interval;
        this.time = time;
        this.logger = logger;
        running = Task.Run(RunAsync, stopping.Token);
    }

    /// <summary>Does it once now, for who wants to wait for it.</summary>
    public async ValueTask DriveAsync(CancellationToken cancellationToken)
    {
        await working.WaitAsync(cancellationToken);
        try
        {
            await work(cancellationToken);
        }
        finally
        {
            working.Release();
        }
    }

    /// <summary>Does it soon.</summary>
    public void Wake()
    {
        lock (woken)
        {
            if (woken.CurrentCount == 0) woken.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.Dispose();
        working.Dispose();
        woken.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                await TryAsync();
                await WaitAsync();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The repository stops.
        }
    }

    private async Task WaitAsync()
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        var pause = Task.Delay(interval, time, either.Token);
        var wake = woken.WaitAsync(either.Token);
        await Task.WhenAny(pause, wake);
        await either.CancelAsync();
        stopping.Token.ThrowIfCancellationRequested();
    }

    private async Task TryAsync()
    {
        try
        {
            await DriveAsync(stopping.Token);
            lastFailure = null;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Said once, not at every try.
            if (e.Message != lastFailure) logger?.LogWarning("{Name}: {Message}", name, e.Message);
            if (e is not VirgaException) logger?.LogError(e, "{Name} failed", name);
            lastFailure = e.Message;
        }
    }
}
