using System.Net;
using System.Security.Cryptography;
using Virga.Accounts.Adapters.Azure;
using Virga.Core;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.Azure;

/// <summary>What only Azure has, and the common mistakes, made against the real server.</summary>
[Trait("Needs", "server")]
public sealed class AzureServerTests : IAsyncLifetime
{
    private static readonly EntryPath File = EntryPath.Parse("folder/file");
    private AzureScratch scratch = null!;

    public async Task InitializeAsync() => scratch = await AzureScratch.CreateAsync();

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    private static ValueTask<Entry> WriteAsync(IAccount account) =>
        account.WriteAsync(File, new byte[10], WriteOptions.Default, default);

    private static async Task ReadingFailsAsync(
        IAccount account, FailureKind kind, string message, bool hasAdvice = true)
    {
        await Failing.WithAsync(kind, () => account.StatAsync(File, default), message, hasAdvice);
        await Failing.WithAsync(kind, () => account.StatAsync(EntryPath.Root, default), message, hasAdvice);
        await Failing.WithAsync(kind, () => Failing.ListAsync(account), message, hasAdvice);
        await Failing.WithAsync(
            kind, () => account.ReadAsync(File, new ByteRange(0, 1), null, default), message, hasAdvice);
        await Failing.WithAsync(
            kind, () => account.ReadAsync(File, new ByteRange(0, 0), null, default), message, hasAdvice);
    }

    private static async Task EveryCallFailsAsync(IAccount account, FailureKind kind, string message)
    {
        await using var closing = account;
        await ReadingFailsAsync(account, kind, message);
        await Failing.WithAsync(kind, () => WriteAsync(account), message);
        await Failing.WithAsync(
            kind, () => account.BeginUploadAsync(File, 10, 5 << 20, WriteOptions.Default, default), message);
        await Failing.WithAsync(kind, () => account.DeleteAsync(File, default), message);
    }

    [Fact]
    public async Task A_wrong_key_is_said_to_be_none_of_that_account()
    {
        var other = Convert.ToBase64String(RandomNumberGenerator.GetBytes(64));
        var account = await scratch.OpenAsync(secrets: [("accountKey", other)]);
        await EveryCallFailsAsync(
            account, FailureKind.Unauthenticated, $"not a key of the storage account '{scratch.Account}'");
    }

    [Fact]
    public async Task A_missing_container_is_named() => await EveryCallFailsAsync(
        await scratch.OpenAsync(container: "no-such-container"), FailureKind.NotFound,
        "no container 'no-such-container'");

    [Fact]
    public async Task A_SAS_token_that_has_ended_is_said_to_have() => await EveryCallFailsAsync(
        await scratch.OpenAsync(secrets: [("sas", scratch.Sas("rwdl", DateTimeOffset.UtcNow.AddMinutes(-5)))]),
        FailureKind.Unauthenticated, "the SAS token ended at");

    [Fact]
    public async Task A_SAS_token_that_has_not_begun_is_said_so() => await EveryCallFailsAsync(
        await scratch.OpenAsync(
            secrets:
            [
                ("sas", scratch.Sas("rwdl", DateTimeOffset.UtcNow.AddHours(3), DateTimeOffset.UtcNow.AddHours(2))),
            ]),
        FailureKind.Unauthenticated, "not valid before");

    [Fact]
    public async Task A_SAS_token_of_another_key_is_refused_and_not_shown()
    {
        var token = scratch.Sas("rwdl");
        token = token[..token.IndexOf("sig=", StringComparison.Ordinal)]
            + "sig=AAAAaaaa0123456789AAAAaaaa0123456789AAAAaaa%3D";
        await EveryCallFailsAsync(
            await scratch.OpenAsync(secrets: [("sas", token)]), FailureKind.Unauthenticated, "refuses the SAS token");
        await using var account = await scratch.OpenAsync(secrets: [("sas", token)]);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await WriteAsync(account));
        Assert.DoesNotContain("AAAAaaaa0123456789", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_SAS_token_for_reading_reads_and_says_that_it_does_not_write()
    {
        await scratch.PutPlainAsync("folder/file");
        await using var account = await scratch.OpenAsync(secrets: [("sas", scratch.Sas("rl"))]);
        Assert.True(account.Traits.IsReadOnly);
        Assert.Equal(1, (await account.StatAsync(File, default))!.Length);
        var failure = await Failing.WithAsync(
            FailureKind.ReadOnly, () => WriteAsync(account), "the SAS token is for reading: it allows only 'rl'");
        Assert.Contains("rcwdl", failure.Advice, StringComparison.Ordinal);
        await Failing.WithAsync(FailureKind.ReadOnly, () => account.DeleteAsync(File, default), "for reading");
        await Failing.WithAsync(
            FailureKind.ReadOnly,
            () => account.BeginUploadAsync(File, 10, 5 << 20, WriteOptions.Default, default), "for reading");
    }

    [Fact]
    public async Task A_SAS_token_that_may_not_list_or_not_delete_says_what_it_lacks()
    {
        await using var blind = await scratch.OpenAsync(secrets: [("sas", scratch.Sas("rcwd"))]);
        await Failing.WithAsync(
            FailureKind.Denied, () => Failing.ListAsync(blind), "lacks a permission: it allows only 'rcwd'");
        await using var keeping = await scratch.OpenAsync(secrets: [("sas", scratch.Sas("rcwl"))]);
        await WriteAsync(keeping);
        await Failing.WithAsync(
            FailureKind.Denied, () => keeping.DeleteAsync(File, default), "lacks a permission: it allows only 'rcwl'");
    }

    [Fact]
    public async Task A_misspelt_account_is_named()
    {
        await using var real = await new AzureAdapter(TestServices.Real).OpenAsync(
            new AzureAdapter(TestServices.Real).ParseAddress(
                "azure:https://no-such-account.invalid/photos", TestServices.None,
                TestServices.Map(("accountKey", scratch.Key))),
            default);
        await EveryCallFailsAsync(real, FailureKind.NotFound, "there is no storage account 'no-such-account'");
    }

    [Fact]
    public async Task A_server_that_is_down_is_unavailable() => await EveryCallFailsAsync(
        await scratch.OpenAsync(endpoint: new Uri($"http://127.0.0.1:{Failing.ClosedPort()}")),
        FailureKind.Unavailable, "nothing answers at 127.0.0.1");

    [Fact]
    public async Task Without_a_secret_a_private_container_says_what_to_set()
    {
        var config = scratch.Config();
        await using var account = await new AzureAdapter(TestServices.Real).OpenAsync(
            config with { Secrets = TestServices.None }, default);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await Failing.ListAsync(account));
        Assert.True(failure.Kind is FailureKind.Denied or FailureKind.Unauthenticated, failure.ToString());
        Assert.Contains("accountKey or sas", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_other_programs_left_is_listed_as_they_meant_it()
    {
        await scratch.PutPlainAsync("plain", "abc", ("x-ms-meta-mtime", "2021-03-04T05:06:07.123456789Z"));
        await scratch.PutPlainAsync("tools", "", ("x-ms-meta-hdi_isfolder", "true"));
        await scratch.PutPlainAsync("tools/inside");
        await scratch.PutPlainAsync("empty", "", ("x-ms-meta-hdi_isfolder", "true"));
        await scratch.PutPlainAsync("odd//name");
        await scratch.PutPlainAsync(".virga-uploads/foreign");
        await using var account = await scratch.OpenAsync();
        var skipped = new List<SkippedEntry>();
        var entries = (await Failing.ListAsync(account, "", skipped.Add)).OrderBy(e => e.Path.Value).ToList();
        Assert.Equal(
            [("empty", EntryKind.Folder), ("odd", EntryKind.Folder), ("plain", EntryKind.File),
                ("tools", EntryKind.Folder)],
            entries.Select(e => (e.Path.Value, e.Kind)));
        Assert.Equal(
            new DateTimeOffset(2021, 3, 4, 5, 6, 7, TimeSpan.Zero).AddTicks(1_234_567), entries[2].Modified!.Value,
            TimeSpan.FromTicks(1));
        await Failing.ListAsync(account, "odd", skipped.Add);
        Assert.Equal("odd", Assert.Single(skipped).Folder.Value);
        var all = new List<Entry>();
        await foreach (var entry in account.WalkAsync(EntryPath.Root)) all.Add(entry);
        Assert.Equal(
            ["empty", "plain", "tools", "tools/inside"], all.Select(e => e.Path.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_upload_that_was_completed_before_its_process_died_is_known_to_be()
    {
        await using var account = await scratch.OpenAsync();
        var content = RandomNumberGenerator.GetBytes(200_000);
        await using var upload = await account.BeginUploadAsync(
            File, content.Length, 100_000, WriteOptions.Default, default);
        PartReceipt[] parts =
        [
            await upload.WritePartAsync(0, content.AsMemory(0, 100_000), default),
            await upload.WritePartAsync(1, content.AsMemory(100_000), default),
        ];
        var done = await upload.CompleteAsync(parts, default);
        await using var again = await account.Find<IResumableUploads>()!.ResumeUploadAsync(
            File, content.Length, 100_000, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(done.Version, (await again.CompleteAsync(parts, default)).Version);
        // Somebody else's file at the path is not taken for it.
        await WriteAsync(account);
        await Failing.WithAsync(
            FailureKind.NotFound,
            () => account.Find<IResumableUploads>()!.ResumeUploadAsync(
                File, content.Length, 100_000, WriteOptions.Default, upload.Token!, default), "has ended");
    }

    [Fact]
    public async Task A_signed_URL_reads_the_blob_without_any_key_until_it_ends()
    {
        await using var front = new TlsFront(scratch.Endpoint);
        await using var account = await new AzureAdapter(TestServices.Real).OpenAsync(
            scratch.Config(
                "in ü", endpoint: front.Url, settings: TestServices.Map(("certSha256", front.CertSha256))),
            default);
        var path = EntryPath.Parse("a b+%?#.bin");
        var entry = await account.WriteAsync(path, "content"u8.ToArray(), WriteOptions.Default, default);
        var urls = account.Find<ISignedReadUrls>()!;
        var signed = await urls.SignReadAsync(path, entry.Version!.Value, TimeSpan.FromMinutes(5), default);
        Assert.Equal(front.CertSha256, signed.CertSha256!.Value.ToString());
        Assert.DoesNotContain("sig=", signed.ToString(), StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.OK, "content"), await GetAsync(signed));
        var ended = await urls.SignReadAsync(path, entry.Version!.Value, TimeSpan.FromMinutes(-5), default);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(ended)).Status);
        await account.WriteAsync(path, "changed"u8.ToArray(), WriteOptions.Default, default);
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await GetAsync(signed)).Status);
        // It is for that one blob.
        var other = new Uri(signed.Url.AbsoluteUri.Replace(".bin", ".bim", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(signed with { Url = other })).Status);
    }

    private static async Task<(HttpStatusCode Status, string Text)> GetAsync(SignedReadUrl signed)
    {
        using var http = new HttpClient(
            new Http.Endpoint(signed.Url, signed.CertSha256!.Value.ToString()).CreateHandler());
        using var request = new HttpRequestMessage(HttpMethod.Get, signed.Url);
        request.Headers.TryAddWithoutValidation("If-Match", signed.IfMatch);
        using var answer = await http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
