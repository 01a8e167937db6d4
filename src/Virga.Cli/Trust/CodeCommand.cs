using System.CommandLine;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust code</c>.</summary>
internal static class CodeCommand
{
    public static Command Create(GlobalOptions options)
    {
        var who = TrustArguments.Who(options, "whose code (default: your own)");
        who.Arity = ArgumentArity.ZeroOrOne;
        var check = new Option<bool>("--check")
        {
            Description = "ask for the words that the other reads to you, and compare them",
            Arity = ArgumentArity.Zero,
        };
        var verb = new Verb("code", "shows an agent's code: six words that two people read to each other")
        {
            Examples = { "virga trust code", "virga trust code --check virga1...@https://bob.example.org" },
            Notes =
            {
                "At first contact: the other runs `virga trust code` and reads the words to you, face to face or by a "
                    + "voice you know; you run it with --check and type them. It ends with 0 when they are the same, "
                    + "and with 6 when they are not: then that is not the agent of the person you talk to.",
            },
        };
        verb.Add(who);
        verb.Add(check);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var given = run.Parsed.GetValue(who);
            var isCheck = run.Parsed.GetValue(check);
            if (isCheck && given is null)
                throw new VirgaException(
                    FailureKind.BadInput, "compare with whom?", "Write `virga trust code --check WHO`.");
            var (id, label) = await FindAsync(run, given, cancellationToken);
            if (isCheck) return await CheckAsync(run, id, label, cancellationToken);
            var words = FingerprintWords.Of(id);
            if (run.IsJson)
            {
                run.PrintJson(new CodeInfo(id.ToString(), words, null), CliJson.Default.CodeInfo);
                return ExitCode.Ok;
            }
            run.Say(given is null ? "your code:" : $"the code of {label}:");
            run.Print(string.Join(' ', words));
            return ExitCode.Ok;
        });
        return verb;
    }

    /// <summary>No agent is asked where the AgentId itself is given.</summary>
    private static async Task<(AgentId Id, string Label)> FindAsync(
        Invocation run, string? who, CancellationToken cancellationToken)
    {
        if (who is not null && AgentNames.TryAddress(who) is { } target)
            return (target.Id, Display.Short(target.Id.ToString()));
        using var agent = run.OpenAgent();
        var info = await agent.TrustAsync(cancellationToken);
        var names = new AgentNames(info);
        var id = who is null ? AgentId.Parse(info.Agent) : names.Find(who).Id;
        return (id, names.Label(id.ToString()));
    }

    private static async Task<int> CheckAsync(
        Invocation run, AgentId id, string label, CancellationToken cancellationToken)
    {
        if (run.Terminal.IsInTerminal)
        {
            run.Terminal.Error.Write($"the six words of {label}, as the other reads them: ");
            run.Terminal.Error.Flush();
        }
        var line = await Confirmation.ReadLineAsync(run, cancellationToken);
        var typed = FingerprintWords.Read(line ?? "");
        if (typed.Count != FingerprintWords.Count)
            throw new VirgaException(
                FailureKind.BadInput, $"a code has six words, and these are {typed.Count}",
                "Type all of them, in order.");
        if (typed.FirstOrDefault(w => !FingerprintWords.IsWord(w)) is { } strange)
            throw new VirgaException(
                FailureKind.BadInput, $"'{Display.Fit(strange, 30)}' is no word of any code",
                "Ask how it is spelled, and type the six words again.");
        var isSame = typed.SequenceEqual(FingerprintWords.Of(id), StringComparer.Ordinal);
        if (run.IsJson) run.PrintJson(new CodeInfo(id.ToString(), typed, isSame), CliJson.Default.CodeInfo);
        else if (isSame) run.Print($"{run.Terminal.OutPaint.Green("YES")}: that is the code of {label}");
        else
        {
            run.Print($"{run.Terminal.OutPaint.Red("NO")}: that is not the code of {label}");
            run.Say("Do not vouch for it: either a word was misheard, or somebody gave you another agent's address.");
        }
        return isSame ? ExitCode.Ok : ExitCode.ContentDiffers;
    }
}

/// <summary>What <c>virga trust code --json</c> prints.</summary>
/// <param name="Words">The agent's; with --check those that were typed.</param>
/// <param name="Same">With --check: whether they are the agent's.</param>
internal sealed record CodeInfo(string Agent, IReadOnlyList<string> Words, bool? Same);
