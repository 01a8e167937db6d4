using System.Threading.Channels;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Commands;

/// <summary>Shows transfers until all of them have ended, or the person leaves.</summary>
internal sealed class TransferWatch(Invocation run, ControlClient agent)
{
    private const int SourcesShown = 3;

    /// <summary>Exit code of the first that failed; Interrupted when the person left, and they go on.</summary>
    public async Task<int> UntilEndAsync(IReadOnlyList<TransferInfo> transfers, CancellationToken cancellationToken)
    {
        var newest = transfers.ToDictionary(t => t.Id, StringComparer.Ordinal);
        var view = new ProgressView(run.Terminal);
        var told = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            await foreach (var update in MergeAsync(transfers, cancellationToken))
            {
                newest[update.Id] = update;
                if (run.IsJson)
                {
                    run.PrintJson(update, ControlJson.Default.TransferInfo);
                    continue;
                }
                if (update.Plan is { Problem: null } plan && told.Add(update.Id))
                {
                    view.Clear();
                    var whose = transfers.Count > 1 ? Display.Short(update.Id) + " " : "";
                    run.Say($"{whose}plan: {PlanWords.Of(plan)}");
                }
                view.Show([.. transfers.Select(t => RowOf(newest[t.Id]))]);
            }
        }
        catch (OperationCanceledException)
        {
            view.Clear();
            foreach (var transfer in newest.Values.Where(IsGoingOn)) SayDetached(transfer);
            return ExitCode.Interrupted;
        }
        finally
        {
            view.Clear();
        }
        var exit = ExitCode.Ok;
        foreach (var transfer in transfers)
        {
            var code = Conclude(newest[transfer.Id]);
            if (exit == ExitCode.Ok) exit = code;
        }
        return exit;
    }

    /// <summary>Shows one that has just begun until its end, or says how to see it where it is left alone.</summary>
    public async Task<int> StartedAsync(TransferInfo transfer, bool isDetached, CancellationToken cancellationToken)
    {
        var exit = await ResumedAsync(transfer, isDetached, cancellationToken);
        if (isDetached) run.Say($"it runs in the agent: `virga watch {Display.Short(transfer.Id)}`");
        return exit;
    }

    /// <summary>Shows one that goes on until its end, or prints its id where it is left alone.</summary>
    public async Task<int> ResumedAsync(TransferInfo transfer, bool isDetached, CancellationToken cancellationToken)
    {
        if (!isDetached) return await UntilEndAsync([transfer], cancellationToken);
        if (run.IsJson) run.PrintJson(transfer, ControlJson.Default.TransferInfo);
        else run.Print(transfer.Id);
        return ExitCode.Ok;
    }

    private void SayDetached(TransferInfo transfer)
    {
        var id = Display.Short(transfer.Id);
        run.Say($"the transfer {id} goes on in the agent: `virga watch {id}` shows it, `virga cancel {id}` ends it");
    }

    private int Conclude(TransferInfo t)
    {
        var paint = run.Terminal.Paint;
        var place = Display.Safe(new Place(t.Account, t.Path).ToString());
        foreach (var source in t.Sources.Where(s => s.Dropped is not null))
        {
            var why = Display.Safe(source.Dropped!);
            run.Say($"  {paint.Yellow("dropped")} the source {Display.Safe(source.Name)}: {why}");
        }
        switch (t.State)
        {
            case TransferState.Completed:
                foreach (var entry in t.NotKept.Take(10))
                {
                    var reason = Display.Safe(entry.Reason);
                    run.Say(entry.Path.Length == 0
                        ? $"  {paint.Yellow("note")} {reason}"
                        : $"  {paint.Yellow("not kept")} {Display.Safe(entry.Path)}: {reason}");
                }
                if (t.NotKept.Count > 10)
                    run.Say($"  and {t.NotKept.Count - 10:#,0} more: `virga transfers --json` names them all");
                var took = (t.Ended ?? t.Created) - t.Created;
                var rate = took.TotalSeconds >= 0.1 ? $" ({Display.Rate(t.BytesTotal / took.TotalSeconds)})" : "";
                if (!run.IsJson)
                {
                    run.Print(
                        $"{run.Terminal.OutPaint.Green("done")}: {Display.Files(t.FilesDone)}, "
                        + $"{Display.Bytes(t.BytesTotal)} into {place} "
                        + $"in {Display.Took(took)}{rate}, {Verified(t)}");
                    foreach (var line in t.Copied is { } copied ? CopiedWords.Sentences(copied) : [])
                        run.Say($"  {line}");
                    if (PlanWords.Spent(t) is { } spent) run.Say("  " + spent);
                }
                return ExitCode.Ok;
            case TransferState.Failed:
                var advice = t.Error?.Advice;
                run.Fail(new ControlError(
                    t.Error?.Kind ?? "", $"the transfer into {place} failed: {t.Error?.Message ?? t.Status}",
                    $"{advice} Go on with `virga resume {Display.Short(t.Id)}`.".TrimStart()));
                return ExitCode.Of(t.Error?.Kind ?? "");
            case TransferState.Cancelled:
                Failures.Print(run.Terminal, $"the transfer into {place} was cancelled",
                    $"`virga resume {Display.Short(t.Id)}` goes on with it.");
                return ExitCode.Failed;
            case TransferState.Paused:
                run.Say($"the transfer into {place} is paused: `virga resume {Display.Short(t.Id)}` goes on with it");
                return ExitCode.Failed;
            case TransferState.HandedOver:
                run.Say($"the transfer into {place} was handed over: another agent goes on with it");
                return ExitCode.Failed;
            default:
                SayDetached(t);
                return ExitCode.NotReachable;
        }
    }

    /// <summary>Said of what came through this agent, and of copies only as far as they were read back.</summary>
    private static string Verified(TransferInfo t) => t.Copied switch
    {
        null or { FilesByService: 0, FilesBySample: 0 } => "every byte that came verified",
        { } copied when copied.Bytes < t.BytesTotal => "every byte that came through the agent verified",
        { } copied => CopiedWords.Short(copied),
    };

    private static bool IsGoingOn(TransferInfo t) => t.State is TransferState.Running or TransferState.Waiting;

    private static ProgressRow RowOf(TransferInfo t)
    {
        var files = t.FilesTotal > 0 ? $"{t.FilesDone:#,0} of {Display.Files(t.FilesTotal)}" : "";
        var status = t.State switch
        {
            TransferState.Completed => "done",
            TransferState.Failed => "failed",
            TransferState.Cancelled => "cancelled",
            TransferState.Paused => "paused",
            TransferState.HandedOver => "handed over",
            _ => t.Status + SourcesOf(t),
        };
        var copied = t.Copied is { } c ? $"; {Display.Bytes(c.Bytes)} copied inside the service" : "";
        return new ProgressRow(
            new Place(t.Account, t.Path).ToString(), t.BytesDone, t.BytesTotal,
            t.State == TransferState.Running ? t.BytesPerSecond : 0,
            files.Length > 0 ? $"{files}; {status}{copied}" : status);
    }

    /// <summary>Where it comes from, the fastest first, where that is more than one.</summary>
    private static string SourcesOf(TransferInfo t)
    {
        var used = t.Sources.Where(s => s.Dropped is null && s.Bytes > 0).OrderByDescending(s => s.Bytes).ToList();
        if (used.Count < 2) return "";
        var named = used.Take(SourcesShown).Select(
            s => $"{s.Name.Replace("https://", "", StringComparison.Ordinal)}{(s.IsOwner ? " (owner)" : "")} "
                + $"{Display.Bytes(s.Bytes)}, {Display.Rate(s.BytesPerSecond)}");
        var more = used.Count > SourcesShown ? $"; and {used.Count - SourcesShown} more" : "";
        return $" from {used.Count} sources: {string.Join("; ", named)}{more}";
    }

    /// <summary>The updates of all, as they come.</summary>
    private IAsyncEnumerable<TransferInfo> MergeAsync(
        IReadOnlyList<TransferInfo> transfers, CancellationToken cancellationToken)
    {
        var updates = Channel.CreateBounded<TransferInfo>(16);
        _ = PumpAllAsync();
        return updates.Reader.ReadAllAsync(cancellationToken);

        async Task PumpAllAsync()
        {
            try
            {
                await Task.WhenAll(transfers.Select(PumpAsync));
                updates.Writer.TryComplete();
            }
            catch (Exception e)
            {
                updates.Writer.TryComplete(e);
            }
        }

        async Task PumpAsync(TransferInfo transfer)
        {
            await foreach (var update in agent.WatchAsync(transfer.Id, cancellationToken))
                await updates.Writer.WriteAsync(update, cancellationToken);
        }
    }
}
