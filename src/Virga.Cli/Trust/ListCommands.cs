using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust roots | refuse | accept | name</c>: what the user's own agent keeps to itself.</summary>
internal static class ListCommands
{
    public static Command CreateRoots(GlobalOptions options)
    {
        var verb = new Verb("roots", "lists whose word counts without a vouch; adds and removes roots")
        {
            Examples = { "virga trust roots", "virga trust roots add laptop", "virga trust roots remove laptop" },
            Notes =
            {
                "Your agent is a root of its own; others of yours, such as the one on your laptop, can be added. "
                    + "Roots are known to your agent alone.",
            },
        };
        verb.Add(CreateRootChange(options, isOn: true));
        verb.Add(CreateRootChange(options, isOn: false));
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson([.. info.Roots], CliJson.Default.ListString);
                return ExitCode.Ok;
            }
            var names = new AgentNames(info);
            foreach (var root in info.Roots) run.Print(names.FullLabel(root));
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateRefuse(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var yes = Confirmation.Option();
        var verb = new Verb("refuse", "rules an agent out, and all it vouches for, whoever vouches for it")
        {
            Examples = { "virga trust refuse mallory" },
            Notes =
            {
                "Only your agent knows of it; nothing is published. `virga trust accept` takes it back. "
                    + "Ends with 1 when you say no.",
            },
        };
        verb.Add(who);
        verb.Add(yes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var (info, names, target) = await FindOtherAsync(run, agent, who, cancellationToken);
            var id = target.Id.ToString();
            var label = names.FullLabel(id);
            return await CutCommands.CutAsync(
                run, agent, names,
                [$"You are about to refuse {label}",
                    "  it is not admitted here, whoever vouches for it, and what it vouches for counts for nothing",
                    .. info.Vouches.Where(v => v.Subject == id).Select(
                        v => $"  your own vouch #{v.Seq} for it stays public, unless you revoke it: "
                            + "`virga trust revoke`")],
                new WhatIfRequest("refuse", target.Wire, []), "Refuse?", run.Parsed.GetValue(yes), $"refused: {label}",
                () => agent.SetRefusedAsync(new TrustListRequest(target.Wire, true), cancellationToken),
                cancellationToken);
        });
        return verb;
    }

    public static Command CreateAccept(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var yes = Confirmation.Option();
        var verb = new Verb("accept", "no longer refuses an agent; whether it is admitted is up to vouches again")
        {
            Examples = { "virga trust accept mallory" },
            Notes = { "Ends with 1 when you say no." },
        };
        verb.Add(who);
        verb.Add(yes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var (info, names, target) = await FindOtherAsync(run, agent, who, cancellationToken);
            var id = target.Id.ToString();
            if (!info.Refused.Contains(id, StringComparer.Ordinal))
                throw new VirgaException(
                    FailureKind.NotFound, $"{names.Label(id)} is not refused", "See `virga trust list`.");
            return await ChangeAsync(
                run, names,
                [$"You are about to accept {names.FullLabel(id)} again: "
                    + "vouches for it, and by it, count as they did before"],
                "Accept?", run.Parsed.GetValue(yes), $"no longer refused: {names.Label(id)}",
                () => agent.SetRefusedAsync(new TrustListRequest(target.Wire, false), cancellationToken),
                cancellationToken);
        });
        return verb;
    }

    public static Command CreateName(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var name = new Argument<string>("NAME") { Description = "what you call it; '' takes the name away" };
        var verb = new Verb("name", "gives an agent a name that only you and your agent know")
        {
            Examples = { "virga trust name virga1... bob", "virga trust name bob ''" },
        };
        verb.Add(who);
        verb.Add(name);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var names = new AgentNames(await agent.TrustAsync(cancellationToken));
            var target = names.Find(run.Parsed.GetRequiredValue(who));
            var id = target.Id.ToString();
            var called = run.Parsed.GetRequiredValue(name).Trim();
            if (called.StartsWith("virga1", StringComparison.OrdinalIgnoreCase))
                throw new VirgaException(
                    FailureKind.BadInput, "a name can't look like an AgentId", "Choose one that doesn't start so.");
            var result = await agent.SetNameAsync(
                new NameRequest(target.Wire, called.Length > 0 ? called : null), cancellationToken);
            if (run.IsJson) run.PrintJson(result, ControlJson.Default.TrustResult);
            run.Say(called.Length > 0
                ? $"{Display.Short(id)} is now called {Display.Safe(called)}"
                : $"{names.Label(id)} has no name any more");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateRootChange(GlobalOptions options, bool isOn)
    {
        var who = TrustArguments.Who(options);
        var yes = Confirmation.Option();
        var verb = isOn
            ? new Verb("add", "lets an agent's word count as your own")
            {
                Examples = { "virga trust roots add laptop" },
                Notes = { "For agents of your own. Ends with 1 when you say no." },
            }
            : new Verb("remove", "lets an agent's word count only as far as somebody vouches for it")
            {
                Examples = { "virga trust roots remove laptop" }, Notes = { "Ends with 1 when you say no." },
            };
        if (!isOn) verb.Aliases.Add("rm");
        verb.Add(who);
        verb.Add(yes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var (info, names, target) = await FindOtherAsync(run, agent, who, cancellationToken);
            var label = names.FullLabel(target.Id.ToString());
            if (!isOn) return await RemoveRootAsync(run, agent, info, names, target, yes, cancellationToken);
            IReadOnlyList<string> meaning =
                [$"You are about to make {label} a root", "  its code     "
                        + string.Join(' ', FingerprintWords.Of(target.Id)),
                    "  it may       admit whomever it vouches for, for everything, as if you had done so yourself",
                    "  for          as long as you don't remove it"];
            return await ChangeAsync(
                run, names, meaning, "Add the root?", run.Parsed.GetValue(yes), $"a root now: {label}",
                () => agent.SetRootAsync(new TrustListRequest(target.Wire, true), cancellationToken),
                cancellationToken);
        });
        return verb;
    }

    private static async Task<int> RemoveRootAsync(
        Invocation run, ControlClient agent, TrustInfo info, AgentNames names, Target target, Option<bool> yes,
        CancellationToken cancellationToken)
    {
        var id = target.Id.ToString();
        if (!info.Roots.Contains(id, StringComparer.Ordinal))
            throw new VirgaException(
                FailureKind.NotFound, $"{names.Label(id)} is no root", "See `virga trust roots`.");
        var label = names.FullLabel(id);
        return await CutCommands.CutAsync(
            run, agent, names,
            [$"You are about to remove the root {label}",
                "  it, and whom it vouches for, is admitted from then on only as far as others vouch for them"],
            new WhatIfRequest("remove-root", target.Wire, []), "Remove the root?", run.Parsed.GetValue(yes),
            $"no root any more: {label}",
            () => agent.SetRootAsync(new TrustListRequest(target.Wire, false), cancellationToken), cancellationToken);
    }

    private static async Task<int> ChangeAsync(
        Invocation run, AgentNames names, IReadOnlyList<string> meaning, string question, bool isYes, string done,
        Func<Task<TrustResult>> change, CancellationToken cancellationToken)
    {
        if (!await Confirmation.AskAsync(run, meaning, question, isYes, cancellationToken)) return ExitCode.Failed;
        return TrustChanges.Report(run, await change(), names, done);
    }

    private static async Task<(TrustInfo Info, AgentNames Names, Target Target)> FindOtherAsync(
        Invocation run, ControlClient agent, Argument<string> who, CancellationToken cancellationToken)
    {
        var info = await agent.TrustAsync(cancellationToken);
        var names = new AgentNames(info);
        var target = names.Find(run.Parsed.GetRequiredValue(who));
        return target.Id.ToString() != info.Agent ? (info, names, target) : throw new VirgaException(
            FailureKind.BadInput, "that is you yourself", "Your own agent is always a root, and never refused.");
    }
}
