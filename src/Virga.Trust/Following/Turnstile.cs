namespace Virga.Trust.Following;

/// <summary>
/// Lets so many in at once, the others in the order in which they came. Unlike SemaphoreSlim, whose waits that can be
/// cancelled come back by way of another thread, it has no thread of its own, so that what waits here runs in a
/// simulation, too. Thread-safe.
/// </summary>
internal sealed class Turnstile(int room = 1)
{
    private int free = room;
    private readonly Queue<TaskCompletionSource> waiting = new();

    /// <exception cref="OperationCanceledException">Cancelled before there was room.</exception>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled(cancellationToken);
        lock (waiting)
        {
            if (free > 0)
            {
                free--;
                return Task.CompletedTask;
            }
            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting.Enqueue(turn);
            return cancellationToken.CanBeCanceled ? WaitAsync(turn, cancellationToken) : turn.Task;
        }
    }

    public void Release()
    {
        lock (waiting)
        {
            // Who was cancelled has left the row already.
            while (waiting.TryDequeue(out var next))
                if (next.TrySetResult()) return;
            free++;
        }
    }

    private static async Task WaitAsync(TaskCompletionSource turn, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), turn);
        await turn.Task;
    }
}
