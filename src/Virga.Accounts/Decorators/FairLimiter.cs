namespace Virga.Accounts.Decorators;

/// <summary>
/// Lets a number of holders in at once; the others wait in the order in which they came, without blocking a thread. A
/// permit that is given back goes straight to the first who waits, so nobody is overtaken.
/// </summary>
public sealed class FairLimiter
{
    private readonly Lock sync = new();
    private readonly LinkedList<TaskCompletionSource> waiting = [];
    private int free;

    public FairLimiter(int permits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(permits, 1);
        Permits = free = permits;
    }

    public int Permits { get; }

    /// <summary>How many wait now.</summary>
    public int WaitingCount
    {
        get
        {
            lock (sync) return waiting.Count;
        }
    }

    /// <summary>Waits for a permit; disposing it (once or more) gives it back.</summary>
    public async ValueTask<IDisposable> EnterAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        LinkedListNode<TaskCompletionSource> node;
        lock (sync)
        {
            if (free > 0)
            {
                free--;
                return new Permit(this);
            }
            node = waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await using (cancellationToken.Register(() => GiveUp(node, cancellationToken))) await node.Value.Task;
        return new Permit(this);
    }

    private void GiveUp(LinkedListNode<TaskCompletionSource> node, CancellationToken cancellationToken)
    {
        lock (sync)
        {
            // Without a list it has been given its permit already.
            if (node.List is null) return;
            waiting.Remove(node);
        }
        node.Value.SetCanceled(cancellationToken);
    }

    private void Leave()
    {
        LinkedListNode<TaskCompletionSource>? next;
        lock (sync)
        {
            next = waiting.First;
            if (next is null) free++;
            else waiting.RemoveFirst();
        }
        next?.Value.SetResult();
    }

    private sealed class Permit(FairLimiter limiter) : IDisposable
    {
        private FairLimiter? limiter = limiter;

        public void Dispose() => Interlocked.Exchange(ref limiter, null)?.Leave();
    }
}
