using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Commands;

/// <summary><c>virga ls</c>.</summary>
internal static class ListCommand
{
    public static Command Create(GlobalOptions options)
    {
        var place = Arguments.Place(options, "the folder to list");
        var verb = new Verb("ls", "lists a folder of an account")
        {
            Examples = { "virga ls nas:photos/2025", "virga ls nas --json | jq -r '.[].path'" },
            Notes =
            {
                "Names that hold control or invisible characters are shown escaped; --json gives them as they are.",
            },
        };
        verb.Add(place);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var folder = Place.Parse(run.Parsed.GetRequiredValue(place));
            using var agent = run.OpenAgent();
            var entries = await agent.EntriesAsync(folder.Account, folder.Path, cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(entries, ControlJson.Default.ListEntryInfo);
                return ExitCode.Ok;
            }
            if (entries.Count == 0) run.Say("empty");
            foreach (var entry in entries) run.Print(LineOf(entry, run.Terminal.OutPaint));
            return ExitCode.Ok;
        });
        return verb;
    }

    private static string LineOf(EntryInfo entry, Paint paint)
    {
        var name = Display.Safe(entry.Path[(entry.Path.LastIndexOf('/') + 1)..]);
        var shown = entry.Kind switch
        {
            "folder" => paint.Cyan(name + "/"),
            "symlink" => $"{name} -> {Display.Safe(entry.LinkTarget ?? "?")}",
            _ => name,
        };
        var size = entry.Kind == "file" ? Display.Bytes(entry.Length) : "";
        return $"{size,10}  {(entry.Modified is { } time ? Display.Moment(time) : ""),-16}  {shown}";
    }
}
