using System.CommandLine;
using System.Globalization;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga account uploads</c>.</summary>
internal static class UploadCommands
{
    private static readonly TimeSpan AgeDefault = TimeSpan.FromDays(7);

    public static Verb Create(GlobalOptions options)
    {
        var name = AccountCommands.AccountName(options);
        var end = new Option<bool>("--end")
        {
            Description = "end those that no transfer of this agent goes on with, and remove what they stored",
        };
        var older = new Option<string?>("--older-than")
        {
            HelpName = "AGE", Description = "with --end: begun at least so long ago: 12h, 2d, 1w (default: 7d)",
        };
        var verb = new Verb("uploads", "lists uploads that were begun in an account and never completed")
        {
            Examples = { "virga account uploads photos", "virga account uploads photos --end --older-than 2d" },
            Notes =
            {
                "Services keep what is stored of such uploads, and charge for it. Transfers end or resume their own; "
                    + "others were left by an agent that is gone, or belong to another program that is still at work: "
                    + "look before you end them.",
            },
        };
        verb.Add(name);
        verb.Add(end);
        verb.Add(older);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var account = run.Parsed.GetRequiredValue(name);
            var isEnd = run.Parsed.GetValue(end);
            var age = run.Parsed.GetValue(older) is { } text ? Age(text) : AgeDefault;
            if (!isEnd && run.Parsed.GetValue(older) is not null)
            {
                throw new VirgaException(
                    FailureKind.BadInput, "--older-than says which uploads to end", "Add --end, or leave it out.");
            }
            using var agent = run.OpenAgent();
            var uploads = isEnd
                ? await agent.EndUploadsAsync(account, age, cancellationToken)
                : await agent.UploadsAsync(account, cancellationToken);
            Show(run, uploads, isEnd);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static void Show(Invocation run, List<UploadInfo> uploads, bool isEnd)
    {
        if (run.IsJson)
        {
            run.PrintJson(uploads, ControlJson.Default.ListUploadInfo);
            return;
        }
        var table = new TextTable("PATH", "BEGUN", "TRANSFER");
        foreach (var upload in uploads)
        {
            table.Add(
                upload.Path, upload.Started is { } started ? Display.Moment(started) : "not told",
                upload.Transfer is { } transfer ? Display.Short(transfer) : "none here");
        }
        if (uploads.Count > 0) table.Write(run.Terminal.Out, run.Terminal.OutPaint);
        run.Say(isEnd
            ? $"ended {Display.Count(uploads.Count, "upload", "uploads")}"
            : uploads.Count == 0 ? "nothing is pending there" : "`--end` ends those that have no transfer here");
    }

    private static TimeSpan Age(string text) => TrySpan(text) ?? throw new VirgaException(
        FailureKind.BadInput, $"'{Display.Fit(text, 40)}' is no age", "Write hours, days or weeks: 12h, 2d, 1w.");

    /// <summary>Hours, days or weeks: 12h, 2d, 1w; null where it is none.</summary>
    internal static TimeSpan? TrySpan(string text)
    {
        var hours = text.Length > 1 ? text[^1] switch { 'h' => 1, 'd' => 24, 'w' => 7 * 24, _ => 0 } : 0;
        if (hours > 0
            && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            && n <= 5_000) return TimeSpan.FromHours((double)n * hours);
        return null;
    }
}
