using System.CommandLine;
using System.Text;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust why</c> and <c>virga trust graph</c>.</summary>
internal static class WhyCommands
{
    private const int AgentsUsual = 1_000;

    public static Command CreateWhy(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var scope = TrustArguments.Scope();
        var mine = new Option<bool>("--mine")
        {
            Description = "only your side: don't ask what the other's side says of you", Arity = ArgumentArity.Zero,
        };
        var verb = new Verb("why", "shows on whose word an agent is admitted, or why it is not; and its side of you")
        {
            Examples = { "virga trust why carol", "virga trust why virga1... --scope host --mine" },
            Notes =
            {
                "Each line is a vouch: for what, until when, how far it may be passed on, and its number #N in "
                    + "the sigchain of whoever gave it. Ends with 0 in either case; "
                    + "with --json `standing` tells them apart.",
                "The other's side is worked out from public sigchains, with the other as the only root. It may have "
                    + "other roots, and refusals, which it keeps to itself.",
            },
        };
        verb.Add(who);
        verb.Add(scope);
        verb.Add(mine);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var wanted = TrustArguments.ScopeOf(run, scope);
            using var agent = run.OpenAgent();
            var names = new AgentNames(await agent.TrustAsync(cancellationToken));
            var target = names.Find(run.Parsed.GetRequiredValue(who));
            var why = run.Parsed.GetValue(mine)
                ? await agent.WhyAsync(target.Id.ToString(), wanted, cancellationToken)
                : await agent.SidesAsync(target.Wire, wanted, cancellationToken);
            if (run.IsJson) run.PrintJson(why, ControlJson.Default.TrustWhy);
            else Show(run, names, why);
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateGraph(GlobalOptions options)
    {
        var scope = TrustArguments.Scope();
        var dot = new Option<bool>("--dot") { Description = "print it in Graphviz' DOT language" };
        var most = new Option<int>("--most")
        {
            HelpName = "N", Description = $"show at most so many agents (default: {AgentsUsual:#,0})",
            DefaultValueFactory = _ => AgentsUsual,
        };
        var verb = new Verb("graph", "shows all whom you admit, and on whose word, as a tree")
        {
            Examples = { "virga trust graph", "virga trust graph --scope host --dot | dot -Tsvg > trust.svg" },
            Notes = { "It is made of the chains that `virga trust why` shows for each; --json prints those." },
        };
        verb.Add(scope);
        verb.Add(dot);
        verb.Add(most);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var wanted = TrustArguments.ScopeOf(run, scope);
            var limit = TrustArguments.Within(run.Parsed.GetValue(most), 1, 1_000_000, "the number of agents");
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            var admitted = await agent.AdmittedAsync(wanted, cancellationToken);
            var whys = new List<TrustWhy>();
            foreach (var one in admitted.Take(limit))
                whys.Add(await agent.WhyAsync(one.Agent, wanted, cancellationToken));
            var graph = new ChainTree(info, new AgentNames(info), whys);
            if (run.IsJson) run.PrintJson(whys, CliJson.Default.ListTrustWhy);
            else if (run.Parsed.GetValue(dot)) run.Terminal.Out.Write(graph.ToDot(wanted));
            else run.Terminal.Out.Write(graph.ToText());
            if (admitted.Count > limit)
                run.Say($"and {admitted.Count - limit:#,0} more: --most {admitted.Count} shows all");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static void Show(Invocation run, AgentNames names, TrustWhy why)
    {
        var who = names.Label(why.Agent, why.Name);
        var admitted = why.Standing switch
        {
            "Root" => $"{who} is a root: its word counts without a vouch",
            "Admitted" => $"{who} is admitted for {why.Scope}{Until(why)}; "
                + $"it may pass trust on {TrustWords.PassesOnFor(why.Depth)}",
            "Refused" when names.IsRefused(why.Agent) => $"{who} is refused: you ruled it out",
            "Refused" => $"{who} is refused: it is proven to have signed two different statements with one number",
            "NotKnown" => $"no vouch for {who} is known here",
            _ => $"no chain of vouches leads from your roots to {who} for {why.Scope}",
        };
        ShowSide(run, names, why, admitted);
        if (why.Standing is "NotKnown" or "NoChain")
            run.Say("if you know who it is: `virga trust code --check` and `virga trust vouch`");
        else if (why.Standing == "Refused" && names.IsRefused(why.Agent))
            run.Say("to take your refusal back: `virga trust accept`");
        if (why.Theirs is { } theirs) ShowTheirs(run, names, who, theirs);
        else if (why.TheirsProblem is { } problem)
            run.Say($"its side of you is not known: {Display.Safe(problem)}");
    }

    private static void ShowTheirs(Invocation run, AgentNames names, string who, TrustWhy theirs)
    {
        run.Print("");
        run.Print(run.Terminal.OutPaint.Bold("The other way round, as far as public chains tell"));
        ShowSide(run, names, theirs, theirs.Standing switch
        {
            "Admitted" => $"{who} admits you for {theirs.Scope}{Until(theirs)}; "
                + $"you may pass its trust on {TrustWords.PassesOnFor(theirs.Depth)}",
            "NotKnown" => $"neither {who} nor anybody it trusts vouches for you",
            _ => $"no chain of vouches leads from {who} to you for {theirs.Scope}",
        });
        run.Say("it may have other roots, and refusals, that only it knows"
            + (theirs.Standing == "Admitted" ? "" : "; to be let in: `virga trust ask`"));
    }

    private static void ShowSide(Invocation run, AgentNames names, TrustWhy why, string verdict)
    {
        var paint = run.Terminal.OutPaint;
        var isAdmitted = why.Standing is "Admitted" or "Root";
        var isIt = isAdmitted ? paint.Green("yes") : paint.Yellow("no");
        run.Print(run.Terminal.OutWrapped($"{isIt}: {verdict}", indent: 2));
        if (why.Chain.Count > 0)
            foreach (var (i, line) in ChainTree.LinesOf(names, why.Chain).Index())
                run.Print(run.Terminal.OutWrapped(line, indent: (3 * i) + 2));
        foreach (var hint in why.Hints)
        {
            var isPast = hint.Fault is "Revoked" or "Ended";
            var issuer = names.Label(hint.Vouch.Issuer, hint.Vouch.IssuerName);
            var whom = hint.Vouch.Subject != why.Agent
                ? names.Label(hint.Vouch.Subject, hint.Vouch.SubjectName)
                : names.NameOf(why.Agent) == "you" ? "you" : "it";
            run.Print(run.Terminal.OutWrapped(
                $"  {issuer} {Verb(names, hint.Vouch, isPast)} {whom} "
                    + $"(#{hint.Vouch.Seq}: {TrustWords.Vouch(hint.Vouch)})", indent: 4));
            run.Print(run.Terminal.OutWrapped($"    but {TrustWords.Fault(hint, why.Scope, names)}", indent: 4));
        }
    }

    private static string Verb(AgentNames names, TrustLinkInfo vouch, bool isPast) =>
        isPast ? "vouched for" : names.NameOf(vouch.Issuer) == "you" ? "vouch for" : "vouches for";

    private static string Until(TrustWhy why) => why.Until is { } until ? $" until {TrustWords.Day(until)}" : "";
}

/// <summary>Chains, each from a root to an agent, laid over each other.</summary>
internal sealed class ChainTree
{
    private readonly TrustInfo info;
    private readonly AgentNames names;
    private readonly IReadOnlyList<TrustWhy> whys;
    private readonly SortedDictionary<string, Node> roots = new(StringComparer.Ordinal);

    public ChainTree(TrustInfo info, AgentNames names, IReadOnlyList<TrustWhy> whys)
    {
        (this.info, this.names, this.whys) = (info, names, whys);
        foreach (var root in info.Roots) roots.TryAdd(root, new Node(null));
        // The shortest first, so that each vouch is shown below its issuer as that is reached itself.
        foreach (var why in whys.OrderBy(w => w.Chain.Count))
        {
            Node? at = null;
            foreach (var vouch in why.Chain)
            {
                if (at is null && !roots.TryGetValue(vouch.Issuer, out at))
                    roots[vouch.Issuer] = at = new Node(null);
                if (!at.Inner.TryGetValue(vouch.Subject, out var next))
                    at.Inner[vouch.Subject] = next = new Node(vouch);
                at = next;
            }
        }
    }

    /// <summary>One chain, each link indented below the one before.</summary>
    public static IEnumerable<string> LinesOf(AgentNames names, IReadOnlyList<TrustLinkInfo> chain)
    {
        yield return names.Label(chain[0].Issuer, chain[0].IssuerName);
        foreach (var (i, vouch) in chain.Index())
            yield return $"{new string(' ', 3 * i)}└─ {Line(names, vouch)}";
    }

    public string ToText()
    {
        var text = new StringBuilder();
        // This agent first, as it lists its roots.
        foreach (var root in info.Roots.Concat(roots.Keys.Except(info.Roots)))
        {
            text.Append(names.Label(root)).Append('\n');
            Append(text, roots[root], "");
        }
        return text.ToString();
    }

    /// <summary>A directed graph in DOT: agents are nodes, vouches are edges.</summary>
    public string ToDot(string scope)
    {
        var text = new StringBuilder("digraph trust {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n")
            .Append("  label=").Append(Quote($"admitted for {scope}")).Append(";\n");
        var edges = whys.SelectMany(w => w.Chain).DistinctBy(v => (v.Issuer, v.Seq, v.Subject)).ToList();
        var called = edges.SelectMany(
                v => new[] { (Agent: v.Issuer, Name: v.IssuerName), (Agent: v.Subject, Name: v.SubjectName) })
            .Concat(info.Roots.Select(r => (Agent: r, Name: (string?)null)))
            .DistinctBy(a => a.Agent);
        foreach (var (agent, name) in called.OrderBy(a => a.Agent, StringComparer.Ordinal))
        {
            text.Append("  ").Append(Quote(agent)).Append(" [label=").Append(Quote(names.Label(agent, name)))
                .Append(info.Roots.Contains(agent, StringComparer.Ordinal) ? ", peripheries=2" : "").Append("];\n");
        }
        foreach (var vouch in edges)
        {
            text.Append("  ").Append(Quote(vouch.Issuer)).Append(" -> ").Append(Quote(vouch.Subject))
                .Append(" [label=").Append(Quote($"until {TrustWords.Day(vouch.Expires)}, +{vouch.Depth}"))
                .Append("];\n");
        }
        return text.Append("}\n").ToString();
    }

    private static string Line(AgentNames names, TrustLinkInfo vouch) =>
        $"{names.Label(vouch.Subject, vouch.SubjectName)}: {TrustWords.Vouch(vouch)}  #{vouch.Seq}";

    private void Append(StringBuilder text, Node node, string indent)
    {
        foreach (var (i, (_, inner)) in node.Inner.Index())
        {
            var isLast = i == node.Inner.Count - 1;
            text.Append(indent).Append(isLast ? "└─ " : "├─ ").Append(Line(names, inner.Vouch!)).Append('\n');
            Append(text, inner, indent + (isLast ? "   " : "│  "));
        }
    }

    private static string Quote(string text) =>
        $"\"{Display.Safe(text).Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    /// <summary>An agent in one place of the tree; <see cref="Vouch"/> is null for a root.</summary>
    private sealed class Node(TrustLinkInfo? vouch)
    {
        public TrustLinkInfo? Vouch => vouch;

        public SortedDictionary<string, Node> Inner { get; } = new(StringComparer.Ordinal);
    }
}
