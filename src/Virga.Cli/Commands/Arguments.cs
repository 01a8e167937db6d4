using System.CommandLine;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary>Arguments that several commands share.</summary>
internal static class Arguments
{
    public static Argument<string> Place(GlobalOptions options, string description)
    {
        var argument = new Argument<string>("ACCOUNT:PATH") { HelpName = "ACCOUNT[:PATH]", Description = description };
        argument.CompletionSources.Add(context => Completions.Places(options, context));
        return argument;
    }

    public static Argument<string> Link() => new("LINK")
    {
        Description = "a virga: link, in quotes; - reads it from standard input, where no other process sees it",
    };

    public static Argument<string?> Transfer(GlobalOptions options, bool isOptional)
    {
        var argument = new Argument<string?>("ID")
        {
            Description = "the transfer's id, or its first characters" + (isOptional ? " (default: all that run)" : ""),
            Arity = isOptional ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne,
        };
        argument.CompletionSources.Add(context => Completions.Transfers(options, context));
        return argument;
    }

    public static Option<string> OnCollision()
    {
        var option = new Option<string>("--on-collision")
        {
            HelpName = "fail|skip|rename|overwrite",
            Description = "what to do where a file stands already; rename makes 'a (2).txt' (default: fail, which "
                + "moves nothing)",
            DefaultValueFactory = _ => "fail",
        };
        return option.AcceptOnlyFromAmong("fail", "skip", "rename", "overwrite");
    }

    public static Option<string> Priority()
    {
        var option = new Option<string>("--priority")
        {
            HelpName = "low|normal|high",
            Description = "which transfer goes first where not all can run at once (default: normal)",
            DefaultValueFactory = _ => "normal",
        };
        return option.AcceptOnlyFromAmong("low", "normal", "high");
    }

    public static Option<string[]> Select() => new("--select")
    {
        HelpName = "PATTERN",
        Description = "bring over only these files: a name, a folder's name, or a pattern with * and ?; one with a "
            + "slash is for the whole path (may be given again)",
    };

    /// <summary>Null where nothing is chosen, and so everything.</summary>
    public static string[]? Selected(Invocation run, Option<string[]> select) =>
        run.Parsed.GetValue(select) is { Length: > 0 } patterns ? patterns : null;

    public static Option<bool> Detach() => new("--detach", "-d")
    {
        Description = "print the transfer's id and leave it to the agent",
    };

    /// <summary>The link as it was given, or the first line of standard input.</summary>
    public static async Task<string> ReadLinkAsync(string given, Terminal terminal, CancellationToken cancellationToken)
    {
        if (given != "-") return given.Trim();
        var line = (await terminal.In.ReadLineAsync(cancellationToken))?.Trim();
        return !string.IsNullOrEmpty(line) ? line : throw new VirgaException(
            FailureKind.BadInput, "no link came on standard input",
            "Pipe it in: virga share nas:photos | virga get - cloud:in");
    }
}
