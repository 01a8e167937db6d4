using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Commands;

/// <summary><c>virga page</c>.</summary>
internal static class PageCommand
{
    public static Command Create(GlobalOptions options)
    {
        var open = new Option<bool>("--open") { Description = "open it in this desktop's browser" };
        var verb = new Verb("page", "makes a link that signs in on the agent's page")
        {
            Examples = { "virga page", "virga page --open" },
            Notes =
            {
                "The link signs in once, within a quarter of an hour. Whoever has it is in, with all that the agent "
                    + "may do; it is also the way to a new password for who has forgotten the old one.",
            },
        };
        verb.Add(open);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var link = await agent.PageLinkAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(link, ControlJson.Default.PageLinkInfo);
            else run.Print(Display.Safe(link.Url));
            if (run.Parsed.GetValue(open)
                && !(Desktop.IsHere(run.Terminal.Variable) && run.Terminal.OpenLink(link.Url)))
                run.Say("There is no desktop to open it on: open it in a browser yourself.");
            return ExitCode.Ok;
        });
        return verb;
    }
}
