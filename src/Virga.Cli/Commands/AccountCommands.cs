using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga account add | link | import | list | check | uploads | remove</c>.</summary>
internal static class AccountCommands
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("account", "adds, links, lists, checks and removes the storage accounts of the agent")
        {
            Examples = { "virga account add nas disk:/srv/data", "virga account list" },
        };
        verb.Add(CreateAdd(options));
        verb.Add(LinkCommand.Create(options));
        verb.Add(ImportCommand.Create(options));
        verb.Add(CreateList(options));
        verb.Add(CreateCheck(options));
        verb.Add(UploadCommands.Create(options));
        verb.Add(CreateRemove(options));
        return verb;
    }

    private static Verb CreateAdd(GlobalOptions options)
    {
        var name = new Argument<string>("NAME") { Description = "what you call it: 1 to 32 of a-z 0-9 - _" };
        var address = new Argument<string>("ADDRESS")
        {
            Description = "where it is: disk:/srv/data, s3:https://host/bucket/folder, "
                + "azure:https://account.blob.core.windows.net/container, gcs:bucket/folder, b2:bucket/folder, "
                + "webdavs://host/path, sftp://user@host/folder, rclone:remote:path",
        };
        var set = new Option<string[]>("--set")
        {
            HelpName = "NAME=VALUE",
            Description = "a setting of the adapter, such as region=eu-central-1; may be repeated",
        };
        var secret = new Option<string[]>("--secret")
        {
            HelpName = "NAME[=-]",
            Description = "ask for this secret; with =- it is read from standard input; may be repeated",
        };
        var file = new Option<string?>("--secrets-file")
        {
            HelpName = "FILE", Description = "a file with a line NAME=VALUE for each secret",
        };
        var verb = new Verb("add", "adds an account and checks it right away")
        {
            Examples =
            {
                "virga account add nas disk:/srv/data",
                "virga account add photos s3:https://s3.eu-central-1.amazonaws.com/my-bucket/photos "
                    + "--set region=eu-central-1",
                "pass show nextcloud | virga account add cloud webdavs://cloud.example.org/remote.php/dav/files/ann "
                    + "--set user=ann --secret password=-",
                "virga account add drive rclone:gdrive:backups",
            },
            Notes =
            {
                "Secrets never stand on the command line, where every process of the machine can read them. "
                    + "They are asked for on a terminal, or taken from the environment "
                    + "(VIRGA_SECRET_ and the name in capitals: VIRGA_SECRET_SECRETKEY), "
                    + "from --secrets-file or from standard input. The agent keeps them encrypted.",
                "What an adapter can be set to is shown when --set names something that it does not know.",
            },
        };
        verb.Add(name);
        verb.Add(address);
        verb.Add(set);
        verb.Add(secret);
        verb.Add(file);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var where = Absolute(run.Parsed.GetRequiredValue(address), run.Terminal);
            var adapter = Adapters.Of(where);
            var settings = Pairs(run.Parsed.GetValue(set) ?? []);
            var secrets = await new SecretReader(run.Terminal, adapter)
                .ReadAsync(run.Parsed.GetValue(secret) ?? [], run.Parsed.GetValue(file), cancellationToken);
            // Says what is wrong with an address before anything is stored.
            adapter.ParseAddress(where, settings, secrets);
            var request = new AccountAddRequest(
                CheckedName(run.Parsed.GetRequiredValue(name)), where, settings, secrets);
            using var agent = run.OpenAgent();
            var added = await agent.AddAccountAsync(request, cancellationToken);
            run.Say($"added {added.Name}: {Display.Safe(added.Address)}");
            return await CheckAsync(run, agent, added.Name, isNew: true, cancellationToken);
        });
        return verb;
    }

    private static Verb CreateList(GlobalOptions options)
    {
        var verb = new Verb("list", "lists the accounts") { Examples = { "virga account list" } };
        verb.Aliases.Add("ls");
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var accounts = await agent.AccountsAsync(cancellationToken);
            if (run.IsJson)
            {
                run.PrintJson(accounts, ControlJson.Default.ListAccountInfo);
                return ExitCode.Ok;
            }
            if (accounts.Count == 0) run.Say("no accounts yet: add one with `virga account add nas disk:/srv/data`");
            var table = new TextTable("NAME", "ADDRESS");
            foreach (var account in accounts) table.Add(account.Name, account.Address);
            if (accounts.Count > 0) table.Write(run.Terminal.Out, run.Terminal.OutPaint);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb CreateCheck(GlobalOptions options)
    {
        var name = AccountName(options);
        var readOnly = new Option<bool>("--read-only") { Description = "write nothing: only list and read" };
        var verb = new Verb("check", "tries all that a transfer will do with an account, and says how fast it is")
        {
            Examples =
            {
                "virga account check nas", "virga account check photos --read-only", "virga account check nas --json",
            },
            Notes =
            {
                "It lists, writes, reads a range, uploads in parts, goes on with an upload that was left, replaces, "
                    + "renames and deletes, and looks which names and times the account keeps: all in a folder "
                    + "virga-check-... of its own, of which nothing is left behind.",
            },
        };
        verb.Add(name);
        verb.Add(readOnly);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            return await CheckAsync(
                run, agent, run.Parsed.GetRequiredValue(name), isNew: false, cancellationToken,
                run.Parsed.GetValue(readOnly) ? "read-only" : "full");
        });
        return verb;
    }

    private static Verb CreateRemove(GlobalOptions options)
    {
        var name = AccountName(options);
        var force = new Option<bool>("--force")
        {
            Description = "also where its service can't be asked to end the permission",
        };
        var verb = new Verb("remove", "forgets an account; what is stored in it stays as it is")
        {
            Examples = { "virga account remove nas", "virga account unlink photos" },
            Notes =
            {
                "The permission of a linked account is ended at its service as well, and its tokens are shredded.",
            },
        };
        verb.Aliases.Add("rm");
        verb.Aliases.Add("unlink");
        verb.Add(name);
        verb.Add(force);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var account = run.Parsed.GetRequiredValue(name);
            using var agent = run.OpenAgent();
            var removed = await agent.RemoveAccountAsync(
                account, run.Parsed.GetValue(force), cancellationToken);
            if (run.IsJson) run.PrintJson(removed, ControlJson.Default.AccountRemoved);
            run.Say($"removed {Display.Safe(account)}; its content is untouched");
            if (Tokens(removed) is { } words) run.Say(words);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static string? Tokens(AccountRemoved removed) => removed.Tokens switch
    {
        "revoked" => "its permission was ended at the service",
        "ended-before" => "its permission had ended at the service before",
        "by-hand" => $"the service lets only you end the permission: {Display.Safe(removed.Page ?? "")}",
        "failed" => $"its permission could not be ended ({Display.Safe(removed.Problem ?? "")}): end it yourself on "
            + Display.Safe(removed.Page ?? ""),
        _ => null,
    };

    internal static async Task<int> CheckAsync(
        Invocation run, ControlClient agent, string name, bool isNew, CancellationToken cancellationToken,
        string? probe = null)
    {
        var result = await agent.CheckAccountAsync(name, cancellationToken, probe);
        var paint = run.Terminal.OutPaint;
        if (run.IsJson) run.PrintJson(result, ControlJson.Default.CheckResult);
        else foreach (var step in result.Steps) Show(run, step, paint);
        if (!run.IsJson && result.FreeBytes is { } free) run.Print($"  {Display.Bytes(free)} free");
        if (result.Ok) return ExitCode.Ok;
        var failed = result.Steps.First(s => !s.Ok);
        Failures.Print(
            run.Terminal, $"the account {name} can't be used as it is: {failed.Step} failed",
            isNew
                ? $"Put it right, then `virga account check {name}`; or `virga account remove {name}` and add it anew."
                : failed.Advice);
        return ExitCode.Failed;
    }

    private static void Show(Invocation run, CheckStep step, Paint paint)
    {
        var mark = step.Ok ? paint.Green("ok     ") : paint.Red("problem");
        var message = step.Message is { } words ? ": " + Display.Safe(words) : "";
        var rate = step.BytesPerSecond is { } perSecond ? $", {Display.Bytes((long)perSecond)}/s" : "";
        var took = step is { Ok: true, Milliseconds: > 0 } ? paint.Dim($"  {step.Milliseconds:0} ms{rate}") : "";
        run.Print($"  {mark}  {step.Step}{message}{took}");
        if (!step.Ok && step.Advice is { } advice) run.Print($"           {Display.Safe(advice)}");
    }

    internal static Argument<string> AccountName(GlobalOptions options)
    {
        var argument = new Argument<string>("NAME") { Description = "the account's name" };
        argument.CompletionSources.Add(context => Completions.Accounts(options, context));
        return argument;
    }

    internal static string CheckedName(string name) => Place.IsName(name) ? name : throw new VirgaException(
        FailureKind.BadInput, $"'{name}' can't be an account's name",
        "Use 1 to 32 of a-z 0-9 - _, such as nas or ann-photos.");

    internal static Dictionary<string, string> Pairs(IEnumerable<string> texts)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=');
            if (equals < 1)
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"--set {text} has no value",
                    "Write --set NAME=VALUE, such as --set region=eu-central-1.");
            }
            pairs[text[..equals]] = text[(equals + 1)..];
        }
        return pairs;
    }

    /// <summary>A folder on disk may be typed as in any other command: relative, or from the home folder.</summary>
    private static string Absolute(string address, Terminal terminal)
    {
        const string disk = "disk:";
        if (!address.StartsWith(disk, StringComparison.Ordinal)) return address;
        var path = address[disk.Length..];
        if (path.Length == 0 || path[0] == '/') return address;
        if (path is "~" or ['~', '/', ..] && terminal.Variable("HOME") is { } home) path = home + path[1..];
        return disk + Path.GetFullPath(path);
    }
}
