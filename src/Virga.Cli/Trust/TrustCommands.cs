using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust ...</c>: whom this agent's user vouches for, and whom that admits.</summary>
internal static class TrustCommands
{
    public static Command Create(GlobalOptions options) => new Verb(
        "trust", "vouches for agents, shows whom that admits and why, and takes it back")
    {
        Examples =
        {
            "virga trust add virga1...@https://bob.example.org --name bob", "virga trust why carol",
            "virga trust revoke bob",
        },
        Notes =
        {
            "You vouch for agents, and they may vouch for others; how far, for what and for how long, you say each "
                + "time. Everybody decides from their own vouches: there is no score, and nobody above you. "
                + "docs/trust.md explains it with pictures.",
        },
        Subcommands =
        {
            CreateList(options),
            VouchCommands.CreateVouch(options),
            VouchCommands.CreateAdd(options),
            AskCommands.CreateAsk(options),
            AskCommands.CreateAsked(options),
            RequestCommands.CreateRequests(options),
            RequestCommands.CreateAnswer(options),
            CutCommands.CreateRevoke(options),
            CutCommands.CreateDisown(options),
            CutCommands.CreateWhatIf(options),
            WhyCommands.CreateWhy(options),
            WhyCommands.CreateGraph(options),
            ListCommands.CreateRoots(options),
            ListCommands.CreateRefuse(options),
            ListCommands.CreateAccept(options),
            ListCommands.CreateName(options),
            CodeCommand.Create(options),
            LogCommands.CreateLogs(options),
            LogCommands.CreateEvidence(options),
            LogCommands.CreateCheck(options),
            TrustFileCommands.CreateExport(options),
            TrustFileCommands.CreateImport(options),
        },
    };

    private static Verb CreateList(GlobalOptions options)
    {
        var scope = TrustArguments.Scope();
        var full = new Option<bool>("--full") { Description = "show AgentIds whole" };
        var verb = new Verb("list", "lists your vouches, roots, refusals and names, and whom that admits")
        {
            Examples = { "virga trust list", "virga trust list --scope host --full" },
        };
        verb.Aliases.Add("ls");
        verb.Add(scope);
        verb.Add(full);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var wanted = TrustArguments.ScopeOf(run, scope);
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            var admitted = await agent.AdmittedAsync(wanted, cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(
                    new TrustListing(
                        info.Agent, info.Roots, info.Vouches, info.Refused, info.Names, wanted, admitted,
                        info.Requests),
                    CliJson.Default.TrustListing);
            }
            else
            {
                new Listing(run, info, run.Parsed.GetValue(full)).Write(wanted, admitted);
            }
            return ExitCode.Ok;
        });
        return verb;
    }

    private sealed class Listing(Invocation run, TrustInfo info, bool isFull)
    {
        private readonly AgentNames names = new(info);

        public void Write(string scope, IReadOnlyList<AdmittedInfo> admitted)
        {
            Agents("Roots: their word counts without a vouch", info.Roots);
            if (info.Vouches.Count == 0)
                run.Say("you vouch for nobody yet: `virga trust add ADDRESS --name NAME`");
            else
                Section("You vouch for", Vouches());
            if (info.Refused.Count > 0) Agents("Refused", info.Refused);
            var others = info.Names.Keys.Except(info.Roots).Except(info.Refused)
                .Except(info.Vouches.Select(v => v.Subject)).Except(admitted.Select(a => a.Agent)).ToList();
            if (others.Count > 0) Agents("Others you have a name for", others);
            var table = new TextTable("WHO", "PASSES ON", "AGENT");
            admitted = [.. admitted.Where(a => a.Agent != info.Agent)];
            foreach (var one in admitted)
                table.Add(names.NameOf(one.Agent) ?? one.Name ?? "", TrustWords.PassesOn(one.Depth), Id(one.Agent));
            Section($"Admitted for {scope}: {Display.Count(admitted.Count, "agent", "agents")}",
                admitted.Count > 0 ? table : null);
            if (info.Requests > 0)
                run.Say($"{Display.Count(info.Requests, "agent asks", "agents ask")} you for a vouch: "
                    + "`virga trust requests`");
        }

        private TextTable Vouches()
        {
            var table = new TextTable("WHO", "FOR", "PASSES ON", "UNTIL (UTC)", "#", "AGENT");
            foreach (var vouch in info.Vouches)
            {
                table.Add(
                    names.NameOf(vouch.Subject) ?? vouch.SubjectName ?? "", TrustWords.Scopes(vouch.Scopes),
                    TrustWords.PassesOn(vouch.Depth), Display.Moment(vouch.Expires), vouch.Seq.ToString(),
                    Id(vouch.Subject));
            }
            return table;
        }

        private void Agents(string title, IReadOnlyList<string> agents)
        {
            var table = new TextTable("WHO", "AGENT");
            foreach (var agent in agents) table.Add(names.NameOf(agent) ?? "", Id(agent));
            Section(title, agents.Count > 0 ? table : null);
        }

        private void Section(string title, TextTable? table)
        {
            run.Print(run.Terminal.OutPaint.Bold(title));
            table?.Write(run.Terminal.Out, run.Terminal.OutPaint, indent: 2);
        }

        private string Id(string agent) => isFull ? agent : Display.Short(agent);
    }
}

/// <summary>What <c>virga trust list --json</c> prints.</summary>
/// <param name="Scope">What <paramref name="Admitted"/> are admitted for.</param>
/// <param name="Requests">How many requests for a vouch wait for an answer.</param>
internal sealed record TrustListing(
    string Agent, IReadOnlyList<string> Roots, IReadOnlyList<TrustLinkInfo> Vouches, IReadOnlyList<string> Refused,
    IReadOnlyDictionary<string, string> Names, string Scope, IReadOnlyList<AdmittedInfo> Admitted,
    int Requests);
