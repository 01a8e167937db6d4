using Virga.Agent.Control;

namespace Virga.Agent.Transfers;

/// <summary>A place in the queue.</summary>
/// <param name="giveWay">Asks what runs to stop and to enter the queue again; called at most once a turn.</param>
internal sealed class QueueTicket(string id, TransferPriority priority, Action giveWay)
{
    public string Id { get; } = id;

    public TransferPriority Priority { get; set; } = priority;

    internal long Order { get; set; }

    internal bool IsGivingWay { get; set; }

    internal Action GiveWay { get; } = giveWay;

    internal TaskCompletionSource Turn { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>
/// Which transfers run: so many at once, the higher priority first, then who came first. One of higher priority makes
/// one of lower priority give way, the newest of the lowest; what has given way keeps its place among its equals.
/// </summary>
internal sealed class TransferQueue(int atOnce)
{
    private readonly Lock gate = new();
    private readonly List<QueueTicket> waiting = [];
    private readonly List<QueueTicket> running = [];
    private int most = atOnce;
    private bool isHeld;
    private long entered;

    /// <summary>How many run at once. Fewer than run now: the newest of the lowest priority give way.</summary>
    public void Set(int atOnceNow, bool held)
    {
        lock (gate)
        {
            most = atOnceNow;
            isHeld = held;
        }
        Pump();
    }

    /// <summary>Completes when it is the ticket's turn; then it must leave.</summary>
    public async Task EnterAsync(QueueTicket ticket, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            // Who gave way has its place already.
            if (ticket.Order == 0) ticket.Order = ++entered;
            ticket.IsGivingWay = false;
            ticket.Turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting.Add(ticket);
        }
        Pump();
        try
        {
            await ticket.Turn.Task.WaitAsync(cancellationToken);
        }
        catch
        {
            Leave(ticket);
            throw;
        }
    }

    public void Leave(QueueTicket ticket)
    {
        lock (gate)
        {
            waiting.Remove(ticket);
            running.Remove(ticket);
        }
        Pump();
    }

    public void Change(QueueTicket ticket, TransferPriority priority)
    {
        lock (gate) ticket.Priority = priority;
        Pump();
    }

    /// <summary>How many are before it; 0 for the next one, and for those that don't wait.</summary>
    public int Ahead(QueueTicket ticket)
    {
        lock (gate) return waiting.Contains(ticket) ? waiting.Count(t => IsBefore(t, ticket)) : 0;
    }

    private static bool IsBefore(QueueTicket one, QueueTicket other) =>
        one.Priority != other.Priority ? one.Priority > other.Priority : one.Order < other.Order;

    private void Pump()
    {
        var asked = new List<QueueTicket>();
        lock (gate)
        {
            var room = isHeld ? 0 : most;
            waiting.Sort((a, b) => ReferenceEquals(a, b) ? 0 : IsBefore(a, b) ? -1 : 1);
            while (running.Count < room && waiting.Count > 0)
            {
                var next = waiting[0];
                waiting.RemoveAt(0);
                running.Add(next);
                next.Turn.TrySetResult();
            }
            // Those who leave are as many as are too many, or as have somebody of higher priority waiting.
            running.Sort((a, b) => ReferenceEquals(a, b) ? 0 : IsBefore(a, b) ? -1 : 1);
            var leaving = running.Count(t => t.IsGivingWay);
            for (var i = running.Count - 1; i >= 0; i--)
            {
                var last = running[i];
                if (last.IsGivingWay) continue;
                var free = room - (running.Count - leaving);
                var isOvertaken = free >= 0 && free < waiting.Count && waiting[free].Priority > last.Priority;
                if (free >= 0 && !isOvertaken) break;
                last.IsGivingWay = true;
                leaving++;
                asked.Add(last);
            }
        }
        foreach (var ticket in asked) ticket.GiveWay();
    }
}
