using System.Diagnostics;
using System.Globalization;
using Virga.Accounts.Adapters.Rclone;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Rclone;

/// <summary>What is particular to rclone, and remotes on real servers: rclone's own, over SFTP and WebDAV.</summary>
[Trait("Needs", "server")]
public sealed class RcloneServerTests : IAsyncLifetime
{
    private static readonly EntryPath File = EntryPath.Parse("folder/a [file] ü%");
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-rclone-");
    private readonly List<Process> servers = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var server in servers)
        {
            server.Kill();
            await server.WaitForExitAsync();
            server.Dispose();
        }
        folder.Delete(recursive: true);
    }

    private string Data => folder.CreateSubdirectory("data").FullName;

    private static async Task<RcloneAccount> OpenAsync(string remote, params (string, string)[] settings)
    {
        var adapter = new RcloneAdapter(TestServices.Real);
        var config = adapter.ParseAddress("rclone:" + remote, TestServices.Map(settings), TestServices.None);
        return (RcloneAccount)await adapter.OpenAsync(config, default);
    }

    private async Task<string> ConfigAsync(string text)
    {
        var file = Path.Combine(folder.FullName, "rclone.conf");
        await System.IO.File.WriteAllTextAsync(file, text);
        return file;
    }

    private static ValueTask<Entry> WriteAsync(IAccount account, byte[] content) =>
        account.WriteAsync(File, content, WriteOptions.Default, default);

    private static async Task<byte[]> ReadAsync(IAccount account, EntryPath path, long offset, int length)
    {
        await using var reader = await account.ReadAsync(path, new ByteRange(offset, length), null, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        return all.ToArray();
    }

    /// <summary>Serves <see cref="Data"/> on a port of rclone's choice.</summary>
    private async Task<int> ServeAsync(string protocol, params string[] more)
    {
        var start = new ProcessStartInfo("rclone") { RedirectStandardError = true, UseShellExecute = false };
        foreach (
            var argument in (string[])[
                "serve", protocol, Data, "--addr", "127.0.0.1:0", "--user", "ann", "--pass", "secret",
                "--vfs-cache-mode", "off", .. more])
            start.ArgumentList.Add(argument);
        start.Environment["RCLONE_CONFIG"] = "/dev/null";
        start.Environment.Remove("AWS_CA_BUNDLE");
        var server = Process.Start(start)!;
        servers.Add(server);
        while (await server.StandardError.ReadLineAsync() is { } line)
        {
            var at = line.LastIndexOf("127.0.0.1:", StringComparison.Ordinal);
            if (at < 0) continue;
            _ = server.StandardError.ReadToEndAsync();
            return int.Parse(line[(at + "127.0.0.1:".Length)..].TrimEnd('/'), CultureInfo.InvariantCulture);
        }
        throw new InvalidOperationException($"rclone serve {protocol} did not start");
    }

    private static async Task<string> ObscureAsync(string password)
    {
        using var process = Process.Start(
            new ProcessStartInfo(
                "rclone", ["obscure", password]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        return (await process.StandardOutput.ReadToEndAsync()).Trim();
    }

    [Theory]
    [InlineData("webdav")]
    [InlineData("sftp")]
    public async Task Remotes_on_servers_take_and_give_files(string protocol)
    {
        var port = await ServeAsync(protocol);
        var password = await ObscureAsync("secret");
        var config = await ConfigAsync(protocol == "webdav"
            ? $"[r]\ntype = webdav\nurl = http://127.0.0.1:{port}\nvendor = other\nuser = ann\npass = {password}\n"
            : $"[r]\ntype = sftp\nhost = 127.0.0.1\nport = {port}\nuser = ann\npass = {password}\nshell_type = none\n");
        await using var account = await OpenAsync("r:base [x]", ("config", config));
        var content = new byte[300_000];
        new Random(5).NextBytes(content);
        await WriteAsync(account, content);
        Assert.Equal(content[1000..2000], await ReadAsync(account, File, 1000, 1000));
        new Random(6).NextBytes(content);
        await WriteAsync(account, content);
        Assert.Equal(content, await ReadAsync(account, File, 0, content.Length));
        Assert.Equal(
            content, await System.IO.File.ReadAllBytesAsync(Path.Combine(Data, "base [x]", "folder", File.Name)));

        var big = new byte[20 << 20];
        new Random(7).NextBytes(big);
        var path = EntryPath.Parse("folder/big");
        await using (
            var upload = await account.BeginUploadAsync(path, big.Length, 8 << 20, WriteOptions.Default, default))
        {
            var parts = new List<PartReceipt>();
            for (var at = 0; at < big.Length; at += 8 << 20)
                parts.Add(
                    await upload.WritePartAsync(
                        parts.Count, big.AsMemory(at, Math.Min(8 << 20, big.Length - at)), default));
            await upload.CompleteAsync(parts, default);
        }
        Assert.Equal(big, await ReadAsync(account, path, 0, big.Length));
        Assert.Equal(
            ["folder/a [file] ü%", "folder/big"],
            (await Failing.ListAsync(account, "folder")).Select(e => e.Path.Value).Order(StringComparer.Ordinal));

        await account.MoveAsync(EntryPath.Parse("folder"), EntryPath.Parse("moved"), default);
        Assert.Equal(2, (await Failing.ListAsync(account, "moved")).Count);
        await Failing.WithAsync(
            FailureKind.Conflict, () => account.DeleteAsync(EntryPath.Parse("moved"), default), "not empty");
        foreach (var entry in await Failing.ListAsync(account, "moved")) await account.DeleteAsync(entry.Path, default);
        await account.DeleteAsync(EntryPath.Parse("moved"), default);
        Assert.Empty(await Failing.ListAsync(account));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Data, "base [x]")));
    }

    [Theory]
    [InlineData(50_000)]
    [InlineData(1_000_000)]
    public async Task An_upload_that_is_given_up_leaves_nothing_on_the_remote(int partBytes)
    {
        await using var account = await OpenAsync(Data);
        var path = EntryPath.Parse("file");
        await using (
            var upload = await account.BeginUploadAsync(path, 3 * partBytes, partBytes, WriteOptions.Default, default))
        {
            await upload.WritePartAsync(0, new byte[partBytes], default);
            await upload.AbortAsync(default);
        }
        await using (
            var upload = await account.BeginUploadAsync(path, 3 * partBytes, partBytes, WriteOptions.Default, default))
            await upload.WritePartAsync(0, new byte[partBytes], default);
        Assert.Empty(Directory.GetFileSystemEntries(Data));
    }

    [Fact]
    public async Task Wrong_passwords_of_remotes_are_named()
    {
        var port = await ServeAsync("sftp");
        var config = await ConfigAsync(
            $"[r]\ntype = sftp\nhost = 127.0.0.1\nport = {port}\nuser = ann\npass = {await ObscureAsync("typo")}\n");
        await Failing.WithAsync(
            FailureKind.Unauthenticated, async ValueTask () => await OpenAsync("r:", ("config", config)),
            "unable to authenticate");
    }

    [Fact]
    public async Task A_server_that_is_down_is_unavailable()
    {
        var config = await ConfigAsync(
            $"[r]\ntype = webdav\nurl = http://127.0.0.1:{Failing.ClosedPort()}\nvendor = other\n");
        await using var account = await OpenAsync("r:", ("config", config));
        await Failing.WithAsync(
            FailureKind.Unavailable, () => account.StatAsync(EntryPath.Root, default), "connection refused");
    }

    [Fact]
    public async Task A_read_only_remote_is_read_and_not_written()
    {
        await System.IO.File.WriteAllTextAsync(Path.Combine(Data, "file"), "hello");
        var port = await ServeAsync("sftp", "--read-only");
        var config = await ConfigAsync(
            $"[r]\ntype = sftp\nhost = 127.0.0.1\nport = {port}\nuser = ann\npass = {await ObscureAsync("secret")}\n");
        await using var account = await OpenAsync("r:", ("config", config));
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(account, EntryPath.Parse("file"), 0, 5));
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await WriteAsync(account, new byte[5]));
        Assert.True(failure.Kind is FailureKind.Denied or FailureKind.ReadOnly, failure.ToString());
        Assert.NotNull(failure.Advice);
    }

    [Fact]
    public async Task A_missing_remote_is_named()
    {
        var config = await ConfigAsync("");
        await Failing.WithAsync(
            FailureKind.NotFound, async ValueTask () => await OpenAsync("nosuch:", ("config", config)), "nosuch");
        await Failing.WithAsync(
            FailureKind.NotFound, async ValueTask () => await OpenAsync("nosuch:", ("config", config + "x")),
            "rclone.confx");
    }

    [Fact]
    public async Task A_missing_folder_is_named()
    {
        await using var account = await OpenAsync(folder.FullName + "/nowhere");
        await Failing.WithAsync(FailureKind.NotFound, () => account.StatAsync(EntryPath.Root, default), "nowhere");
    }

    [Fact]
    public async Task A_missing_program_is_named() => await Failing.WithAsync(
        FailureKind.Unsupported,
        async ValueTask () => await OpenAsync("/", ("binary", "no-such-rclone")),
        "no-such-rclone");

    [Fact]
    public async Task An_encrypted_configuration_wants_its_password()
    {
        var config = await ConfigAsync(
            "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n" + new string('A', 84) + "\n");
        await Failing.WithAsync(
            FailureKind.Unauthenticated, async ValueTask () => await OpenAsync("r:", ("config", config)),
            "rclone says");
    }

    [Fact]
    public async Task An_rclone_that_dies_is_started_again()
    {
        await using var account = await OpenAsync(Data);
        await WriteAsync(account, [1, 2, 3]);
        var before = account.ProcessId!.Value;
        using (var shell = Process.GetProcessById(before)) shell.Kill(entireProcessTree: true);
        for (var i = 0; account.ProcessId is not null && i < 1000; i++) await Task.Yield();
        Entry? entry = null;
        for (var i = 0; entry is null && i < 5; i++)
        {
            try
            {
                entry = await account.StatAsync(File, default);
            }
            catch (VirgaException e) when (e.IsTransient)
            {
            }
        }
        Assert.Equal(3, entry!.Length);
        Assert.NotEqual(before, account.ProcessId);
    }

    [Fact]
    public async Task Rclone_ends_with_its_account_and_with_us()
    {
        var account = await OpenAsync(Data);
        var children = await ChildrenAsync(account.ProcessId!.Value);
        Assert.Contains(children, c => c.Command.Contains("rcd", StringComparison.Ordinal));
        Assert.DoesNotContain(children, c => c.Command.Contains("--rc-pass", StringComparison.Ordinal));
        await account.DisposeAsync();
        foreach (var (pid, _) in children) await UntilGoneAsync(pid);
    }

    // What the kernel does with our end of the pipe when we are killed, done by killing a process that stands for us.
    [Fact]
    public async Task Rclone_ends_when_its_owner_is_killed()
    {
        var script = $"exec 9> >(exec sh -c '{RcloneProcess.Script.Replace("'", "'\\''", StringComparison.Ordinal)}' "
            + "rclone rcd --rc-addr=127.0.0.1:0 --rc-no-auth); echo $!; exec sleep 1000";
        using var owner = Process.Start(
            new ProcessStartInfo("bash", ["-c", script]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        var shell = int.Parse((await owner.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
        List<(int Pid, string Command)> children = [];
        for (
            var i = 0; i < 500
                && !children.Exists(
                    c =>
                        c.Command.Contains("rclone rcd", StringComparison.Ordinal)
                            || c.Command.Contains("rclone\0rcd", StringComparison.Ordinal)); i++)
        {
            await Task.Delay(10);
            children = await ChildrenAsync(shell);
        }
        Assert.NotEmpty(children);
        owner.Kill();
        foreach (var (pid, _) in children) await UntilGoneAsync(pid);
    }

    private static async Task<List<(int Pid, string Command)>> ChildrenAsync(int parent)
    {
        var found = new List<(int, string)>();
        foreach (var file in Directory.GetFiles($"/proc/{parent}/task/{parent}", "children"))
        {
            foreach (
                var pid in (
                    await System.IO.File.ReadAllTextAsync(file)).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                var number = int.Parse(pid, CultureInfo.InvariantCulture);
                found.Add((number, await System.IO.File.ReadAllTextAsync($"/proc/{pid}/cmdline")));
            }
        }
        return found;
    }

    private static async Task UntilGoneAsync(int pid)
    {
        for (var i = 0; i < 500; i++)
        {
            if (!Directory.Exists($"/proc/{pid}")) return;
            await Task.Delay(10);
        }
        Assert.Fail($"process {pid} is still there");
    }
}
