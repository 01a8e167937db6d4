using System.Text.Json;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Virga.Testing.Servers;

namespace Virga.EndToEnd;

/// <summary>Plans, prices and bounds on cost, with the executable.</summary>
[Trait("Needs", "server")]
public sealed class PlanTests
{
    private const int TooExpensive = 9;
    private const long Bytes = 3_000_000;

    [Fact]
    public async Task A_plan_moves_nothing_a_bound_is_kept_and_what_was_spent_is_told()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var owner = await scene.AgentAsync("owner", [repository]);
        var reader = await scene.AgentAsync("reader", [repository]);
        FileTree.Write(Path.Combine(scene.Folder("from"), "large.bin"), Bytes, 3);
        await Scene.AddDiskAsync(owner, "disk", scene.PathOf("from"));
        await Scene.AddDiskAsync(reader, "disk", scene.Folder("to"));
        var link = await Scene.ShareAsync(owner, "disk", reader);

        var plan = await Executable.RunAsync(reader.DataFolder, ["plan", link, "--to", "disk:got"]);
        Assert.True(plan.Exit == 0, plan.ToString());
        Assert.Matches(@"(?m)^> agent +\d+ s +0.00 USD \+ \? .*chosen: the only way that is possible", plan.Out);
        Assert.Matches(@"(?m)^  relay .*no: no relay is known", plan.Out);
        Assert.Matches(@"(?m)^  direct .*no: the owner does not share its storage", plan.Out);
        Assert.Empty(Directory.EnumerateFileSystemEntries(scene.PathOf("to")));

        File.WriteAllText(
            Path.Combine(reader.DataFolder, "prices.json"),
            """{ "ownerAgentPerGB": { "amount": 20, "source": "a test" } }""");
        // 0.003 GB at 20 a GB are 0.06.
        var dear = await Executable.RunAsync(
            reader.DataFolder, ["plan", link, "--to", "disk:got", "--prefer", "cheap", "--max-cost", "0.05", "--json"]);
        Assert.Equal(TooExpensive, dear.Exit);
        var json = JsonDocument.Parse(dear.Out.Split('\n')[0]).RootElement;
        Assert.False(json.TryGetProperty("chosen", out _));
        var priced = json.GetProperty("routes").EnumerateArray()
            .Single(r => r.GetProperty("route").GetString() == "agent");
        Assert.Equal(0.06m, priced.GetProperty("cost").GetDecimal());
        var refused = await Executable.RunAsync(reader.DataFolder, ["get", link, "disk:got", "--max-cost", "0.05"]);
        Assert.Equal(TooExpensive, refused.Exit);
        Assert.Contains("no way costs at most 0.05 USD: the cheapest is agent at 0.06 USD", refused.Error,
            StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(scene.PathOf("to")));

        var prices = await Executable.RunAsync(reader.DataFolder, ["prices"]);
        Assert.Matches(@"ownerAgentPerGB +20 +GB +a test", prices.Out);
        Assert.Matches(@"aws-s3 +egressPerGB +0\.09 +GB +2026-06-01 +https://", prices.Out);

        var got = await Executable.RunAsync(reader.DataFolder, ["get", link, "disk:got", "--max-cost", "0.07"]);
        Assert.True(got.Exit == 0, got.ToString());
        Assert.Contains("plan: agent, the only way that is possible: about", got.Error, StringComparison.Ordinal);
        Assert.Matches(@"it cost 0\.06\d* USD", got.Error);
        Assert.Equal(Bytes, new FileInfo(Path.Combine(scene.PathOf("to"), "got", "large.bin")).Length);
        var listed = await Executable.RunAsync(reader.DataFolder, ["transfers", "--json"]);
        var transfers = JsonSerializer.Deserialize(listed.Out, ControlJson.Default.ListTransferInfo)!;
        var (done, failed) = (transfers[0], transfers[1]);
        Assert.Equal(("agent", "0.07"), (done.Plan!.Chosen, done.Plan.MaxCost));
        Assert.InRange(done.Spent!.Spent, 0.06m, 0.061m);
        Assert.Equal((TransferState.Failed, null), (failed.State, failed.Plan!.Chosen));
    }

    [Fact]
    public async Task Storage_on_S3_is_planned_by_its_own_price_and_read_directly()
    {
        await using var scene = new Scene();
        var ceph = await SharedServers.CephAsync();
        await using var front = new TlsFront(new Uri(ceph["S3_ENDPOINT"]));
        var bucket = scene.Own(await S3Place.CreateAsync());
        FileTree.Write(Path.Combine(scene.Folder("source"), "large.bin"), Bytes, 3);
        await bucket.RcloneAsync("copy", scene.PathOf("source"), $"{bucket.Remote}/music");
        var repository = await scene.RepositoryAsync();
        var owner = await scene.AgentAsync("owner", [repository]);
        var reader = await scene.AgentAsync("reader", [repository]);
        await owner.Control.AddAccountAsync(
            new AccountAddRequest(
                "s3", $"s3:{front.Url.AbsoluteUri}{bucket.Remote["s3:".Length..]}",
                Map.Of(("certSha256", front.CertSha256)),
                Map.Of(("accessKey", ceph["S3_ACCESS_KEY"]), ("secretKey", ceph["S3_SECRET_KEY"]))),
            CancellationToken.None);
        await Scene.AddDiskAsync(reader, "disk", scene.Folder("to"));
        File.WriteAllText(
            Path.Combine(reader.DataFolder, "prices.json"),
            """{ "services": { "ours": { "hosts": ["127.0.0.1"], "egressPerGB": 2, "readsPer1000": 500 } } }""");
        var shared = await Executable.RunAsync(owner.DataFolder, ["share", "s3:music", "--link", "--direct"]);
        Assert.True(shared.Exit == 0, shared.ToString());
        var link = shared.Out.Trim();

        var planned = await Executable.RunAsync(reader.DataFolder, ["plan", link, "--to", "disk:got", "--json"]);
        Assert.True(planned.Exit == 0, planned.ToString());
        var plan = JsonSerializer.Deserialize(planned.Out, ControlJson.Default.PlanInfo)!;
        // 0.003 GB at 2 a GB, and two reads of 2 MiB at 500 a 1,000: 0.006 + 1.
        Assert.Equal(("direct", 1.006m), (plan.Chosen, plan.Routes[0].Cost));
        Assert.Equal(0, plan.Routes[0].OwnerAgentBytes);
        Assert.Equal(0, front.SignedBytes);

        var refused = await Executable.RunAsync(reader.DataFolder, ["get", link, "disk:got", "--max-cost", "1"]);
        Assert.True(refused.Exit == TooExpensive, refused.ToString());
        Assert.Equal(0, front.SignedBytes);
        var before = front.OtherBytes;
        var got = await Executable.RunAsync(reader.DataFolder, ["get", link, "disk:got", "--max-cost", "1.01"]);
        Assert.True(got.Exit == 0, got.ToString());
        Assert.Contains("plan: direct", got.Error, StringComparison.Ordinal);
        Assert.Equal(before, front.OtherBytes);
        Assert.InRange(front.SignedBytes, Bytes, Bytes + (1 << 20));
    }
}
