using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga verify</c>.</summary>
internal static class VerifyCommand
{
    public static Command Create(GlobalOptions options)
    {
        var link = new Argument<string>("SHARE")
        {
            Description = "a virga: link, or the info-hash of a share or transfer that this agent knows; "
                + "- reads it from standard input",
        };
        link.CompletionSources.Add(context => Completions.Shares(options, context));
        var place = Arguments.Place(options, "the folder to compare");
        var verb = new Verb("verify", "reads a folder again and compares every byte with a share")
        {
            Examples = { "virga verify 'virga:1:3f9c...#...' nas:photos/2025" },
            Notes =
            {
                "Exit code 6 when something is missing or different. "
                    + "Files that are not in the share are named, and no difference.",
            },
        };
        verb.Add(link);
        verb.Add(place);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var text = await Arguments.ReadLinkAsync(
                run.Parsed.GetRequiredValue(link), run.Terminal, cancellationToken);
            var folder = Place.Parse(run.Parsed.GetRequiredValue(place));
            using var agent = run.OpenAgent();
            if (text.Length is >= 4 and < 64 && text.All(char.IsAsciiHexDigit))
                text = (await ShareCommands.FindAsync(agent, text, cancellationToken)).InfoHash;
            var view = new ProgressView(run.Terminal);
            var rate = new RateMeter(run.Terminal.Time);
            try
            {
                await foreach (var line in agent.VerifyAsync(
                    new VerifyRequest(text, folder.Account, folder.Path), cancellationToken))
                {
                    if (line.Error is { } error)
                    {
                        view.Clear();
                        return run.Fail(error);
                    }
                    if (line.Result is { } result)
                    {
                        view.Clear();
                        return Show(run, folder, result);
                    }
                    if (line.Progress is { } p && !run.IsJson)
                    {
                        view.Show(new ProgressRow(
                            folder.ToString(), p.BytesDone, p.BytesTotal, rate.Note(p.BytesDone),
                            $"{p.FilesDone:#,0} of {Display.Files(p.FilesTotal)}"));
                    }
                }
            }
            finally
            {
                view.Clear();
            }
            throw new VirgaException(
                FailureKind.Unavailable, "the agent stopped before the end", "Start it again with `virga up`.");
        });
        return verb;
    }

    private static int Show(Invocation run, Place folder, VerifyInfo result)
    {
        if (run.IsJson)
        {
            run.PrintJson(result, ControlJson.Default.VerifyInfo);
            return result.Equal ? ExitCode.Ok : ExitCode.ContentDiffers;
        }
        var paint = run.Terminal.OutPaint;
        List(run, paint.Red("missing"), result.Missing);
        List(run, paint.Red("different"), result.Different);
        List(run, paint.Dim("not in the share"), result.Extra);
        var place = Display.Safe(folder.ToString());
        if (result.Equal)
        {
            var whole = $"{Display.Files(result.Files)}, {Display.Bytes(result.Bytes)}";
            run.Print($"{paint.Green("equal")}: {place} holds all {whole}");
            return ExitCode.Ok;
        }
        Failures.Print(
            run.Terminal,
            $"{place} differs from the share: "
                + $"{result.Missing.Count:#,0} missing, {result.Different.Count:#,0} different",
            "`virga get` with the same link and place and --on-collision skip fetches what is missing; "
                + "--on-collision overwrite fetches everything anew.");
        return ExitCode.ContentDiffers;
    }

    private static void List(Invocation run, string what, IReadOnlyList<string> paths)
    {
        foreach (var path in paths.Take(20)) run.Print($"  {what}  {Display.Safe(path)}");
        if (paths.Count > 20) run.Print($"  {what}  and {paths.Count - 20:#,0} more (--json names them all)");
    }
}
