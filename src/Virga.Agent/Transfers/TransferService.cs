using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.Network;
using Virga.Agent.Notices;
using Virga.Agent.Planning;
using Virga.Agent.State;
using Virga.Agent.Torrents;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Storage;
using Virga.Transfers.Engine;
using Virga.Transfers.Planning;
using Virga.Transfers.Sources;
using Virga.Transfers.Swarm;

namespace Virga.Agent.Transfers;

/// <summary>
/// Runs this agent's transfers: begins them, goes on with them after a restart, stops and describes them.
/// </summary>
internal sealed partial class TransferService(
    AgentState state, TransferTable table, TransferContents contents, AccountPool accounts, AgentId self,
    StorageHttp storage, AgentOptions options, TransferQueue queue, LimitKeeper limits, PlanService plans,
    Sharing sharing, TorrentRuns torrents, Webhooks webhooks, Action<string> log) : IAsyncDisposable
{
    private const int IdBytes = 6;

    /// <summary>The next transfer uses them again; one after the other, fresh ones would only be garbage.</summary>
    private static readonly TimeSpan BuffersKeptFor = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan PlanWithin = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, RunningTransfer> transfers = new(StringComparer.Ordinal);
    private readonly BanList bans = new(options.Time);
    private readonly TransferEngine engine = new(EngineLimits.Default);
    private readonly RecentContent recent = new(options.Time);
    private readonly CancellationTokenSource stopping = new();

    public int RunningCount => transfers.Values.Count(IsGoingOn);

    public bool Uses(string account) => transfers.Values.Any(t => !t.HasEnded && t.Row.Account == account);

    /// <summary>Goes on with what was running when the agent was stopped or killed.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        torrents.SeedingEnded = SeedingEndedAsync;
        foreach (var row in await table.ListAsync(cancellationToken))
        {
            var transfer = Add(row);
            if (IsGoingOn(transfer)) Start(transfer);
            else if (row is { State: TransferState.Completed, Serve: ServeMode.Always })
                _ = row.Torrent is null ? ServeAgainAsync(row) : SeedAgainAsync(transfer);
        }
    }

    public List<TransferInfo> List() =>
    [
        .. transfers.Values.OrderByDescending(t => t.Row.Created).ThenBy(t => t.Row.Id).Select(t => t.Describe()),
    ];

    public RunningTransfer Get(string id) =>
        transfers.GetValueOrDefault(id) ?? throw new VirgaException(
            FailureKind.NotFound, $"there is no transfer '{id}'", "See them with: virga transfers");

    public async Task<TransferInfo> CreateAsync(TransferRequest request, CancellationToken cancellationToken)
    {
        var link = ShareLink.Parse(request.Link);
        var path = EntryPath.Parse(request.Path);
        var collision = Collision(request);
        await accounts.GetAsync(request.Account, cancellationToken);
        var plan = TransferPlan.Of(request);
        await plans.CheckAsync(plan, cancellationToken);
        var id = new byte[IdBytes];
        options.Random(id);
        var row = new TransferRow(
            Convert.ToHexStringLower(id), link.InfoHash, link.ToText(), request.Account, path, collision,
            TransferState.Waiting, options.Time.GetUtcNow(), Ended: null, Fetched: 0, FilesTotal: 0, BytesTotal: 0,
            Outcome: null, plan, Checked(request.Priority), request.Copy ? Check(request) : null,
            Sharing.Parse(request.Serve))
        {
            Receive = LimitKeeper.Rate(request.Receive),
            Choice = FileChoice.Of(request.Select, request.Only),
        };
        await table.AddAsync(row, cancellationToken);
        var transfer = Add(row);
        Start(transfer);
        return transfer.Describe();
    }

    public async Task<TransferInfo> CancelAsync(string id, CancellationToken cancellationToken)
    {
        var transfer = Get(id);
        // What is half done there is the other agent's.
        if (transfer.Row.State == TransferState.HandedOver) throw HandedOver();
        await StopAsync(transfer, cancellationToken);
        await sharing.EndAsync(id);
        await torrents.EndAsync(id);
        if (transfer.Row is { State: TransferState.Completed, Serve: ServeMode.Always })
            await SetAsync(transfer, transfer.Row with { Serve = ServeMode.Never });
        if (transfer.Row is { Torrent: { FeedVersion: not null } wish })
            await SetAsync(transfer, transfer.Row with { Torrent = wish with { FeedVersion = null } });
        if (transfer.Row.State != TransferState.Completed)
        {
            await RemoveHalfDoneAsync(transfer, cancellationToken);
            await SetAsync(transfer, transfer.Row with
            {
                State = TransferState.Cancelled,
                Ended = options.Time.GetUtcNow(),
            });
        }
        return transfer.Describe();
    }

    /// <summary>Stops it until it is resumed; what is verified stays, what is half done waits at the account.</summary>
    public async Task<TransferInfo> PauseAsync(string id, CancellationToken cancellationToken)
    {
        var transfer = Get(id);
        if (!IsGoingOn(transfer)) return transfer.Describe();
        await StopAsync(transfer, cancellationToken);
        if (!transfer.HasEnded) await SetAsync(transfer, transfer.Row with { State = TransferState.Paused });
        return transfer.Describe();
    }

    /// <summary>Holds from now on; one of higher priority makes one of lower priority give way.</summary>
    public async Task<TransferInfo> PrioritizeAsync(
        string id, TransferPriority priority, CancellationToken cancellationToken)
    {
        var transfer = Get(id);
        cancellationToken.ThrowIfCancellationRequested();
        await SetAsync(transfer, transfer.Row with { Priority = Checked(priority) });
        if (transfer.Ticket is { } ticket) queue.Change(ticket, priority);
        return transfer.Describe();
    }

    /// <summary>Holds at once, for what comes from now on.</summary>
    /// <param name="receive">Bytes a second; null: no bound but that of all.</param>
    public async Task<TransferInfo> LimitAsync(string id, long? receive, CancellationToken cancellationToken)
    {
        var transfer = Get(id);
        cancellationToken.ThrowIfCancellationRequested();
        await SetAsync(transfer, transfer.Row with { Receive = LimitKeeper.Rate(receive) });
        return transfer.Describe();
    }

    public async Task<TransferInfo> ResumeAsync(string id, CancellationToken cancellationToken)
    {
        var transfer = Get(id);
        transfer.Pause?.End();
        if (IsGoingOn(transfer) || transfer.Row.State == TransferState.Completed) return transfer.Describe();
        if (transfer.Row.State == TransferState.HandedOver) throw HandedOver();
        await SetAsync(transfer, transfer.Row with
        {
            State = TransferState.Waiting, Ended = null, Outcome = null,
            // What was true then may not be now: what is left is planned anew.
            Plan = transfer.Row.Plan.Anew(),
        });
        cancellationToken.ThrowIfCancellationRequested();
        Start(transfer);
        return transfer.Describe();
    }

    /// <summary>A share's content by its link, or from a transfer that fetched it before.</summary>
    /// <param name="step">Told while nobody answers, which is waited for then; null: it is not.</param>
    public async Task<ShareContent> OpenContentAsync(
        ShareLink link, CancellationToken cancellationToken, Action<string>? step = null)
    {
        var known = transfers.Values.FirstOrDefault(
            t => t.Row.InfoHash == link.InfoHash && t.Row.Torrent is null && contents.Has(t.Row.Id));
        var found = known is null
            ? await contents.FetchAsync(link, contents.Finder(link), cancellationToken, step)
            : contents.Read(known.Row.Id);
        var content = contents.Open(found, known is null ? link : ShareLink.Parse(known.Row.Link));
        recent.Keep(link, content);
        return content;
    }

    /// <summary>The link of a transfer or share that is known here by its info-hash.</summary>
    public ShareLink? LinkOf(Hash256 infoHash) =>
        transfers.Values.FirstOrDefault(t => t.Row.InfoHash == infoHash && t.Row.Torrent is null) is { } transfer
            ? ShareLink.Parse(transfer.Row.Link)
            : null;

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(transfers.Values.Select(t => t.Running));
        await sharing.DisposeAsync();
        await torrents.DisposeAsync();
        recent.Dispose();
        stopping.Dispose();
    }

    private static bool IsGoingOn(RunningTransfer transfer) =>
        transfer.Row.State is TransferState.Waiting or TransferState.Running;

    private static TransferPriority Checked(TransferPriority priority) => Enum.IsDefined(priority) ? priority
        : throw new VirgaException(
            FailureKind.BadInput, $"'{priority}' is no priority", "It is low, normal or high.");

    private static async Task StopAsync(RunningTransfer transfer, CancellationToken cancellationToken)
    {
        if (transfer.Stop is { } stop) await stop.CancelAsync();
        await transfer.Running.WaitAsync(cancellationToken);
    }

    private RunningTransfer Add(TransferRow row) =>
        transfers[row.Id] = new RunningTransfer(row, options.Time, limits.Receiving) { WhyWaiting = WhyWaiting };

    private string WhyWaiting(RunningTransfer transfer)
    {
        if (limits.WhyHeld is { } held) return held;
        if (transfer.Pause is { IsOver: false } pause) return pause.Describe(options.Time.LocalTimeZone);
        var ahead = transfer.Ticket is { } ticket ? queue.Ahead(ticket) : 0;
        return ahead == 0 ? "waiting for its turn" : $"waiting for its turn, {ahead} before it";
    }

    private static CollisionPolicy Collision(TransferRequest request) =>
        Enum.TryParse<CollisionPolicy>(request.Collision, ignoreCase: true, out var collision)
            && Enum.IsDefined(collision)
            ? collision
            : throw new VirgaException(
                FailureKind.BadInput, $"'{request.Collision}' is no way to treat a collision",
                "It is fail, skip, rename or overwrite.");

    private static CopyCheck Check(TransferRequest request) =>
        Enum.TryParse<CopyCheck>(request.Check, ignoreCase: true, out var check) && Enum.IsDefined(check)
            ? check
            : throw new VirgaException(
                FailureKind.BadInput, $"'{request.Check}' is no way to check a copy",
                "It is service, sample or full.");

    private void Start(RunningTransfer transfer)
    {
        transfer.Stop = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        var token = transfer.Stop.Token;
        transfer.Running = Task.Run(() => RunAsync(transfer, token), CancellationToken.None);
    }

    private async Task RunAsync(RunningTransfer transfer, CancellationToken cancellationToken)
    {
        CancellationTokenSource? turn = null;
        var ticket = transfer.Ticket = new QueueTicket(transfer.Row.Id, transfer.Row.Priority, GiveWay);
        try
        {
            do
            {
                transfer.GivesWay = false;
                if (transfer.Pause is { IsOver: false } pause) await pause.WaitAsync(options.Time, cancellationToken);
                turn?.Dispose();
                turn = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await queue.EnterAsync(ticket, cancellationToken);
                try
                {
                    await RunTurnAsync(transfer, turn.Token);
                }
                finally
                {
                    queue.Leave(ticket);
                }
            }
            while (transfer.Row.State == TransferState.Waiting && !cancellationToken.IsCancellationRequested);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // While it waited for its turn. What follows is said below.
        }
        finally
        {
            transfer.Ticket = null;
            turn?.Dispose();
            if (RunningCount == 0) _ = TrimLaterAsync(stopping.Token);
        }

        void GiveWay()
        {
            transfer.GivesWay = true;
            turn!.Cancel();
        }
    }

    private async Task RunTurnAsync(RunningTransfer transfer, CancellationToken cancellationToken)
    {
        try
        {
            transfer.BeginRun();
            await SetAsync(transfer, transfer.Row with { State = TransferState.Running });
            var result = await TransferAsync(transfer, cancellationToken);
            await FinishAsync(transfer, result);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopped by the agent's end: it goes on at the next start. Stopped by the user: who did it says so.
            // Stopped for another one: it waits for its turn again.
            var state = transfer.GivesWay ? TransferState.Waiting : transfer.Row.State;
            await SetAsync(transfer, transfer.Row with { State = state });
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Throttled && !cancellationToken.IsCancellationRequested)
        {
            transfer.BeginPause(e);
            log($"transfer {transfer.Row.Id} waits: {transfer.Pause!.Describe(options.Time.LocalTimeZone)}");
            await SetAsync(transfer, transfer.Row with { State = TransferState.Waiting });
        }
        catch (Exception e)
        {
            if (e is not VirgaException) log($"transfer {transfer.Row.Id}: {e}");
            var error = ControlErrors.From(e);
            log($"transfer {transfer.Row.Id} failed: {error.Message}");
            await SetAsync(transfer, transfer.Row with
            {
                State = TransferState.Failed,
                Ended = options.Time.GetUtcNow(),
                Outcome = new TransferOutcome([], error, transfer.CopiedInfo()),
            });
        }
        finally
        {
            if (transfer.Row.State == TransferState.Completed) sharing.Completed(transfer.Row);
            else await sharing.EndAsync(transfer.Row.Id);
        }
    }

    private async Task TrimLaterAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(BuffersKeptFor, options.Time, cancellationToken);
            if (RunningCount == 0) engine.TrimBuffers();
        }
        catch (OperationCanceledException)
        {
            // The agent ends, and they with it.
        }
    }

    private async Task<TransferResult> TransferAsync(RunningTransfer transfer, CancellationToken cancellationToken)
    {
        var row = transfer.Row;
        transfer.Step = "opening the account";
        var target = await accounts.GetAsync(row.Account, cancellationToken);
        if (row.Torrent is not null) return await FetchTorrentAsync(transfer, target, cancellationToken);
        var link = ShareLink.Parse(row.Link);
        var finder = contents.Finder(link, transfer.Receiving);
        transfer.Step = "fetching the list of files";
        var isRecorded = contents.Has(row.Id);
        var recorded = isRecorded
            ? await Task.Run(() => contents.Read(row.Id), cancellationToken)
            : await contents.FetchAsync(link, finder, cancellationToken, step => transfer.Step = step);
        var whole = await Task.Run(() => contents.Open(recorded, link), cancellationToken);
        // Opened before it is recorded: a share that is not for us must not leave anything.
        if (!isRecorded) await Task.Run(() => contents.Write(row.Id, recorded), cancellationToken);
        var content = row.Choice is { } choice ? await Task.Run(() => choice.From(whole), cancellationToken) : whole;
        await SetAsync(transfer, transfer.Row with
        {
            FilesTotal = content.Files.Count,
            BytesTotal = content.Files.Sum(f => f.Entry.Size),
        });
        var received = await sharing.BeginAsync(row, whole, recorded, target);
        var journal = new SqliteJournal(state, row.Id);
        transfer.Step = "planning";
        var plan = await PlanAsync(transfer, content, journal, finder, cancellationToken);
        var allowed = PlanService.Allowed(plan);
        var planned = transfer.Planned = new PlannedSources(
            allowed.Contains(RouteKind.Direct)
                ? new DirectFinder(finder, storage, content.Files, options.Time, log, transfer.Receiving)
                : finder,
            allowed);
        transfer.Sources = new SourceSet(
            planned, options.Time, log, received?.Numbers ?? PieceNumbers.Of(content.Info), bans,
            BitConverter.ToUInt64(self.Hash.ToArray()));
        transfer.Step = "running";
        var begun = options.Time.GetTimestamp();
        var job = new TransferJob(content, transfer.Sources, target, row.Path, row.Collision, journal, transfer.Status)
        {
            Copy = row.Copies is { } check && allowed.Contains(RouteKind.ProviderCopy)
                ? new CopyRoute(new CopyFinder(finder, options.Time, log), check, options.Time, options.Random)
                : null,
            Received = received,
        };
        try
        {
            var result = await engine.RunAsync(job, cancellationToken);
            var took = options.Time.GetElapsedTime(begun);
            await NoteRateAsync(transfer, planned, plan, took, cancellationToken);
            return result;
        }
        finally
        {
            await SetAsync(transfer, transfer.CountMoved());
        }
    }

    /// <summary>What came is there, whether or not it can be noted how fast.</summary>
    private async Task NoteRateAsync(
        RunningTransfer transfer, PlannedSources planned, PlanInfo plan, TimeSpan took,
        CancellationToken cancellationToken)
    {
        try
        {
            await plans.NoteAsync(
                planned, transfer.Sources!.Report(), transfer.CopiedInRun, plan, took, cancellationToken);
        }
        catch (VirgaException e)
        {
            log($"how fast transfer {transfer.Row.Id} was isn't noted: {e.Message}");
        }
    }

    /// <summary>The plan that was recorded, or a new one for what is left to be moved.</summary>
    private async Task<PlanInfo> PlanAsync(
        RunningTransfer transfer, ShareContent content, SqliteJournal journal, SourceFinder finder,
        CancellationToken cancellationToken)
    {
        var row = transfer.Row;
        if (row.Plan.Plan is { } recorded) return recorded;
        var done = (await journal.LoadAsync(cancellationToken)).Completed;
        var request = new PlanRequest(
            "", row.Account, row.Path.Value, row.Plan.Prefer, row.Plan.MaxCost, row.Plan.NoRelay,
            row.Copies?.ToString().ToLowerInvariant() ?? "service", row.Copies is not null);
        var (plan, info) = await plans.MakeAsync(
            request, row.InfoHash, [.. content.Files.Where(f => !done.Contains(f.Index))],
            content.PieceBytes, row.Plan.Before?.Spent ?? 0, finder, step => transfer.Step = step, cancellationToken);
        await SetAsync(transfer, transfer.Row with { Plan = transfer.Row.Plan with { Plan = info } });
        plan.Require();
        return info;
    }

    /// <summary>How a share would best come into an account. Moves nothing.</summary>
    public async Task<PlanInfo> PlanAsync(PlanRequest request, CancellationToken cancellationToken)
    {
        var link = ShareLink.Parse(request.Link);
        EntryPath.Parse(request.Path);
        await accounts.GetAsync(request.Account, cancellationToken);
        using var timeout = new CancellationTokenSource(PlanWithin, options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            var whole = recent.Find(link) ?? await OpenContentAsync(link, both.Token);
            var content = FileChoice.Of(request.Select, request.Only)?.From(whole) ?? whole;
            return (await plans.MakeAsync(
                request, link.InfoHash, content.Files, content.PieceBytes, spent: 0, contents.Finder(link), step: null,
                both.Token)).Info;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"nobody who has this share answered within {PlanWithin.TotalSeconds:0} s",
                "Ask its owner whether their agent runs.");
        }
    }

    /// <summary>Goes on passing on what a completed transfer brought, as its user wanted.</summary>
    private async Task ServeAgainAsync(TransferRow row)
    {
        try
        {
            var recorded = contents.Read(row.Id);
            var content = contents.Open(recorded, ShareLink.Parse(row.Link));
            var target = await accounts.GetAsync(row.Account, stopping.Token);
            if (await sharing.BeginAsync(row, content, recorded, target) is not { } held) return;
            var renamed = (await new SqliteJournal(state, row.Id).LoadAsync(stopping.Token)).Renamed;
            foreach (var file in (row.Choice?.From(content) ?? content).Files)
                held.Completed(file, row.Path.Append(renamed.GetValueOrDefault(file.Index, file.Entry.Path)));
        }
        catch (Exception e) when (e is VirgaException or IOException or OperationCanceledException)
        {
            log($"transfer {row.Id} can't be passed on: {e.Message}");
        }
    }

    private async Task FinishAsync(RunningTransfer transfer, TransferResult result)
    {
        var notKept = result.NotKept.Select(n => new Control.SkippedEntry(n.Path, n.Reason)).ToList();
        var error = result.Failed.Count > 0 ? Failure(transfer.Row, result) : null;
        await SetAsync(transfer, transfer.Row with
        {
            State = error is null ? TransferState.Completed : TransferState.Failed,
            Ended = options.Time.GetUtcNow(),
            Outcome = new TransferOutcome(notKept, error, transfer.CopiedInfo()),
        });
    }

    private static ControlError Failure(TransferRow row, TransferResult result)
    {
        var (first, kind) = result.Failed[0];
        var advice = kind == FailureKind.Changed
            ? "They were changed after they were shared: ask the owner to share again, then get the new link "
                + "with --on-collision skip; what is there already is not fetched twice."
            : $"Try again: virga resume {row.Id}";
        return new ControlError(
            kind.ToString(),
            $"{result.Failed.Count} of {row.FilesTotal} files could not be brought over. "
                + $"First: '{first.Path}': {first.Reason}",
            advice);
    }

    private async Task RemoveHalfDoneAsync(RunningTransfer transfer, CancellationToken cancellationToken)
    {
        var row = transfer.Row;
        if (!contents.Has(row.Id)) return;
        var target = await accounts.GetAsync(row.Account, cancellationToken);
        var content = OpenWanted(row);
        // Nothing is read from them.
        var sources = new SourceSet(new NoSources(), options.Time);
        var journal = new SqliteJournal(state, row.Id);
        var job = new TransferJob(
            content, sources, target, row.Path, row.Collision, journal, new TransferStatus());
        await TransferEngine.CleanUpAsync(job, cancellationToken);
    }

    /// <summary>What of its recorded content the transfer brings over.</summary>
    private ShareContent OpenWanted(TransferRow row)
    {
        if (row.Torrent is not null) return torrents.Open(row);
        var content = contents.Open(contents.Read(row.Id), ShareLink.Parse(row.Link));
        return row.Choice?.From(content) ?? content;
    }

    private async Task SetAsync(RunningTransfer transfer, TransferRow row)
    {
        var isNew = row.State != transfer.Row.State;
        transfer.Set(row);
        var told = isNew ? Record(transfer.Row) : null;
        await table.UpdateAsync(transfer.Row, told, CancellationToken.None);
        if (told is not null) webhooks.Wake();
    }

    /// <summary>What tells webhooks of a transfer's end; null while it has none, or nobody wants to know.</summary>
    private Action<SqlSession>? Record(TransferRow row)
    {
        var type = row.State switch
        {
            TransferState.Completed => WebhookEvents.Completed,
            TransferState.Failed => WebhookEvents.Failed,
            TransferState.Cancelled => WebhookEvents.Cancelled,
            _ => null,
        };
        return type is null ? null : webhooks.Record(type, json =>
        {
            json.WriteString("id", row.Id);
            json.WriteString("infoHash", row.InfoHash.ToString());
            json.WriteString("account", row.Account);
            json.WriteString("path", row.Path.Value);
            json.WriteNumber("files", row.FilesTotal);
            json.WriteNumber("bytes", row.BytesTotal);
            json.WriteNumber("bytesFetched", row.Fetched);
            json.WriteString("created", row.Created);
            if (row.Ended is { } ended) json.WriteString("ended", ended);
            json.WriteNumber("notKept", row.Outcome?.NotKept.Count ?? 0);
            if (row.Outcome?.Error is not { } error) return;
            json.WriteString("error", error.Message);
            if (error.Advice is { } advice) json.WriteString("advice", advice);
        });
    }
}
