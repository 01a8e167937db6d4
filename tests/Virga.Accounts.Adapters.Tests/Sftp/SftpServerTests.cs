using System.Diagnostics;
using System.Globalization;
using Virga.Accounts.Adapters.Sftp;
using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests.Sftp;

/// <summary>What only a real server shows: logins, keys, full disks, broken connections.</summary>
[Trait("Needs", "server")]
[Collection(nameof(SftpServerTests))]
public sealed class SftpServerTests : IAsyncLifetime
{
    private SftpScratch scratch = null!;

    public async Task InitializeAsync() => scratch = await SftpScratch.CreateAsync();

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    private static ValueTask<IAccount> OpenAsync(AccountConfig config) =>
        new SftpAdapter(TestServices.Real).OpenAsync(config, default);

    private string Server => scratch.Server["SFTP_ADDRESS"];

    [Fact]
    public async Task A_locked_key_is_opened_with_its_passphrase_which_shows_nowhere()
    {
        var passphrase = scratch.Server["SFTP_PASSPHRASE"];
        var config = scratch.Config(key: scratch.Server["SFTP_LOCKED_KEY"], secrets: ("passphrase", passphrase));
        await using var account = await OpenAsync(config);
        Assert.Empty(await Failing.ListAsync(account));
        foreach (var process in Process.GetProcesses())
        {
            using (process)
            {
                var path = $"/proc/{process.Id.ToString(CultureInfo.InvariantCulture)}/cmdline";
                try
                {
                    var line = await File.ReadAllTextAsync(path);
                    Assert.DoesNotContain(passphrase, line, StringComparison.Ordinal);
                }
                catch (IOException)
                {
                    // It has ended.
                }
            }
        }
        var wrong = scratch.Config(key: scratch.Server["SFTP_LOCKED_KEY"], secrets: ("passphrase", "another"));
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => OpenAsync(wrong), "127.0.0.1 refuses the login");
        Assert.DoesNotContain("another", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_common_mistake_has_its_own_message_and_a_next_step()
    {
        var other = Path.Combine(scratch.Folder, "other");
        using (var made = Process.Start("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", other]))
            await made.WaitForExitAsync();
        await Failing.WithAsync(
            FailureKind.Unauthenticated, () => OpenAsync(scratch.Config(key: other)), "refuses the login");
        await Failing.WithAsync(
            FailureKind.BadInput, () => OpenAsync(scratch.Config(key: other + "-none")), "no private key");
        var loose = Path.Combine(scratch.Folder, "loose");
        File.Copy(scratch.Server["SFTP_KEY"], loose);
        File.SetUnixFileMode(loose, UnixFileMode.UserRead | UnixFileMode.OtherRead | UnixFileMode.GroupRead);
        await Failing.WithAsync(
            FailureKind.BadInput, () => OpenAsync(scratch.Config(key: loose)), "others may read the private key");
        var wrongHost = string.Join(' ', (await File.ReadAllTextAsync(other + ".pub")).Split(' ')[..2]).Trim();
        await Failing.WithAsync(
            FailureKind.Denied, () => OpenAsync(scratch.Config(hostKey: wrongHost)), "shows another key");
        await Failing.WithAsync(
            FailureKind.Denied, () => OpenAsync(scratch.Config(hostKey: "")), "is not known yet");
        await Failing.WithAsync(
            FailureKind.Unauthenticated,
            () => OpenAsync(scratch.Config(key: "", secrets: ("password", "no such"))), "refuses the login");
        var closed = $"sftp://127.0.0.1:{Failing.ClosedPort().ToString(CultureInfo.InvariantCulture)}/x";
        await Failing.WithAsync(
            FailureKind.Unavailable, () => OpenAsync(scratch.Config(closed)), "can't be reached");
        await Failing.WithAsync(
            FailureKind.Unavailable, () => OpenAsync(scratch.Config("sftp://no-such-host.invalid/x")),
            "can't be found");
        await using var missing = await OpenAsync(scratch.Config(Server + scratch.Folder + "/missing"));
        await Failing.WithAsync(
            FailureKind.NotFound, () => missing.StatAsync(EntryPath.Root, default), "there is no folder");
    }

    [Fact]
    public async Task A_full_disk_is_told_as_such_and_leaves_nothing()
    {
        var full = scratch.Server["SFTP_FULL"];
        Assert.True(full != "no", "the machine allows no tmpfs: run as root");
        await using var account = await OpenAsync(scratch.Config(Server + full));
        await Failing.WithAsync(
            FailureKind.Full,
            () => account.BeginUploadAsync(EntryPath.Parse("a"), 8 << 20, 1 << 20, WriteOptions.Default, default),
            "free");
        await Failing.WithAsync(
            FailureKind.Full,
            () => account.WriteAsync(EntryPath.Parse("b"), new byte[6 << 20], WriteOptions.Default, default), "free");
        Assert.Empty(Directory.GetFileSystemEntries(full));
    }

    [Fact]
    public async Task What_is_no_entry_is_named_and_left_out()
    {
        await using var account = await scratch.OpenAsync();
        using (var made = Process.Start(
            "sh", ["-c", "cd \"$0\" && mkfifo pipe && touch \"$(printf 'bad\\377name')\" good", scratch.Folder]))
            await made.WaitForExitAsync();
        var skipped = new List<SkippedEntry>();
        var entries = await Failing.ListAsync(account, onSkipped: skipped.Add);
        Assert.Equal("good", Assert.Single(entries).Path.Name);
        Assert.Equal(
            ["is a device, pipe or socket", "is not UTF-8"],
            skipped.Select(s => s.Reason).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_written_over_while_it_is_read_is_changed()
    {
        await using var account = await scratch.OpenAsync();
        var path = EntryPath.Parse("file");
        var written = await account.WriteAsync(path, Seeded.Bytes(8 << 20, 1), WriteOptions.Default, default);
        await using var reader = await account.ReadAsync(
            path, new ByteRange(0, 8 << 20), written.Version, default);
        await reader.Content.ReadExactlyAsync(new byte[1000]);
        // In its place, and with another length: not by a rename.
        await using (var file = File.OpenWrite(Path.Combine(scratch.Folder, "file")))
        {
            file.Seek(0, SeekOrigin.End);
            file.WriteByte(1);
        }
        var failure = await Assert.ThrowsAsync<VirgaException>(() => reader.Content.CopyToAsync(Stream.Null));
        Assert.Equal(FailureKind.Changed, failure.Kind);
    }

    [Fact]
    public async Task A_connection_that_breaks_fails_what_is_under_way_and_the_next_call_makes_a_new_one()
    {
        var (account, key) = await OpenWithOwnKeyAsync();
        await using var opened = account;
        var path = EntryPath.Parse("file");
        await account.WriteAsync(path, new byte[8 << 20], WriteOptions.Default, default);
        var reader = await account.ReadAsync(path, new ByteRange(0, 8 << 20), null, default);
        await reader.Content.ReadExactlyAsync(new byte[1000]);
        using (var kill = Process.Start("pkill", ["-f", key])) await kill.WaitForExitAsync();
        var failure = await Assert.ThrowsAsync<VirgaException>(() => reader.Content.CopyToAsync(Stream.Null));
        Assert.Equal(FailureKind.Unavailable, failure.Kind);
        await reader.DisposeAsync();
        Assert.Equal(8 << 20, (await account.StatAsync(path, default))!.Length);
    }

    [Fact]
    public async Task Nothing_runs_on_when_the_account_is_closed()
    {
        var (account, key) = await OpenWithOwnKeyAsync();
        await account.WriteAsync(EntryPath.Parse("file"), new byte[100], WriteOptions.Default, default);
        Assert.True(await RunsAsync());
        await account.DisposeAsync();
        for (var tries = 0; await RunsAsync() && tries < 200; tries++) await Task.Delay(50);
        Assert.False(await RunsAsync());

        async Task<bool> RunsAsync()
        {
            using var process = Process.Start("pgrep", ["-f", key]);
            await process.WaitForExitAsync();
            return process.ExitCode == 0;
        }
    }

    /// <summary>By the key's path its processes are told from those of other tests.</summary>
    private async Task<(IAccount Account, string Key)> OpenWithOwnKeyAsync()
    {
        var key = Path.Combine(scratch.Folder, ".virga-own-key");
        File.Copy(scratch.Server["SFTP_KEY"], key);
        return (await OpenAsync(scratch.Config(key: key)), key);
    }
}
