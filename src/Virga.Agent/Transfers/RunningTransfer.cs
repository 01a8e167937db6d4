using Virga.Agent.Control;
using Virga.Agent.Planning;
using Virga.Agent.State;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Engine;
using Virga.Transfers.Planning;
using Virga.Transfers.Sources;

namespace Virga.Agent.Transfers;

/// <summary>A transfer as this agent runs it: its row, its live counters, and how to stop it.</summary>
/// <param name="all">Bounds what all transfers together fetch.</param>
internal sealed class RunningTransfer(TransferRow row, TimeProvider time, Pace all)
{
    private static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly Queue<(DateTimeOffset At, long Bytes)> samples = new();
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long fetchedBefore = row.Fetched;

    public TransferRow Row { get; private set; } = row;

    public TransferStatus Status { get; private set; } = new();

    public SourceSet? Sources { get; set; }

    public string Step { get; set; } = "";

    /// <summary>Bounds what it fetches, within what all may.</summary>
    public Pace Receiving { get; } = new(time, all) { BytesPerSecond = row.Receive };

    /// <summary>Tells why nothing comes from a torrent's peers; null while something does.</summary>
    public Func<string?>? Waits { get; set; }

    /// <summary>Tells how a torrent's peers do, in place of the sources.</summary>
    public Func<IReadOnlyList<SourceReport>>? Peers { get; set; }

    /// <summary>What a completed torrent gives to others; null while it gives nothing.</summary>
    public Func<string>? Seeds { get; set; }

    /// <summary>Its place in the queue while it runs or waits.</summary>
    public QueueTicket? Ticket { get; set; }

    /// <summary>Why it waits, in one plain sentence.</summary>
    public Func<RunningTransfer, string>? WhyWaiting { get; init; }

    /// <summary>Tells what the run that goes on has moved by which route; null while none does.</summary>
    public PlannedSources? Planned { get; set; }

    /// <summary>For how long a service has asked it to wait; null while none has.</summary>
    public ServicePause? Pause { get; private set; }

    public CancellationTokenSource? Stop { get; set; }

    public Task Running { get; set; } = Task.CompletedTask;

    /// <summary>It was stopped for another one, or by the limits, and waits for its turn again.</summary>
    public bool GivesWay { get; set; }

    public bool HasEnded => Row.State is TransferState.Completed or TransferState.Failed
        or TransferState.Cancelled or TransferState.HandedOver;

    /// <summary>Completes at the next change of state.</summary>
    public Task Changed
    {
        get
        {
            lock (gate) return changed.Task;
        }
    }

    public void Set(TransferRow newRow)
    {
        lock (gate)
        {
            Row = newRow with { Fetched = fetchedBefore + Status.BytesFetched };
            Receiving.BytesPerSecond = newRow.Receive;
            changed.TrySetResult();
            changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Waits as long as a service asks; longer from time to time where it says nothing.</summary>
    public void BeginPause(VirgaException e)
    {
        // As long as something came over in between, the service lets us go on again and again.
        var isFirst = Pause is null || Status.BytesDone > Pause.BytesDone;
        var wait = isFirst ? ServicePause.First : TimeSpan.FromTicks(Math.Min(
            ServicePause.Longest.Ticks, Pause!.Length.Ticks * 2));
        if (e.RetryAfter is { } asked && asked > wait) wait = asked < ServicePause.Most ? asked : ServicePause.Most;
        Pause = new ServicePause(e, wait, time.GetUtcNow() + wait, Status.BytesDone);
    }

    public void BeginRun()
    {
        lock (gate)
        {
            fetchedBefore += Status.BytesFetched;
            Status = new TransferStatus();
            samples.Clear();
        }
    }

    /// <summary>The row with what the run has moved, which is over then.</summary>
    public TransferRow CountMoved()
    {
        lock (gate)
        {
            var row = Row with { Plan = Row.Plan.Plus(Moved()) };
            Planned = null;
            return row;
        }
    }

    private Dictionary<string, long> Moved()
    {
        if (Planned is not { } planned || Sources is not { } sources) return new(StringComparer.Ordinal);
        var moved = planned.Moved(sources.Report());
        if (CopiedInRun > 0) moved[RouteNames.NameOf(RouteKind.ProviderCopy)] = CopiedInRun;
        return moved;
    }

    /// <summary>Bytes that the service copied in the run that goes on.</summary>
    public long CopiedInRun =>
        Status.Copied.Bytes - Row.Plan.Total(RouteNames.NameOf(RouteKind.ProviderCopy));

    public TransferInfo Describe()
    {
        lock (gate)
        {
            var row = Row;
            var running = row.State == TransferState.Running;
            var completed = row.State == TransferState.Completed;
            var status = row.State switch
            {
                TransferState.Running => Sources?.Waiting ?? Waits?.Invoke() ?? Step,
                TransferState.Waiting => WhyWaiting?.Invoke(this) ?? "waiting for its turn",
                TransferState.Paused => "paused",
                TransferState.Completed => Seeds?.Invoke() ?? "complete",
                TransferState.Cancelled => "cancelled",
                TransferState.HandedOver => "handed over to another agent",
                _ => row.Outcome?.Error?.Message ?? "failed",
            };
            return new TransferInfo(
                row.Id, row.ShownHash, row.Account, row.Path.Value, row.State, status,
                row.FilesTotal, completed ? row.FilesTotal : Status.FilesDone,
                row.BytesTotal, completed ? row.BytesTotal : Status.BytesDone,
                running ? fetchedBefore + Status.BytesFetched : row.Fetched, running ? Rate() : 0,
                row.Created, row.Ended,
                [.. (Peers?.Invoke() ?? Sources?.Report() ?? []).Select(s => new SourceInfo(
                    s.Name, s.Bytes, s.Dropped, running ? s.BytesPerSecond : 0, s.IsOrigin, s.Agent?.ToString()))],
                row.Outcome?.NotKept ?? [], row.Outcome?.Error, row.Priority, row.Plan.Plan, row.Plan.Spent(Moved()),
                row.Outcome?.Copied ?? CopiedInfo(), row.Receive, row.Name);
        }
    }

    /// <summary>Null where the service copied nothing.</summary>
    public CopiedInfo? CopiedInfo() => Status.Copied is { Files: > 0 } c
        ? new CopiedInfo(c.FilesByService, c.FilesBySample, c.FilesInFull, c.Bytes, c.ComparedBytes) : null;

    /// <summary>Bytes a second over the last seconds in which somebody looked.</summary>
    private double Rate()
    {
        var now = time.GetUtcNow();
        samples.Enqueue((now, Status.BytesDone));
        while (samples.Count > 2 && now - samples.Peek().At > RateWindow) samples.Dequeue();
        var (at, bytes) = samples.Peek();
        var seconds = (now - at).TotalSeconds;
        return seconds > 0 ? (Status.BytesDone - bytes) / seconds : 0;
    }
}
