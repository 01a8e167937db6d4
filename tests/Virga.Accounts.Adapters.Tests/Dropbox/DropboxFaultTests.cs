using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Accounts.Adapters.Tests.Faults;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Dropbox;

namespace Virga.Accounts.Adapters.Tests.Dropbox;

/// <summary>Faults at Dropbox's door: nothing lost, no duplicate, and each mistake with words of its own.</summary>
public sealed class DropboxFaultTests : HttpFaults
{
    private const int PartBytes = 4 << 20;
    private readonly FakeTimeProvider clock = new();
    private DropboxScratch scratch = null!;

    private FakeDropbox Fake => scratch.Fake;

    protected override FakeService Service => scratch.Fake;

    protected override int OpenSessions => scratch.User.OpenSessions;

    public override async Task InitializeAsync() => scratch = await DropboxScratch.CreateAsync(clock: clock);

    public override async Task DisposeAsync() => await scratch.DisposeAsync();

    protected override ValueTask<IAccount> OpenAsync() => new(scratch.Open(
        tokens: TestTokens.Many(scratch.Token, () => scratch.Fake.AddToken(scratch.User))));

    protected override ValueTask<IReadOnlyList<string>> FilesAsync() =>
        new([.. scratch.User.FilePaths().Select(path => path[1..])]);

    protected override ValueTask<bool> FillAsync()
    {
        scratch.User.QuotaBytes = 15;
        return new(true);
    }

    protected override ValueTask EmptyAsync()
    {
        scratch.User.QuotaBytes = null;
        return default;
    }

    protected override string? Word(Door door) => "files/" + door switch
    {
        Door.Begin => "upload_session/start",
        Door.Part => "upload_session/append_v2",
        Door.Complete => "upload_session/finish",
        Door.Write => "upload",
        Door.Read => "download",
        Door.List => "list_folder",
        Door.Move => "move_v2",
        _ => "delete_v2",
    };

    [Fact]
    public async Task Too_many_requests_are_throttled_with_the_wait_that_was_told()
    {
        await using var account = scratch.Open();
        Fake.Faults.Add(new Fault(FaultKind.Throttled, RetryAfter: TimeSpan.FromSeconds(7)));
        var failure = await Failing.WithAsync(
            FailureKind.Throttled, () => account.StatAsync(File, default), "slow down", hasAdvice: false);
        Assert.Equal(TimeSpan.FromSeconds(7), failure.RetryAfter);
        Fake.Faults.Add(new Fault(FaultKind.Throttled));
        failure = await Failing.WithAsync(
            FailureKind.Throttled, () => account.StatAsync(File, default), "slow down", hasAdvice: false);
        Assert.Null(failure.RetryAfter);
        scratch.User.WritesRefused = 1;
        await Failing.WithAsync(FailureKind.Throttled, () => WriteAsync(account), "too much", hasAdvice: false);
        Assert.Empty(scratch.User.FilePaths());
    }

    [Fact]
    public async Task A_finish_that_was_never_heard_of_is_found_to_be_done_by_another_process()
    {
        var content = Seeded.Bytes(PartBytes + 1, 1);
        await using var account = scratch.Open();
        var upload = await account.BeginUploadAsync(File, content.Length, PartBytes, WriteOptions.Default, default);
        PartReceipt[] parts =
        [
            await upload.WritePartAsync(0, content.AsMemory(0, PartBytes), default),
            await upload.WritePartAsync(1, content.AsMemory(PartBytes), default),
        ];
        Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "files/upload_session/finish"));
        await Assert.ThrowsAsync<VirgaException>(async () => await upload.CompleteAsync(parts, default));
        await using var resumed = await account.Find<IResumableUploads>()!.ResumeUploadAsync(
            File, content.Length, PartBytes, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(content.Length, (await resumed.CompleteAsync(parts, default)).Length);
        // Other content of that length is none of ours.
        await account.WriteAsync(File, Seeded.Bytes(content.Length, 2), WriteOptions.Default, default);
        await Failing.WithAsync(
            FailureKind.NotFound, () => resumed.CompleteAsync(parts, default), "has ended the upload");
    }

    [Fact]
    public async Task A_session_that_is_gone_is_not_found_and_the_file_of_before_stays()
    {
        var content = Seeded.Bytes(2 * PartBytes, 1);
        await using var account = scratch.Open();
        await WriteAsync(account);
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
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
    }

    [Fact]
    public async Task A_file_that_is_replaced_by_a_move_comes_back_when_the_move_fails()
    {
        await using var account = scratch.Open();
        await WriteAsync(account);
        var from = EntryPath.Parse("from");
        await account.WriteAsync(from, Seeded.Bytes(20, 2), WriteOptions.Default, default);
        // The first finds something in the way, the second puts that aside, the third fails.
        Fake.Faults.Add(new Fault(FaultKind.ServerError, "files/move_v2", Skip: 2));
        await Assert.ThrowsAsync<VirgaException>(async () => await account.MoveAsync(from, File, default));
        Assert.Equal(["/folder/file", "/from"], scratch.User.FilePaths());
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        await account.MoveAsync(from, File, default);
        Assert.Equal(["/folder/file"], scratch.User.FilePaths());
        Assert.Equal(20, (await account.StatAsync(File, default))!.Length);
    }

    [Fact]
    public async Task A_name_gets_another_case_by_a_move()
    {
        await using var account = scratch.Open();
        await WriteAsync(account);
        await account.MoveAsync(File, EntryPath.Parse("folder/FILE"), default);
        Assert.Equal("FILE", Assert.Single(await Failing.ListAsync(account, "folder")).Path.Name);
        await account.MoveAsync(EntryPath.Parse("folder"), EntryPath.Parse("Folder"), default);
        Assert.Equal("Folder", Assert.Single(await Failing.ListAsync(account)).Path.Name);
    }

    [Fact]
    public async Task All_below_a_folder_is_listed_with_the_names_as_they_were_given()
    {
        await using var account = scratch.Open();
        await account.WriteAsync(
            EntryPath.Parse("Ünder/DEEP/File"), Seeded.Bytes(1, 1), WriteOptions.Default, default);
        var all = new List<string>();
        var listing = account.Find<IRecursiveListing>()!;
        await foreach (var entry in listing.ListAllAsync(EntryPath.Parse("Ünder"), null, default))
            all.Add(entry.Path.Value);
        Assert.Equal(["Ünder/DEEP", "Ünder/DEEP/File"], all.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Documents_without_bytes_are_named_and_left_out()
    {
        await using var account = scratch.Open();
        await WriteAsync(account);
        scratch.User.AddCloudDocument("/folder/Plan.gdoc");
        var skipped = new List<SkippedEntry>();
        Assert.Single(await Failing.ListAsync(account, "folder", skipped.Add));
        Assert.Equal("Plan.gdoc", Assert.Single(skipped).ShownName);
        await Failing.WithAsync(
            FailureKind.Unsupported,
            () => account.ReadAsync(EntryPath.Parse("folder/Plan.gdoc"), new ByteRange(0, 1), null, default),
            "can only be exported");
    }

    [Fact]
    public async Task Each_mistake_has_words_of_its_own()
    {
        await using var account = scratch.Open();
        scratch.User.QuotaBytes = 5;
        await Failing.WithAsync(FailureKind.Full, () => WriteAsync(account), "is full");
        Assert.Equal(new AccountSpace(0, 5), await account.Find<IReportsSpace>()!.GetSpaceAsync(default));
        scratch.User.QuotaBytes = null;
        scratch.User.ReadOnlyFolder = "/folder";
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(account), "for reading only");
        await Failing.WithAsync(
            FailureKind.NotFound, async ValueTask () => await Failing.ListAsync(scratch.Open("no/such")),
            "no folder 'no/such' in this Dropbox");
        await using var reading = scratch.Open(
            tokens: new TestTokens(Fake.AddToken(scratch.User, "files.metadata.read", "files.content.read")));
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(reading), "'files.content.write'");
        Assert.Null(await reading.StatAsync(File, default));
        Fake.Expire(scratch.Token);
        await Failing.WithAsync(FailureKind.Unauthenticated, () => account.StatAsync(File, default), "expired");
        Fake.Revoke(scratch.Token);
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => account.StatAsync(File, default), "taken back");
        Assert.Contains("virga account link", failure.Advice, StringComparison.Ordinal);
        Assert.DoesNotContain(scratch.Token, failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_is_refused_is_renewed_once_and_the_bytes_are_sent_again()
    {
        var tokens = new TestTokens(scratch.Token, Fake.AddToken(scratch.User));
        await using var account = scratch.Open(tokens: tokens);
        Fake.Expire(scratch.Token);
        await WriteAsync(account);
        Assert.Equal(1, tokens.RefusedCount);
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        Assert.Equal(1, tokens.RefusedCount);
    }
}
