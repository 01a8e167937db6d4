using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Commands;

/// <summary><c>virga id</c>.</summary>
internal static class IdCommand
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("id", "shows who the running agent is and how it fares")
        {
            Examples = { "virga id", "virga share nas:photos --with \"$(ssh box virga id)\"" },
            Notes = { "Its address, AgentId and endpoint, goes to standard output, the rest to standard error. "
                    + "The address is no secret: give it to those who want to share with you." },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var status = await agent.StatusAsync(cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(status, ControlJson.Default.AgentStatus);
                return ExitCode.Ok;
            }
            run.Print(Display.Safe(status.Address));
            var paint = run.Terminal.Paint;
            run.Say($"  endpoint    {Display.Safe(status.Endpoint)}");
            foreach (var repository in status.Repositories)
                run.Say($"  repository  {RepositoryLine(repository, paint)}");
            if (status.Repositories.Count == 0) run.Say("  repository  none: links carry this agent's endpoint alone");
            run.Say($"  data        {Display.Safe(status.DataFolder)}");
            run.Say(
                $"  version {status.Version}, up {Display.Duration(TimeSpan.FromSeconds(status.UptimeSeconds))}, "
                + $"{Display.Count(status.Accounts, "account", "accounts")}, "
                + $"{Display.Count(status.Shares, "share", "shares")}, "
                + $"{Display.Count(status.RunningTransfers, "running transfer", "running transfers")}");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static string RepositoryLine(RepositoryStatus repository, Paint paint)
    {
        var url = Display.Safe(repository.Url.Split('!')[0]);
        return repository.Problem is { } problem ? $"{url}  {paint.Yellow(Display.Safe(problem))}"
            : repository.LastContact is null ? $"{url}  not reached yet" : $"{url}  {paint.Green("reached")}";
    }
}
