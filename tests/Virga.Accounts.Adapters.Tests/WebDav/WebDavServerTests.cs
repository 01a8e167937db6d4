using System.Diagnostics;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.WebDav;

/// <summary>The common mistakes, and what is particular to WebDAV, against a real Apache.</summary>
[Trait("Needs", "server")]
public sealed class WebDavServerTests : IAsyncLifetime
{
    private static readonly EntryPath File = EntryPath.Parse("folder/file");
    private WebDavScratch scratch = null!;

    public async Task InitializeAsync() => scratch = await WebDavScratch.CreateAsync();

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    private static ValueTask<Entry> WriteAsync(IAccount account, int length = 10) =>
        account.WriteAsync(File, new byte[length], WriteOptions.Default, default);

    private static ValueTask<IAccount> OpenAsync(AccountConfig config) =>
        new Adapters.WebDav.WebDavAdapter(TestServices.Real).OpenAsync(config, default);

    [Fact]
    public async Task A_wrong_password_is_refused_and_not_shown()
    {
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated,
            () => OpenAsync(scratch.Config(password: "hunter2")),
            "refuses user and password");
        Assert.DoesNotContain("hunter2", failure.ToString(), StringComparison.Ordinal);
        await Failing.WithAsync(
            FailureKind.Unauthenticated, () => OpenAsync(scratch.Config(user: "nobody")), "refuses user and password");
    }

    [Fact]
    public async Task Missing_credentials_are_asked_for()
    {
        var config = scratch.Config();
        var settings = new Dictionary<string, string>(config.Settings);
        settings.Remove("user");
        await Failing.WithAsync(
            FailureKind.Unauthenticated,
            () => OpenAsync(config with { Settings = settings, Secrets = TestServices.None }),
            "wants a user");
    }

    [Fact]
    public async Task A_self_signed_certificate_is_refused_with_the_hash_to_compare()
    {
        var config = scratch.Config();
        var settings = new Dictionary<string, string>(config.Settings);
        settings.Remove("certSha256", out var hash);
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => OpenAsync(config with { Settings = settings }), hash!);
        Assert.Contains("certSha256", failure.Advice, StringComparison.Ordinal);
        await Failing.WithAsync(
            FailureKind.Unauthenticated,
            () => OpenAsync(scratch.Config(cert: new string('0', 64))),
            "not the pinned 0000");
    }

    [Fact]
    public async Task A_server_that_is_down_is_unavailable() => await Failing.WithAsync(
        FailureKind.Unavailable,
        () => OpenAsync(scratch.Config(url: $"https://127.0.0.1:{Failing.ClosedPort()}")),
        "nothing answers");

    [Fact]
    public async Task Plain_http_to_a_tls_port_says_so() => await Failing.WithAsync(
        FailureKind.Unavailable,
        () => OpenAsync(scratch.Config(url: scratch.Url.Replace("https:", "http:", StringComparison.Ordinal))),
        "broke");

    [Fact]
    public async Task A_missing_folder_is_named()
    {
        await using var account = await scratch.OpenAsync("/files/nowhere");
        await Failing.WithAsync(
            FailureKind.NotFound, () => account.StatAsync(EntryPath.Root, default), "/files/nowhere");
        await Failing.WithAsync(FailureKind.NotFound, () => Failing.ListAsync(account), "/files/nowhere");
    }

    [Fact]
    public async Task A_read_only_folder_is_read_and_not_written()
    {
        await WriteAsync(await scratch.OpenAsync());
        await using var account = await scratch.OpenAsync(
            "/readonly/" + Uri.EscapeDataString(Path.GetFileName(scratch.Folder)));
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(account), "write 'folder/file'");
        await Failing.WithAsync(FailureKind.Denied, () => account.DeleteAsync(File, default), "delete 'folder/file'");
        await Failing.WithAsync(
            FailureKind.Denied, () => account.CreateFolderAsync(EntryPath.Parse("new"), default), "make the folder");
        await Failing.WithAsync(
            FailureKind.Denied,
            async () =>
            {
                await using var upload = await account.BeginUploadAsync(
                    EntryPath.Parse("up"), 10, 10, WriteOptions.Default, default);
                await upload.WritePartAsync(0, new byte[10], default);
                await upload.CompleteAsync([new PartReceipt(0, "")], default);
            },
            "up");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_full_account_is_full_and_keeps_nothing_of_what_failed(bool partialPut)
    {
        Assert.True(scratch.HasFull, "this machine lets root mount no tmpfs, which the test of a full account needs");
        await using var account = await scratch.OpenAsync("/full", partialPut);
        await Failing.WithAsync(
            FailureKind.Full,
            () => account.WriteAsync(EntryPath.Parse("file"), new byte[6 << 20], WriteOptions.Default, default),
            "is full");
        await Failing.WithAsync(
            FailureKind.Full,
            async () =>
            {
                await using var upload = await account.BeginUploadAsync(
                    EntryPath.Parse("file"), 12 << 20, 6 << 20, WriteOptions.Default, default);
                try
                {
                    PartReceipt[] receipts = [
                        await upload.WritePartAsync(0, new byte[6 << 20], default),
                        await upload.WritePartAsync(1, new byte[6 << 20], default)];
                    await upload.CompleteAsync(receipts, default);
                }
                finally
                {
                    await upload.AbortAsync(default);
                }
            },
            "is full");
        Assert.Empty(await Failing.ListAsync(account));
        if (account.Find<IResumableUploads>() is { } uploads)
            await foreach (
                var upload in uploads.ListUploadsAsync(EntryPath.Root, default)) Assert.Fail($"{upload} is left");
    }

    [Fact]
    public async Task Apache_is_found_to_take_parts_and_nothing_is_left_of_the_trial()
    {
        await using var account = await scratch.OpenAsync();
        Assert.Equal((PartOrder.Any, UploadResume.Parts), (account.Traits.PartOrder, account.Traits.UploadResume));
        Assert.DoesNotContain(Directory.GetFileSystemEntries(scratch.Folder), e => Path.GetFileName(e) != ".DAV");
    }

    [Fact]
    public async Task Names_that_are_not_utf8_are_left_out_and_named()
    {
        await using var account = await scratch.OpenAsync();
        await WriteAsync(account);
        using (var process = Process.Start("bash", ["-c", "touch \"$0/\"$'\\xff\\xfe'", scratch.Folder + "/folder"])!)
            await process.WaitForExitAsync();
        var skipped = new List<SkippedEntry>();
        Assert.Equal(File, Assert.Single(await Failing.ListAsync(account, "folder", skipped.Add)).Path);
        Assert.Equal((EntryPath.Parse("folder"), "%ff%fe"), (Assert.Single(skipped).Folder, skipped[0].ShownName));
        await Failing.WithAsync(FailureKind.Conflict, async () =>
        {
            await account.DeleteAsync(File, default);
            await account.DeleteAsync(EntryPath.Parse("folder"), default);
        }, "not empty");
    }

    [Fact]
    public async Task A_part_that_is_cut_off_is_written_again()
    {
        await using var account = await scratch.OpenAsync();
        var content = new byte[16 << 20];
        new Random(3).NextBytes(content);
        await using var upload = await account.BeginUploadAsync(
            File, content.Length, 8 << 20, WriteOptions.Default, default);
        var second = await upload.WritePartAsync(1, content.AsMemory(8 << 20), default);
        using (var cut = new CancellationTokenSource())
        {
            var part = Task.Run(async () => await upload.WritePartAsync(0, content.AsMemory(0, 8 << 20), cut.Token));
            await cut.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => part);
        }
        var first = await upload.WritePartAsync(0, content.AsMemory(0, 8 << 20), default);
        await upload.CompleteAsync([first, second], default);
        Assert.Equal(content, await System.IO.File.ReadAllBytesAsync(Path.Combine(scratch.Folder, "folder", "file")));
    }
}
