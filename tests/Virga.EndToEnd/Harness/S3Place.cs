using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Agent.Control;
using Virga.Testing.Fakes;
using Virga.Testing.Servers;

namespace Virga.EndToEnd.Harness;

/// <summary>A new bucket on Ceph's S3 gateway, as an account of an agent and as a remote of rclone.</summary>
/// <param name="user">Whose bucket it is: a prefix of the values that the server told.</param>
internal sealed class S3Place(RealServer server, string bucket, string user) : IAsyncDisposable
{
    /// <summary>For rclone: <c>s3:bucket</c>.</summary>
    public string Remote => $"s3:{bucket}";

    public IReadOnlyDictionary<string, string> Environment { get; } = Map.Of(
        ("RCLONE_CONFIG", "/dev/null"), ("RCLONE_CONFIG_S3_TYPE", "s3"), ("RCLONE_CONFIG_S3_PROVIDER", "Ceph"),
        ("RCLONE_CONFIG_S3_ENDPOINT", server["S3_ENDPOINT"]),
            ("RCLONE_CONFIG_S3_ACCESS_KEY_ID", server[user + "ACCESS_KEY"]),
        ("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", server[user + "SECRET_KEY"]));

    public static async Task<S3Place> CreateAsync(string user = "S3_")
    {
        var place = new S3Place(await SharedServers.CephAsync(), $"e2e-{Guid.NewGuid():n}", user);
        await place.RcloneAsync("mkdir", place.Remote);
        return place;
    }

    /// <param name="front">What stands before the server; null for nothing.</param>
    public Task AddToAsync(PeerProcess agent, string name, FaultyFront? front = null) => agent.Control.AddAccountAsync(
        new AccountAddRequest(
            name, $"s3:{front?.Url.GetLeftPart(UriPartial.Authority) ?? server["S3_ENDPOINT"]}/{bucket}", Map.Empty,
            Map.Of(("accessKey", server[user + "ACCESS_KEY"]), ("secretKey", server[user + "SECRET_KEY"]))),
        CancellationToken.None);

    /// <summary>Passes on to the server what it is asked, but for the faults that it is told.</summary>
    public async Task<FaultyFront> FrontAsync()
    {
        var front = new FaultyFront(new Uri(server["S3_ENDPOINT"]), FrontWords.S3);
        await front.StartAsync();
        return front;
    }

    /// <summary>
    /// An object by Amazon's own client, for keys that rclone can't make: an empty folder's ends in '/'.
    /// </summary>
    public async Task PutAsync(string key, string content = "")
    {
        using var client = Client();
        await client.PutObjectAsync(
            new PutObjectRequest { BucketName = bucket, Key = key, ContentBody = content, UseChunkEncoding = false });
    }

    /// <summary>The bucket's policy; "" where it has none.</summary>
    public async Task<string> PolicyAsync()
    {
        using var client = Client();
        var answer = await client.GetBucketPolicyAsync(bucket);
        return answer.HttpStatusCode == System.Net.HttpStatusCode.OK ? answer.Policy : "";
    }

    private AmazonS3Client Client() => new(
        new BasicAWSCredentials(server[user + "ACCESS_KEY"], server[user + "SECRET_KEY"]),
        new AmazonS3Config
        {
            ServiceURL = server["S3_ENDPOINT"], ForcePathStyle = true, AuthenticationRegion = "us-east-1",
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
        });

    /// <summary>Keys of multipart uploads that were begun and neither completed nor aborted.</summary>
    public async Task<string> OpenUploadsAsync() => await RcloneAsync("backend", "list-multipart-uploads", Remote);

    public async Task<string> RcloneAsync(params string[] arguments)
    {
        var outcome = await Executable.ToolAsync("rclone", arguments, Environment);
        Assert.True(outcome.Exit == 0, $"rclone {string.Join(' ', arguments)}: {outcome}");
        return outcome.Out;
    }

    public async ValueTask DisposeAsync()
    {
        await Executable.ToolAsync("rclone", ["backend", "cleanup", Remote, "-o", "max-age=0s"], Environment);
        await Executable.ToolAsync("rclone", ["purge", Remote, "--checkers", "16", "--transfers", "16"], Environment);
    }
}
