using System.Security.Cryptography;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Accounts.Decorators;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.OneDrive;

namespace Virga.Accounts.Adapters.Tests.OneDrive;

/// <summary>Faults at OneDrive's door: nothing lost, no duplicate, each mistake with its own words.</summary>
public sealed class OneDriveFaultTests : IAsyncLifetime
{
    private const int PartBytes = 4 * 320 << 10;
    private static readonly EntryPath File = EntryPath.Parse("folder/file");
    private readonly FakeTimeProvider clock = new();
    private OneDriveScratch scratch = null!;

    private FakeOneDrive Fake => scratch.Fake;

    public async Task InitializeAsync() => scratch = await OneDriveScratch.CreateAsync(clock: clock);

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    [Theory]
    [InlineData(FaultKind.Throttled, false)]
    [InlineData(FaultKind.ServerError, true)]
    [InlineData(FaultKind.BreakRequest, false)]
    [InlineData(FaultKind.BreakAnswer, false)]
    [InlineData(FaultKind.LoseAnswer, false)]
    [InlineData(FaultKind.LoseAnswer, true)]
    public async Task An_upload_arrives_whole_and_once_whatever_befalls_its_requests(FaultKind kind, bool isThere)
    {
        await using var account = Retrying(scratch.Open());
        if (isThere) await WriteAsync(account);
        Fake.Faults.Add(new Fault(kind, "POST createUploadSession", Skip: 1, AfterBytes: 1));
        Fake.Faults.Add(new Fault(kind, "fragment", Skip: 1, AfterBytes: 10));
        Fake.Faults.Add(new Fault(kind, "fragment", Skip: 4, AfterBytes: 10));
        Fake.Faults.Add(new Fault(kind, "POST children", AfterBytes: 1));
        Fake.Faults.Add(new Fault(kind, "GET item", AfterBytes: 1));
        var content = Seeded.Bytes(3 * PartBytes + 400_005, 1);
        var entry = await UploadAsync(account, content);
        Assert.Equal(content, await ReadAsync(account, content.Length, entry.Version));
        Assert.Equal(["folder/file"], scratch.User.FilePaths());
    }

    [Theory]
    [InlineData(FaultKind.Throttled)]
    [InlineData(FaultKind.ServerError)]
    [InlineData(FaultKind.BreakRequest)]
    [InlineData(FaultKind.LoseAnswer)]
    public async Task Small_writes_folders_moves_and_deletes_are_done_once_and_leave_no_session(FaultKind kind)
    {
        await using var account = Retrying(scratch.Open());
        foreach (var operation in new[] { "fragment", "POST children", "PATCH item", "DELETE item", "GET children" })
            Fake.Faults.Add(new Fault(kind, operation));
        await WriteAsync(account);
        await account.CreateFolderAsync(EntryPath.Parse("other"), default);
        await account.MoveAsync(File, EntryPath.Parse("other/moved"), default);
        Assert.Equal(["other/moved"], scratch.User.FilePaths());
        Assert.Equal(2, (await Failing.ListAsync(account)).Count);
        await account.DeleteAsync(EntryPath.Parse("other/moved"), default);
        Assert.Empty(scratch.User.FilePaths());
        Assert.Equal(0, scratch.User.OpenSessions);
    }

    [Fact]
    public async Task An_upload_goes_on_in_another_process_where_it_was_cut()
    {
        var content = Seeded.Bytes(3 * PartBytes, 1);
        var first = await scratch.Open().BeginUploadAsync(
            File, content.Length, PartBytes, WriteOptions.Default, default);
        Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "fragment", Skip: 1));
        var receipt = await first.WritePartAsync(0, content.AsMemory(0, PartBytes), default);
        // It arrived, and nobody knows.
        await Assert.ThrowsAsync<VirgaException>(
            async () => await first.WritePartAsync(1, content.AsMemory(PartBytes, PartBytes), default));
        await using var other = scratch.Open();
        await using var resumed = await other.Find<IResumableUploads>()!.ResumeUploadAsync(
            File, content.Length, PartBytes, WriteOptions.Default, first.Token!, default);
        Assert.Equal([0, 1], resumed.Stored.Select(part => part.Index));
        var last = await resumed.WritePartAsync(2, content.AsMemory(2 * PartBytes), default);
        Assert.Empty(scratch.User.FilePaths());
        var entry = await resumed.CompleteAsync([receipt, resumed.Stored[1], last], default);
        Assert.Equal(content, await ReadAsync(other, content.Length, entry.Version));
    }

    [Fact]
    public async Task A_completion_that_was_never_heard_of_is_found_to_be_done_by_another_process()
    {
        var content = Seeded.Bytes(PartBytes + 1, 1);
        await using var account = scratch.Open();
        await account.WriteAsync(File, Seeded.Bytes(content.Length, 2), WriteOptions.Default, default);
        var upload = await account.BeginUploadAsync(File, content.Length, PartBytes, WriteOptions.Default, default);
        PartReceipt[] parts =
        [
            await upload.WritePartAsync(0, content.AsMemory(0, PartBytes), default),
            await upload.WritePartAsync(1, content.AsMemory(PartBytes), default),
        ];
        Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "fragment"));
        await Assert.ThrowsAsync<VirgaException>(async () => await upload.CompleteAsync(parts, default));
        await using var resumed = await scratch.Open().Find<IResumableUploads>()!.ResumeUploadAsync(
            File, content.Length, PartBytes, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(2, resumed.Stored.Count);
        var entry = await resumed.CompleteAsync(parts, default);
        Assert.Equal(content, await ReadAsync(account, content.Length, entry.Version));
    }

    [Fact]
    public async Task A_session_that_is_gone_is_not_found_and_the_file_of_before_stays()
    {
        var content = Seeded.Bytes(2 * PartBytes, 1);
        await using var account = scratch.Open();
        // As long as the new one: it isn't taken for it.
        await account.WriteAsync(File, Seeded.Bytes(content.Length, 2), WriteOptions.Default, default);
        var upload = await account.BeginUploadAsync(File, content.Length, PartBytes, WriteOptions.Default, default);
        await upload.WritePartAsync(0, content.AsMemory(0, PartBytes), default);
        clock.Advance(TimeSpan.FromDays(7) + TimeSpan.FromMinutes(1));
        await Failing.WithAsync(
            FailureKind.NotFound, () => upload.WritePartAsync(1, content.AsMemory(PartBytes), default), "has ended");
        await Failing.WithAsync(
            FailureKind.NotFound,
            () => account.Find<IResumableUploads>()!.ResumeUploadAsync(
                File, content.Length, PartBytes, WriteOptions.Default, upload.Token!, default),
            "has ended");
        foreach (var token in new[] { "- https://example.org/x", "- http://any.up.1drv.com/x", "x", "" })
        {
            await Failing.WithAsync(
                FailureKind.NotFound,
                () => account.Find<IResumableUploads>()!.ResumeUploadAsync(
                    File, content.Length, PartBytes, WriteOptions.Default, token, default),
                "no upload session");
        }
    }

    [Fact]
    public async Task A_file_that_is_replaced_by_a_move_comes_back_when_the_move_fails()
    {
        await using var account = scratch.Open();
        await WriteAsync(account);
        var from = EntryPath.Parse("from");
        await account.WriteAsync(from, Seeded.Bytes(20, 2), WriteOptions.Default, default);
        // The first finds something in the way, the second puts that aside, the third fails.
        Fake.Faults.Add(new Fault(FaultKind.ServerError, "PATCH item", Skip: 2));
        await Assert.ThrowsAsync<VirgaException>(async () => await account.MoveAsync(from, File, default));
        Assert.Equal(["folder/file", "from"], scratch.User.FilePaths());
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        await account.MoveAsync(from, File, default);
        Assert.Equal(["folder/file"], scratch.User.FilePaths());
        await account.MoveAsync(File, EntryPath.Parse("folder/FILE"), default);
        Assert.Equal(["folder/FILE"], scratch.User.FilePaths());
    }

    [Fact]
    public async Task A_read_that_breaks_goes_on_where_it_broke_and_a_url_that_has_ended_is_asked_for_anew()
    {
        var content = Seeded.Bytes(3_000_000, 1);
        await using var account = Retrying(scratch.Open());
        var entry = await account.WriteAsync(File, content, WriteOptions.Default, default);
        Fake.Faults.Add(new Fault(FaultKind.BreakAnswer, "download", Times: 2, AfterBytes: 1_000_000));
        Assert.Equal(content, await ReadAsync(account, content.Length, entry.Version));
        Assert.Equal(3, Fake.Faults.Count("download"));
        // An hour passes for the service alone.
        clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(content, await ReadAsync(account, content.Length, entry.Version));
        Assert.Equal(5, Fake.Faults.Count("download"));
    }

    [Fact]
    public async Task Notebooks_are_named_and_left_out()
    {
        scratch.User.AddNotebook("Notes");
        await using var account = scratch.Open();
        var skipped = new List<SkippedEntry>();
        Assert.Empty(await Failing.ListAsync(account, "", skipped.Add));
        Assert.Equal("Notes", Assert.Single(skipped).ShownName);
        Assert.Null(await account.StatAsync(EntryPath.Parse("Notes"), default));
    }

    [Fact]
    public async Task Each_mistake_has_words_of_its_own()
    {
        await using var account = scratch.Open(driveId: scratch.User.DriveId);
        scratch.User.QuotaBytes = 5;
        await Failing.WithAsync(FailureKind.Full, () => WriteAsync(account), "is full");
        Assert.Equal(new AccountSpace(0, 5), await account.Find<IReportsSpace>()!.GetSpaceAsync(default));
        scratch.User.QuotaBytes = 1 << 20;
        scratch.User.ReadOnlyFolder = "folder";
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(account), "doesn't allow it");
        Fake.Faults.Add(new Fault(FaultKind.Throttled, RetryAfter: TimeSpan.FromSeconds(7)));
        var slow = await Failing.WithAsync(
            FailureKind.Throttled, () => account.StatAsync(File, default), "slow down", hasAdvice: false);
        Assert.Equal(TimeSpan.FromSeconds(7), slow.RetryAfter);
        await Failing.WithAsync(
            FailureKind.NotFound, async ValueTask () => await Failing.ListAsync(scratch.Open("no/such")),
            "no folder 'no/such' in this OneDrive");
        await using var reading = scratch.Open(tokens: new TestTokens(Fake.AddToken(scratch.User, "Files.Read")));
        await Failing.WithAsync(
            FailureKind.Denied, () => WriteAsync(reading, EntryPath.Parse("x")), "doesn't allow it");
        var tokens = new TestTokens(scratch.Token, Fake.AddToken(scratch.User));
        await using var renewed = scratch.Open(tokens: tokens);
        Fake.Expire(scratch.Token);
        await WriteAsync(renewed, EntryPath.Parse("x"));
        Assert.Equal(1, tokens.RefusedCount);
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => account.StatAsync(File, default), "no longer takes");
        Assert.Contains("virga account link", failure.Advice, StringComparison.Ordinal);
        Assert.DoesNotContain(scratch.Token, failure.ToString(), StringComparison.Ordinal);
    }

    private static async ValueTask<Entry> WriteAsync(IAccount account, EntryPath? path = null) =>
        await account.WriteAsync(path ?? File, Seeded.Bytes(10, 1), WriteOptions.Default, default);

    private static RetryingAccount Retrying(IAccount account) =>
        new(account, new SkippingTime(), RandomNumberGenerator.Fill);

    private static async Task<Entry> UploadAsync(IAccount account, byte[] content)
    {
        await using var upload = await account.BeginUploadAsync(
            File, content.Length, PartBytes, WriteOptions.Default, default);
        var parts = new List<PartReceipt>();
        for (var at = 0; at < content.Length; at += PartBytes)
            parts.Add(await upload.WritePartAsync(
                at / PartBytes, content.AsMemory(at, Math.Min(PartBytes, content.Length - at)), default));
        return await upload.CompleteAsync(parts, default);
    }

    private static async Task<byte[]> ReadAsync(IAccount account, long length, EntryVersion? version)
    {
        await using var reader = await account.ReadAsync(File, new ByteRange(0, length), version, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        return all.ToArray();
    }
}
