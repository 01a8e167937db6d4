using System.Security.Cryptography;
using Virga.Accounts.Adapters.Disk;
using Virga.Agent;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

/// <summary><c>virga backup</c>, <c>virga restore</c>, on a real agent, with what goes wrong.</summary>
public sealed class BackupCommandTests : IDisposable
{
    private const string Words = "five words by mere chance";
    private const string Variable = "VIRGA_BACKUP_PASSPHRASE";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-backup-");

    private static Setting Typed(string words) => new() { Typed = words, IsTerminal = true };

    private static Setting Given(string words) => new() { Variables = { [Variable] = words } };

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public async Task A_backup_is_written_and_restored()
    {
        string id;
        await using (var agent = await StartAsync())
        {
            id = agent.Id.ToString();
            var made = await BackupAsync(Typed(Words), PathOf("a.age"));
            Assert.True(made.Exit == ExitCode.Ok, made.Error);
            Assert.Contains("Keep it elsewhere", made.Error, StringComparison.Ordinal);
            Assert.DoesNotContain(Words, made.Out + made.Error, StringComparison.Ordinal);
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(PathOf("a.age")));
        }
        var restored = await RestoreAsync(Given(Words), PathOf("a.age"), "new");
        Assert.True(restored.Exit == ExitCode.Ok, restored.Error);
        Assert.Contains(id, restored.Out, StringComparison.Ordinal);
        Assert.Contains("must never run again", restored.Error, StringComparison.Ordinal);
        await using var again = await StartAsync("new");
        Assert.Equal(id, again.Id.ToString());
    }

    [Fact]
    public async Task What_is_wrong_with_a_backup_is_said_and_leaves_nothing()
    {
        await using var agent = await StartAsync();
        await File.WriteAllTextAsync(PathOf("there.age"), "mine");
        Says(await BackupAsync(Given(Words), PathOf("there.age")), FailureKind.Conflict, "is there already");
        Assert.Equal("mine", await File.ReadAllTextAsync(PathOf("there.age")));
        Says(await BackupAsync(Given("short"), PathOf("b.age")), FailureKind.BadInput, "too short");
        Says(await BackupAsync(new Setting(), PathOf("b.age")), FailureKind.BadInput, Variable);
        Says(await BackupAsync(Typed(""), PathOf("b.age")), FailureKind.BadInput, "no passphrase was given");
        Says(await BackupAsync(Given(Words), PathOf("no/such/b.age")), FailureKind.Denied, "can't be written");
        if (OperatingSystem.IsLinux())
        {
            // What is written beside it lands on a device that has no room.
            File.CreateSymbolicLink(PathOf("b.age.part"), "/dev/full");
            Says(await BackupAsync(Given(Words), PathOf("b.age")), FailureKind.Full, "there is no room for");
        }
        Assert.Equal(["there.age"], Directory.GetFiles(folder.FullName).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Without_an_agent_there_is_no_backup()
    {
        Says(await BackupAsync(Given(Words), PathOf("b.age")), FailureKind.Unavailable, "no agent");
        Assert.Empty(Directory.GetFiles(folder.FullName));
    }

    [Fact]
    public async Task What_is_wrong_with_a_restoring_is_said_and_leaves_nothing()
    {
        var file = PathOf("a.age");
        await using (await StartAsync())
        {
            Assert.Equal(ExitCode.Ok, (await BackupAsync(Given(Words), file)).Exit);
            // The folder of an agent that runs, and then of one that does not.
            Says(await RestoreAsync(Given(Words), file, "data"), FailureKind.InUse, "is in use by process");
        }
        Says(await RestoreAsync(Given(Words), file, "data"), FailureKind.Conflict, "there is an agent in");
        Says(await RestoreAsync(Given(Words), PathOf("none.age"), "new"), FailureKind.NotFound, "there is no file");
        Says(await RestoreAsync(Given("five other words here"), file, "new"), FailureKind.Denied, "passphrase is not");
        Says(await RestoreAsync(new Setting(), file, "new"), FailureKind.BadInput, Variable);
        var bytes = await File.ReadAllBytesAsync(file);
        await File.WriteAllBytesAsync(PathOf("cut.age"), bytes[..^100]);
        Says(await RestoreAsync(Given(Words), PathOf("cut.age"), "new"), FailureKind.Corrupt, "not whole");
        await File.WriteAllTextAsync(PathOf("note.txt"), "no backup at all");
        Says(await RestoreAsync(Given(Words), PathOf("note.txt"), "new"), FailureKind.BadInput, "no backup of an");
        await File.WriteAllTextAsync(PathOf("taken"), "a file");
        Says(await RestoreAsync(Given(Words), file, "taken"), FailureKind.BadInput, "is a file");
        Assert.DoesNotContain(
            Directory.GetFileSystemEntries(PathOf("new")).Select(Path.GetFileName),
            name => name is not ("virga.lock" or "virga.pid"));
        Assert.Equal(ExitCode.Ok, (await RestoreAsync(Given(Words), file, "new")).Exit);
    }

    private static void Says(Run run, FailureKind kind, string words)
    {
        Assert.True(run.Exit == ExitCode.Of(kind), $"exit code {run.Exit}: {run.Error}");
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(Words, run.Error, StringComparison.Ordinal);
    }

    private string PathOf(string name) => Path.Combine(folder.FullName, name);

    private Task<Run> BackupAsync(Setting setting, string file) =>
        Run.OfAsync(setting, "backup", file, "--data", PathOf("data"));

    private Task<Run> RestoreAsync(Setting setting, string file, string to) =>
        Run.OfAsync(setting, "restore", file, "--data", PathOf(to));

    private Task<AgentHost> StartAsync(string name = "data") => AgentHost.StartAsync(
        new AgentOptions
        {
            DataFolder = PathOf(name), Adapters = [new DiskAdapter(RandomNumberGenerator.Fill)],
            Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
        },
        CancellationToken.None);
}
