using System.CommandLine;
using System.Text;
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
        var pictures = new Pictures(
            new Option<bool>("--qr")
            {
                Description = "draw the address as a QR code, for a telephone to scan", Arity = ArgumentArity.Zero,
            },
            new Option<string?>("--svg")
            {
                HelpName = "FILE", Description = "write it as an SVG picture; the file must not exist yet",
            },
            new Option<string?>("--png")
            {
                HelpName = "FILE", Description = "write it as a PNG picture; the file must not exist yet",
            });
        var verb = new Verb("code", "shows an agent's code: six words that two people read to each other")
        {
            Examples =
            {
                "virga trust code", "virga trust code --check virga1...@https://bob.example.org",
                "virga trust code --qr", "virga trust code --png card.png",
            },
            Notes =
            {
                "At first contact: the other runs `virga trust code` and reads the words to you, face to face or by a "
                    + "voice you know; you run it with --check and type them. It ends with 0 when they are the same, "
                    + "and with 6 when they are not: then that is not the agent of the person you talk to.",
                "The QR code holds the address, which is no secret, so that nobody has to type it. Whoever scans it "
                    + "off a screen or a card that the other hands them needs no words; off the web they do.",
            },
        };
        verb.Add(who);
        verb.Add(check);
        verb.Add(pictures.Qr);
        verb.Add(pictures.Svg);
        verb.Add(pictures.Png);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var given = run.Parsed.GetValue(who);
            var isCheck = run.Parsed.GetValue(check);
            if (isCheck && given is null)
                throw new VirgaException(
                    FailureKind.BadInput, "compare with whom?", "Write `virga trust code --check WHO`.");
            var (id, label, address) = await FindAsync(run, given, pictures.AreWanted(run), cancellationToken);
            if (isCheck) return await CheckAsync(run, id, label, cancellationToken);
            var words = FingerprintWords.Of(id);
            await pictures.WriteAsync(run, address, cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(
                    new CodeInfo(id.ToString(), words, null, pictures.AreWanted(run) ? address : null),
                    CliJson.Default.CodeInfo);
                return ExitCode.Ok;
            }
            run.Say(given is null ? "your code:" : $"the code of {label}:");
            run.Print(string.Join(' ', words));
            return ExitCode.Ok;
        });
        return verb;
    }

    /// <summary>No agent is asked where the AgentId itself is given.</summary>
    private static async Task<(AgentId Id, string Label, string Address)> FindAsync(
        Invocation run, string? who, bool isAddressWanted, CancellationToken cancellationToken)
    {
        if (who is not null && AgentNames.TryAddress(who) is { } target)
            return (target.Id, Display.Short(target.Id.ToString()), target.Wire);
        using var agent = run.OpenAgent();
        var info = await agent.TrustAsync(cancellationToken);
        var names = new AgentNames(info);
        var id = who is null ? AgentId.Parse(info.Agent) : names.Find(who).Id;
        var address = isAddressWanted && id.ToString() == info.Agent
            ? (await agent.StatusAsync(cancellationToken)).Address : id.ToString();
        return (id, names.Label(id.ToString()), address);
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
        if (run.IsJson) run.PrintJson(new CodeInfo(id.ToString(), typed, isSame, null), CliJson.Default.CodeInfo);
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
/// <param name="Address">Where a QR code was asked for: what it holds.</param>
internal sealed record CodeInfo(string Agent, IReadOnlyList<string> Words, bool? Same, string? Address);

/// <summary>The QR codes that are wanted.</summary>
internal sealed record Pictures(Option<bool> Qr, Option<string?> Svg, Option<string?> Png)
{
    public bool AreWanted(Invocation run) =>
        run.Parsed.GetValue(Qr) || run.Parsed.GetValue(Svg) is not null || run.Parsed.GetValue(Png) is not null;

    /// <summary>Throws Conflict where a file stands there already.</summary>
    public async Task WriteAsync(Invocation run, string address, CancellationToken cancellationToken)
    {
        if (!AreWanted(run)) return;
        var code = new QrCode(address);
        var (svg, png) = (run.Parsed.GetValue(Svg), run.Parsed.GetValue(Png));
        if (svg is not null) await WriteAsync(run, svg, Encoding.UTF8.GetBytes(code.ToSvg()), cancellationToken);
        if (png is not null) await WriteAsync(run, png, code.ToPng(), cancellationToken);
        if (!run.Parsed.GetValue(Qr) || run.IsJson) return;
        if (run.Terminal.IsOutTerminal && run.Terminal.Width() < code.Size)
            run.Say($"the screen is narrower than the {code.Size} columns that the picture needs: --png makes a file");
        foreach (var line in code.Lines(run.Terminal.OutPaint.IsOn)) run.Print(line);
        run.Print(address);
    }

    private static async Task WriteAsync(
        Invocation run, string path, byte[] bytes, CancellationToken cancellationToken)
    {
        await TrustFileCommands.WriteNewAsync(path, bytes, isPrivate: false, cancellationToken);
        run.Say($"wrote {Display.Safe(path)}");
    }
}
