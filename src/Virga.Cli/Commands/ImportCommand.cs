using System.CommandLine;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Cli.Import;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary>What became of one remote.</summary>
/// <param name="State">planned, added, there (an account of that address exists) or failed.</param>
internal sealed record ImportedRemote(
    string Remote, string Type, string? Account, string Address, string State, string? Note);

/// <summary><c>virga account import</c>.</summary>
internal static class ImportCommand
{
    private const int NameMax = 32;

    private sealed record Choices(
        Argument<string?> File, Option<bool> Rclone, Option<string[]> Select, Option<bool> DryRun,
        Option<string> Binary);

    public static Verb Create(GlobalOptions options)
    {
        var choices = new Choices(
            new Argument<string?>("FILE")
            {
                Description = "rclone's configuration, rclone.conf", Arity = ArgumentArity.ZeroOrOne,
            },
            new Option<bool>("--rclone") { Description = "the configuration that rclone itself would take" },
            new Option<string[]>("--select")
            {
                HelpName = "REMOTE[:PATH]",
                Description = "only this remote, or a bucket or folder of it; may be repeated",
            },
            new Option<bool>("--dry-run") { Description = "only show what would be added" },
            new Option<string>("--rclone-binary")
            {
                HelpName = "PROGRAM", Description = "the rclone program, where it isn't on the PATH",
                DefaultValueFactory = _ => "rclone",
            });
        var verb = new Verb("import", "adds the remotes of somebody's rclone configuration as accounts")
        {
            Examples =
            {
                "virga account import --rclone --dry-run",
                "virga account import --rclone",
                "virga account import ~/old/rclone.conf --select work:bucket/photos --select nextcloud",
            },
            Notes =
            {
                "Remotes that an adapter of Virga's own can reach with all their settings become accounts of it: "
                    + "webdav, sftp, folders of this machine; s3, b2, azureblob and google cloud storage where "
                    + "--select names a bucket; drive, dropbox and onedrive that were linked by a client of your own. "
                    + "All others go through rclone, which has to stay installed, and keep their settings there; the "
                    + "table says why.",
                "Of an encrypted configuration the password is asked for, or taken from RCLONE_CONFIG_PASS or "
                    + "VIRGA_SECRET_CONFIGPASS; rclone opens it. No password is printed.",
            },
        };
        verb.Add(choices.File);
        verb.Add(choices.Rclone);
        verb.Add(choices.Select);
        verb.Add(choices.DryRun);
        verb.Add(choices.Binary);
        verb.Run(options, (run, cancellationToken) => RunAsync(run, choices, cancellationToken));
        return verb;
    }

    private static async Task<int> RunAsync(Invocation run, Choices choices, CancellationToken cancellationToken)
    {
        var binary = run.Parsed.GetRequiredValue(choices.Binary);
        var named = run.Parsed.GetValue(choices.File);
        if (named is null != run.Parsed.GetValue(choices.Rclone))
        {
            throw new VirgaException(
                FailureKind.BadInput, named is null ? "no configuration was named" : "FILE and --rclone contradict",
                "Write `virga account import FILE`, or `virga account import --rclone` for rclone's own.");
        }
        var file = named is null ? await RcloneRemotes.FindAsync(binary, cancellationToken) : Path.GetFullPath(named);
        var password = await RcloneRemotes.IsEncryptedAsync(file, cancellationToken)
            ? await PasswordAsync(run, cancellationToken)
            : null;
        var remotes = await RcloneRemotes.ReadAsync(binary, file, password, cancellationToken);
        var chosen = Chosen(remotes, run.Parsed.GetValue(choices.Select) ?? []);
        var mapping = new RcloneMapping(remotes, file, password);
        var isDryRun = run.Parsed.GetValue(choices.DryRun);
        using var agent = run.OpenAgent();
        var there = await agent.AccountsAsync(cancellationToken);
        var names = there.Select(a => a.Name).ToHashSet(StringComparer.Ordinal);
        var results = new List<ImportedRemote>();
        foreach (var (remote, path) in chosen)
        {
            var result = await ImportAsync(
                isDryRun ? null : agent, remote, path, mapping, there, names, cancellationToken);
            results.Add(result);
        }
        Show(run, results, isDryRun);
        return results.Any(r => r.State == "failed") ? ExitCode.Failed : ExitCode.Ok;
    }

    private static async Task<string> PasswordAsync(Invocation run, CancellationToken cancellationToken)
    {
        if (run.Terminal.Variable("RCLONE_CONFIG_PASS") is { } given) return given;
        AccountSetting[] asked =
            [new("configPass", "The password of the encrypted rclone configuration", IsRequired: true, IsSecret: true)];
        return (await new SecretReader(run.Terminal, "rclone", asked).ReadAsync([], null, cancellationToken))
            ["configPass"];
    }

    private static List<(RcloneRemote Remote, string Path)> Chosen(
        IReadOnlyList<RcloneRemote> remotes, IReadOnlyList<string> selected)
    {
        if (selected.Count == 0) return [.. remotes.Select(r => (r, ""))];
        var chosen = new List<(RcloneRemote, string)>();
        foreach (var text in selected)
        {
            var parts = text.Split(':', 2);
            var remote = remotes.FirstOrDefault(r => r.Name == parts[0]) ?? throw new VirgaException(
                FailureKind.NotFound, $"the configuration has no remote '{parts[0]}'",
                "It has: " + string.Join(", ", remotes.Select(r => r.Name)));
            chosen.Add((remote, parts.Length > 1 ? parts[1].TrimEnd('/') : ""));
        }
        return chosen;
    }

    private static async Task<ImportedRemote> ImportAsync(
        ControlClient? agent, RcloneRemote remote, string path, RcloneMapping mapping,
        List<AccountInfo> there, HashSet<string> names, CancellationToken cancellationToken)
    {
        var shown = path.Length > 0 ? $"{remote.Name}:{path}" : remote.Name;
        var address = "";
        try
        {
            var mapped = mapping.Map(remote, path);
            address = mapped.Address;
            var adapter = Adapters.Of(address);
            address = adapter.Describe(adapter.ParseAddress(address, mapped.Settings, mapped.Secrets));
            if (there.FirstOrDefault(a => a.Address == address) is { } same)
                return new ImportedRemote(shown, remote.Type, same.Name, address, "there", null);
            var name = NewName(path.Length > 0 ? $"{remote.Name}-{path.Split('/')[^1]}" : remote.Name, names);
            if (agent is null) return new ImportedRemote(shown, remote.Type, name, address, "planned", mapped.Why);
            var added = await agent.AddAccountAsync(
                new AccountAddRequest(name, mapped.Address, mapped.Settings, mapped.Secrets), cancellationToken);
            return new ImportedRemote(shown, remote.Type, name, added.Address, "added", mapped.Why);
        }
        catch (VirgaException e)
        {
            return new ImportedRemote(shown, remote.Type, null, address, "failed", e.Message);
        }
    }

    /// <summary>A name that an account may have and none has yet.</summary>
    private static string NewName(string wanted, HashSet<string> taken)
    {
        var letters = wanted.ToLowerInvariant().Select(c => Place.IsName(c.ToString()) ? c : '-');
        var whole = new string([.. letters]).Trim('-');
        if (whole.Length == 0) whole = "remote";
        for (var number = 1; ; number++)
        {
            var tail = number == 1 ? "" : $"-{number}";
            var name = whole[..Math.Min(whole.Length, NameMax - tail.Length)] + tail;
            if (taken.Add(name)) return name;
        }
    }

    private static void Show(Invocation run, List<ImportedRemote> results, bool isDryRun)
    {
        if (run.IsJson)
        {
            run.PrintJson(results, CliJson.Default.ListImportedRemote);
            return;
        }
        var table = new TextTable("REMOTE", "KIND", "ACCOUNT", "ADDRESS", "");
        foreach (var r in results)
        {
            var state = r.State is "added" or "planned" ? r.Note : r.Note is null ? r.State : $"{r.State}: {r.Note}";
            table.Add(r.Remote, r.Type, r.Account ?? "", r.Address, state ?? "");
        }
        if (results.Count == 0) run.Say("the configuration has no remotes");
        else table.Write(run.Terminal.Out, run.Terminal.OutPaint);
        if (isDryRun) run.Say("nothing was added; without --dry-run it is");
        else if (results.Any(r => r.State == "added")) run.Say("try them: virga account check NAME");
    }
}
