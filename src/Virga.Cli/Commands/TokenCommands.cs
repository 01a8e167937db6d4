using System.CommandLine;
using System.Globalization;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga token add | list | remove</c>.</summary>
internal static class TokenCommands
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("token", "lets other programs use the agent's API, as far as you say")
        {
            Examples = { "virga token add backup-script --scope transfer", "virga token list" },
        };
        verb.Add(CreateAdd(options));
        verb.Add(CreateList(options));
        verb.Add(CreateRemove(options));
        return verb;
    }

    private static Verb CreateAdd(GlobalOptions options)
    {
        var name = new Argument<string>("NAME") { Description = "what it is for" };
        var scope = new Option<string[]>("--scope")
        {
            HelpName = "SCOPE",
            Description = "read (all but links), transfer, share (links, too), accounts, trust, admin (everything); "
                + "may be repeated",
            AllowMultipleArgumentsPerToken = true,
            Required = true,
        };
        var expires = new Option<string>("--expires")
        {
            HelpName = "DAYS",
            Description = "after how many days it ends, or never (default: 90)",
            DefaultValueFactory = _ => "90",
        };
        var verb = new Verb("add", "makes a token, and prints it")
        {
            Examples =
            {
                "virga token add dashboard --scope read",
                "virga token add backup-script --scope read transfer --expires 365",
                "curl -H \"Authorization: Bearer $TOKEN\" http://localhost:8480/api/v1/status",
            },
            Notes =
            {
                "It is shown this once: the agent keeps a hash of it. The API is on the page's address, below /api/v1; "
                    + "/api/openapi.json describes it.",
            },
        };
        verb.Add(name);
        verb.Add(scope);
        verb.Add(expires);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var added = await agent.AddTokenAsync(
                new TokenRequest(
                    run.Parsed.GetRequiredValue(name), run.Parsed.GetValue(scope) ?? [],
                    DaysOf(run.Parsed.GetValue(expires)!)),
                cancellationToken);
            if (run.IsJson) run.PrintJson(added, ControlJson.Default.TokenAdded);
            else run.Print(added.Token);
            run.Say($"made token {added.Info.Id}; the line above is shown this once");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateList(GlobalOptions options)
    {
        var verb = new Verb("list", "lists the tokens, and when each was last used")
        {
            Examples = { "virga token list" },
        };
        verb.Aliases.Add("ls");
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var tokens = await agent.TokensAsync(cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(tokens, ControlJson.Default.ListTokenInfo);
                return ExitCode.Ok;
            }
            if (tokens.Count == 0) run.Say("no tokens yet: `virga token add NAME --scope read`");
            var table = new TextTable("ID", "NAME", "SCOPES", "MADE (UTC)", "ENDS", "LAST USED");
            foreach (var token in tokens)
            {
                table.Add(
                    $"{token.Id}", token.Name, string.Join(' ', token.Scopes), Display.Moment(token.Created),
                    token.Expires is { } ends ? Display.Moment(ends) : "never",
                    token.LastUsed is { } used ? Display.Moment(used) : "never");
            }
            if (tokens.Count > 0) table.Write(run.Terminal.Out, run.Terminal.OutPaint);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateRemove(GlobalOptions options)
    {
        var id = new Argument<long>("ID") { Description = "the token's number" };
        var verb = new Verb("remove", "ends a token, at once")
        {
            Examples = { "virga token remove 1" },
        };
        verb.Aliases.Add("rm");
        verb.Add(id);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            await agent.RemoveTokenAsync(run.Parsed.GetRequiredValue(id), cancellationToken);
            run.Say("removed: it is good for nothing any more");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static int? DaysOf(string text) => text == "never" ? null
        : int.TryParse(text.TrimEnd('d'), NumberStyles.None, CultureInfo.InvariantCulture, out var days) ? days
        : throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no number of days", "Write a number such as 90, or never.");
}
