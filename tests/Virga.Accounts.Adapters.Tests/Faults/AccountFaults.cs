using System.Security.Cryptography;
using Virga.Accounts.Decorators;
using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests.Faults;

/// <summary>
/// What may befall any account, whatever its kind: nothing that was written is lost, nothing is there twice, no upload
/// is left behind. A derived class says where the account is and how it is made to fail.
/// </summary>
public abstract class AccountFaults : IAsyncLifetime
{
    protected static readonly EntryPath File = EntryPath.Parse("folder/file");
    protected static readonly EntryPath Other = EntryPath.Parse("other");

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();

    /// <summary>Another account object on this test's place, without retries.</summary>
    protected abstract ValueTask<IAccount> OpenAsync();

    /// <summary>From now on there is no room for ten bytes more. False where the service knows no such state.</summary>
    protected abstract ValueTask<bool> FillAsync();

    /// <summary>There is room again.</summary>
    protected abstract ValueTask EmptyAsync();

    /// <summary>Breaks the connection in the middle of the next part. False where there is no connection.</summary>
    protected abstract bool BreakPart();

    /// <summary>The files that are there, as the service itself knows them: also two of one name.</summary>
    protected virtual async ValueTask<IReadOnlyList<string>> FilesAsync()
    {
        var files = new List<string>();
        await using var account = await OpenAsync();
        await foreach (var entry in account.WalkAsync(EntryPath.Root))
            if (entry.Kind == EntryKind.File) files.Add(entry.Path.Value);
        return [.. files.Order(StringComparer.Ordinal)];
    }

    /// <summary>Uploads that the service itself still keeps something of; 0 where it can't tell.</summary>
    protected virtual int OpenSessions => 0;

    protected static RetryingAccount Retrying(IAccount account) =>
        new(account, new SkippingTime(), RandomNumberGenerator.Fill);

    protected async ValueTask<RetryingAccount> OpenRetryingAsync() => Retrying(await OpenAsync());

    protected static async ValueTask<Entry> WriteAsync(IAccount account, EntryPath? path = null, int bytes = 10) =>
        await account.WriteAsync(
            path ?? File, Seeded.Bytes(bytes, (ulong)bytes), WriteOptions.Default, default);

    /// <summary>About a megabyte, as far as the account's limits allow.</summary>
    protected static int PartBytesOf(IAccount account)
    {
        var traits = account.Traits;
        var least = Math.Max(traits.PartBytesMin, Math.Min(1 << 20, traits.PartBytesMax));
        return (int)((least + traits.PartMultipleBytes - 1) / traits.PartMultipleBytes * traits.PartMultipleBytes);
    }

    /// <summary>Two parts and some.</summary>
    protected static byte[] LongContent(IAccount account) => Seeded.Bytes((2 * PartBytesOf(account)) + 300_005, 1);

    protected static ReadOnlyMemory<byte> PartOf(IAccount account, byte[] content, int index)
    {
        var part = PartBytesOf(account);
        return content.AsMemory(index * part, Math.Min(part, content.Length - (index * part)));
    }

    protected static async Task<IUpload> BeginAsync(IAccount account, byte[] content) =>
        await account.BeginUploadAsync(File, content.Length, PartBytesOf(account), WriteOptions.Default, default);

    protected static async Task<Entry> UploadAsync(IAccount account, byte[] content)
    {
        await using var upload = await BeginAsync(account, content);
        var parts = new List<PartReceipt>();
        for (var i = 0; i * PartBytesOf(account) < content.Length; i++)
            parts.Add(await upload.WritePartAsync(i, PartOf(account, content, i), default));
        return await upload.CompleteAsync(parts, default);
    }

    protected static async Task<byte[]> ReadAsync(IAccount account, Entry entry)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), entry.Version, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        return all.ToArray();
    }

    /// <summary>One file and nothing else: no second one, and no upload that nobody will end.</summary>
    protected async Task AssertOnlyAsync(params string[] files)
    {
        Assert.Equal(files, await FilesAsync());
        Assert.Empty(await PendingAsync());
        Assert.Equal(0, OpenSessions);
    }

    protected async Task<List<PendingUpload>> PendingAsync()
    {
        var pending = new List<PendingUpload>();
        await using var account = await OpenAsync();
        if (account.Find<IResumableUploads>() is not { } uploads || !account.Traits.ListsUploads) return pending;
        await foreach (var upload in uploads.ListUploadsAsync(EntryPath.Root, default)) pending.Add(upload);
        return pending;
    }

    [Fact]
    public async Task An_upload_that_has_ended_is_told_so_and_what_was_there_stays()
    {
        await using var account = await OpenAsync();
        if (account.Find<IResumableUploads>() is not { } uploads) return;
        await WriteAsync(account);
        var content = LongContent(account);
        await using var upload = await BeginAsync(account, content);
        await upload.WritePartAsync(0, PartOf(account, content, 0), default);
        await using (var other = await OpenAsync())
        {
            await other.Find<IResumableUploads>()!.AbortUploadAsync(
                new PendingUpload(File, upload.Token!, null), default);
        }
        var failure = await Assert.ThrowsAsync<VirgaException>(async () =>
        {
            // Where parts lie by themselves, only their completion shows it.
            await upload.WritePartAsync(1, PartOf(account, content, 1), default);
            await upload.WritePartAsync(2, PartOf(account, content, 2), default);
            await upload.CompleteAsync([new(0, ""), new(1, ""), new(2, "")], default);
        });
        Assert.True(failure.Kind == FailureKind.NotFound, failure.ToString());
        await Failing.WithAsync(
            FailureKind.NotFound,
            async ValueTask () =>
            {
                await using var resumed = await uploads.ResumeUploadAsync(
                    File, content.Length, PartBytesOf(account), WriteOptions.Default, upload.Token!, default);
                await resumed.CompleteAsync([new(0, ""), new(1, ""), new(2, "")], default);
            },
            "", hasAdvice: false);
        await upload.AbortAsync(default);
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        await AssertOnlyAsync("folder/file");
    }

    [Fact]
    public async Task A_full_account_is_full_and_keeps_what_it_has()
    {
        await using var account = await OpenAsync();
        await WriteAsync(account);
        if (!await FillAsync()) return;
        await using var patient = await OpenRetryingAsync();
        // Not tried again: it would stay so.
        await Failing.WithAsync(FailureKind.Full, () => WriteAsync(patient, bytes: 20_000), "");
        await Failing.WithAsync(FailureKind.Full, () => WriteAsync(patient, Other, 20_000), "");
        var content = LongContent(account);
        await Failing.WithAsync(
            FailureKind.Full,
            async ValueTask () =>
            {
                await using var upload = await BeginAsync(patient, content);
                try
                {
                    var parts = new List<PartReceipt>();
                    for (var i = 0; i < 3; i++)
                        parts.Add(await upload.WritePartAsync(i, PartOf(account, content, i), default));
                    await upload.CompleteAsync(parts, default);
                }
                finally
                {
                    await upload.AbortAsync(default);
                }
            },
            "");
        await EmptyAsync();
        var entry = (await account.StatAsync(File, default))!;
        Assert.Equal(Seeded.Bytes(10, 10), await ReadAsync(account, entry));
        await AssertOnlyAsync("folder/file");
        Assert.Equal(content, await ReadAsync(account, await UploadAsync(account, content)));
        await AssertOnlyAsync("folder/file");
    }

    [Fact]
    public async Task A_connection_that_breaks_in_the_middle_of_a_part_costs_nothing()
    {
        await using var account = await OpenRetryingAsync();
        await WriteAsync(account);
        var content = LongContent(account);
        await using var upload = await BeginAsync(account, content);
        var parts = new List<PartReceipt>();
        for (var i = 0; i < 3; i++)
        {
            if (i == 1 && !BreakPart()) return;
            parts.Add(await upload.WritePartAsync(i, PartOf(account, content, i), default));
        }
        var entry = await upload.CompleteAsync(parts, default);
        Assert.Equal(content, await ReadAsync(account, entry));
        await AssertOnlyAsync("folder/file");
    }
}
