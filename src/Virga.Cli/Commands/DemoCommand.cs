using System.CommandLine;
using Virga.Cli.Demo;

namespace Virga.Cli.Commands;

/// <summary><c>virga demo</c>.</summary>
internal static class DemoCommand
{
    public static Command Create(GlobalOptions options)
    {
        var exit = new Option<bool>("--exit")
        {
            Description = "end after the proof, with its exit code, instead of leaving everything running",
        };
        var verb = new Verb(
            "demo", "shows the main job with real processes: share a folder, get it elsewhere, prove it")
        {
            Examples = { "virga demo", "virga demo --exit --json" },
            Notes =
            {
                "It starts a repository and agents as processes of their own, "
                    + "with folders below the system's temporary one, which are removed at the end. "
                    + "Nothing of yours is touched.",
            },
        };
        verb.Add(exit);
        verb.Run(options, async (run, cancellationToken) =>
        {
            await using var demo = new DemoRun(run);
            var result = await demo.ProveAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(result, CliJson.Default.DemoResult);
            if (!run.Parsed.GetValue(exit))
            {
                demo.ShowNext();
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    run.Say("ending ...");
                }
            }
            return result.Holds ? ExitCode.Ok : ExitCode.Failed;
        });
        return verb;
    }
}
