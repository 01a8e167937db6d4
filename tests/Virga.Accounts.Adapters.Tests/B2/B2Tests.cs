using Virga.Accounts.Adapters.B2;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.B2;

/// <summary>The common mistakes and faults, and what only this service has.</summary>
public sealed class B2Tests : IAsyncLifetime
{
    private const int Part = 5_000_000;
    private static readonly EntryPath File = EntryPath.Parse("folder/file");
    private B2Scratch scratch = null!;

    public async Task InitializeAsync() => scratch = await B2Scratch.CreateAsync();

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    private static ValueTask<Entry> WriteAsync(IAccount account) =>
        account.WriteAsync(File, new byte[10], WriteOptions.Default, default);

    private static async Task EveryCallFailsAsync(IAccount account, FailureKind kind, string message)
    {
        await using var closing = account;
        await Failing.WithAsync(kind, () => account.StatAsync(File, default), message);
        await Failing.WithAsync(kind, () => Failing.ListAsync(account), message);
        await Failing.WithAsync(kind, () => account.ReadAsync(File, new ByteRange(0, 1), null, default), message);
        await Failing.WithAsync(kind, () => WriteAsync(account), message);
        await Failing.WithAsync(
            kind, () => account.BeginUploadAsync(File, 10, Part, WriteOptions.Default, default), message);
        await Failing.WithAsync(kind, () => account.DeleteAsync(File, default), message);
    }

    [Theory]
    [InlineData("b2:my-bucket/some folder/ü", "my-bucket", "some folder/ü/")]
    [InlineData("B2:My-Bucket/", "My-Bucket", "")]
    public void Addresses_are_read(string address, string bucket, string prefix)
    {
        var adapter = new B2Adapter(TestServices.Real);
        var config = adapter.ParseAddress(
            address, TestServices.None, TestServices.Map(("keyId", "hunter1"), ("applicationKey", "hunter2")));
        var settings = B2Settings.From(config);
        Assert.Equal((bucket, prefix), (settings.Bucket, settings.Prefix));
        Assert.DoesNotContain(
            "hunter", $"{settings} {config} {adapter.Describe(config)}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("b2:")]
    [InlineData("b2:short")]
    [InlineData("b2:with_underscore")]
    [InlineData("bucket")]
    public void Other_addresses_are_refused(string address) => Failing.With(
        FailureKind.BadInput,
        () => new B2Adapter(TestServices.Real).ParseAddress(
            address, TestServices.None, TestServices.Map(("keyId", "x"), ("applicationKey", "y"))), "");

    [Fact]
    public async Task A_wrong_key_is_said_not_to_be_taken_and_not_shown()
    {
        var key = (scratch.Key.Id, "K001hunter2");
        await EveryCallFailsAsync(
            await scratch.OpenAsync(key: key), FailureKind.Unauthenticated, "doesn't take the application key");
        await using var account = await scratch.OpenAsync(key: key);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await WriteAsync(account));
        Assert.DoesNotContain("hunter2", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_bucket_is_named() => await EveryCallFailsAsync(
        await scratch.OpenAsync(bucket: "no-such-bucket"), FailureKind.NotFound, "there is no bucket 'no-such-bucket'");

    [Fact]
    public async Task A_key_for_reading_reads_and_says_what_it_lacks()
    {
        await using var whole = await scratch.OpenAsync();
        await WriteAsync(whole);
        await using var account = await scratch.OpenAsync(
            key: scratch.Fake.AddKey("listBuckets", "listFiles", "readFiles"));
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        var failure = await Failing.WithAsync(
            FailureKind.Denied, () => WriteAsync(account), "the application key is not allowed");
        Assert.Contains("writeFiles", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_ends_in_the_middle_is_begun_anew()
    {
        await using var account = await scratch.OpenAsync();
        await WriteAsync(account);
        scratch.Fake.ExpireTokens();
        await WriteAsync(account);
        Assert.Equal(2, scratch.Fake.Faults.Count("b2_authorize_account"));
        Assert.Single(await Failing.ListAsync(account, "folder"));
    }

    [Theory]
    [InlineData(FaultKind.ServerError, false)]
    [InlineData(FaultKind.Throttled, true)]
    [InlineData(FaultKind.LoseAnswer, true)]
    [InlineData(FaultKind.BreakRequest, true)]
    public async Task A_part_that_fails_is_sent_again_to_another_URL(FaultKind fault, bool isTold)
    {
        await using var account = await scratch.OpenAsync();
        var content = Seeded.Bytes(Part + 7, 1);
        await using var upload = await account.BeginUploadAsync(
            File, content.Length, Part, WriteOptions.Default, default);
        scratch.Fake.Faults.Add(
            new Fault(fault, "upload_part", AfterBytes: 100_000, RetryAfter: TimeSpan.FromSeconds(3)));
        if (isTold)
        {
            var failure = await Assert.ThrowsAsync<VirgaException>(
                async () => await upload.WritePartAsync(0, content.AsMemory(0, Part), default));
            Assert.True(failure.IsTransient, failure.ToString());
            if (fault == FaultKind.Throttled) Assert.Equal(TimeSpan.FromSeconds(3), failure.RetryAfter);
        }
        PartReceipt[] parts =
        [
            await upload.WritePartAsync(0, content.AsMemory(0, Part), default),
            await upload.WritePartAsync(1, content.AsMemory(Part), default),
        ];
        // The service has finished it and nobody heard of it.
        scratch.Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "b2_finish_large_file"));
        await Assert.ThrowsAsync<VirgaException>(async () => await upload.CompleteAsync(parts, default));
        var entry = await upload.CompleteAsync(parts, default);
        Assert.Equal(upload.Token, entry.Version!.Value.Value);
        Assert.Equal(content, await ReadAsync(account, entry));
        Assert.Equal(0, scratch.Fake.OpenSessions);
        // Somebody else's file at the path is not taken for it.
        await WriteAsync(account);
        await Failing.WithAsync(
            FailureKind.NotFound, () => upload.CompleteAsync(parts, default), "has ended the upload");
    }

    [Fact]
    public async Task A_file_of_one_part_is_found_and_ended_like_others()
    {
        await using var account = await scratch.OpenAsync();
        var upload = await account.BeginUploadAsync(File, 100, Part, WriteOptions.Default, default);
        var receipt = await upload.WritePartAsync(0, new byte[100], default);
        await upload.DisposeAsync();
        Assert.Empty(await Failing.ListAsync(account));
        var uploads = account.Find<IResumableUploads>()!;
        var pending = new List<PendingUpload>();
        await foreach (var one in uploads.ListUploadsAsync(EntryPath.Parse("folder"), default)) pending.Add(one);
        Assert.Equal((File, upload.Token), (Assert.Single(pending).Path, pending[0].Token));
        await using var resumed = await uploads.ResumeUploadAsync(
            File, 100, Part, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(100, (await resumed.CompleteAsync([receipt], default)).Length);
        Assert.Equal(["folder/file"], scratch.Fake.NamesIn(B2Scratch.Bucket));
        Assert.Equal(100, (await resumed.CompleteAsync([receipt], default)).Length);
        await uploads.AbortUploadAsync(pending[0], default);
    }

    [Fact]
    public async Task Long_files_move_in_parts()
    {
        var settings = new B2Settings(B2Scratch.Bucket, "", scratch.Key.Id, scratch.Key.Secret);
        await using var account = await scratch.OpenAsync();
        var content = Seeded.Bytes(8_000_000, 3);
        var written = await account.WriteAsync(
            File, content, new WriteOptions(IsExecutable: true), default);
        using var client = new B2Client(settings, scratch.Services);
        await new B2Copier(client, copyBytesMax: 5_000_000).MoveAsync("move", File, EntryPath.Parse("moved"), default);
        Assert.Equal(2, scratch.Fake.Faults.Count("b2_copy_part"));
        var moved = (await account.StatAsync(EntryPath.Parse("moved"), default))!;
        Assert.NotEqual(written.Version, moved.Version);
        Assert.True(moved.IsExecutable);
        Assert.Equal(content, await ReadAsync(account, moved));
        Assert.Null(await account.StatAsync(File, default));
    }

    private static async Task<byte[]> ReadAsync(IAccount account, Entry entry)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), entry.Version, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        return all.ToArray();
    }
}
