using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Accounts;
using Virga.Accounts.Adapters;
using Virga.Accounts.Adapters.S3;
using Virga.Agent.Control;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Hosting;
using Virga.Storage;
using Virga.Testing;
using Virga.Testing.Servers;

namespace Virga.Agent.Tests;

/// <summary>
/// Shares whose readers have the service copy, between two users of a real S3 gateway: each agent reaches it over a
/// line of its own that counts what passes.
/// </summary>
[Trait("Needs", "server")]
public sealed class CopyTests
{
    private const string Keep = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Keep\",\"Effect\":\"Allow\","
        + "\"Principal\":{\"AWS\":[\"arn:aws:iam:::user/full\"]},\"Action\":[\"s3:ListBucket\"],"
        + "\"Resource\":[\"arn:aws:s3:::BUCKET\"]}]}";

    private static readonly (string Path, byte[] Content)[] Files =
    [
        ("large.bin", Seeded.Bytes(20_000_003, 1)), ("sub/odd ü+%name.bin", Seeded.Bytes(3_000_000, 2)),
        ("small", Seeded.Bytes(10, 3)), ("chunk", Seeded.Bytes(65_536, 4)), ("leaf", Seeded.Bytes(16_384, 5)),
        ("same", Seeded.Bytes(16_384, 5)), ("empty", []),
    ];

    private static readonly long Content = Files.Sum(f => (long)f.Content.Length);

    [Theory]
    [InlineData("link")]
    [InlineData("public")]
    public async Task No_content_passes_through_either_agent(string audience)
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync(audience);
        Assert.True(share.IsCopyable);
        var before = (world.AnnLine.OtherBytes, world.BobLine.OtherBytes);
        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        // What the gateway delivered to either agent: answers, and no content.
        Assert.InRange(world.AnnLine.OtherBytes - before.Item1, 0, 100_000);
        Assert.InRange(world.BobLine.OtherBytes - before.Item2, 0, 100_000);
        Assert.Equal(0, got.BytesFetched);
        Assert.Equal(new CopiedInfo(Files.Length - 1, 0, 0, Content, 0), got.Copied);
        await world.AssertGotAsync("got");
        await world.AssertClosedAsync();
    }

    [Fact]
    public async Task A_plan_prefers_the_copy_prices_it_with_its_check_and_is_followed()
    {
        await using var world = await World.StartAsync();
        world.Bob.Prices(Prices(copies: 1));
        var share = await world.ShareAsync("link");
        var request = new PlanRequest(share.Link, "s3", "got", "cheap");
        var plan = await world.Bob.PlanAsync(request);
        // Seven copies at 1 a 1,000.
        Assert.Equal(("provider-copy", 0.007m), (plan.Chosen, plan.Routes[0].Cost));
        Assert.Equal((0L, 0L), (plan.Routes[0].OwnerAgentBytes, plan.Routes[0].YourAgentBytes));
        var full = (await world.Bob.PlanAsync(request with { Check = "full" })).Routes
            .Single(r => r.Route == "provider-copy");
        // And all of it is read back, at 1 a GB.
        Assert.Equal((0.007m + (Content / 1e9m), Content), (full.Cost, full.YourAgentBytes));
        var without = await world.Bob.PlanAsync(request with { Copy = false });
        Assert.Equal("agent", without.Chosen);
        Assert.Contains("--no-copy", without.Routes.Single(r => r.Route == "provider-copy").Reason,
            StringComparison.Ordinal);

        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        Assert.Equal("provider-copy", got.Plan!.Chosen);
        Assert.Equal([new("provider-copy", Content)], got.Spent!.Bytes);
        Assert.Equal(0.007m, got.Spent.Spent);
        // The agent's way would have paid the egress instead: 0.0230983... - 0.007.
        Assert.Equal(decimal.Round((Content / 1e9m) - 0.007m, 6), got.Spent.Saved);
        world.Bob.Prices(Prices(copies: 10));
        var dear = await world.Bob.GetAsync(new TransferRequest(share.Link, "s3", "dear", MaxCost: "0.03"));
        AssertDone(dear);
        Assert.Equal(("agent", null), (dear.Plan!.Chosen, dear.Copied));
        Assert.Equal(["agent"], dear.Spent!.Bytes.Keys);

        static string Prices(int copies) =>
            $$"""
            { "services": { "mine": {
                "hosts": ["127.0.0.1"], "egressPerGB": 1, "ingressPerGB": 0, "readsPer1000": 0, "writesPer1000": 0,
                "copiesPer1000": {{copies}}, "copyPerGB": 0 } } }
            """;
    }

    [Theory]
    [InlineData("sample")]
    [InlineData("full")]
    public async Task What_is_read_back_is_compared_and_told(string check)
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link");
        var got = await world.GetAsync(share.Link, "got", check);
        AssertDone(got);
        Assert.Equal(0, got.BytesFetched);
        var copied = got.Copied!;
        Assert.Equal(
            check == "full" ? (0, 0, Files.Length - 1) : (0, Files.Length - 1, 0),
            (copied.FilesByService, copied.FilesBySample, copied.FilesInFull));
        if (check == "full") Assert.Equal(Content, copied.ComparedBytes);
        else Assert.InRange(copied.ComparedBytes, 10 + 65_536 + (2 * 16_384), Content - 1);
        await world.AssertGotAsync("got");
    }

    [Fact]
    public async Task Only_who_wants_it_is_copied_from_and_only_who_wants_it_copies()
    {
        await using var world = await World.StartAsync();
        var closed = await world.Ann.ShareAsync(new ShareRequest("s3", "", "link", []));
        Assert.False(closed.IsCopyable);
        var got = await world.GetAsync(closed.Link, "closed");
        AssertDone(got);
        Assert.Null(got.Copied);
        Assert.True(got.BytesFetched >= Content - 16_384);
        var open = await world.ShareAsync("link");
        got = await world.GetAsync(open.Link, "unwanted", isCopied: false);
        AssertDone(got);
        Assert.Null(got.Copied);
        await world.AssertGotAsync("unwanted");
    }

    [Fact]
    public async Task Statements_of_others_are_kept_and_ours_is_gone_at_the_end()
    {
        await using var world = await World.StartAsync();
        await world.AnnPlain.PutBucketPolicyAsync(
            world.From, Keep.Replace("BUCKET", world.From, StringComparison.Ordinal));
        var share = await world.ShareAsync("link");
        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        Assert.Equal(0, got.BytesFetched);
        await world.AssertClosedAsync();
        Assert.Contains("\"Keep\"", await world.PolicyAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_the_service_refuses_it_is_told_in_a_line_and_the_agent_passes_it_on()
    {
        await using var world = await World.StartAsync(principal: "arn:aws:iam:::user/full");
        var share = await world.ShareAsync("link");
        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        Assert.Null(got.Copied);
        Assert.Contains(got.NotKept, n => n.Path.Length == 0
            && n.Reason.Contains("not copied inside the service", StringComparison.Ordinal)
            && n.Reason.Contains("refuses", StringComparison.Ordinal));
        await world.AssertGotAsync("got");
        await world.AssertClosedAsync();
    }

    [Fact]
    public async Task A_file_that_changed_is_not_copied_in_its_new_version()
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link");
        await world.WriteAsync("large.bin", Seeded.Bytes(20_000_003, 9));
        var got = await world.GetAsync(share.Link, "got");
        Assert.Equal(TransferState.Failed, got.State);
        Assert.Contains("large.bin", got.Error!.Message, StringComparison.Ordinal);
        Assert.Equal(Files.Length - 2, got.Copied!.FilesByService);
        Assert.Null(await world.BobAccount.StatAsync(EntryPath.Parse("got/large.bin"), default));
    }

    [Fact]
    public async Task A_name_that_a_policy_would_read_as_a_pattern_comes_by_the_agent()
    {
        await using var world = await World.StartAsync();
        await world.WriteAsync("star*.bin", Seeded.Bytes(100_000, 7));
        var share = await world.ShareAsync("link");
        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        Assert.Equal(Files.Length - 1, got.Copied!.FilesByService);
        Assert.InRange(got.BytesFetched, 100_000, 200_000);
        await world.AssertGotAsync("got");
        Assert.Equal(
            100_000, (await world.BobAccount.StatAsync(EntryPath.Parse("got/star*.bin"), default))!.Length);
    }

    [Fact]
    public async Task Accounts_at_other_services_do_not_even_ask()
    {
        await using var world = await World.StartAsync(service: "elsewhere.example");
        var share = await world.ShareAsync("link");
        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        Assert.Null(got.Copied);
        Assert.Empty(got.NotKept);
        await world.AssertClosedAsync();
    }

    [Fact]
    public async Task An_account_that_can_open_nothing_says_so_before_anything_is_shared()
    {
        await using var network = await Network.StartAsync();
        var ann = await network.AgentAsync("ann");
        await ann.AddAccountAsync("disk", network.Folder("from"));
        var answer = await ann.RefusedShareAsync(new ShareRequest("disk", "", "link", [], IsCopyable: true));
        Assert.Contains("copy inside its service", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_files_than_a_policy_holds_are_copied_batch_by_batch()
    {
        await using var world = await World.StartAsync();
        var names = Enumerable.Range(0, 300).Select(i => $"many/{i:d3}-{new string('x', 60)}").ToList();
        await Parallel.ForEachAsync(names, async (name, _) => await world.WriteAsync(
            name, Seeded.Bytes(100, (ulong)name.GetHashCode(StringComparison.Ordinal))));
        var share = await world.Ann.ShareAsync(new ShareRequest("s3", "many", "link", [], IsCopyable: true));
        var got = await world.GetAsync(share.Link, "got");
        AssertDone(got);
        Assert.Equal((300, 0L), (got.Copied!.FilesByService, got.BytesFetched));
        await world.AssertClosedAsync();
    }

    [Fact]
    public async Task A_cut_of_trust_takes_the_statement_away_at_once()
    {
        await using var world = await World.StartAsync();
        await world.Ann.PostAsync(
            "/control/trust/vouch", new VouchRequest(world.Bob.Address, ["exchange"], 0, 30),
            ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);
        var share = await world.ShareAsync("trusted");
        var (came, release) = world.BobLine.HoldCopies();
        var getting = world.GetAsync(share.Link, "got");
        await came.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains("Virga", await world.PolicyAsync(), StringComparison.Ordinal);
        await world.Ann.RevokeAsync(world.Bob.Id);
        await world.AssertClosesAsync(TimeSpan.FromSeconds(5));
        release();
        var got = await getting;
        Assert.Equal(TransferState.Failed, got.State);
        Assert.Null(got.Copied);
        Assert.Null(await world.BobAccount.StatAsync(EntryPath.Parse("got/large.bin"), default));
    }

    [Fact]
    public async Task A_share_that_is_withdrawn_is_open_no_more()
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link");
        var (came, release) = world.BobLine.HoldCopies();
        var getting = world.GetAsync(share.Link, "got");
        await came.WaitAsync(TimeSpan.FromSeconds(60));
        using (var answer = await world.Ann.SendAsync(HttpMethod.Delete, $"/control/shares/{share.InfoHash}"))
            Assert.True(answer.IsSuccessStatusCode);
        await world.AssertClosesAsync(TimeSpan.FromSeconds(5));
        release();
        Assert.Equal(TransferState.Failed, (await getting).State);
    }

    [Fact]
    public async Task An_owner_that_was_stopped_amid_copies_closes_them_when_it_runs_again()
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link");
        var (came, release) = world.BobLine.HoldCopies();
        var getting = world.GetAsync(share.Link, "got");
        await came.WaitAsync(TimeSpan.FromSeconds(60));
        await world.RestartAnnAsync();
        Assert.Contains("Virga", await world.PolicyAsync(), StringComparison.Ordinal);
        release();
        // What stands open is still copied; who was told of it and who wasn't, the record outlives the agent.
        AssertDone(await getting);
        using (var answer = await world.Ann.SendAsync(HttpMethod.Delete, $"/control/shares/{share.InfoHash}"))
            Assert.True(answer.IsSuccessStatusCode);
        await world.AssertClosesAsync(TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("sample")]
    [InlineData("full")]
    [InlineData("service")]
    public async Task An_owner_that_lies_is_found_out_where_something_is_read_back(string check)
    {
        await using var world = await World.StartAsync();
        var share = await world.ShareAsync("link");
        await world.LieAsync(share.InfoHash, "chunk", Seeded.Bytes(65_536, 99));
        var begun = await world.BeginAsync(share.Link, "got", check);
        if (check == "service")
        {
            var done = await world.Bob.WatchAsync(begun.Id);
            AssertDone(done);
            Assert.Equal((Files.Length - 1, 0L), (done.Copied!.FilesByService, done.Copied.ComparedBytes));
            return;
        }
        // Fetching begins when nothing is copied any more: the wrong copy is gone then, and the owner has no right one.
        TransferInfo now;
        while ((now = await world.Bob.TransferAsync(begun.Id)).Sources.Count == 0) await Task.Delay(100);
        Assert.Null(await world.BobAccount.StatAsync(EntryPath.Parse("got/chunk"), default));
        Assert.Equal(0, now.Copied?.FilesByService ?? 0);
        using var answer = await world.Bob.SendAsync(HttpMethod.Post, $"/control/transfers/{begun.Id}/cancel");
        Assert.True(answer.IsSuccessStatusCode);
        await world.AssertClosedAsync();
    }

    private static void AssertDone(TransferInfo got) =>
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));

    /// <summary>Ann's and Bob's accounts are buckets of two users.</summary>
    private sealed class World : IAsyncDisposable
    {
        private const string Service = "ceph.test";

        public required Network Network { get; init; }

        public required TlsFront AnnLine { get; init; }

        public required TlsFront BobLine { get; init; }

        public required TestAgent Ann { get; set; }

        public required TestAgent Bob { get; init; }

        public required IAccount AnnAccount { get; init; }

        public required IAccount BobAccount { get; init; }

        public required AmazonS3Client AnnPlain { get; init; }

        public required string From { get; init; }

        public static async Task<World> StartAsync(string? principal = null, string service = Service)
        {
            var ceph = await SharedServers.CephAsync();
            var network = await Network.StartAsync();
            var gateway = new Uri(ceph["S3_ENDPOINT"]);
            var (annLine, bobLine) = (new TlsFront(gateway), new TlsFront(gateway));
            var (from, to) = ($"virga-{Guid.NewGuid():n}", $"virga-{Guid.NewGuid():n}");
            var annPlain = Plain(ceph, "S3_");
            await annPlain.PutBucketAsync(from);
            using var bobPlain = Plain(ceph, "S3_OTHER_");
            await bobPlain.PutBucketAsync(to);
            var ann = await network.AgentAsync("ann");
            var bob = await network.AgentAsync("bob");
            var world = new World
            {
                Network = network, AnnLine = annLine, BobLine = bobLine, Ann = ann, Bob = bob, From = from,
                AnnPlain = annPlain,
                AnnAccount = await AddAsync(ceph, ann, annLine, from, "S3_", Service, null),
                BobAccount = await AddAsync(ceph, bob, bobLine, to, "S3_OTHER_", service, principal),
            };
            foreach (var (path, content) in Files) await world.WriteAsync(path, content);
            return world;
        }

        public Task<ShareInfo> ShareAsync(string audience) =>
            Ann.ShareAsync(new ShareRequest("s3", "", audience, [], IsCopyable: true));

        public async Task<TransferInfo> GetAsync(
            string link, string folder, string check = "service", bool isCopied = true) =>
            await Bob.WatchAsync((await BeginAsync(link, folder, check, isCopied)).Id);

        public Task<TransferInfo> BeginAsync(
            string link, string folder, string check = "service", bool isCopied = true) => Bob.PostAsync(
            "/control/transfers", new TransferRequest(link, "s3", folder, Check: check, Copy: isCopied),
            ControlJson.Default.TransferRequest, ControlJson.Default.TransferInfo);

        public async Task WriteAsync(string path, byte[] content)
        {
            var at = EntryPath.Parse(path);
            if (content.Length <= AnnAccount.Traits.SingleWriteBytesMax)
            {
                await AnnAccount.WriteAsync(at, content, WriteOptions.Default, default);
                return;
            }
            var part = AnnAccount.Traits.PartBytesFor(content.Length);
            await using var upload = await AnnAccount.BeginUploadAsync(
                at, content.Length, part, WriteOptions.Default, default);
            var receipts = new List<PartReceipt>();
            for (var i = 0; i * part < content.Length; i++)
            {
                var length = (int)Math.Min(part, content.Length - (i * part));
                receipts.Add(await upload.WritePartAsync(i, content.AsMemory((int)(i * part), length), default));
            }
            await upload.CompleteAsync(receipts, default);
        }

        public async Task AssertGotAsync(string folder)
        {
            foreach (var (path, content) in Files)
            {
                await using var reader = await BobAccount.ReadAsync(
                    EntryPath.Parse($"{folder}/{path}"), new Core.ByteRange(0, content.Length), null, default);
                var got = new byte[content.Length];
                await reader.Content.ReadExactlyAsync(got);
                Assert.True(content.AsSpan().SequenceEqual(got), path);
            }
        }

        public async Task<string> PolicyAsync()
        {
            var answer = await AnnPlain.GetBucketPolicyAsync(From);
            return answer.HttpStatusCode == HttpStatusCode.OK ? answer.Policy : "";
        }

        /// <summary>The receiver says that it is done just before its transfer ends.</summary>
        public async Task AssertClosedAsync() =>
            Assert.DoesNotContain("Virga", await PolicyAsync(), StringComparison.Ordinal);

        public async Task AssertClosesAsync(TimeSpan within)
        {
            var end = DateTimeOffset.UtcNow + within;
            while (DateTimeOffset.UtcNow < end && (await PolicyAsync()).Contains("Virga", StringComparison.Ordinal))
                await Task.Delay(100);
            await AssertClosedAsync();
        }

        public async Task RestartAnnAsync() => Ann = await Network.RestartAsync(Ann, "ann");

        /// <summary>Puts other bytes in an entry's place, and lets Ann's agent take them for the shared.</summary>
        public async Task LieAsync(string infoHash, string path, byte[] content)
        {
            await WriteAsync(path, content);
            var version = (await AnnAccount.StatAsync(EntryPath.Parse(path), default))!.Version!.Value;
            await Network.StopAsync(Ann);
            var folder = Network.PathOf("agent-ann");
            var file = Path.Combine(folder, "shares", infoHash + ".index");
            using (var keys = PeerKeys.LoadOrCreate(folder, TimeProvider.System, RandomNumberGenerator.Fill))
            {
                var index = OwnerIndex.Parse(SealedFile.Read(file, keys.DataKey, 1 << 30));
                var lie = new OwnerIndex(
                    index.Info, index.Layers, index.SharedPath, index.Manifest, index.SealedManifest?.ToArray(),
                    [.. index.Blobs.Select(b => b.Path.Value == path ? b with { Version = version } : b)]);
                SealedFile.Write(file, keys.DataKey, lie.Encode(), RandomNumberGenerator.Fill);
            }
            Ann = await Network.AgentAsync("ann");
        }

        public async ValueTask DisposeAsync()
        {
            await Network.DisposeAsync();
            foreach (var account in new[] { AnnAccount, BobAccount })
            {
                await foreach (var entry in account.WalkAsync(EntryPath.Root))
                    if (entry.Kind == EntryKind.File) await account.DeleteAsync(entry.Path, default);
                await account.DisposeAsync();
            }
            AnnPlain.Dispose();
            await AnnLine.DisposeAsync();
            await BobLine.DisposeAsync();
        }

        private static AmazonS3Client Plain(RealServer ceph, string user) => new(
            new BasicAWSCredentials(ceph[user + "ACCESS_KEY"], ceph[user + "SECRET_KEY"]),
            new AmazonS3Config
            {
                ServiceURL = ceph["S3_ENDPOINT"], ForcePathStyle = true, AuthenticationRegion = "us-east-1",
            });

        private static async Task<IAccount> AddAsync(
            RealServer ceph, TestAgent agent, TlsFront line, string bucket, string user, string service,
            string? principal)
        {
            var adapter = new S3Adapter(new AdapterServices(TimeProvider.System, RandomNumberGenerator.Fill));
            var address = $"s3:{line.Url.AbsoluteUri}{bucket}/";
            var settings = new Dictionary<string, string> { ["certSha256"] = line.CertSha256, ["service"] = service };
            if (principal is not null) settings["principal"] = principal;
            var secrets = new Dictionary<string, string>
            {
                ["accessKey"] = ceph[user + "ACCESS_KEY"], ["secretKey"] = ceph[user + "SECRET_KEY"],
            };
            await agent.PostAsync(
                "/control/accounts", new AccountAddRequest("s3", address, settings, secrets),
                ControlJson.Default.AccountAddRequest, ControlJson.Default.AccountInfo);
            return await adapter.OpenAsync(adapter.ParseAddress(address, settings, secrets), default);
        }
    }
}
