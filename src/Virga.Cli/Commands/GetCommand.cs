using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Commands;

/// <summary><c>virga get</c>.</summary>
internal static class GetCommand
{
    public static Command Create(GlobalOptions options)
    {
        var link = Arguments.Link();
        var destination = new Destination(
            options, "the account, and the folder in it, that it goes into; the folder is made when missing");
        var detach = Arguments.Detach();
        var collision = Arguments.OnCollision();
        var priority = Arguments.Priority();
        var limit = LimitCommands.RateOption("--limit", "what it may fetch, within `virga limits`");
        var wishes = new PlanOptions();
        var select = Arguments.Select();
        var noServe = new Option<bool>("--no-serve")
        {
            Description = "pass nothing on to others while it runs, and don't tell repositories of it",
        };
        var seed = new Option<bool>("--seed")
        {
            Description = "go on passing it on after it is complete, until `virga cancel`",
        };
        var verb = new Verb("get", "brings a share into an account, every byte that comes verified")
        {
            Examples =
            {
                "virga get 'virga:1:3f9c...#...' nas:photos/2025",
                "virga share nas:photos | virga get - cloud:photos --data ~/second-agent",
                "virga get \"$(cat link.txt)\" nas --detach",
                "virga get 'virga:1:3f9c...#...' cloud --prefer cheap --max-cost 0.25",
                "virga get 'virga:1:3f9c...#...' nas --limit 2MB/s",
                "virga get 'virga:1:3f9c...#...' nas:music --select '*.flac' --select 'covers/*'",
            },
            Notes =
            {
                "The transfer runs in the agent and survives its end: "
                    + "Ctrl-C leaves it running, and after a crash it goes on from what is verified. "
                    + "See it again with `virga watch`, end it with `virga cancel`. "
                    + "The same link into the same folder again, with --on-collision skip, fetches only the files that "
                    + "are missing.",
                "It is planned first: one line says which way was chosen, why, and what it will cost; `virga plan` "
                    + "shows the others.",
                "Where the owner allows it and both accounts are at one service, that service copies, and the bytes "
                    + "come through no agent. --check service: its own checksums say that the copy is what the owner "
                    + "has, which nobody compares with the share; where they say nothing, samples are. "
                    + "sample: some pieces of each file are read back and compared with the share. "
                    + "full: everything is. A copy that is wrong is removed, and fetched from the agent.",
                "While it runs, others whom the owner lets read get what has arrived from your agent, too, encrypted "
                    + "as it came; so does yours from theirs. --no-serve turns that off.",
                "`virga contents LINK` shows what is in it. --select brings over only what a pattern names.",
            },
        };
        verb.Add(link);
        destination.AddTo(verb);
        verb.Add(detach);
        verb.Add(collision);
        verb.Add(priority);
        verb.Add(limit);
        wishes.AddTo(verb);
        verb.Add(select);
        verb.Add(noServe);
        verb.Add(seed);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var text = await Arguments.ReadLinkAsync(
                run.Parsed.GetRequiredValue(link), run.Terminal, cancellationToken);
            if (run.Parsed.GetValue(seed) && run.Parsed.GetValue(noServe))
                throw new VirgaException(
                    FailureKind.BadInput, "--seed and --no-serve say opposite things", "Say one of them, or neither.");
            // A link that was cut short is told here, also when no agent runs.
            ShareLink.Parse(text);
            var into = destination.Of(run);
            using var agent = run.OpenAgent();
            var transfer = await agent.StartTransferAsync(
                new TransferRequest(
                    text, into.Account, into.Path, run.Parsed.GetValue(collision)!,
                    TransferCommands.Priority(run.Parsed.GetValue(priority)!), wishes.Prefer(run.Parsed),
                    wishes.MaxCost(run.Parsed), wishes.NoRelay(run.Parsed), wishes.Check(run.Parsed),
                    wishes.Copy(run.Parsed),
                    run.Parsed.GetValue(seed) ? "always" : run.Parsed.GetValue(noServe) ? "never" : "while-running",
                    LimitCommands.RateOr(run, limit, null), Arguments.Selected(run, select)),
                cancellationToken);
            return await new TransferWatch(run, agent).StartedAsync(
                transfer, run.Parsed.GetValue(detach), cancellationToken);
        });
        return verb;
    }
}
