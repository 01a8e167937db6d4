using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust revoke | disown | what-if</c>: who falls is shown before anybody does.</summary>
internal static class CutCommands
{
    private const int SeqMax = 65_535;

    public static Command CreateRevoke(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var scopes = TrustArguments.Scopes("all");
        var yes = Confirmation.Option();
        var verb = new Verb("revoke", "takes back what you vouched for somebody; shows first who would fall")
        {
            Examples = { "virga trust revoke bob", "virga trust revoke bob --scope host --yes" },
            Notes =
            {
                "Who hung on that vouch alone falls with it: their transfers from you stop, and their grants end. "
                    + "What they have read already stays with them. Ends with 1 when you say no.",
            },
        };
        verb.Add(who);
        verb.Add(scopes);
        verb.Add(yes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var given = TrustArguments.ScopesOf(run, scopes);
            using var agent = run.OpenAgent();
            var (info, names, target) = await FindAsync(run, agent, who, cancellationToken);
            var id = target.Id.ToString();
            var vouches = info.Vouches.Where(v => v.Subject == id
                && (given.Count == 0 || v.Scopes.Intersect(given, StringComparer.Ordinal).Any())).ToList();
            if (vouches.Count == 0)
            {
                throw new VirgaException(
                    FailureKind.NotFound,
                    $"you vouch for {names.Label(id)} {(given.Count == 0 ? "in nothing" : "in none of these scopes")}",
                    $"`virga trust why {Display.Short(id)}` with the whole id shows on whose word it is admitted; "
                        + "`virga trust refuse` rules it out.");
            }
            var what = given.Count == 0 ? "" : $" for {TrustWords.Scopes(given)}";
            List<string> meaning =
            [
                $"You are about to take back what you vouched for {names.FullLabel(id)}{what}",
                .. vouches.Select(v => $"  your vouch #{v.Seq}: {TrustWords.Vouch(v)}"),
            ];
            return await CutAsync(
                run, agent, names, meaning, new WhatIfRequest("revoke", target.Wire, given), "Revoke?",
                run.Parsed.GetValue(yes), $"revoked: you no longer vouch for {names.Label(id)}{what}",
                () => agent.RevokeAsync(new RevokeRequest(target.Wire, given), cancellationToken), cancellationToken);
        });
        return verb;
    }

    public static Command CreateDisown(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var from = TrustArguments.From();
        from.Required = true;
        var yes = Confirmation.Option();
        var verb = new Verb("disown", "lets all that somebody said from a point on count for nothing")
        {
            Examples = { "virga trust disown bob --from 12" },
            Notes =
            {
                "For when somebody's key fell into wrong hands, or they began to vouch for anybody: what they said "
                    + "before statement N still counts, they stay admitted, and whom they vouched for from N on falls. "
                    + "It holds until you vouch for them again. Ends with 1 when you say no.",
            },
        };
        verb.Add(who);
        verb.Add(from);
        verb.Add(yes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var first = FromOf(run, from);
            using var agent = run.OpenAgent();
            var (_, names, target) = await FindAsync(run, agent, who, cancellationToken);
            var label = names.FullLabel(target.Id.ToString());
            List<string> meaning = [$"You are about to disown all that {label} said from statement #{first} on"];
            return await CutAsync(
                run, agent, names, meaning, new WhatIfRequest("disown", target.Wire, [], first), "Disown?",
                run.Parsed.GetValue(yes), $"disowned: what {label} said from #{first} on counts for nothing here",
                () => agent.DisownAsync(new DisownRequest(target.Wire, first), cancellationToken), cancellationToken);
        });
        return verb;
    }

    public static Command CreateWhatIf(GlobalOptions options)
    {
        var revoke = TrustArguments.WhoOption(options, "--revoke", "if you took back what you vouched for this agent");
        var disown = TrustArguments.WhoOption(
            options, "--disown", "if you disowned what this agent said from --from on");
        var from = TrustArguments.From();
        var refuse = TrustArguments.WhoOption(options, "--refuse", "if you ruled this agent out");
        var root = TrustArguments.WhoOption(options, "--remove-root", "if this agent were no root any more");
        var scopes = TrustArguments.Scopes("all; goes with --revoke");
        var verb = new Verb("what-if", "shows who would fall; nothing changes")
        {
            Examples =
            {
                "virga trust what-if --revoke bob", "virga trust what-if --disown bob --from 12",
                "virga trust what-if --refuse mallory", "virga trust what-if --remove-root laptop",
            },
        };
        verb.Add(revoke);
        verb.Add(disown);
        verb.Add(from);
        verb.Add(refuse);
        verb.Add(root);
        verb.Add(scopes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            (string Action, string? Who)[] given =
            [
                ("revoke", run.Parsed.GetValue(revoke)), ("disown", run.Parsed.GetValue(disown)),
                ("refuse", run.Parsed.GetValue(refuse)), ("remove-root", run.Parsed.GetValue(root)),
            ];
            var asked = given.Where(g => g.Who is not null).ToList();
            if (asked.Count != 1)
                throw new VirgaException(
                    FailureKind.BadInput, "what if what?",
                    "Give one of --revoke, --disown, --refuse and --remove-root.");
            var (action, who) = asked[0];
            var first = action == "disown" ? FromOf(run, from) : 0;
            var wanted = TrustArguments.ScopesOf(run, scopes);
            using var agent = run.OpenAgent();
            var names = new AgentNames(await agent.TrustAsync(cancellationToken));
            var target = names.Find(who!);
            var result = await agent.WhatIfAsync(
                new WhatIfRequest(action, target.Wire, wanted, first), cancellationToken);
            if (run.IsJson) run.PrintJson(result, ControlJson.Default.TrustResult);
            else foreach (var line in TrustChanges.Lines(result, names, isReal: false)) run.Print(line);
            return ExitCode.Ok;
        });
        return verb;
    }

    /// <summary>Shows who would fall, asks, does it, and says who fell.</summary>
    public static async Task<int> CutAsync(
        Invocation run, ControlClient agent, AgentNames names, IReadOnlyList<string> meaning, WhatIfRequest whatIf,
        string question, bool isYes, string done, Func<Task<TrustResult>> cut, CancellationToken cancellationToken)
    {
        var would = await agent.WhatIfAsync(whatIf, cancellationToken);
        if (!await Confirmation.AskAsync(
            run, [.. meaning, .. TrustChanges.Lines(would, names, isReal: false)], question, isYes, cancellationToken))
        {
            return ExitCode.Failed;
        }
        return TrustChanges.Report(run, await cut(), names, done);
    }

    private static async Task<(TrustInfo Info, AgentNames Names, Target Target)> FindAsync(
        Invocation run, ControlClient agent, Argument<string> who, CancellationToken cancellationToken)
    {
        var info = await agent.TrustAsync(cancellationToken);
        var names = new AgentNames(info);
        return (info, names, names.Find(run.Parsed.GetRequiredValue(who)));
    }

    private static int FromOf(Invocation run, Option<int?> from) => run.Parsed.GetValue(from) is { } first
        ? TrustArguments.Within(first, 1, SeqMax, "the number of a statement")
        : throw new VirgaException(
            FailureKind.BadInput, "disown from which statement on?",
            "Give --from N; `virga trust why` shows the numbers of vouches as #N.");
}
