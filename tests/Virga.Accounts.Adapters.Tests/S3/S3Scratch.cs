using Amazon.S3;
using Amazon.S3.Model;
using Amazon.Runtime;
using Virga.Accounts.Adapters.S3;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.S3;

/// <summary>A new bucket on Ceph's gateway, and clients of it.</summary>
internal sealed class S3Scratch : IAsyncDisposable
{
    private readonly RealServer server;
    private readonly string user;

    private S3Scratch(RealServer server, string user)
    {
        this.server = server;
        this.user = user;
        Plain = PlainClient(user);
    }

    public string Bucket { get; } = $"virga-{Guid.NewGuid():n}";

    public string Endpoint => server["S3_ENDPOINT"];

    /// <summary>Amazon's own client, to see what is really there.</summary>
    public AmazonS3Client Plain { get; }

    public static async Task<S3Scratch> CreateAsync(string user = "")
    {
        var scratch = new S3Scratch(await SharedServers.CephAsync(), user);
        await scratch.Plain.PutBucketAsync(scratch.Bucket);
        return scratch;
    }

    public AccountConfig Config(string prefix = "", string? user = null, string? bucket = null) =>
        new S3Adapter(TestServices.Real).ParseAddress(
        $"s3:{Endpoint}/{bucket ?? Bucket}/{prefix}",
        TestServices.None,
        TestServices.Map(
            ("accessKey", server[$"S3_{user ?? this.user}ACCESS_KEY"]),
            ("secretKey", server[$"S3_{user ?? this.user}SECRET_KEY"])));

    public ValueTask<IAccount> OpenAsync(string prefix = "", string? user = null, string? bucket = null) =>
        OpenAsync(Config(prefix, user, bucket));

    public static ValueTask<IAccount> OpenAsync(AccountConfig config) =>
        new S3Adapter(TestServices.Real).OpenAsync(config, default);

    public AmazonS3Client PlainClient(string name) => new(
        new BasicAWSCredentials(server[$"S3_{name}ACCESS_KEY"], server[$"S3_{name}SECRET_KEY"]),
        new AmazonS3Config
        {
            ServiceURL = Endpoint,
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1",
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });

    public Task PutPlainAsync(string key, string content = "x") => Plain.PutObjectAsync(
        new PutObjectRequest { BucketName = Bucket, Key = key, ContentBody = content, UseChunkEncoding = false });

    public async ValueTask DisposeAsync()
    {
        foreach (var upload in (await Plain.ListMultipartUploadsAsync(Bucket)).MultipartUploads ?? [])
            await Plain.AbortMultipartUploadAsync(Bucket, upload.Key, upload.UploadId);
        while (
            (
                await Plain.ListObjectsV2Async(
                    new ListObjectsV2Request { BucketName = Bucket })).S3Objects is { Count: > 0 } left)
        {
            await Parallel.ForEachAsync(
                left, async (item, token) => await Plain.DeleteObjectAsync(Bucket, item.Key, token));
        }
        await Plain.DeleteBucketAsync(Bucket);
        Plain.Dispose();
    }
}
