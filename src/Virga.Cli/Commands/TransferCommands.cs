using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga transfers | watch | pause | resume | cancel | priority | limit</c>.</summary>
internal static class TransferCommands
{
    public static Command CreateList(GlobalOptions options)
    {
        var verb = new Verb("transfers", "lists the transfers of the agent, newest first")
        {
            Examples = { "virga transfers" },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var transfers = await agent.TransfersAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(transfers, ControlJson.Default.ListTransferInfo);
            else if (transfers.Count == 0) run.Say("no transfers yet: `virga get LINK ACCOUNT:PATH`");
            else
            {
                var table = new TextTable("ID", "STATE", ">DONE", ">SIZE", ">RATE", "INTO", "");
                foreach (var t in transfers)
                {
                    var isRunning = t.State == TransferState.Running;
                    table.Add(
                        Display.Short(t.Id), t.State.ToString().ToLowerInvariant(), Percent(t),
                        t.BytesTotal > 0 ? Display.Bytes(t.BytesTotal) : "",
                        isRunning ? Display.Rate(t.BytesPerSecond) : "",
                        Display.Fit($"{(t.Name is { } name ? name + " → " : "")}{new Place(t.Account, t.Path)}", 60),
                        Display.Fit(
                            t.Error?.Message ?? (isRunning || t.State == TransferState.Waiting ? t.Status
                                : t.Copied is { } copied ? CopiedWords.Short(copied) : ""), 80));
                }
                table.Write(run.Terminal.Out, run.Terminal.OutPaint);
            }
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateWatch(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: true);
        var verb = new Verb("watch", "shows transfers while they run, until they end")
        {
            Examples = { "virga watch", "virga watch 7f3a --json" },
            Notes = { "Ctrl-C ends the watching, not the transfer. With --json there is a line for every change, "
                + "with each source, its bytes and its rate." },
        };
        verb.Add(id);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var watched = run.Parsed.GetValue(id) is { } one
                ? [await FindAsync(agent, one, cancellationToken)]
                : (await agent.TransfersAsync(cancellationToken))
                    .Where(t => t.State is TransferState.Waiting or TransferState.Running).Reverse().ToList();
            if (watched.Count == 0) run.Say("nothing is running");
            return await new TransferWatch(run, agent).UntilEndAsync(watched, cancellationToken);
        });
        return verb;
    }

    public static Command CreateCancel(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: false);
        var verb = new Verb("cancel", "ends a transfer; whole files stay, what was half done is removed")
        {
            Examples = { "virga cancel 7f3a" },
        };
        verb.Add(id);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var found = await FindAsync(agent, run.Parsed.GetRequiredValue(id)!, cancellationToken);
            var transfer = await agent.CancelAsync(found.Id, cancellationToken);
            if (run.IsJson) run.PrintJson(transfer, ControlJson.Default.TransferInfo);
            run.Say(transfer.State == TransferState.Completed
                ? "it was complete already: nothing to cancel, nothing removed"
                : $"cancelled after {Display.Files(transfer.FilesDone)}; "
                    + $"`virga resume {Display.Short(transfer.Id)}` goes on from there");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateResume(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: false);
        var detach = new Option<bool>("--detach", "-d") { Description = "do not wait for the end" };
        var verb = new Verb(
            "resume", "goes on with a transfer that was paused or cancelled, or failed, from what is verified")
        {
            Examples = { "virga resume 7f3a" },
        };
        verb.Add(id);
        verb.Add(detach);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var found = await FindAsync(agent, run.Parsed.GetRequiredValue(id)!, cancellationToken);
            var transfer = await agent.ResumeAsync(found.Id, cancellationToken);
            return await new TransferWatch(run, agent).ResumedAsync(
                transfer, run.Parsed.GetValue(detach), cancellationToken);
        });
        return verb;
    }

    public static Command CreatePause(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: false);
        var verb = new Verb("pause", "stops a transfer until it is resumed, also over the agent's end")
        {
            Examples = { "virga pause 7f3a" },
            Notes = { "To stop all of them at certain hours, see `virga limits at`." },
        };
        verb.Add(id);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var found = await FindAsync(agent, run.Parsed.GetRequiredValue(id)!, cancellationToken);
            var transfer = await agent.PauseAsync(found.Id, cancellationToken);
            if (run.IsJson) run.PrintJson(transfer, ControlJson.Default.TransferInfo);
            run.Say(transfer.State == TransferState.Paused
                ? $"paused after {Display.Files(transfer.FilesDone)}; "
                    + $"`virga resume {Display.Short(transfer.Id)}` goes on from there"
                : $"it is {transfer.State.ToString().ToLowerInvariant()}: there is nothing to pause");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreatePriority(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: false);
        var priority = new Argument<string>("PRIORITY") { HelpName = "low|normal|high", Description = "from now on" };
        priority.AcceptOnlyFromAmong("low", "normal", "high");
        var verb = new Verb("priority", "says which transfer goes first where not all can run at once")
        {
            Examples = { "virga priority 7f3a high" },
            Notes =
            {
                "One of higher priority makes a running one of lower priority give way: that waits for its turn, and "
                    + "goes on from what is verified. How many run at once: `virga limits`.",
            },
        };
        verb.Add(id);
        verb.Add(priority);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var found = await FindAsync(agent, run.Parsed.GetRequiredValue(id)!, cancellationToken);
            var transfer = await agent.PrioritizeAsync(
                found.Id, Priority(run.Parsed.GetRequiredValue(priority)), cancellationToken);
            if (run.IsJson) run.PrintJson(transfer, ControlJson.Default.TransferInfo);
            run.Say($"its priority is {transfer.Priority.ToString().ToLowerInvariant()} now");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateLimit(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: false);
        var rate = new Argument<string>("RATE") { Description = "500KB/s, 20MB/s, none" };
        var verb = new Verb("limit", "says how much one transfer may fetch a second, also while it runs")
        {
            Examples = { "virga limit 7f3a 2MB/s", "virga limit 7f3a none" },
            Notes =
            {
                "It holds at once, beside what `virga limits` allows all transfers together. What a service copies by "
                    + "itself has no limit: nothing of it comes through the agent.",
            },
        };
        verb.Add(id);
        verb.Add(rate);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var wanted = LimitCommands.RateOrNone(run.Parsed.GetRequiredValue(rate));
            using var agent = run.OpenAgent();
            var found = await FindAsync(agent, run.Parsed.GetRequiredValue(id)!, cancellationToken);
            var transfer = await agent.LimitAsync(found.Id, wanted, cancellationToken);
            if (run.IsJson) run.PrintJson(transfer, ControlJson.Default.TransferInfo);
            run.Say($"it may fetch: {LimitCommands.RateText(transfer.Receive)}");
            return ExitCode.Ok;
        });
        return verb;
    }

    internal static TransferPriority Priority(string text) =>
        Enum.Parse<TransferPriority>(text, ignoreCase: true);

    internal static async Task<TransferInfo> FindAsync(
        ControlClient agent, string text, CancellationToken cancellationToken)
    {
        var transfers = await agent.TransfersAsync(cancellationToken);
        var found = transfers.Where(t => t.Id.StartsWith(text, StringComparison.OrdinalIgnoreCase)).ToList();
        return found.Count switch
        {
            1 => found[0],
            0 => throw new VirgaException(
                FailureKind.NotFound, $"there is no transfer '{Display.Fit(text, 40)}'",
                "See them with `virga transfers`."),
            _ => found.FirstOrDefault(t => t.Id == text) ?? throw new VirgaException(
                FailureKind.BadInput, $"'{text}' means {found.Count} transfers",
                "Give more of the id; `virga transfers --json` shows it whole."),
        };
    }

    internal static string Percent(TransferInfo t) => t.State == TransferState.Completed ? "100 %"
        : t.BytesTotal > 0 ? $"{(int)(t.BytesDone * 100.0 / t.BytesTotal)} %" : "";
}
