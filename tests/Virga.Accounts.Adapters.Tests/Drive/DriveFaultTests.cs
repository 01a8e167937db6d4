using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Accounts.Adapters.Tests.Faults;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Drive;

namespace Virga.Accounts.Adapters.Tests.Drive;

/// <summary>Faults at Google Drive's door: nothing lost, no duplicate, each mistake with its own words.</summary>
public sealed class DriveFaultTests : HttpFaults
{
    private const int PartBytes = 1 << 20;
    private readonly FakeTimeProvider clock = new();
    private DriveScratch scratch = null!;

    private FakeDrive Fake => scratch.Fake;

    protected override FakeService Service => scratch.Fake;

    protected override int OpenSessions => scratch.User.OpenSessions;

    public override async Task InitializeAsync() => scratch = await DriveScratch.CreateAsync(clock: clock);

    public override async Task DisposeAsync() => await scratch.DisposeAsync();

    protected override ValueTask<IAccount> OpenAsync() => new(scratch.Open(
        tokens: TestTokens.Many(scratch.Token, () => scratch.Fake.AddToken(scratch.User))));

    protected override ValueTask<IReadOnlyList<string>> FilesAsync() => new(scratch.User.FilePaths());

    protected override void Lag(bool lags) => scratch.User.AreListingsFrozen = lags;

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

    protected override string? Word(Door door) => door switch
    {
        Door.Begin => "upload.resumable",
        Door.Part or Door.Complete => "upload.chunk",
        Door.Write => "upload.multipart",
        Door.Read => "files.media",
        Door.List => "files.list",
        _ => "files.update",
    };

    [Fact]
    public async Task What_was_made_here_is_found_while_searches_lag_behind_and_nothing_is_made_twice()
    {
        await using var account = scratch.Open();
        await WriteAsync(account, EntryPath.Parse("before"));
        scratch.User.AreListingsFrozen = true;
        await WriteAsync(account);
        await WriteAsync(account);
        await WriteAsync(account, EntryPath.Parse("folder/second"));
        await UploadAsync(account, Seeded.Bytes(PartBytes + 1, 2));
        Assert.Equal(["before", "folder/file", "folder/second"], scratch.User.FilePaths());
        Assert.Equal(PartBytes + 1, (await account.StatAsync(File, default))!.Length);
        await Failing.WithAsync(
            FailureKind.Conflict, () => account.DeleteAsync(EntryPath.Parse("folder"), default), "not empty");
        await account.DeleteAsync(File, default);
        Assert.Null(await account.StatAsync(File, default));
        Assert.Equal(["before", "folder/second"], scratch.User.FilePaths());
    }

    [Fact]
    public async Task Tasks_that_make_one_folder_at_once_make_one()
    {
        await using var account = scratch.Open();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(
            i => WriteAsync(account, EntryPath.Parse($"a/b/{i}")).AsTask()));
        Assert.Equal("b", Assert.Single(await Failing.ListAsync(account, "a")).Path.Name);
        Assert.Equal(2, Fake.Faults.Count("files.create"));
    }

    [Fact]
    public async Task Items_of_one_name_documents_and_shortcuts_are_named_and_left_out()
    {
        scratch.User.AddItem("folder/twin", "text/plain", 10);
        scratch.User.AddItem("folder/twin", "text/plain", 20);
        scratch.User.AddItem("folder/Plan", "application/vnd.google-apps.document");
        scratch.User.AddItem("folder/link", "application/vnd.google-apps.shortcut");
        scratch.User.Rename(scratch.User.AddItem("folder/x", "text/plain", 1), "a/b");
        await using var account = scratch.Open();
        var skipped = new List<SkippedEntry>();
        var entry = Assert.Single(await Failing.ListAsync(account, "folder", skipped.Add));
        Assert.Equal(("folder/twin", 10), (entry.Path.Value, entry.Length));
        Assert.Equal(entry.Version, (await account.StatAsync(entry.Path, default))!.Version);
        Assert.Equal(["Plan", "a/b", "link", "twin"], skipped.Select(s => s.ShownName).Order(StringComparer.Ordinal));
        Assert.Contains("same name", skipped.Single(s => s.ShownName == "twin").Reason, StringComparison.Ordinal);
        Assert.Null(await account.StatAsync(EntryPath.Parse("folder/TWIN"), default));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_completion_that_nobody_heard_of_is_found_also_when_its_session_is_forgotten(bool isForgotten)
    {
        var content = Seeded.Bytes(PartBytes + 1, 1);
        await using var account = scratch.Open();
        var upload = await account.BeginUploadAsync(File, content.Length, PartBytes, WriteOptions.Default, default);
        PartReceipt[] parts =
        [
            await upload.WritePartAsync(0, content.AsMemory(0, PartBytes), default),
            await upload.WritePartAsync(1, content.AsMemory(PartBytes), default),
        ];
        Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "upload.chunk"));
        await Assert.ThrowsAsync<VirgaException>(async () => await upload.CompleteAsync(parts, default));
        if (isForgotten) scratch.User.EndSessions();
        await using var resumed = await scratch.Open().Find<IResumableUploads>()!.ResumeUploadAsync(
            File, content.Length, PartBytes, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(2, resumed.Stored.Count);
        Assert.Equal(content.Length, (await resumed.CompleteAsync(parts, default)).Length);
        Assert.Equal(["folder/file"], scratch.User.FilePaths());
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
    public async Task A_token_that_leads_elsewhere_is_never_sent_to()
    {
        await using var account = scratch.Open();
        foreach (var token in new[] { "new id https://example.org/x", "new id http://www.googleapis.com/x", "x", "" })
        {
            await Failing.WithAsync(
                FailureKind.NotFound,
                () => account.Find<IResumableUploads>()!.ResumeUploadAsync(
                    File, PartBytes, PartBytes, WriteOptions.Default, token, default),
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
        // The first puts the old one into the bin, the second fails.
        Fake.Faults.Add(new Fault(FaultKind.ServerError, "files.update", Skip: 1));
        await Assert.ThrowsAsync<VirgaException>(async () => await account.MoveAsync(from, File, default));
        Assert.Equal(["folder/file", "from"], scratch.User.FilePaths());
        await account.MoveAsync(from, File, default);
        Assert.Equal(["folder/file"], scratch.User.FilePaths());
        Assert.Equal(20, (await account.StatAsync(File, default))!.Length);
    }

    [Fact]
    public async Task Each_mistake_has_words_of_its_own()
    {
        await using var account = scratch.Open();
        scratch.User.QuotaBytes = 5;
        await Failing.WithAsync(FailureKind.Full, () => WriteAsync(account), "is full");
        Assert.Equal(new AccountSpace(0, 5), await account.Find<IReportsSpace>()!.GetSpaceAsync(default));
        scratch.User.QuotaBytes = null;
        Assert.Equal(new AccountSpace(0, null), await account.Find<IReportsSpace>()!.GetSpaceAsync(default));
        scratch.User.UploadBytesLeft = 5;
        await Failing.WithAsync(FailureKind.Throttled, () => WriteAsync(account), "slow down");
        scratch.User.UploadBytesLeft = 1000;
        Fake.Faults.Add(new Fault(FaultKind.Throttled, RetryAfter: TimeSpan.FromSeconds(7)));
        var slow = await Failing.WithAsync(
            FailureKind.Throttled, () => account.StatAsync(EntryPath.Parse("x"), default), "slow down");
        Assert.Equal(TimeSpan.FromSeconds(7), slow.RetryAfter);
        var theirs = EntryPath.Parse("theirs");
        var id = scratch.User.AddItem("theirs", "text/plain", 10);
        scratch.User.MakeReadOnly(id);
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(account, theirs), "not change it");
        scratch.User.MakeAbusive(id);
        await Failing.WithAsync(
            FailureKind.Denied, () => account.ReadAsync(theirs, new ByteRange(0, 1), null, default), "malware");
        await Failing.WithAsync(
            FailureKind.NotFound, async ValueTask () => await Failing.ListAsync(scratch.Open("no/such")),
            "no folder 'no/such' in this Drive");
        await using var reading = scratch.Open(tokens: new TestTokens(Fake.AddToken(scratch.User, "drive.readonly")));
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(reading), "without the right");
        Assert.NotNull(await reading.StatAsync(theirs, default));
        await using var own = scratch.Open(tokens: new TestTokens(Fake.AddToken(scratch.User, "drive.file")));
        Assert.Null(await own.StatAsync(theirs, default));
        Fake.Expire(scratch.Token);
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => account.StatAsync(theirs, default), "no longer takes");
        Assert.Contains("virga account link", failure.Advice, StringComparison.Ordinal);
        Assert.DoesNotContain(scratch.Token, failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_somebody_has_thrown_away_is_made_anew_after_a_minute()
    {
        await using var account = scratch.Open(clock: clock);
        await WriteAsync(account);
        await using var browser = scratch.Open();
        await browser.DeleteAsync(File, default);
        await browser.DeleteAsync(EntryPath.Parse("folder"), default);
        clock.Advance(TimeSpan.FromSeconds(61));
        await WriteAsync(account);
        Assert.Equal(["folder/file"], scratch.User.FilePaths());
    }
}
