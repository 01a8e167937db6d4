using System.CommandLine;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary>Asks before something is done that others will feel.</summary>
internal static class Confirmation
{
    public static Option<bool> Option() => new("--yes", "-y")
    {
        Description = "do it without asking, for scripts; what it means is still said",
        Arity = ArgumentArity.Zero,
    };

    /// <summary>
    /// Says what it means, on standard error, and asks. False when the answer is not yes; BadInput where nobody can be
    /// asked.
    /// </summary>
    public static async Task<bool> AskAsync(
        Invocation run, IReadOnlyList<string> meaning, string question, bool isYes,
        CancellationToken cancellationToken)
    {
        // Also with --json where a person is asked: nobody should say yes to what was not shown.
        if (!run.IsJson || !isYes)
        {
            foreach (var line in meaning) run.Terminal.Error.WriteLine(run.Terminal.Wrapped(line, indent: 4));
        }
        if (isYes) return true;
        if (!run.Terminal.IsInTerminal)
        {
            throw new VirgaException(
                FailureKind.BadInput, "this is not done without asking, and there is no terminal to ask on",
                "Run it on a terminal, or with --yes once you have read what it means.");
        }
        run.Terminal.Error.Write($"{run.Terminal.Paint.Bold(question)} (yes/no) ");
        run.Terminal.Error.Flush();
        var answer = (await ReadLineAsync(run, cancellationToken))?.Trim();
        if (answer is null) run.Terminal.Error.WriteLine();
        if (answer?.ToLowerInvariant() is "y" or "yes") return true;
        run.Terminal.Error.WriteLine("nothing was changed");
        return false;
    }

    /// <summary>A person's line. On a thread of its own: reading the console can't be cancelled.</summary>
    public static async Task<string?> ReadLineAsync(Invocation run, CancellationToken cancellationToken) =>
        await Task.Run(run.Terminal.In.ReadLine, CancellationToken.None).WaitAsync(cancellationToken);
}
