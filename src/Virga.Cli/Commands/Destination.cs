using System.CommandLine;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary>
/// Where something goes: the word after what goes there, or <c>--to</c>. All commands that bring something take both,
/// so that nobody needs to remember which takes which.
/// </summary>
internal sealed class Destination
{
    private readonly Argument<string?> word;
    private readonly Option<string?> option = new("--to")
    {
        HelpName = "ACCOUNT[:PATH]", Description = "the same, by name",
    };

    public Destination(GlobalOptions options, string description)
    {
        word = new Argument<string?>("ACCOUNT:PATH")
        {
            HelpName = "ACCOUNT[:PATH]", Description = description, Arity = ArgumentArity.ZeroOrOne,
        };
        word.CompletionSources.Add(context => Completions.Places(options, context));
        option.CompletionSources.Add(context => Completions.Places(options, context));
    }

    public void AddTo(Verb verb)
    {
        verb.Add(word);
        verb.Add(option);
    }

    /// <exception cref="VirgaException">BadInput: none is given, or two; it is no place.</exception>
    public Place Of(Invocation run) => (run.Parsed.GetValue(word), run.Parsed.GetValue(option)) switch
    {
        ({ } one, null) => Place.Parse(one),
        (null, { } one) => Place.Parse(one),
        (null, null) => throw new VirgaException(
            FailureKind.BadInput, "it is not said which account it is to go to",
            "Name the account, and a folder in it if you like: --to nas:photos. `virga account list` shows the "
                + "accounts."),
        ({ } one, { } other) => throw new VirgaException(
            FailureKind.BadInput, $"there are two places for it to go to, {one} and {other}", "Name one."),
    };
}
