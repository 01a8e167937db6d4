using Virga.Accounts.Decorators;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Accounts;

namespace Virga.Accounts.Tests;

public sealed class RetryTests
{
    private static readonly EntryPath File = EntryPath.Parse("file");

    private readonly InMemoryStore store = new();
    private readonly SkippingTime time = new();

    private InMemoryAccount Inner => new(store);

    private RetryingAccount Retrying(IAccount inner, RetryOptions? options = null) =>
        new(inner, time, new Seeded(3).RandomBytes, options);

    private TimeSpan Waited => time.Skipped;

    private ScriptedAccount ScriptedBefore(AccountOperation operation, IEnumerable<VirgaException> failures)
    {
        var scripted = new ScriptedAccount(Inner);
        scripted.Before[operation] = new(failures);
        return scripted;
    }

    private ScriptedAccount ScriptedAfter(AccountOperation operation, IEnumerable<VirgaException> failures)
    {
        var scripted = new ScriptedAccount(Inner);
        scripted.After[operation] = new(failures);
        return scripted;
    }

    private static VirgaException Failure(FailureKind kind, TimeSpan? retryAfter = null) =>
        new(kind, "scripted") { RetryAfter = retryAfter };

    [Theory]
    [InlineData(FailureKind.Throttled)]
    [InlineData(FailureKind.Unavailable)]
    [InlineData(FailureKind.Timeout)]
    public async Task Passing_failures_are_tried_again_with_growing_pauses(FailureKind kind)
    {
        var scripted = ScriptedBefore(AccountOperation.Stat, Enumerable.Repeat(Failure(kind), 5));
        Assert.Null(await Retrying(scripted).StatAsync(File, default));
        Assert.Equal(6, scripted.Calls[AccountOperation.Stat]);
        // 0.4 s doubling five times is 12.4 s; chance takes up to half.
        Assert.InRange(Waited, TimeSpan.FromSeconds(6.2), TimeSpan.FromSeconds(12.4));
    }

    [Fact]
    public async Task The_failure_is_thrown_after_the_last_try()
    {
        var scripted = ScriptedBefore(AccountOperation.Stat, Enumerable.Repeat(Failure(FailureKind.Timeout), 9));
        await Failing.AsyncWith(FailureKind.Timeout, async () => await Retrying(scripted).StatAsync(File, default));
        Assert.Equal(6, scripted.Calls[AccountOperation.Stat]);
        var once = ScriptedBefore(AccountOperation.Stat, Enumerable.Repeat(Failure(FailureKind.Timeout), 9));
        await Failing.AsyncWith(
            FailureKind.Timeout,
            async () => await Retrying(once, RetryOptions.Default with { TriesMax = 1 }).StatAsync(File, default));
        Assert.Equal(1, once.Calls[AccountOperation.Stat]);
    }

    [Theory]
    [InlineData(FailureKind.NotFound)]
    [InlineData(FailureKind.Denied)]
    [InlineData(FailureKind.Full)]
    [InlineData(FailureKind.Changed)]
    public async Task Lasting_failures_are_thrown_at_once(FailureKind kind)
    {
        var scripted = ScriptedBefore(AccountOperation.Stat, [Failure(kind)]);
        await Failing.AsyncWith(kind, async () => await Retrying(scripted).StatAsync(File, default));
        Assert.Equal((1, TimeSpan.Zero), (scripted.Calls[AccountOperation.Stat], Waited));
    }

    [Fact]
    public async Task The_pause_that_the_service_asks_for_is_kept_unless_it_is_too_long()
    {
        var asked = TimeSpan.FromSeconds(90);
        var scripted = ScriptedBefore(AccountOperation.Stat, [Failure(FailureKind.Throttled, asked)]);
        await Retrying(scripted).StatAsync(File, default);
        Assert.InRange(Waited, asked, asked + TimeSpan.FromSeconds(0.4));

        scripted.Before[AccountOperation.Stat] = new([Failure(FailureKind.Throttled, TimeSpan.FromMinutes(3))]);
        var failure = await Failing.AsyncWith(
            FailureKind.Throttled, async () => await Retrying(scripted).StatAsync(File, default));
        Assert.Equal(TimeSpan.FromMinutes(3), failure.RetryAfter);
    }

    [Fact]
    public async Task Chance_spreads_the_pauses_of_those_who_failed_together()
    {
        var pauses = new HashSet<TimeSpan>();
        var random = new Seeded(9).RandomBytes;
        for (var i = 0; i < 20; i++)
        {
            var clock = new SkippingTime();
            var scripted = ScriptedBefore(AccountOperation.Stat, [Failure(FailureKind.Timeout)]);
            await new RetryingAccount(scripted, clock, random).StatAsync(File, default);
            pauses.Add(clock.Skipped);
        }
        Assert.True(pauses.Count > 15, $"{pauses.Count} different pauses of 20");
        Assert.All(pauses, pause => Assert.InRange(pause, TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(0.4)));
    }

    [Fact]
    public async Task Cancelling_ends_a_pause()
    {
        var clock = new FakeTimeProvider();
        var scripted = ScriptedBefore(AccountOperation.Stat, [Failure(FailureKind.Timeout)]);
        using var cancelled = new CancellationTokenSource();
        var retrying = new RetryingAccount(scripted, clock, new Seeded(3).RandomBytes);
        var stat = retrying.StatAsync(File, cancelled.Token).AsTask();
        Assert.Equal(1, clock.TimersWaiting);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stat);
        Assert.Equal(1, scripted.Calls[AccountOperation.Stat]);
    }

    [Fact]
    public async Task A_read_that_breaks_goes_on_at_the_byte_where_it_broke()
    {
        var content = Seeded.Bytes(1_000_000, 1);
        await Inner.WriteAsync(File, content, WriteOptions.Default, default);
        var scripted = new ScriptedAccount(Inner) { BreaksReadsAfter = new([100_000, 1, 0, 300_000]) };
        await using var reader = await Retrying(scripted).ReadAsync(File, new ByteRange(10, 999_990), null, default);
        using var got = new MemoryStream();
        await reader.Content.CopyToAsync(got);
        Assert.True(content.AsSpan(10).SequenceEqual(got.ToArray()));
        Assert.Equal(
            [
                new(10, 999_990),
                new(100_010, 899_990),
                new(100_011, 899_989),
                new(100_011, 899_989),
                new(400_011, 599_989),
            ],
            scripted.Reads.Select(read => read.Range));
        Assert.All(scripted.Reads.Skip(1), read => Assert.Equal(reader.Entry.Version, read.Pin));
    }

    [Fact]
    public async Task A_read_that_breaks_and_finds_another_version_is_changed()
    {
        await Inner.WriteAsync(File, Seeded.Bytes(500_000, 1), WriteOptions.Default, default);
        var scripted = new ScriptedAccount(Inner) { BreaksReadsAfter = new([100_000]) };
        await using var reader = await Retrying(scripted).ReadAsync(File, new ByteRange(0, 500_000), null, default);
        await reader.Content.ReadExactlyAsync(new byte[50_000]);
        await Inner.WriteAsync(File, Seeded.Bytes(500_000, 2), WriteOptions.Default, default);
        await Failing.AsyncWith(FailureKind.Changed, () => reader.Content.CopyToAsync(Stream.Null));
    }

    [Fact]
    public async Task A_listing_that_breaks_is_begun_again_without_repeating_itself()
    {
        for (var i = 0; i < 100; i++)
            await Inner.WriteAsync(EntryPath.Parse($"f{i}"), default, WriteOptions.Default, default);
        var scripted = new ScriptedAccount(Inner) { BreaksListsAfter = new([50, 0, 99, 100]) };
        var names = new List<string>();
        await foreach (var entry in Retrying(scripted).ListAsync(EntryPath.Root, default)) names.Add(entry.Path.Value);
        Assert.Equal(100, names.Count);
        Assert.Equal(100, names.Distinct().Count());
        Assert.Equal(5, scripted.Calls[AccountOperation.List]);
    }

    [Fact]
    public async Task A_move_whose_answer_got_lost_is_done()
    {
        await Inner.WriteAsync(File, Seeded.Bytes(10, 1), WriteOptions.Default, default);
        var scripted = ScriptedAfter(AccountOperation.Move, [Failure(FailureKind.Timeout)]);
        await Retrying(scripted).MoveAsync(File, EntryPath.Parse("moved"), default);
        Assert.NotNull(await Inner.StatAsync(EntryPath.Parse("moved"), default));
    }

    [Fact]
    public async Task A_move_of_nothing_is_not_taken_for_done()
    {
        await Inner.WriteAsync(EntryPath.Parse("moved"), default, WriteOptions.Default, default);
        var scripted = ScriptedBefore(AccountOperation.Move, [Failure(FailureKind.Timeout)]);
        await Failing.AsyncWith(
            FailureKind.NotFound,
            async () => await Retrying(scripted).MoveAsync(File, EntryPath.Parse("moved"), default));
    }

    [Fact]
    public async Task A_completed_upload_whose_answer_got_lost_is_done()
    {
        var scripted = new ScriptedAccount(Inner) { ForgetsCompletion = true };
        await using var upload = await Retrying(scripted).BeginUploadAsync(File, 10, 10, WriteOptions.Default, default);
        var receipt = await upload.WritePartAsync(0, Seeded.Bytes(10, 1), default);
        Assert.Equal(10, (await upload.CompleteAsync([receipt], default)).Length);
    }

    [Theory]
    [InlineData(UploadResume.Parts)]
    [InlineData(UploadResume.None)]
    public async Task A_part_in_sequence_is_never_sent_twice(UploadResume resume)
    {
        var traits = InMemoryAccount.DefaultTraits with { PartOrder = PartOrder.Sequence, UploadResume = resume };
        var scripted = new ScriptedAccount(new InMemoryAccount(store, traits));
        scripted.After[AccountOperation.WritePart] = new([Failure(FailureKind.Timeout)]);
        await using var upload = await Retrying(scripted).BeginUploadAsync(File, 10, 10, WriteOptions.Default, default);
        var write = async () => await upload.WritePartAsync(0, Seeded.Bytes(10, 1), default);
        // Where the upload can be taken up again, the account tells that it has the part.
        if (resume == UploadResume.None) await Failing.AsyncWith(FailureKind.Timeout, write);
        else Assert.Equal(10, (await upload.CompleteAsync([await write()], default)).Length);
        Assert.Equal(1, scripted.Calls[AccountOperation.WritePart]);
    }
}
