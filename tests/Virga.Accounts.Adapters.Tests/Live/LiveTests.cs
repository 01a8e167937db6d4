using System.Security.Cryptography;
using Virga.Accounts.Adapters.Tests.Sftp;
using Virga.Agent.State;
using Virga.Cli;
using Virga.Hosting;
using Virga.Live;
using Virga.Storage;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.Live;

/// <summary><c>./test live ACCOUNT</c>, with servers of this machine in place of somebody's account.</summary>
[Collection(nameof(SftpServerTests))]
public sealed class LiveTests : IDisposable
{
    /// <summary>Some of all kinds: whole files, parts, names, folders.</summary>
    private const string Some = "makes";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-live-");
    private readonly StringWriter output = new();
    private readonly StringWriter errors = new();

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    [Trait("Needs", "server")]
    public async Task The_suite_runs_with_what_the_environment_says_and_leaves_nothing_behind()
    {
        await using var scratch = await SftpScratch.CreateAsync();
        await File.WriteAllTextAsync(Path.Combine(scratch.Folder, "theirs"), "stays");
        var address = scratch.Server["SFTP_ADDRESS"] + scratch.Folder.Replace(" ", "%20", StringComparison.Ordinal);
        var exit = await RunAsync(
            [address, "--only", Some], ("VIRGA_LIVE_KEY", scratch.Server["SFTP_KEY"]),
            ("VIRGA_LIVE_HOST_KEY", scratch.Server["SFTP_HOST_KEY"]));
        Assert.True(exit == ExitCode.Ok, $"exit code {exit}\n{output}\n{errors}");
        Assert.Contains("ok     Writing_makes_the_folders_that", output.ToString(), StringComparison.Ordinal);
        Assert.Contains(" passed, 0 failed; nothing is left behind", output.ToString(), StringComparison.Ordinal);
        Assert.Equal("theirs", Path.GetFileName(Assert.Single(Directory.GetFileSystemEntries(scratch.Folder))));
    }

    [Fact]
    [Trait("Needs", "server")]
    public async Task A_key_that_the_server_does_not_take_is_named_before_anything_is_written()
    {
        await using var scratch = await SftpScratch.CreateAsync();
        var address = scratch.Server["SFTP_ADDRESS"] + scratch.Folder.Replace(" ", "%20", StringComparison.Ordinal);
        Assert.Equal(
            ExitCode.Denied,
            await RunAsync(
                [address], ("VIRGA_LIVE_KEY", scratch.Server["SFTP_LOCKED_KEY"]),
                ("VIRGA_LIVE_HOST_KEY", scratch.Server["SFTP_HOST_KEY"])));
        Assert.Contains("VIRGA_LIVE_KEY (set)", errors.ToString(), StringComparison.Ordinal);
        Assert.Empty(output.ToString());
        Assert.Empty(Directory.GetFileSystemEntries(scratch.Folder));
    }

    [Fact]
    public async Task The_suite_runs_against_an_account_of_a_data_folder()
    {
        var data = Path.Combine(folder.FullName, "data");
        var files = folder.CreateSubdirectory("files");
        await AddAsync(data, "mine", new("disk", TestServices.Map(("path", files.FullName)), TestServices.None));
        Assert.Equal(ExitCode.Ok, await RunAsync(["mine", "--data", data, "--only", Some]));
        Assert.Contains($"disk:{files.FullName}, in a folder", output.ToString(), StringComparison.Ordinal);
        Assert.Empty(files.GetFileSystemInfos());
        Assert.Equal(ExitCode.NotFound, await RunAsync(["other", "--data", data]));
        Assert.Contains("Known are: mine", errors.ToString(), StringComparison.Ordinal);
        using var held = DataFolder.Open(data);
        Assert.Equal(ExitCode.InTheWay, await RunAsync(["mine", "--data", data]));
    }

    [Fact]
    [Trait("Needs", "server")]
    public async Task A_test_that_fails_makes_the_run_fail()
    {
        var small = (await SharedServers.OpenSshAsync())["SFTP_FULL"];
        Assert.True(small != "no", "no tmpfs of 4 MiB could be mounted: run this as root");
        Assert.Equal(ExitCode.Failed, await RunAsync(["disk:" + small, "--only", "The_longest_single_write"]));
        Assert.Contains("FAILED The_longest_single_write", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("0 passed, 1 failed; nothing is left behind", output.ToString(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(small));
    }

    [Theory]
    [InlineData("b2:bucket", ExitCode.Usage, "VIRGA_LIVE_APPLICATION_KEY (secret, required, not set)")]
    [InlineData("drive:folder", ExitCode.Usage, "VIRGA_LIVE_REFRESH_TOKEN (secret, required, not set)")]
    [InlineData("nothing:here", ExitCode.Usage, "Addresses look like")]
    [InlineData("mine --data /nowhere/at/all", ExitCode.NotFound, "no agent has its data in '/nowhere/at/all'")]
    [InlineData("disk:/tmp --only no_such_test", ExitCode.NotFound, "no test's name holds 'no_such_test'")]
    [InlineData("", ExitCode.Usage, "usage: ./test live ACCOUNT")]
    [InlineData("disk:/tmp more", ExitCode.Usage, "'more' is not understood")]
    [InlineData("disk:/tmp --entries none", ExitCode.Usage, "give a number")]
    [InlineData("disk:/tmp --data", ExitCode.Usage, "--data lacks its value")]
    public async Task What_is_missing_is_named(string arguments, int exit, string message)
    {
        Assert.Equal(exit, await RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        Assert.Contains(message, errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_variable_that_is_no_setting_is_named_and_no_secret_is_shown()
    {
        const string secret = "planted-secret";
        Assert.Equal(
            ExitCode.Usage,
            await RunAsync(
                ["b2:bucket"], ("VIRGA_LIVE_APPLICATION_KEY", secret), ("VIRGA_LIVE_KEYID", "typed-wrong")));
        Assert.Contains("VIRGA_LIVE_KEYID is no setting", errors.ToString(), StringComparison.Ordinal);
        Assert.Contains(
            "VIRGA_LIVE_APPLICATION_KEY (secret, required, set)", errors.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(secret, errors.ToString() + output, StringComparison.Ordinal);
    }

    private Task<int> RunAsync(string[] arguments, params (string, string)[] environment) =>
        LiveRun.RunAsync(arguments, TestServices.Map(environment), output, errors, default);

    private static async Task AddAsync(string data, string name, AccountConfig config)
    {
        using var folder = DataFolder.Open(data);
        using var keys = PeerKeys.LoadOrCreate(folder.Path, TimeProvider.System, RandomNumberGenerator.Fill);
        await using var state = AgentState.Open(folder, keys.DataKey, RandomNumberGenerator.Fill);
        await new AccountTable(state, TimeProvider.System).AddAsync(name, config, default);
    }
}
