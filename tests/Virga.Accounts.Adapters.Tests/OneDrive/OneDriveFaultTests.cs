using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Accounts.Adapters.Tests.Faults;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.OneDrive;

namespace Virga.Accounts.Adapters.Tests.OneDrive;

/// <summary>Faults at OneDrive's door: nothing lost, no duplicate, each mistake with its own words.</summary>
public sealed class OneDriveFaultTests : HttpFaults
{
    private const int PartBytes = 4 * 320 << 10;
    private readonly FakeTimeProvider clock = new();
    private OneDriveScratch scratch = null!;

    private FakeOneDrive Fake => scratch.Fake;

    protected override FakeService Service => scratch.Fake;

    protected override int OpenSessions => scratch.User.OpenSessions;

    public override async Task InitializeAsync() => scratch = await OneDriveScratch.CreateAsync(clock: clock);

    public override async Task DisposeAsync() => await scratch.DisposeAsync();

    protected override ValueTask<IAccount> OpenAsync() => new(scratch.Open(
        tokens: TestTokens.Many(scratch.Token, () => scratch.Fake.AddToken(scratch.User))));

    protected override ValueTask<IReadOnlyList<string>> FilesAsync() => new(scratch.User.FilePaths());

    protected override ValueTask<bool> FillAsync()
    {
        scratch.User.QuotaBytes = 15;
        return new(true);
    }

    protected override ValueTask EmptyAsync()
    {
        scratch.User.QuotaBytes = 5L << 30;
        return default;
    }

    /// <summary>The addresses of uploads and downloads need no token.</summary>
    protected override bool Befalls(FaultKind kind, Door door) =>
        kind != FaultKind.TokenExpired || Word(door) is not ("fragment" or "download");

    protected override string? Word(Door door) => door switch
    {
        Door.Begin => "POST createUploadSession",
        Door.Part or Door.Complete or Door.Write => "fragment",
        Door.Read => "download",
        Door.List => "GET children",
        Door.Move => "PATCH item",
        _ => "DELETE item",
    };

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
        Assert.Equal(content, await ReadAsync(account, entry));
        Assert.Equal(3, Fake.Faults.Count("download"));
        // An hour passes for the service alone.
        clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(content, await ReadAsync(account, entry));
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
}
