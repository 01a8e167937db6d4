using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Virga.Accounts;
using Virga.Accounts.Adapters;
using Virga.Accounts.Adapters.S3;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Servers;

namespace Virga.Agent.Tests;

/// <summary>Shares whose readers go to the storage itself, by signed URLs: a real S3 gateway behind TLS.</summary>
[Trait("Needs", "server")]
public sealed class DirectTests
{
    private static readonly (string Path, byte[] Content)[] Files =
    [
        ("large.bin", Seeded.Bytes(20_000_003, 1)), ("sub/odd ü+%name.bin", Seeded.Bytes(3_000_000, 2)),
        ("small", Seeded.Bytes(10, 3)), ("chunk", Seeded.Bytes(65_536, 4)), ("leaf", Seeded.Bytes(16_384, 5)),
        ("empty", []),
    ];

    [Theory]
    [InlineData("link")]
    [InlineData("public")]
    public async Task No_content_passes_through_the_agent_that_shares(string audience)
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync(audience, isDirect: true);
        Assert.True(share.IsDirect);
        var before = world.Front.OtherBytes;
        var got = await world.Bob.GetAsync(share.Link, "disk", "got");
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        world.AssertGot("got");
        Assert.Equal(before, world.Front.OtherBytes);
        var content = Files.Sum(file => (long)file.Content.Length);
        Assert.InRange(world.Front.SignedBytes, content, content + (2L << 20));
        Assert.Contains(
            got.Sources, s => s.Name.EndsWith("'s storage", StringComparison.Ordinal) && s.Bytes >= content);
    }

    [Fact]
    public async Task Without_being_asked_for_nobody_learns_where_the_storage_is()
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link", isDirect: false);
        var got = await world.Bob.GetAsync(share.Link, "disk", "got");
        Assert.Equal(TransferState.Completed, got.State);
        world.AssertGot("got");
        Assert.Equal(0, world.Front.SignedBytes);
    }

    [Fact]
    public async Task Where_the_storage_refuses_the_agent_passes_it_on()
    {
        await using var world = await World.StartAsync();
        world.Front.RefusesSigned = true;
        var share = await world.ShareAsync("link", isDirect: true);
        var got = await world.Bob.GetAsync(share.Link, "disk", "got");
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        world.AssertGot("got");
    }

    [Fact]
    public async Task A_plan_knows_the_storage_by_its_url_and_prices_it()
    {
        await using var world = await World.StartAsync();
        world.Bob.Prices(
            """
            { "services": { "mine": { "hosts": ["127.0.0.1"], "egressPerGB": 0.1, "readsPer1000": 0 } } }
            """);
        var before = world.Front.SignedBytes;
        var share = await world.ShareAsync("link", isDirect: true);
        var plan = await world.Bob.PlanAsync(new PlanRequest(share.Link, "disk", "got"));
        Assert.Equal("direct", plan.Chosen);
        var direct = plan.Routes[0];
        // The storage alone is paid: 23,081,933 bytes at 0.1 a GB.
        Assert.Equal((0.0023081933m, null), (direct.Cost, direct.Unknown));
        Assert.Equal((0L, plan.Bytes), (direct.OwnerAgentBytes, direct.YourAgentBytes));
        Assert.Equal(["127.0.0.1"], direct.Sources);
        Assert.Equal(before, world.Front.SignedBytes);
        var got = await world.Bob.GetAsync(new TransferRequest(share.Link, "disk", "got", MaxCost: "0.0024"));
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        Assert.Equal(["direct"], got.Spent!.Bytes.Keys);
        Assert.InRange(got.Spent.Spent, 0.0023m, 0.00231m);
        Assert.Contains((await world.Bob.PlanAsync(new PlanRequest(share.Link, "disk", "b"))).Routes, r => r.Measured);
    }

    [Fact]
    public async Task Whoever_bounds_the_cost_does_not_fall_back_to_a_way_that_is_dearer()
    {
        await using var world = await World.StartAsync();
        world.Bob.Prices("""{ "ownerAgentPerGB": 1000 }""");
        var share = await world.ShareAsync("link", isDirect: true);
        world.Front.RefusesSigned = true;
        var agentBytes = world.Front.OtherBytes;
        var begun = await world.Bob.PostAsync(
            "/control/transfers", new TransferRequest(share.Link, "disk", "got", MaxCost: "1"),
            ControlJson.Default.TransferRequest, ControlJson.Default.TransferInfo);
        for (var looks = 0; looks < 300; looks++)
        {
            var now = await world.Bob.TransferAsync(begun.Id);
            if (now.Status.Contains("nobody who has it answers", StringComparison.Ordinal)) break;
            await Task.Delay(100);
        }
        world.Front.RefusesSigned = false;
        var got = await world.Bob.WatchAsync(begun.Id);
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        Assert.Equal(["direct"], got.Spent!.Bytes.Keys);
        Assert.Equal(agentBytes, world.Front.OtherBytes);
        world.AssertGot("got");
    }

    [Fact]
    public async Task A_file_that_changed_is_told_as_such_and_never_read_in_its_new_version()
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link", isDirect: true);
        await world.WriteAsync("large.bin", Seeded.Bytes(20_000_003, 9));
        var got = await world.Bob.GetAsync(share.Link, "disk", "got");
        Assert.Equal(TransferState.Failed, got.State);
        Assert.Contains("large.bin", got.Error!.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(world.Network.PathOf("to/got/large.bin")));
    }

    [Fact]
    public async Task An_account_that_can_not_sign_says_so_before_anything_is_shared()
    {
        await using var network = await Network.StartAsync();
        var ann = await network.AgentAsync("ann");
        await ann.AddAccountAsync("disk", network.Folder("from"));
        var answer = await ann.RefusedShareAsync(new ShareRequest("disk", "", "link", [], IsDirect: true));
        Assert.Contains("read its storage directly", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signed_url_reads_one_version_for_a_while_and_nothing_else()
    {
        await using var world = await World.StartAsync();
        var entry = (await world.Account.StatAsync(EntryPath.Parse("chunk"), default))!;
        var signing = world.Account.Find<ISignedReadUrls>()!;
        var url = await signing.SignReadAsync(entry.Path, entry.Version!.Value, TimeSpan.FromMinutes(1), default);
        Assert.DoesNotContain("Signature", url.ToString(), StringComparison.Ordinal);
        using var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = new() { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });
        Assert.Equal(200, await StatusAsync(url.Url, url.IfMatch));
        // Whoever leaves the pin away, or puts another in its place, gets nothing.
        Assert.Equal(403, await StatusAsync(url.Url, null));
        Assert.Equal(403, await StatusAsync(url.Url, "\"0123456789abcdef0123456789abcdef\""));
        var other = new Uri(url.Url.AbsoluteUri.Replace("/chunk?", "/leaf?", StringComparison.Ordinal));
        Assert.Equal(403, await StatusAsync(other, url.IfMatch));
        await world.WriteAsync("chunk", Seeded.Bytes(65_536, 10));
        Assert.Equal(412, await StatusAsync(url.Url, url.IfMatch));
        var brief = await signing.SignReadAsync(
            EntryPath.Parse("leaf"), entry.Version!.Value, TimeSpan.FromSeconds(1), default);
        await Task.Delay(TimeSpan.FromSeconds(2.5));
        Assert.Equal(403, await StatusAsync(brief.Url, brief.IfMatch));

        async Task<int> StatusAsync(Uri at, string? match)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, at);
            if (match is not null) request.Headers.TryAddWithoutValidation("If-Match", match);
            using var answer = await http.SendAsync(request);
            return (int)answer.StatusCode;
        }
    }

    /// <summary>Ann's account is a bucket behind TLS, Bob's a folder.</summary>
    private sealed class World : IAsyncDisposable
    {
        public required Network Network { get; init; }

        public required TlsFront Front { get; init; }

        public required TestAgent Ann { get; init; }

        public required TestAgent Bob { get; init; }

        public required IAccount Account { get; init; }

        public static async Task<World> StartAsync()
        {
            var ceph = await SharedServers.CephAsync();
            var front = new TlsFront(new Uri(ceph["S3_ENDPOINT"]));
            var network = await Network.StartAsync();
            var adapter = new S3Adapter(new AdapterServices(TimeProvider.System, RandomNumberGenerator.Fill));
            var bucket = $"virga-{Guid.NewGuid():n}";
            using var plain = new AmazonS3Client(
                new BasicAWSCredentials(ceph["S3_ACCESS_KEY"], ceph["S3_SECRET_KEY"]),
                new AmazonS3Config
                {
                    ServiceURL = ceph["S3_ENDPOINT"], ForcePathStyle = true, AuthenticationRegion = "us-east-1",
                });
            await plain.PutBucketAsync(bucket);
            var address = $"s3:{front.Url.AbsoluteUri}{bucket}/";
            var settings = new Dictionary<string, string> { ["certSha256"] = front.CertSha256 };
            var secrets = new Dictionary<string, string>
            {
                ["accessKey"] = ceph["S3_ACCESS_KEY"], ["secretKey"] = ceph["S3_SECRET_KEY"],
            };
            var account = await adapter.OpenAsync(adapter.ParseAddress(address, settings, secrets), default);
            var world = new World
            {
                Network = network, Front = front, Account = account,
                Ann = await network.AgentAsync("ann"), Bob = await network.AgentAsync("bob"),
            };
            foreach (var (path, content) in Files) await world.WriteAsync(path, content);
            await world.Ann.PostAsync(
                "/control/accounts", new AccountAddRequest("s3", address, settings, secrets),
                ControlJson.Default.AccountAddRequest, ControlJson.Default.AccountInfo);
            await world.Bob.AddAccountAsync("disk", network.Folder("to"));
            return world;
        }

        public Task<ShareInfo> ShareAsync(string audience, bool isDirect) =>
            Ann.ShareAsync(new ShareRequest("s3", "", audience, [], IsDirect: isDirect));

        public async Task WriteAsync(string path, byte[] content)
        {
            var at = EntryPath.Parse(path);
            if (content.Length <= Account.Traits.SingleWriteBytesMax)
            {
                await Account.WriteAsync(at, content, WriteOptions.Default, default);
                return;
            }
            var part = Account.Traits.PartBytesFor(content.Length);
            await using var upload = await Account.BeginUploadAsync(
                at, content.Length, part, WriteOptions.Default, default);
            var receipts = new List<PartReceipt>();
            for (var i = 0; i * part < content.Length; i++)
            {
                var length = (int)Math.Min(part, content.Length - (i * part));
                receipts.Add(await upload.WritePartAsync(i, content.AsMemory((int)(i * part), length), default));
            }
            await upload.CompleteAsync(receipts, default);
        }

        public void AssertGot(string folder)
        {
            foreach (var (path, content) in Files)
                Assert.Equal(content, File.ReadAllBytes(Network.PathOf($"to/{folder}/{path}")));
        }

        public async ValueTask DisposeAsync()
        {
            await Network.DisposeAsync();
            await foreach (var entry in Account.WalkAsync(EntryPath.Root))
                if (entry.Kind == EntryKind.File) await Account.DeleteAsync(entry.Path, default);
            await Account.DisposeAsync();
            await Front.DisposeAsync();
        }
    }
}
