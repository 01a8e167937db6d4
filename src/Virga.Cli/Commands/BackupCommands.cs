using System.CommandLine;
using Virga.Agent.Backups;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga backup</c>, <c>virga restore</c>.</summary>
internal static class BackupCommands
{
    private const string Variable = "VIRGA_BACKUP_PASSPHRASE";
    private const int DiskFull = 28;
    private const int QuotaFull = 122;

    public static Command CreateBackup(GlobalOptions options)
    {
        var file = new Argument<string>("FILE") { Description = "where it is written; nothing may stand there" };
        var verb = new Verb("backup", "writes all of an agent into one file, encrypted with a passphrase")
        {
            Examples =
            {
                "virga backup agent.age", $"{Variable}=\"$(cat phrase)\" virga backup /mnt/usb/agent.age",
            },
            Notes =
            {
                "It holds the agent's keys, accounts with their secrets, shares, contacts, sigchain and settings, as "
                    + "they are at this moment; the agent goes on meanwhile. What lies in the accounts is not in it, "
                    + "nor is a repository beside the agent.",
                "It is an age file: `age -d` opens it with the passphrase, and shows a tar archive. The passphrase is "
                    + $"asked for, or taken from {Variable}; without it nobody can open the file.",
            },
        };
        verb.Add(file);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var path = run.Parsed.GetRequiredValue(file);
            if (File.Exists(path))
            {
                throw new VirgaException(
                    FailureKind.Conflict, $"'{Display.Safe(path)}' is there already",
                    "Name another file, or move it away.");
            }
            var passphrase = Ask(run.Terminal, isNew: true);
            AgentBackup.Passphrase(passphrase);
            using var agent = run.OpenAgent();
            await WriteAsync(path, output => agent.BackupAsync(passphrase, output, cancellationToken));
            run.Say($"{Display.Safe(path)}: {Display.Bytes(new FileInfo(path).Length)}. Keep it elsewhere, and the "
                + "passphrase apart from it.");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateRestore(GlobalOptions options)
    {
        var file = new Argument<string>("FILE") { Description = "what `virga backup` wrote" };
        var verb = new Verb("restore", "makes an agent of a backup, in a data folder that has none")
        {
            Examples = { "virga restore agent.age", "virga restore agent.age --data ~/other-agent" },
            Notes =
            {
                "The agent that the backup is of must not run any more, anywhere: two agents with one key contradict "
                    + "each other, and others then take that for fraud. At its first start the restored one asks its "
                    + "repositories for what it said after the backup was made.",
            },
        };
        verb.Add(file);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var path = run.Parsed.GetRequiredValue(file);
            if (!File.Exists(path))
            {
                throw new VirgaException(
                    FailureKind.NotFound, $"there is no file '{Display.Safe(path)}'", "Name the file of the backup.");
            }
            var label = await AgentBackup.RestoreAsync(
                path, run.DataFolder, new Core.Age.AgePassphrase(Ask(run.Terminal, isNew: false)), cancellationToken);
            run.Print($"{label.Agent}, as of {Display.Moment(label.Time)} UTC, is in {Display.Safe(run.DataFolder)}");
            run.Say(run.Terminal.Paint.Yellow("The agent that this is a backup of must never run again:")
                + " two agents with one key contradict each other, and others take that for fraud.");
            run.Say("Start this one with `virga up`. Its key is not locked; `virga key lock` does that.");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static string Ask(Terminal terminal, bool isNew)
    {
        if (terminal.Variable(Variable) is { } given) return given;
        if (!terminal.IsInTerminal)
        {
            throw new VirgaException(
                FailureKind.BadInput, "there is no terminal to ask for the passphrase on", $"Set {Variable}.");
        }
        var typed = Read("Passphrase of the backup: ");
        if (typed.Length == 0) throw new VirgaException(FailureKind.BadInput, "no passphrase was given");
        if (isNew && Read("The same again: ") != typed)
            throw new VirgaException(FailureKind.BadInput, "the two passphrases are not the same", "Try again.");
        return typed;

        string Read(string question)
        {
            terminal.Error.Write(question);
            terminal.Error.Flush();
            var text = terminal.ReadHidden() ?? "";
            terminal.Error.WriteLine();
            return text;
        }
    }

    /// <summary>Beside it first: what stands there in the end is whole.</summary>
    private static async Task WriteAsync(string path, Func<Stream, Task> write)
    {
        var beside = path + ".part";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            await using (var output = new FileStream(beside, options))
            {
                await write(output);
                output.Flush(flushToDisk: true);
            }
            File.Move(beside, path);
        }
        catch (IOException e) when (e.HResult is DiskFull or QuotaFull)
        {
            throw new VirgaException(
                FailureKind.Full, $"there is no room for '{Display.Safe(path)}' on its disk",
                "Free some space, or name a file on another disk.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(
                FailureKind.Denied, $"'{Display.Safe(path)}' can't be written: {e.Message}", null, e);
        }
        finally
        {
            if (File.Exists(beside)) File.Delete(beside);
        }
    }
}
