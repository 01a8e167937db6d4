using System.CommandLine;
using System.Text;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Cli.Trust;

/// <summary>
/// <c>virga trust logs</c>, <c>evidence</c> and <c>check</c>: how the repositories' logs are, and proofs.
/// </summary>
internal static class LogCommands
{
    private const string BreachHead = "virga/log-breach@";

    public static Command CreateLogs(GlobalOptions options)
    {
        var verb = new Verb("logs", "shows each repository in use, and whether its log is as it should be")
        {
            Examples = { "virga trust logs", "virga trust logs --json" },
            Notes =
            {
                "A repository keeps a log of all statements, which it may only add to. Your agent holds it to that, "
                    + "and compares with others what they were shown. WITNESSES counts other repositories that have "
                    + "cosigned the log's newest head. A repository that is proven a liar is used no more, at whatever "
                    + "address; the proof is under `virga trust evidence`.",
            },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var logs = await agent.LogsAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(logs, ControlJson.Default.ListLogInfo);
            else Show(run, logs);
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateEvidence(GlobalOptions options)
    {
        var save = new Option<string[]>("--save")
        {
            HelpName = "N FILE", Arity = new ArgumentArity(2, 2), AllowMultipleArgumentsPerToken = true,
            Description = "write proof number N to FILE, which must not exist yet",
        };
        var verb = new Verb("evidence", "lists the proofs against agents and repositories that lied")
        {
            Examples = { "virga trust evidence", "virga trust evidence --save 1 liar.virga-evidence" },
            Notes = { "A saved proof convinces anybody, without your word: `virga trust check FILE`." },
        };
        verb.Add(save);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            if (run.Parsed.GetValue(save) is { Length: 2 } what)
            {
                var saved = await agent.EvidenceAsync(what[0], cancellationToken);
                await TrustFileCommands.WriteNewAsync(
                    what[1], Convert.FromBase64String(saved.Proof!), isPrivate: false, cancellationToken);
                if (run.IsJson) run.PrintJson(saved with { Proof = null }, ControlJson.Default.EvidenceInfo);
                run.Say($"wrote the proof against {Label(saved)} to {Display.Safe(what[1])}");
                return ExitCode.Ok;
            }
            var all = await agent.EvidenceAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(all, ControlJson.Default.ListEvidenceInfo);
            else Show(run, all);
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateCheck(GlobalOptions options)
    {
        var file = new Argument<string>("FILE")
        {
            Description = "a proof, as `virga trust evidence --save` writes it, or a .virga-log-breach",
        };
        var use = new Option<bool>("--use") { Description = "let the running agent keep the proof and act on it" };
        var verb = new Verb("check", "checks a proof; needs no agent and no network")
        {
            Examples = { "virga trust check liar.virga-evidence", "virga trust check liar.virga-evidence --use" },
            Notes =
            {
                "Ends with 0 when the proof holds, and says whom it proves what. Ends with 2 when it is no proof, and "
                    + "with 4 when its signatures are not those of whom it accuses: then it proves nothing.",
            },
        };
        verb.Add(file);
        verb.Add(use);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var proof = await ReadAsync(run.Parsed.GetRequiredValue(file), cancellationToken);
            var who = proof.Check(TimeProvider.System.GetUtcNow());
            var kind = proof.Breach?.Kind.ToString().ToLowerInvariant() ?? "two-histories";
            var isUsed = run.Parsed.GetValue(use);
            if (isUsed)
            {
                using var agent = run.OpenAgent();
                await agent.TakeEvidenceAsync(Convert.ToBase64String(proof.Bytes), cancellationToken);
            }
            if (run.IsJson)
            {
                run.PrintJson(
                    new EvidenceCheck(who.ToString(), kind, proof.Id.ToString(), isUsed),
                    CliJson.Default.EvidenceCheck);
                return ExitCode.Ok;
            }
            run.Print($"proven: {who}");
            run.Print($"  {Meaning(kind)}");
            run.Say(isUsed ? "your agent keeps the proof, and acts on it" : proof.Breach is null
                ? "nobody should trust it until its owner's recovery key settles which history is true"
                : "nobody should use it any more; it may keep another name, but never this one");
            return ExitCode.Ok;
        });
        return verb;
    }

    /// <summary>What somebody did, for people.</summary>
    public static string Meaning(string kind) => kind switch
    {
        "fork" => "it signed two histories of its log that contradict each other",
        "rewind" => "it signed a later head of its log with fewer entries than an earlier one",
        "replaced" => "it promised an entry its place in the log, and another stands there",
        "dropped" => "it promised an entry its place in the log, and left it out",
        _ => "it signed two different histories of its own statements",
    };

    private static void Show(Invocation run, List<LogInfo> logs)
    {
        if (logs.Count == 0)
        {
            run.Say("no repository is in use: `virga up --repository URL`");
            return;
        }
        var table = new TextTable("REPOSITORY", "ID", ">ENTRIES", "HEAD (UTC)", ">WITNESSES", "STATE");
        foreach (var log in logs)
        {
            table.Add(
                Name(log), log.Agent is { } agent ? Display.Short(agent) : "", log.Entries?.ToString() ?? "",
                log.HeadTime is { } time ? Display.Moment(time) : "",
                log.Entries is null ? "" : log.Witnesses.ToString(), State(log));
        }
        table.Write(run.Terminal.Out, run.Terminal.OutPaint);
        foreach (var log in logs)
        {
            if (Advice(log) is not { } advice) continue;
            run.Print($"{Display.Safe(Name(log))}: {Display.Safe(log.Problem ?? "")}");
            run.Print($"  {advice}");
        }
    }

    private static void Show(Invocation run, List<EvidenceInfo> all)
    {
        if (all.Count == 0)
        {
            run.Say("no proof against anybody is known here");
            return;
        }
        var table = new TextTable(">#", "WHO", "AGENT", "PROVEN");
        foreach (var proof in all)
        {
            table.Add(
                proof.Number.ToString(), proof.Name ?? "", Display.Short(proof.Agent),
                proof.IsSettled ? "nothing any more: its owner has settled it" : Meaning(proof.Kind));
        }
        table.Write(run.Terminal.Out, run.Terminal.OutPaint);
    }

    /// <summary>What to do about a log that is not fine; null where nothing is.</summary>
    public static string? Advice(LogInfo log) => log.State switch
    {
        "liar" => "Use another repository; the proof is in `virga trust evidence`. Nothing of yours is lost by that.",
        "refused" => "To use it again: virga trust accept " + (log.Agent is { } id ? Display.Short(id) : "ID"),
        "troubled" => "It is looked at again every half minute. Where it stays, ask its owner, or use another one.",
        _ => null,
    };

    public static string State(LogInfo log) => log.State switch
    {
        "liar" => $"PROVEN LIAR ({log.Breach})",
        "refused" => "refused",
        "waiting" => "not looked at yet",
        "troubled" => log.Since is { } since ? $"troubled since {Display.Moment(since)}" : "troubled",
        var state => state,
    };

    private static string Name(LogInfo log) =>
        log.Name ?? Endpoint.FromUser(log.Endpoint).Url.Authority;

    private static string Label(EvidenceInfo proof) =>
        Display.Safe(proof.Name is { } name ? $"{name} ({Display.Short(proof.Agent)})" : Display.Short(proof.Agent));

    private static async Task<Evidence> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            throw new VirgaException(FailureKind.NotFound, $"there is no file {path}", "Check its name.");
        if (file.Length > Evidence.BytesMax)
            throw new VirgaException(FailureKind.BadInput, $"{path} is too large for a proof", "Ask for it again.");
        var bytes = await File.ReadAllBytesAsync(path, cancellationToken);
        if (bytes.AsSpan().StartsWith(Encoding.ASCII.GetBytes(BreachHead)))
            return Evidence.Of(LogBreach.Parse(Encoding.UTF8.GetString(bytes)));
        try
        {
            return Evidence.Parse(bytes);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{path} is no proof: {e.Message}",
                "A proof is what `virga trust evidence --save` writes, or a .virga-log-breach.", e);
        }
    }
}

/// <summary>What <c>virga trust check --json</c> prints of a proof that holds.</summary>
/// <param name="Kind">two-histories, or fork, rewind, replaced or dropped of a repository's log.</param>
/// <param name="IsUsed">The running agent keeps it and acts on it.</param>
internal sealed record EvidenceCheck(string Agent, string Kind, string Id, bool IsUsed);
