using System.Diagnostics;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Testing.Servers;

namespace Virga.Benchmarks.Transfer;

/// <summary>
/// One GiB from a bucket of one user to a bucket of another, copied by a real S3 gateway: at the wish of two agents,
/// who see none of the bytes, and, in turn, by Amazon's client with as many CopyObject calls at once.
/// </summary>
internal sealed class ProviderRounds(string bench, string root) : IAsyncDisposable
{
    private const string From = "bench-owner";
    private const string To = "bench-receiver";
    private const int Mib = 1 << 20;
    private const int AtOnce = 16;
    private const int WarmUps = 2;

    // 4 large ones and 256 of a MiB.
    private static readonly int[] Sizes = [.. Enumerable.Repeat(192 * Mib, 4), .. Enumerable.Repeat(Mib, 256)];

    // Lets the other user copy on its own; what the agents open comes beside it.
    private const string Policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Peer\",\"Effect\":\"Allow\","
        + "\"Principal\":{\"AWS\":[\"arn:aws:iam:::user/other\"]},\"Action\":[\"s3:GetObject\"],"
        + "\"Resource\":[\"arn:aws:s3:::" + From + "/*\"]}]}";

    private RealServer? server;

    private static List<string> Keys => [.. Sizes.Select((_, i) => $"files/{i:d3}.bin")];

    public async Task<BenchLine> RunAsync(int rounds, CancellationToken token)
    {
        server = await RealServer.StartAsync("ceph-s3.sh", token);
        using var owner = Client("S3_");
        using var receiver = Client("S3_OTHER_");
        await owner.PutBucketAsync(From, token);
        await receiver.PutBucketAsync(To, token);
        await FillAsync(owner, token);
        await using var a = await AgentProcess.StartAsync($"{root}/agent-a", token);
        await using var b = await AgentProcess.StartAsync($"{root}/agent-b", token);
        await a.AddS3Async(
            "s3", $"{server["S3_ENDPOINT"]}/{From}", Value("S3_ACCESS_KEY"), Value("S3_SECRET_KEY"), token);
        await b.AddS3Async(
            "s3", $"{server["S3_ENDPOINT"]}/{To}", Value("S3_OTHER_ACCESS_KEY"), Value("S3_OTHER_SECRET_KEY"), token);
        var link = await a.ShareAsync("s3", "files", token, isCopyable: true);
        var bytes = Sizes.Sum(size => (long)size);
        var (seconds, ratios) = (new List<double>(), new List<double>());
        for (var round = -WarmUps; round < rounds; round++)
        {
            await owner.DeleteBucketPolicyAsync(From, token);
            var (ours, info) = await b.GetInfoAsync(link, "s3", $"round-{round}", token);
            if (info.BytesFetched != 0 || info.Copied?.Bytes != bytes)
                throw new InvalidOperationException(
                    $"{info.BytesFetched:N0} bytes came through the agents: "
                        + string.Join("; ", info.NotKept.Select(n => n.Reason)));
            await RemoveAsync(receiver, token);
            await owner.PutBucketPolicyAsync(From, Policy, token);
            var clock = Stopwatch.StartNew();
            await CopyAsync(receiver, token);
            var theirs = clock.Elapsed.TotalSeconds;
            await RemoveAsync(receiver, token);
            if (round < 0) continue;
            seconds.Add(ours);
            ratios.Add(ours / theirs);
            await Console.Error.WriteLineAsync(
                $"round {round}: virga {ours:f2} s, the service's own copy {theirs:f2} s");
        }
        return new BenchLine(bench, "provider-side", Duel.Median(seconds), "s", "service-copy", Duel.Median(ratios));
    }

    public ValueTask DisposeAsync() => server?.DisposeAsync() ?? ValueTask.CompletedTask;

    private string Value(string name) => server![name];

    private AmazonS3Client Client(string user) => new(
        new BasicAWSCredentials(Value(user + "ACCESS_KEY"), Value(user + "SECRET_KEY")),
        new AmazonS3Config
        {
            ServiceURL = Value("S3_ENDPOINT"), ForcePathStyle = true, AuthenticationRegion = "us-east-1",
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });

    private static async Task FillAsync(AmazonS3Client owner, CancellationToken token)
    {
        var buffer = new byte[Sizes.Max()];
        RandomNumberGenerator.Fill(buffer);
        var keys = Keys;
        for (var i = 0; i < keys.Count; i++)
        {
            BitConverter.TryWriteBytes(buffer, i);
            using var content = new MemoryStream(buffer, 0, Sizes[i], writable: false);
            var request = new PutObjectRequest
            {
                BucketName = From, Key = keys[i], InputStream = content, UseChunkEncoding = false,
            };
            await owner.PutObjectAsync(request, token);
        }
    }

    private static Task CopyAsync(AmazonS3Client receiver, CancellationToken token) => Parallel.ForEachAsync(
        Keys, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = token },
        async (key, cancel) => await receiver.CopyObjectAsync(
            new CopyObjectRequest
            {
                SourceBucket = From, SourceKey = key, DestinationBucket = To, DestinationKey = "plain/" + key,
            },
            cancel));

    private static async Task RemoveAsync(AmazonS3Client receiver, CancellationToken token)
    {
        while ((await receiver.ListObjectsV2Async(new ListObjectsV2Request { BucketName = To }, token)).S3Objects
            is { Count: > 0 } left)
        {
            await Parallel.ForEachAsync(
                left, token, async (item, cancel) => await receiver.DeleteObjectAsync(To, item.Key, cancel));
        }
    }
}
