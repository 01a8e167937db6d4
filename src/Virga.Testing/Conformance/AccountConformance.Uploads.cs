using Virga.Accounts;
using Virga.Core;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>Uploads in parts: orders, resuming, aborting, and what is seen of them meanwhile.</summary>
public abstract partial class AccountConformance
{
    /// <summary>The shortest part, of at least 64 KiB, that the account takes.</summary>
    private long PartBytes
    {
        get
        {
            var multiple = Traits.PartMultipleBytes;
            var atLeast = Math.Max(Traits.PartBytesMin, Math.Min(64 << 10, Traits.PartBytesMax));
            return (atLeast + multiple - 1) / multiple * multiple;
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 1000)]
    [InlineData(1, -1)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(3, 0)]
    [InlineData(3, 17)]
    public async Task Uploads_of_every_length_arrive(int parts, int more)
    {
        var content = Bytes(parts * PartBytes + more);
        var entry = await UploadAsync("folder/file", content);
        Assert.Equal(
            (Path("folder/file"), EntryKind.File, (long)content.Length), (entry.Path, entry.Kind, entry.Length));
        AssertSame(entry, await StatExistingAsync("folder/file"));
        await AssertContentAsync("folder/file", content);
        Assert.Single(await ListAsync("folder"));
        await AssertNothingPendingAsync();
    }

    [Fact]
    public async Task An_upload_shows_nothing_before_it_is_complete()
    {
        var content = Bytes(2 * PartBytes + 1);
        await using var upload = await BeginAsync("folder/file", content.Length);
        var receipts = new List<PartReceipt>();
        for (var i = 0; i < 3; i++)
        {
            await AssertNothingAsync("folder/file");
            Assert.DoesNotContain(await WalkAllAsync(EntryPath.Root), entry => entry.Kind != EntryKind.Folder);
            receipts.Add(await WritePartAsync(upload, content, i));
        }
        await AssertNothingAsync("folder/file");
        await upload.CompleteAsync(receipts, CancellationToken.None);
        await AssertContentAsync("folder/file", content);
    }

    [Fact]
    public async Task An_upload_replaces_a_file_only_when_it_is_complete()
    {
        var old = await WriteAsync("file", Bytes(777, seed: 1));
        var content = Bytes(PartBytes + 5, seed: 2);
        await using var upload = await BeginAsync("file", content.Length);
        PartReceipt[] receipts = [await WritePartAsync(upload, content, 0), await WritePartAsync(upload, content, 1)];
        AssertSame(old, await StatExistingAsync("file"));
        await AssertContentAsync("file", Bytes(777, seed: 1));
        var entry = await upload.CompleteAsync(receipts, CancellationToken.None);
        Assert.NotEqual(old.Version, entry.Version);
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task Parts_may_come_in_any_order_where_the_traits_say_so()
    {
        if (Traits.PartOrder != PartOrder.Any) return;
        var content = Bytes(5 * PartBytes + 12_345);
        await using var upload = await BeginAsync("file", content.Length);
        var receipts = new List<PartReceipt>();
        foreach (var index in new[] { 5, 0, 3, 1, 4, 2 }) receipts.Add(await WritePartAsync(upload, content, index));
        await upload.CompleteAsync(receipts, CancellationToken.None);
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task Parts_may_be_written_at_once_where_the_traits_say_so()
    {
        if (Traits.PartOrder != PartOrder.Any) return;
        var content = Bytes(6 * PartBytes + 1);
        await using var upload = await BeginAsync("file", content.Length);
        var receipts = await Task.WhenAll(
            Enumerable.Range(0, 7).Reverse().Select(i => WritePartAsync(upload, content, i)));
        await upload.CompleteAsync(receipts, CancellationToken.None);
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task A_part_that_is_written_again_is_replaced()
    {
        if (Traits.PartOrder != PartOrder.Any) return;
        var content = Bytes(2 * PartBytes, seed: 1);
        await using var upload = await BeginAsync("file", content.Length);
        await WritePartAsync(upload, Bytes(2 * PartBytes, seed: 2), 0);
        var second = await WritePartAsync(upload, content, 1);
        var first = await WritePartAsync(upload, content, 0);
        await upload.CompleteAsync([first, second], CancellationToken.None);
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task The_content_of_a_part_belongs_to_the_caller_again()
    {
        var content = Bytes(3 * PartBytes);
        await using var upload = await BeginAsync("file", content.Length);
        var buffer = new byte[PartBytes];
        var receipts = new List<PartReceipt>();
        for (var i = 0; i < 3; i++)
        {
            content.AsSpan((int)(i * PartBytes), (int)PartBytes).CopyTo(buffer);
            receipts.Add(await upload.WritePartAsync(i, buffer, CancellationToken.None));
            buffer.AsSpan().Fill(0xEE);
        }
        await upload.CompleteAsync(receipts, CancellationToken.None);
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task An_aborted_upload_leaves_nothing()
    {
        await WriteAsync("kept", Bytes(3));
        var content = Bytes(2 * PartBytes);
        await using (var upload = await BeginAsync("file", content.Length))
        {
            await WritePartAsync(upload, content, 0);
            await upload.AbortAsync(CancellationToken.None);
        }
        await using (var upload = await BeginAsync("kept", content.Length))
        {
            await upload.AbortAsync(CancellationToken.None);
        }
        await AssertNothingAsync("file");
        await AssertContentAsync("kept", Bytes(3));
        Assert.Single(await ListAsync(EntryPath.Root));
        await AssertNothingPendingAsync();
    }

    [Fact]
    public async Task An_upload_that_is_disposed_shows_nothing_and_ends_unless_it_can_be_resumed()
    {
        var content = Bytes(2 * PartBytes);
        await using (var upload = await BeginAsync("file", content.Length))
        {
            Assert.Equal(Traits.UploadResume == UploadResume.Parts, upload.Token is not null);
            await WritePartAsync(upload, content, 0);
        }
        await AssertNothingAsync("file");
        Assert.Empty(await ListAsync(EntryPath.Root));
        var isListed = Traits is { UploadResume: UploadResume.Parts, ListsUploads: true };
        Assert.Equal(isListed ? 1 : 0, (await PendingAsync(Account)).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Another_account_object_goes_on_with_an_upload(bool disposedFirst)
    {
        if (Traits.UploadResume != UploadResume.Parts) return;
        var content = Bytes(3 * PartBytes + 99);
        var upload = await BeginAsync("folder/file", content.Length, new WriteOptions(SomeTime));
        var token = Assert.IsType<string>(upload.Token);
        PartReceipt[] first = [await WritePartAsync(upload, content, 0), await WritePartAsync(upload, content, 1)];
        if (disposedFirst) await upload.DisposeAsync();

        var other = await OpenAnotherAsync();
        var uploads = other.Find<IResumableUploads>()!;
        await using var resumed = await uploads.ResumeUploadAsync(
            Path("folder/file"), content.Length, PartBytes, new WriteOptions(SomeTime), token, CancellationToken.None);
        Assert.Equal(token, resumed.Token);
        PartReceipt[] second = [await WritePartAsync(resumed, content, 2), await WritePartAsync(resumed, content, 3)];
        await AssertNothingAsync("folder/file");
        var entry = await resumed.CompleteAsync([.. first, .. second], CancellationToken.None);
        Assert.Equal(content.Length, entry.Length);
        await AssertContentAsync("folder/file", content);
        await AssertNothingPendingAsync();
        if (!disposedFirst) await upload.DisposeAsync();
        await AssertContentAsync("folder/file", content);
    }

    [Fact]
    public async Task An_upload_with_all_its_parts_is_completed_by_another_account_object()
    {
        if (Traits.UploadResume != UploadResume.Parts) return;
        var content = Bytes(PartBytes + 1);
        await using var upload = await BeginAsync("file", content.Length);
        PartReceipt[] receipts = [await WritePartAsync(upload, content, 0), await WritePartAsync(upload, content, 1)];
        var uploads = (await OpenAnotherAsync()).Find<IResumableUploads>()!;
        await using var resumed = await uploads.ResumeUploadAsync(
            Path("file"), content.Length, PartBytes, WriteOptions.Default, upload.Token!, CancellationToken.None);
        await resumed.CompleteAsync(receipts, CancellationToken.None);
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task Pending_uploads_are_listed_and_can_be_ended()
    {
        if (Account.Find<IResumableUploads>() is not { } uploads || !Traits.ListsUploads) return;
        var content = Bytes(2 * PartBytes);
        var one = await BeginAsync("4 ü/one +%2B", content.Length);
        var two = await BeginAsync("4 ü/deep/two", content.Length);
        var three = await BeginAsync("three", content.Length);
        await WritePartAsync(two, content, 0);

        var all = await PendingAsync(await OpenAnotherAsync());
        Assert.Equal(
            ["4 ü/deep/two", "4 ü/one +%2B", "three"], all.Select(u => u.Path.Value).Order(StringComparer.Ordinal));
        Assert.Equal(new[] { one.Token, two.Token, three.Token }.Order(), all.Select(u => u.Token).Order());
        Assert.Equal(2, (await PendingAsync(Account, "4 ü")).Count);
        Assert.Equal("4 ü/deep/two", Assert.Single(await PendingAsync(Account, "4 ü/deep")).Path.Value);
        Assert.Empty(await PendingAsync(Account, "4"));

        foreach (var upload in all) await uploads.AbortUploadAsync(upload, CancellationToken.None);
        foreach (var upload in all) await uploads.AbortUploadAsync(upload, CancellationToken.None);
        await AssertNothingPendingAsync();
        foreach (var upload in new[] { one, two, three }) await upload.DisposeAsync();
        await AssertNothingPendingAsync();
        Assert.DoesNotContain(await WalkAllAsync(EntryPath.Root), entry => entry.Kind != EntryKind.Folder);
    }

    [Fact]
    public async Task An_upload_that_can_not_be_listed_is_ended_by_its_token()
    {
        if (Account.Find<IResumableUploads>() is not { } uploads || Traits.ListsUploads) return;
        var content = Bytes(2 * PartBytes);
        await using var upload = await BeginAsync("folder/file", content.Length);
        await WritePartAsync(upload, content, 0);
        var other = (await OpenAnotherAsync()).Find<IResumableUploads>()!;
        var pending = new PendingUpload(Path("folder/file"), upload.Token!, null);
        await other.AbortUploadAsync(pending, CancellationToken.None);
        await uploads.AbortUploadAsync(pending, CancellationToken.None);
        await FailsAsync(() => WritePartAsync(upload, content, 1), FailureKind.NotFound);
        await AssertNothingAsync("folder/file");
    }

    [Fact]
    public async Task An_upload_that_has_ended_is_not_resumed()
    {
        if (Account.Find<IResumableUploads>() is not { } uploads) return;
        await using var upload = await BeginAsync("file", PartBytes * 2);
        var token = upload.Token!;
        await upload.AbortAsync(CancellationToken.None);
        await FailsAsync(
            async () =>
            {
                // Some services tell only when the upload is used.
                await using var resumed = await uploads.ResumeUploadAsync(
                    Path("file"), PartBytes * 2, PartBytes, WriteOptions.Default, token, CancellationToken.None);
                await WritePartAsync(resumed, Bytes(PartBytes * 2), 0);
            },
            FailureKind.NotFound);
    }

    [Fact]
    public async Task Two_uploads_of_one_path_do_not_mix()
    {
        var (a, b) = (Bytes(2 * PartBytes, seed: 1), Bytes(2 * PartBytes, seed: 2));
        await using var first = await BeginAsync("file", a.Length);
        await using var second = await BeginAsync("file", b.Length);
        var (ofFirst, ofSecond) = (new List<PartReceipt>(), new List<PartReceipt>());
        for (var i = 0; i < 2; i++)
        {
            ofFirst.Add(await WritePartAsync(first, a, i));
            ofSecond.Add(await WritePartAsync(second, b, i));
        }
        await second.CompleteAsync(ofSecond, CancellationToken.None);
        await AssertContentAsync("file", b);
        await first.CompleteAsync(ofFirst, CancellationToken.None);
        await AssertContentAsync("file", a);
    }

    [Fact]
    public async Task Uploads_that_break_the_rules_of_parts_are_bad_input()
    {
        await FailsAsync(
            async () => await Account.BeginUploadAsync(Path("file"), 0, PartBytes, WriteOptions.Default, default),
            FailureKind.BadInput);
        await FailsAsync(
            async () => await Account.BeginUploadAsync(Path("file"), 10, 0, WriteOptions.Default, default),
            FailureKind.BadInput);
        await FailsAsync(
            async () => await Account.BeginUploadAsync(
                Path("file"), 10, Traits.PartBytesMax + 1, WriteOptions.Default, default),
            FailureKind.BadInput);
        await FailsAsync(
            async () => await Account.BeginUploadAsync(EntryPath.Root, 10, PartBytes, WriteOptions.Default, default),
            FailureKind.BadInput);
        var content = Bytes(2 * PartBytes);
        await using var upload = await BeginAsync("file", content.Length);
        await FailsAsync(
            async () => await upload.WritePartAsync(0, content.AsMemory(0, 10), default), FailureKind.BadInput);
        await FailsAsync(
            async () => await upload.WritePartAsync(2, content.AsMemory(0, (int)PartBytes), default),
            FailureKind.BadInput);
        await FailsAsync(
            async () => await upload.WritePartAsync(-1, content.AsMemory(0, (int)PartBytes), default),
            FailureKind.BadInput);
        var receipt = await WritePartAsync(upload, content, 0);
        await FailsAsync(async () => await upload.CompleteAsync([receipt], default), FailureKind.BadInput);
        await upload.AbortAsync(CancellationToken.None);
        await AssertNothingAsync("file");
        await AssertNothingPendingAsync();
    }

    protected async Task<Entry> UploadAsync(string path, byte[] content, WriteOptions? options = null)
    {
        await using var upload = await BeginAsync(path, content.Length, options);
        var receipts = new List<PartReceipt>();
        for (var i = 0; i * PartBytes < content.Length; i++) receipts.Add(await WritePartAsync(upload, content, i));
        return await upload.CompleteAsync(receipts, CancellationToken.None);
    }

    private async Task<IUpload> BeginAsync(string path, long length, WriteOptions? options = null) =>
        await Account.BeginUploadAsync(
            Path(path), length, PartBytes, options ?? WriteOptions.Default, CancellationToken.None);

    private async Task<PartReceipt> WritePartAsync(IUpload upload, byte[] content, long index)
    {
        var range = new PartLayout(content.Length, PartBytes).RangeOf(index);
        var receipt = await upload.WritePartAsync(
            index, content.AsMemory((int)range.Offset, (int)range.Length), CancellationToken.None);
        Assert.Equal(index, receipt.Index);
        return receipt;
    }

    private static async Task<List<PendingUpload>> PendingAsync(IAccount account, string folder = "")
    {
        var pending = new List<PendingUpload>();
        if (account.Find<IResumableUploads>() is not { } uploads) return pending;
        await foreach (var upload in uploads.ListUploadsAsync(Path(folder), CancellationToken.None))
            pending.Add(upload);
        return pending;
    }

    private async Task AssertNothingPendingAsync() => Assert.Empty(await PendingAsync(Account));
}
