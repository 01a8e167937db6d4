using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Commands;

/// <summary><c>virga webhook add | list | test | remove</c>.</summary>
internal static class WebhookCommands
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("webhook", "tells URLs of yours when transfers end")
        {
            Examples = { "virga webhook add https://example.org/hooks/virga", "virga webhook list" },
        };
        verb.Add(CreateAdd(options));
        verb.Add(CreateList(options));
        verb.Add(CreateTest(options));
        verb.Add(CreateRemove(options));
        return verb;
    }

    private static Verb CreateAdd(GlobalOptions options)
    {
        var url = new Argument<string>("URL")
        {
            Description = "https, or http on this machine; - reads it from standard input",
        };
        var on = new Option<string[]>("--on")
        {
            HelpName = "EVENT",
            Description = "transfer.completed, transfer.failed, transfer.cancelled; may be repeated (default: all)",
        };
        var verb = new Verb("add", "adds a URL, and prints the secret that messages to it are signed with")
        {
            Examples =
            {
                "virga webhook add https://example.org/hooks/virga",
                "virga webhook add http://127.0.0.1:9000/done --on transfer.completed",
            },
            Notes =
            {
                "Messages are signed as Standard Webhooks says, come in order, and are tried again for a day. The "
                    + "secret is shown this once.",
            },
        };
        verb.Add(url);
        verb.Add(on);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var given = run.Parsed.GetRequiredValue(url);
            var text = given == "-" ? await Arguments.ReadLinkAsync(given, run.Terminal, cancellationToken) : given;
            var added = await agent.AddWebhookAsync(
                new WebhookRequest(text, run.Parsed.GetValue(on) ?? []), cancellationToken);
            if (run.IsJson) run.PrintJson(added, ControlJson.Default.WebhookAdded);
            else run.Print(added.Secret);
            run.Say($"added webhook {added.Id}; the line above is its secret. Try it: `virga webhook test {added.Id}`");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateList(GlobalOptions options)
    {
        var verb = new Verb("list", "lists the webhooks, and what is still to be told")
        {
            Examples = { "virga webhook list" },
        };
        verb.Aliases.Add("ls");
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var hooks = await agent.WebhooksAsync(cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(hooks, ControlJson.Default.ListWebhookInfo);
                return ExitCode.Ok;
            }
            if (hooks.Count == 0) run.Say("no webhooks yet: `virga webhook add https://example.org/hooks/virga`");
            var table = new TextTable("ID", "URL", "EVENTS", "LAST TOLD", ">WAITING", "");
            foreach (var hook in hooks)
            {
                table.Add(
                    $"{hook.Id}", hook.Url, hook.Events.Count == 0 ? "all" : string.Join(' ', hook.Events),
                    hook.LastTold is { } told ? Display.Moment(told) : "never", $"{hook.Waiting}", hook.Problem ?? "");
            }
            if (hooks.Count > 0) table.Write(run.Terminal.Out, run.Terminal.OutPaint);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateTest(GlobalOptions options)
    {
        var id = IdArgument();
        var verb = new Verb("test", "tells a webhook that it works, and says whether it took that")
        {
            Examples = { "virga webhook test 1" },
        };
        verb.Add(id);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            await agent.TestWebhookAsync(run.Parsed.GetRequiredValue(id), cancellationToken);
            run.Say("it took it");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateRemove(GlobalOptions options)
    {
        var id = IdArgument();
        var verb = new Verb("remove", "forgets a webhook, and what it was still to be told")
        {
            Examples = { "virga webhook remove 1" },
        };
        verb.Aliases.Add("rm");
        verb.Add(id);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            await agent.RemoveWebhookAsync(run.Parsed.GetRequiredValue(id), cancellationToken);
            run.Say("removed");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Argument<long> IdArgument() => new("ID") { Description = "the webhook's number" };
}
