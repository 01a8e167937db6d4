using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Gcs;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Accounts.Adapters.Tests.OAuth;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Accounts.Adapters.Tests.Gcs;

/// <summary>The common mistakes and faults, and what only this service has.</summary>
public sealed class GcsTests : IAsyncLifetime
{
    private static readonly EntryPath File = EntryPath.Parse("folder/file");
    private GcsScratch scratch = null!;

    public async Task InitializeAsync() => scratch = await GcsScratch.CreateAsync();

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    private static ValueTask<Entry> WriteAsync(IAccount account) =>
        account.WriteAsync(File, new byte[10], WriteOptions.Default, default);

    [Theory]
    [InlineData("gcs:bucket/some folder/ü", "bucket", "some folder/ü/")]
    [InlineData("GCS:bucket-1.example.org/", "bucket-1.example.org", "")]
    public void Addresses_are_read(string address, string bucket, string prefix)
    {
        var adapter = new GcsAdapter(TestServices.Real);
        var config = adapter.ParseAddress(
            address, TestServices.None, TestServices.Map(("serviceAccountKey", scratch.Key)));
        var settings = GcsSettings.From(config);
        Assert.Equal((bucket, prefix), (settings.Bucket, settings.Prefix));
        Assert.Equal($"gcs:{bucket}/{prefix}".TrimEnd('/'), adapter.Describe(config));
        Assert.DoesNotContain("PRIVATE KEY", $"{settings} {settings.Key} {config}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gcs:", "")]
    [InlineData("gcs:Bucket", "can't be a bucket's name")]
    [InlineData("bucket", "not a Google Cloud Storage account's address")]
    public void Other_addresses_are_refused(string address, string message) => Failing.With(
        FailureKind.BadInput,
        () => new GcsAdapter(TestServices.Real).ParseAddress(
            address, TestServices.None, TestServices.Map(("serviceAccountKey", scratch.Key))), message);

    [Theory]
    [InlineData("hunter2")]
    [InlineData("{\"type\":\"service_account\",\"private_key\":\"hunter2\"}")]
    [InlineData("{\"type\":\"authorized_user\",\"refresh_token\":\"hunter2\"}")]
    [InlineData(
        "{\"type\":\"service_account\",\"client_email\":\"a\",\"private_key_id\":\"b\",\"private_key\":\"hunter2\"}")]
    public void A_key_that_is_none_is_refused_and_not_repeated(string key)
    {
        var failure = Failing.With(
            FailureKind.BadInput,
            () => new GcsAdapter(TestServices.Real).ParseAddress(
                "gcs:bucket", TestServices.None, TestServices.Map(("serviceAccountKey", key))), "serviceAccountKey");
        Assert.DoesNotContain("hunter2", failure.ToString() + failure.Advice, StringComparison.Ordinal);
        Assert.Contains("JSON key", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_may_come_in_Base64_on_one_line()
    {
        await using var account = await scratch.OpenAsync(
            key: Convert.ToBase64String(Encoding.UTF8.GetBytes(scratch.Key)));
        await WriteAsync(account);
        Assert.Equal(1, scratch.Fake.Faults.Count("token"));
    }

    [Fact]
    public async Task A_missing_bucket_is_named()
    {
        await using var account = await scratch.OpenAsync(bucket: "no-such-bucket");
        const string message = "there is no bucket 'no-such-bucket'";
        await Failing.WithAsync(FailureKind.NotFound, () => account.StatAsync(File, default), message);
        await Failing.WithAsync(FailureKind.NotFound, () => Failing.ListAsync(account), message);
        await Failing.WithAsync(FailureKind.NotFound, () => WriteAsync(account), message);
        await Failing.WithAsync(
            FailureKind.NotFound, () => account.ReadAsync(File, new ByteRange(0, 1), null, default), message);
        await Failing.WithAsync(
            FailureKind.NotFound,
            () => account.BeginUploadAsync(File, 10, 5 << 20, WriteOptions.Default, default), message);
        await Failing.WithAsync(FailureKind.NotFound, () => account.DeleteAsync(File, default), message);
    }

    [Fact]
    public async Task A_service_account_that_may_only_read_is_told_which_role_it_lacks()
    {
        await using var account = await scratch.OpenAsync(key: scratch.Fake.AddServiceAccount(isReader: true));
        Assert.Empty(await Failing.ListAsync(account));
        var failure = await Failing.WithAsync(
            FailureKind.Denied, () => WriteAsync(account), "gserviceaccount.com is not allowed to do that");
        Assert.Contains("Storage Object User", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deleted_service_account_and_a_key_of_another_are_told_apart()
    {
        var other = JsonNode.Parse(scratch.Fake.AddServiceAccount())!;
        other["client_email"] = (string?)JsonNode.Parse(scratch.Key)!["client_email"];
        await using var mixed = await scratch.OpenAsync(key: other.ToJsonString());
        await Failing.WithAsync(
            FailureKind.Unauthenticated, () => WriteAsync(mixed), "Google refuses the key of robot-0");
        scratch.Fake.RemoveKeys();
        await using var gone = await scratch.OpenAsync();
        await Failing.WithAsync(
            FailureKind.Unauthenticated, () => WriteAsync(gone), "there is no service account robot-0");
    }

    [Theory]
    [InlineData(70)]
    [InlineData(-70)]
    public async Task A_clock_that_is_off_is_told_by_how_much(int minutes)
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(minutes));
        await using var account = await scratch.OpenAsync(services: scratch.Services with { Clock = clock });
        var failure = await Failing.WithAsync(FailureKind.ClockSkew, () => WriteAsync(account), "clock");
        Assert.Matches("differ by (69|70|71) minutes", failure.Message);
    }

    [Fact]
    public async Task A_user_links_a_bucket_in_the_browser_after_the_permission_was_named()
    {
        await using var scene = await OAuthScene.StartAsync(rules: new AuthorizationRules
        {
            AuthorizePath = "/o/oauth2/v2/auth", RotatesRefreshTokens = false,
            OfflineParameter = KeyValuePair.Create("access_type", "offline"),
        });
        const string scope = "https://www.googleapis.com/auth/devstorage.read_write";
        scene.Server.Clients["mine"] = new RegisteredClient("mine", "s3cr3t", ["http://127.0.0.1/"], [scope], []);
        var adapter = new GcsAdapter(scene.Services);
        var config = adapter.ParseAddress(
            "gcs:bucket/folder",
            TestServices.Map(
                ("clientId", "mine"), ("authority", scene.Server.Origin.GetLeftPart(UriPartial.Authority))),
            TestServices.Map(("clientSecret", "s3cr3t")));
        using var browser = new HttpClient();
        using var refused = new CancellationTokenSource();
        var user = new ScriptedUser(async invitation =>
        {
            using var answer = await browser.GetAsync(invitation.Url);
            if (!answer.IsSuccessStatusCode) await refused.CancelAsync();
        });
        var secrets = await adapter.Linker.LinkAsync(config, LinkWay.Browser, user, refused.Token);
        var asked = Assert.Single(user.Invitation!.Scopes);
        Assert.Equal(scope, asked.Name);
        Assert.Contains("change", asked.Permits, StringComparison.Ordinal);
        Assert.Contains(Uri.EscapeDataString(scope), user.Invitation.Url.Query, StringComparison.Ordinal);
        Assert.False(adapter.IsLinked(config));
        var linked = config with { Secrets = secrets };
        Assert.True(adapter.IsLinked(linked));
        Assert.Equal("gcs:bucket/folder", adapter.Describe(linked));
        var whole = new Dictionary<string, string>(secrets) { ["clientSecret"] = "s3cr3t" };
        Assert.Equal(LinkEnd.Revoked, await adapter.Linker.RevokeAsync(linked with { Secrets = whole }, default));
        await user.Acting;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_linked_bucket_is_used_with_the_users_rights_and_signs_nothing(bool mayWrite)
    {
        var tokens = new TestTokens(scratch.Fake.AddToken(mayWrite));
        await using var account = new GcsAccount(
            new GcsSettings(GcsScratch.Bucket, "", null, IsReadOnly: !mayWrite), tokens, scratch.Services);
        Assert.Equal(!mayWrite, account.Traits.IsReadOnly);
        Assert.Empty(await Failing.ListAsync(account));
        Assert.Null(((IAccount)account).Find<ISignedReadUrls>());
        if (mayWrite) await WriteAsync(account);
        else
        {
            var failure = await Failing.WithAsync(
                FailureKind.Denied, () => WriteAsync(account), "who linked the account is not allowed");
            Assert.Contains("linked again with full access", failure.Advice, StringComparison.Ordinal);
        }
        scratch.Fake.ExpireTokens();
        var ended = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => Failing.ListAsync(account), "no longer takes the account's token");
        Assert.Contains("virga account link", ended.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_with_neither_key_nor_link_says_both_ways()
    {
        var adapter = new GcsAdapter(TestServices.Real);
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated,
            () => adapter.OpenAsync(
                adapter.ParseAddress("gcs:bucket", TestServices.None, TestServices.None), default), "is not linked");
        Assert.Contains("virga account link NAME gcs:BUCKET", failure.Advice, StringComparison.Ordinal);
        Assert.False(adapter.IsLinked(adapter.ParseAddress(
            "gcs:bucket", TestServices.None, TestServices.Map(("serviceAccountKey", scratch.Key)))));
    }

    [Fact]
    public async Task Many_callers_wait_for_one_token()
    {
        await using var account = await scratch.OpenAsync();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 20), async (i, token) => await account.StatAsync(EntryPath.Parse($"f{i}"), token));
        Assert.Equal(1, scratch.Fake.Faults.Count("token"));
    }

    [Theory]
    [InlineData(FaultKind.Throttled, FailureKind.Throttled)]
    [InlineData(FaultKind.ServerError, FailureKind.Unavailable)]
    [InlineData(FaultKind.BreakRequest, FailureKind.Unavailable)]
    [InlineData(FaultKind.LoseAnswer, FailureKind.Unavailable)]
    public async Task Faults_at_a_part_are_passing_ones_and_the_part_can_be_sent_again(
        FaultKind fault, FailureKind kind)
    {
        await using var account = await scratch.OpenAsync();
        var content = Seeded.Bytes((5 << 20) + 7, 1);
        await using var upload = await account.BeginUploadAsync(
            File, content.Length, 5 << 20, WriteOptions.Default, default);
        scratch.Fake.Faults.Add(
            new Fault(fault, "multipart.part", AfterBytes: 100_000, RetryAfter: TimeSpan.FromSeconds(3)));
        var failure = await Failing.WithAsync(
            kind, () => upload.WritePartAsync(0, content.AsMemory(0, 5 << 20), default), "", hasAdvice: false);
        Assert.True(failure.IsTransient);
        if (kind == FailureKind.Throttled) Assert.Equal(TimeSpan.FromSeconds(3), failure.RetryAfter);
        PartReceipt[] parts =
        [
            await upload.WritePartAsync(0, content.AsMemory(0, 5 << 20), default),
            await upload.WritePartAsync(1, content.AsMemory(5 << 20), default),
        ];
        // The service has put it together and nobody heard of it.
        scratch.Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "multipart.complete"));
        await Assert.ThrowsAsync<VirgaException>(async () => await upload.CompleteAsync(parts, default));
        var entry = await upload.CompleteAsync(parts, default);
        Assert.Equal(content, await ReadAsync(account, entry));
        Assert.Equal(0, scratch.Fake.OpenSessions);
        // Something else of that length is not taken for it.
        await account.WriteAsync(File, new byte[content.Length], WriteOptions.Default, default);
        await Failing.WithAsync(
            FailureKind.NotFound, () => upload.CompleteAsync(parts, default), "has ended the upload");
    }

    [Fact]
    public async Task A_move_that_takes_several_calls_is_gone_on_with()
    {
        await using var account = await scratch.OpenAsync();
        await WriteAsync(account);
        scratch.Fake.RewriteBytesPerCall = 3;
        await account.MoveAsync(File, EntryPath.Parse("moved"), default);
        Assert.Equal(4, scratch.Fake.Faults.Count("objects.rewrite"));
        Assert.Equal(["moved"], scratch.Fake.NamesIn(GcsScratch.Bucket));
    }

    [Fact]
    public async Task A_signed_URL_reads_that_one_version_until_it_ends()
    {
        await using var account = await scratch.OpenAsync("in ü");
        var path = EntryPath.Parse("a b+%?#&='\"(x)*!~.bin");
        var entry = await account.WriteAsync(path, "content"u8.ToArray(), WriteOptions.Default, default);
        var urls = account.Find<ISignedReadUrls>()!;
        var signed = await urls.SignReadAsync(path, entry.Version!.Value, TimeSpan.FromMinutes(5), default);
        Assert.Equal((HttpStatusCode.OK, "content"), await GetAsync(signed.Url));
        var other = new Uri(signed.Url.AbsoluteUri.Replace(".bin", ".bim", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(other)).Status);
        await account.WriteAsync(path, "changed"u8.ToArray(), WriteOptions.Default, default);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(signed.Url)).Status);
        var later = scratch.Services with { Clock = new FakeTimeProvider(DateTimeOffset.UtcNow.AddHours(-1)) };
        await using var past = await scratch.OpenAsync("in ü", services: later);
        var ended = await past.Find<ISignedReadUrls>()!.SignReadAsync(
            path, entry.Version!.Value, TimeSpan.FromMinutes(5), default);
        Assert.Equal(HttpStatusCode.BadRequest, (await GetAsync(ended.Url)).Status);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_537)]
    [InlineData(5_242_880)]
    public void Checksums_of_parts_make_that_of_the_whole(int second)
    {
        var content = Seeded.Bytes(12_345 + second, 5);
        var crc = Crc32C.Combine(Crc(content.AsSpan(0, 12_345)), Crc(content.AsSpan(12_345)), second);
        Assert.Equal(Crc(content), crc);
    }

    [Fact]
    public void A_checksum_is_read_as_the_service_writes_it()
    {
        // RFC 3720, B.4: 32 bytes of zeroes have aa 36 91 8a in the order in which they are sent.
        Assert.Equal(0x8A9136AAu, Crc(new byte[32]));
        Assert.Equal(0x8A9136AAu, Crc32C.Parse("ipE2qg=="));
        Assert.Null(Crc32C.Parse("nothing"));
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes) crc = System.Numerics.BitOperations.Crc32C(crc, one);
        return ~crc;
    }

    private async Task<(HttpStatusCode Status, string Text)> GetAsync(Uri url)
    {
        using var http = new HttpClient(new Http.Endpoint(url, route: scratch.Services.Route).CreateHandler());
        using var answer = await http.GetAsync(url);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
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
