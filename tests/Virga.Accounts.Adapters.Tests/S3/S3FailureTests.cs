using Amazon;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.S3;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.S3;

/// <summary>
/// The common mistakes, made against the real server. Alone, since the clock of Amazon's client is one per process.
/// </summary>
[CollectionDefinition(nameof(S3FailureTests), DisableParallelization = true)]
[Collection(nameof(S3FailureTests))]
[Trait("Needs", "server")]
public sealed class S3FailureTests : IAsyncLifetime
{
    private static readonly EntryPath File = EntryPath.Parse("folder/file");
    private S3Scratch scratch = null!;

    public async Task InitializeAsync() => scratch = await S3Scratch.CreateAsync();

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    private static ValueTask<Entry> WriteAsync(IAccount account) =>
        account.WriteAsync(File, new byte[10], WriteOptions.Default, default);

    private async Task<IAccount> OpenWithAsync(
        string? accessKey = null, string? secretKey = null, string? endpoint = null)
    {
        var config = scratch.Config();
        var settings = new Dictionary<string, string>(config.Settings);
        var secrets = new Dictionary<string, string>(config.Secrets);
        if (accessKey is not null) secrets["accessKey"] = accessKey;
        if (secretKey is not null) secrets["secretKey"] = secretKey;
        if (endpoint is not null) settings["endpoint"] = endpoint;
        return await S3Scratch.OpenAsync(new AccountConfig("s3", settings, secrets));
    }

    private static async Task EveryCallFailsAsync(IAccount account, FailureKind kind, string messageHolds)
    {
        await using var closing = account;
        await Failing.WithAsync(kind, () => account.StatAsync(File, default), messageHolds);
        await Failing.WithAsync(kind, () => account.StatAsync(EntryPath.Root, default), messageHolds);
        await Failing.WithAsync(kind, () => Failing.ListAsync(account), messageHolds);
        await Failing.WithAsync(
            kind, () => account.ReadAsync(File, new Core.ByteRange(0, 1), null, default), messageHolds);
        await Failing.WithAsync(
            kind, () => account.ReadAsync(File, new Core.ByteRange(0, 0), null, default), messageHolds);
        await Failing.WithAsync(kind, () => WriteAsync(account), messageHolds);
        await Failing.WithAsync(
            kind, () => account.BeginUploadAsync(File, 10, 5 << 20, WriteOptions.Default, default), messageHolds);
        await Failing.WithAsync(kind, () => account.DeleteAsync(File, default), messageHolds);
    }

    [Fact]
    public async Task A_wrong_access_key_is_said_to_be_unknown() =>
        await EveryCallFailsAsync(
            await OpenWithAsync(accessKey: "nobody"), FailureKind.Unauthenticated, "doesn't know the access key");

    [Fact]
    public async Task A_wrong_secret_is_said_not_to_fit_and_is_not_shown()
    {
        var account = await OpenWithAsync(secretKey: "s3cr3t-typo");
        await EveryCallFailsAsync(account, FailureKind.Unauthenticated, "secret key doesn't fit");
        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await WriteAsync(await OpenWithAsync(secretKey: "s3cr3t-typo")));
        Assert.DoesNotContain("s3cr3t-typo", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_bucket_is_named() =>
        await EveryCallFailsAsync(
            await scratch.OpenAsync(bucket: "no-such-bucket-here"), FailureKind.NotFound,
            "no bucket 'no-such-bucket-here'");

    [Fact]
    public async Task A_server_that_is_down_is_unavailable() => await EveryCallFailsAsync(
        await OpenWithAsync(endpoint: $"http://127.0.0.1:{Failing.ClosedPort()}"),
        FailureKind.Unavailable,
        "nothing answers at 127.0.0.1");

    [Fact]
    public async Task A_host_that_is_unknown_is_unavailable() => await EveryCallFailsAsync(
        await OpenWithAsync(endpoint: "http://nowhere.invalid"),
        FailureKind.Unavailable,
        "'nowhere.invalid' can't be resolved");

    [Fact]
    public async Task Tls_to_a_plain_server_is_said_to_be_so() => await EveryCallFailsAsync(
        await OpenWithAsync(endpoint: scratch.Endpoint.Replace("http:", "https:", StringComparison.Ordinal)),
        FailureKind.Unavailable,
        "no TLS connection");

    [Fact]
    public async Task A_bucket_of_others_is_denied() =>
        await EveryCallFailsAsync(await scratch.OpenAsync(user: "OTHER_"), FailureKind.Denied, "not allowed");

    [Fact]
    public async Task A_bucket_that_others_may_only_read_is_read_and_not_written()
    {
        await WriteAsync(await scratch.OpenAsync());
        var policy = $$"""
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam:::user/other"]}, "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::{{scratch.Bucket}}", "arn:aws:s3:::{{scratch.Bucket}}/*"]}]}
            """;
        await scratch.Plain.PutBucketPolicyAsync(scratch.Bucket, policy);
        await using var account = await scratch.OpenAsync(user: "OTHER_");
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        await using (var reader = await account.ReadAsync(File, new Core.ByteRange(0, 10), null, default))
            Assert.Equal(10, await reader.Content.ReadAtLeastAsync(new byte[11], 10));
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(account), "write 'folder/file'");
        await Failing.WithAsync(FailureKind.Denied, () => account.DeleteAsync(File, default), "delete 'folder/file'");
    }

    [Fact]
    public async Task A_public_bucket_is_read_without_keys()
    {
        await WriteAsync(await scratch.OpenAsync());
        await scratch.Plain.PutBucketAclAsync(
            new PutBucketAclRequest { BucketName = scratch.Bucket, ACL = Amazon.S3.S3CannedACL.PublicRead });
        var config = scratch.Config();
        await using var account = await S3Scratch.OpenAsync(config with { Secrets = TestServices.None });
        Assert.Equal("folder", Assert.Single(await Failing.ListAsync(account)).Path.Value);
        await Failing.WithAsync(FailureKind.Denied, () => WriteAsync(account), "without keys");
    }

    [Fact]
    public async Task A_full_account_is_full()
    {
        await using var full = await S3Scratch.CreateAsync("FULL_");
        await using var account = await full.OpenAsync();
        var megabyte = new byte[1 << 20];
        await Failing.WithAsync(
            FailureKind.Full,
            async () =>
            {
                for (var i = 0; i < 5; i++) await account.WriteAsync(
                    EntryPath.Parse($"{i}"), megabyte, WriteOptions.Default, default);
            },
            "is full");
    }

    [Fact]
    public async Task A_clock_that_is_off_by_an_hour_is_named()
    {
        var off = TimeSpan.FromHours(1);
        AWSConfigs.ManualClockCorrection = off;
        try
        {
            var services = TestServices.Real with { Clock = new FakeTimeProvider(DateTimeOffset.UtcNow + off) };
            await EveryCallFailsAsync(
                await new S3Adapter(services).OpenAsync(scratch.Config(), default), FailureKind.ClockSkew, "clock");
        }
        finally
        {
            AWSConfigs.ManualClockCorrection = null;
        }
    }

    [Fact]
    public async Task What_the_surroundings_say_of_Amazon_changes_nothing()
    {
        string[] names =
        [
            "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL",
            "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "HTTP_PROXY", "AWS_RETRY_MODE", "AWS_DEFAULTS_MODE",
            "AWS_REQUEST_CHECKSUM_CALCULATION",
        ];
        var before = names.Select(Environment.GetEnvironmentVariable).ToArray();
        try
        {
            foreach (var name in names) Environment.SetEnvironmentVariable(name, "http://nonsense.invalid");
            await using var account = await scratch.OpenAsync();
            await WriteAsync(account);
            Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        }
        finally
        {
            for (var i = 0; i < names.Length; i++) Environment.SetEnvironmentVariable(names[i], before[i]);
        }
    }
}
