using Virga.Core;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.Faults;

/// <summary>What is asked of a service, whatever it calls that.</summary>
public enum Door { Begin, Part, Complete, Write, Read, List, Move, Delete }

/// <summary>Faults of a service reached by HTTP: a fake of ours, or a real server behind a faulty front.</summary>
public abstract class HttpFaults : AccountFaults
{
    private const int Forever = int.MaxValue;

    protected abstract FakeService Service { get; }

    /// <summary>The service's own word, as the faults count it; null where it has no such request.</summary>
    protected abstract string? Word(Door door);

    /// <summary>Whether a token that is refused once is renewed; keys and passwords aren't.</summary>
    protected virtual bool RenewsTokens => true;

    /// <summary>Whether such a thing can befall such a request.</summary>
    protected virtual bool Befalls(FaultKind kind, Door door) => true;

    /// <summary>Whether the caller is told; false where the adapter turns to another server by itself.</summary>
    protected virtual bool IsTold(Door door, int? wait) => true;

    /// <summary>
    /// Whether another process can tell that an upload was completed; where not, it begins the upload anew.
    /// </summary>
    protected virtual bool TellsCompletions => true;

    /// <summary>False where a file is looked up by the very call that lists, so that it can't lag behind.</summary>
    protected virtual bool ListingsLag => true;

    /// <summary>Whether listings lag behind what was written, from now on.</summary>
    protected virtual void Lag(bool lags) => Service.Lags = lags;

    protected override bool BreakPart()
    {
        Add(FaultKind.BreakRequest, Door.Part, afterBytes: 100_000);
        return true;
    }

    protected override ValueTask<bool> FillAsync()
    {
        foreach (var door in new[] { Door.Part, Door.Write }) Add(FaultKind.Full, door, times: Forever);
        return new(true);
    }

    protected override ValueTask EmptyAsync()
    {
        Service.Faults.Clear();
        return default;
    }

    private void Add(FaultKind kind, Door door, int skip = 0, int times = 1, long afterBytes = 1, int? wait = null)
    {
        if (Word(door) is not { } word || !Befalls(kind, door)) return;
        Service.Faults.Add(new Fault(
            kind, word, times, skip, afterBytes, wait is { } seconds ? TimeSpan.FromSeconds(seconds) : null));
    }

    [Theory]
    [InlineData(FaultKind.Throttled, null)]
    [InlineData(FaultKind.Throttled, 7)]
    [InlineData(FaultKind.ServerError, null)]
    [InlineData(FaultKind.BreakRequest, null)]
    [InlineData(FaultKind.BreakAnswer, null)]
    [InlineData(FaultKind.LoseAnswer, null)]
    [InlineData(FaultKind.TokenExpired, null)]
    public async Task An_upload_arrives_whole_and_once_whatever_befalls_its_requests(FaultKind kind, int? wait)
    {
        if (kind == FaultKind.TokenExpired && !RenewsTokens) return;
        await using var account = await OpenRetryingAsync();
        await WriteAsync(account);
        // One whose beginning is answered to nobody is the next test's.
        if (kind is not (FaultKind.LoseAnswer or FaultKind.BreakAnswer)) Add(kind, Door.Begin, wait: wait);
        Add(kind, Door.Part, skip: 1, afterBytes: 300_000, wait: wait);
        if (Word(Door.Complete) != Word(Door.Part)) Add(kind, Door.Complete, wait: wait);
        else Add(kind, Door.Part, skip: 4, wait: wait);
        var content = LongContent(account);
        var entry = await UploadAsync(account, content);
        Assert.Equal(content.Length, entry.Length);
        Add(kind == FaultKind.LoseAnswer ? FaultKind.BreakAnswer : kind, Door.Read, wait: wait);
        Assert.Equal(content, await ReadAsync(account, entry));
        Service.Faults.Clear();
        await AssertOnlyAsync("folder/file");
    }

    [Theory]
    [InlineData(FaultKind.LoseAnswer)]
    [InlineData(FaultKind.BreakAnswer)]
    public async Task An_upload_that_was_begun_and_never_heard_of_can_be_found_and_ended(FaultKind kind)
    {
        await using var account = await OpenRetryingAsync();
        Add(kind, Door.Begin);
        var content = LongContent(account);
        Assert.Equal(content, await ReadAsync(account, await UploadAsync(account, content)));
        Service.Faults.Clear();
        Assert.Equal(["folder/file"], await FilesAsync());
        // Where sessions can't be listed, the service drops those that nobody goes on with.
        if (!account.Traits.ListsUploads) return;
        foreach (var pending in await PendingAsync())
            await account.Find<IResumableUploads>()!.AbortUploadAsync(pending, default);
        await AssertOnlyAsync("folder/file");
    }

    [Theory]
    [InlineData(FaultKind.Throttled)]
    [InlineData(FaultKind.ServerError)]
    [InlineData(FaultKind.BreakRequest)]
    [InlineData(FaultKind.LoseAnswer)]
    [InlineData(FaultKind.TokenExpired)]
    public async Task Small_writes_listings_moves_and_deletes_are_done_once(FaultKind kind)
    {
        if (kind == FaultKind.TokenExpired && !RenewsTokens) return;
        await using var account = await OpenRetryingAsync();
        foreach (var door in new[] { Door.Write, Door.List, Door.Move, Door.Delete }.DistinctBy(Word)) Add(kind, door);
        await WriteAsync(account);
        await account.CreateFolderAsync(Other, default);
        var moved = EntryPath.Parse("other/moved");
        await account.MoveAsync(File, moved, default);
        Assert.Equal(moved, Assert.Single(await Failing.ListAsync(account, "other")).Path);
        await AssertOnlyAsync("other/moved");
        await account.DeleteAsync(moved, default);
        Assert.Null(await account.StatAsync(moved, default));
        Service.Faults.Clear();
        await AssertOnlyAsync();
    }

    [Theory]
    [InlineData(7)]
    [InlineData(null)]
    public async Task A_service_that_asks_for_patience_is_understood_with_the_wait_that_it_names(int? wait)
    {
        await using var account = await OpenAsync();
        await WriteAsync(account);
        var content = LongContent(account);
        await using var upload = await BeginAsync(account, content);
        await SlowAsync(Door.Part, async ValueTask () => await upload.WritePartAsync(
            0, PartOf(account, content, 0), default));
        await SlowAsync(Door.Write, async ValueTask () => await WriteAsync(account));
        await SlowAsync(Door.List, async ValueTask () => await Failing.ListAsync(account, "folder"));
        await SlowAsync(Door.Read, async ValueTask () =>
            await ReadAsync(account, new Entry(File, EntryKind.File, 10, null, null)));
        await upload.AbortAsync(default);
        await AssertOnlyAsync("folder/file");

        async Task SlowAsync(Door door, Func<ValueTask> call)
        {
            Add(FaultKind.Throttled, door, wait: wait);
            if (!IsTold(door, wait))
            {
                await call();
                return;
            }
            var failure = await Assert.ThrowsAsync<VirgaException>(async () => await call());
            Assert.True(failure.Kind == FailureKind.Throttled, $"{door}: {failure}");
            Assert.Equal(wait, (int?)failure.RetryAfter?.TotalSeconds);
            Service.Faults.Clear();
        }
    }

    [Fact]
    public async Task A_read_that_breaks_goes_on_where_it_broke()
    {
        await using var account = await OpenRetryingAsync();
        var entry = await UploadAsync(account, LongContent(account));
        var before = Service.Faults.Count(Word(Door.Read)!);
        Add(FaultKind.BreakAnswer, Door.Read, times: 2, afterBytes: 500_000);
        Assert.Equal(LongContent(account), await ReadAsync(account, entry));
        Assert.Equal(before + 3, Service.Faults.Count(Word(Door.Read)!));
    }

    [Fact]
    public async Task A_permission_that_is_taken_back_in_the_middle_is_told_and_the_upload_goes_on_when_it_is_back()
    {
        await using var account = await OpenRetryingAsync();
        await WriteAsync(account);
        var content = LongContent(account);
        var upload = await BeginAsync(account, content);
        var parts = new List<PartReceipt> { await upload.WritePartAsync(0, PartOf(account, content, 0), default) };
        Service.Faults.Add(new Fault(FaultKind.TokenExpired, Times: Forever));
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => upload.WritePartAsync(1, PartOf(account, content, 1), default), "");
        Assert.False(failure.IsTransient);
        Service.Faults.Clear();
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        await using var other = await OpenRetryingAsync();
        await using var again = other.Find<IResumableUploads>() is { } uploads
            ? await uploads.ResumeUploadAsync(
                File, content.Length, PartBytesOf(account), WriteOptions.Default, upload.Token!, default)
            : upload;
        for (var i = 1; i < 3; i++)
        {
            parts.Add(i < again.Stored.Count
                ? again.Stored[i] : await again.WritePartAsync(i, PartOf(account, content, i), default));
        }
        Assert.Equal(content, await ReadAsync(other, await again.CompleteAsync(parts, default)));
        await AssertOnlyAsync("folder/file");
    }

    [Fact]
    public async Task An_upload_goes_on_in_another_process_where_it_was_cut()
    {
        await using var account = await OpenAsync();
        if (account.Find<IResumableUploads>() is null) return;
        var content = LongContent(account);
        var first = await BeginAsync(account, content);
        var parts = new List<PartReceipt> { await first.WritePartAsync(0, PartOf(account, content, 0), default) };
        Add(FaultKind.LoseAnswer, Door.Part);
        // It arrived, and nobody knows.
        await PassesAsync(async () => await first.WritePartAsync(1, PartOf(account, content, 1), default));
        await using var other = await OpenAsync();
        await using var resumed = await other.Find<IResumableUploads>()!.ResumeUploadAsync(
            File, content.Length, PartBytesOf(account), WriteOptions.Default, first.Token!, default);
        if (account.Traits.PartOrder == PartOrder.Sequence)
            Assert.Equal([0, 1], resumed.Stored.Select(part => part.Index));
        parts.Add(resumed.Stored.Count > 1
            ? resumed.Stored[1] : await resumed.WritePartAsync(1, PartOf(account, content, 1), default));
        parts.Add(await resumed.WritePartAsync(2, PartOf(account, content, 2), default));
        Assert.Empty(await FilesAsync());
        var entry = await resumed.CompleteAsync(parts, default);
        Assert.Equal(content, await ReadAsync(other, entry));
        await AssertOnlyAsync("folder/file");
    }

    [Fact]
    public async Task A_completion_that_was_never_heard_of_is_found_to_be_done_by_another_process()
    {
        await using var account = await OpenAsync();
        if (account.Find<IResumableUploads>() is not { } uploads) return;
        var content = LongContent(account);
        // As long as the new one: it isn't taken for it.
        await UploadAsync(account, Testing.Seeded.Bytes(content.Length, 2));
        var upload = await BeginAsync(account, content);
        var parts = new List<PartReceipt>();
        for (var i = 0; i < 3; i++)
            parts.Add(await upload.WritePartAsync(i, PartOf(account, content, i), default));
        Add(FaultKind.LoseAnswer, Door.Complete);
        await PassesAsync(async () => await upload.CompleteAsync(parts, default));
        if (TellsCompletions)
        {
            await using var resumed = await ResumeAsync();
            Assert.Equal(content, await ReadAsync(account, await resumed.CompleteAsync(parts, default)));
        }
        else await Failing.WithAsync(FailureKind.NotFound, ResumeAsync, "has ended");
        Assert.Equal(content, await ReadAsync(account, (await account.StatAsync(File, default))!));
        await AssertOnlyAsync("folder/file");

        ValueTask<IUpload> ResumeAsync() => uploads.ResumeUploadAsync(
            File, content.Length, PartBytesOf(account), WriteOptions.Default, upload.Token!, default);
    }

    [Fact]
    public async Task What_a_listing_does_not_show_yet_is_neither_lost_nor_made_twice()
    {
        if (!ListingsLag) return;
        Service.Listing = Word(Door.List);
        await using var account = await OpenAsync();
        await WriteAsync(account, EntryPath.Parse("folder/before"));
        Assert.Single(await Failing.ListAsync(account, "folder"));
        Lag(true);
        await WriteAsync(account);
        await WriteAsync(account, bytes: 20);
        Assert.Single(await Failing.ListAsync(account, "folder"));
        var entry = (await account.StatAsync(File, default))!;
        Assert.Equal(Seeded20, await ReadAsync(account, entry));
        await UploadAsync(account, LongContent(account));
        Lag(false);
        await AssertOnlyAsync("folder/before", "folder/file");
        Assert.Equal(2, (await Failing.ListAsync(account, "folder")).Count);
        Lag(true);
        await account.DeleteAsync(File, default);
        Assert.Null(await account.StatAsync(File, default));
        await WriteAsync(account);
        Lag(false);
        await AssertOnlyAsync("folder/before", "folder/file");
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
    }

    /// <summary>Told as what passes; not at all by HTTP clients that ask again by themselves.</summary>
    private static async Task PassesAsync(Func<Task> call)
    {
        var failure = await Record.ExceptionAsync(call);
        Assert.True(failure is null or VirgaException { IsTransient: true }, failure?.ToString());
    }

    private static byte[] Seeded20 => Testing.Seeded.Bytes(20, 20);
}
