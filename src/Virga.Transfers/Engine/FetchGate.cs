namespace Virga.Transfers.Engine;

/// <summary>
/// Bounds the range reads that are under way. Two at once keep a near source busy, and more would only fight for the
/// same cores; over a long way most of a read is waiting for its first byte, and as many more are let through as hide
/// that wait.
/// </summary>
/// <param name="most">Never more than this.</param>
/// <param name="waitShare">Which part of a read is waiting, as measured so far: 0 to 1.</param>
internal sealed class FetchGate(int most, Func<double> waitShare)
{
    private const int Least = 2;

    private readonly Lock gate = new();
    private readonly Queue<TaskCompletionSource> waiting = new();
    private int running;

    public async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource turn;
        lock (gate)
        {
            if (running < Limit())
            {
                running++;
                return;
            }
            turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting.Enqueue(turn);
        }
        await using var cancelled = cancellationToken.Register(() => turn.TrySetCanceled(cancellationToken));
        await turn.Task;
    }

    public void Leave()
    {
        lock (gate)
        {
            running--;
            // One that was cancelled meanwhile takes no turn.
            while (running < Limit() && waiting.TryDequeue(out var turn))
                if (turn.TrySetResult()) running++;
        }
    }

    private int Limit()
    {
        var flowShare = 1 - Math.Clamp(waitShare(), 0, 0.99);
        return Math.Clamp((int)(Least / flowShare), Math.Min(Least, most), most);
    }
}
