using System.Net;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent.Tests;

/// <summary>What is in a share or torrent, and that only what is chosen of it comes.</summary>
public sealed class ContentsTests
{
    private static readonly string[] Files = ["a.txt", "music/1.flac", "music/2.mp3", "music/sub/3.flac"];

    [Theory]
    [InlineData("link")]
    [InlineData("public")]
    public async Task Only_what_is_chosen_of_a_share_comes(string audience)
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network);
        var link = (await alice.ShareAsync("disk", "f", audience)).Link;
        var contents = await ContentsAsync(bob, new ContentsRequest(link));
        Assert.Equal(Files, contents.Files.Select(f => f.Path));
        Assert.Equal((4, 4 * 1000L), (contents.Files.Count, contents.Bytes));

        var plan = await bob.PlanAsync(new PlanRequest(link, "disk", "got", Select: ["*.flac"]));
        Assert.Equal((2, 2000L), (plan.Files, plan.Bytes));
        var byPattern = await bob.GetAsync(new TransferRequest(link, "disk", "got", Select: ["*.flac"]));
        Assert.Equal((TransferState.Completed, 2, 2000L), (byPattern.State, byPattern.FilesTotal, byPattern.BytesDone));
        Assert.Equal([Files[1], Files[3]], Got(network, "got"));

        // Number 2 beside them, then all the rest: what is there already is not fetched again.
        var two = contents.Files.Single(f => f.Path == Files[2]).Index;
        var byNumber = await bob.GetAsync(new TransferRequest(link, "disk", "got", Only: $"{two}"));
        Assert.Equal((TransferState.Completed, 1), (byNumber.State, byNumber.FilesTotal));
        var rest = await bob.GetAsync(new TransferRequest(link, "disk", "got", "skip"));
        Assert.Equal(TransferState.Completed, rest.State);
        Assert.Equal(Files, Got(network, "got"));
        Assert.InRange(rest.BytesFetched, 1000, 2999);

        var nothing = await bob.GetAsync(new TransferRequest(link, "disk", "none", Select: ["*.ogg"]));
        Assert.Equal((TransferState.Failed, "BadInput"), (nothing.State, nothing.Error!.Kind));
        Assert.Contains("'*.ogg'", nothing.Error.Message, StringComparison.Ordinal);
        var both = await bob.WhyRefusedAsync(
            "/control/transfers", new TransferRequest(link, "disk", "none", Select: ["a"], Only: "1"),
            ControlJson.Default.TransferRequest);
        Assert.Equal("BadInput", both.Kind);
    }

    [Fact]
    public async Task A_choice_outlives_the_agent()
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network);
        var link = (await alice.ShareAsync("disk", "f", "link")).Link;
        await network.StopAsync(alice);
        var begun = await bob.BeginAsync(new TransferRequest(link, "disk", "got", Select: ["a.txt"]));
        await bob.PauseAsync(begun.Id);
        bob = await network.RestartAsync(bob, "bob");
        await network.AgentAsync("alice");
        await bob.ResumeAsync(begun.Id);
        var done = await bob.UntilAsync(begun.Id, t => t.State == TransferState.Completed);
        Assert.Equal(1, done.FilesTotal);
        Assert.Equal([Files[0]], Got(network, "got"));
    }

    [Fact]
    public async Task What_a_magnet_link_names_is_looked_up_and_only_what_is_chosen_comes()
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network, new IPEndPoint(IPAddress.Loopback, 0));
        var share = await alice.ShareAsync(new ShareRequest("disk", "f", "public", [], IsHybrid: true));
        var magnet = share.Magnet!.Split('&')[0];
        string[] peers = [alice.Host.TorrentListens!.ToString()];
        var contents = await ContentsAsync(bob, new ContentsRequest(null, magnet, Peers: peers));
        Assert.Equal("f", contents.Name);
        Assert.Equal(Files.Select(f => "f/" + f), contents.Files.Select(f => f.Path).Order(StringComparer.Ordinal));
        var wanted = contents.Files.Single(f => f.Path == "f/" + Files[3]).Index;
        var begun = await bob.PostAsync(
            "/control/torrents",
            new TorrentRequest(magnet, null, "disk", "got", Peers: peers, Ratio: 0, Only: $"{wanted}"),
            ControlJson.Default.TorrentRequest, ControlJson.Default.TransferInfo);
        // It is known from the look into it.
        await bob.UntilAsync(begun.Id, t => t.State == TransferState.Completed);
        Assert.Equal(["f/" + Files[3]], Got(network, "got"));
        var none = await bob.WhyRefusedAsync(
            "/control/torrents", new TorrentRequest(magnet, null, "disk", "none", Peers: peers, Only: "9999"),
            ControlJson.Default.TorrentRequest);
        Assert.Contains("chosen is none", none.Message, StringComparison.Ordinal);

        // A .torrent file tells the same, and what the link itself selects is told.
        var file = await ContentsAsync(bob, new ContentsRequest(null, File: await alice.TorrentAsync(share.InfoHash)));
        Assert.Equal(contents.Files, file.Files);
        Assert.Equal($"{wanted}", (await ContentsAsync(
            bob, new ContentsRequest(null, $"{magnet}&so={wanted}", Peers: peers))).Selected);
    }

    [Fact]
    public async Task Who_looks_into_a_magnet_link_is_told_what_is_tried_and_may_give_up()
    {
        await using var network = await Network.StartAsync();
        var bob = await network.AgentAsync("bob");
        using var client = bob.Client;
        using var stop = new CancellationTokenSource();
        var request = new ContentsRequest(
            null, "magnet:?xt=urn:btih:" + new string('a', 40), Peers: ["127.0.0.1:9"]);
        var steps = new List<string>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var line in client.ContentsAsync(request, stop.Token))
            {
                Assert.Null(line.Error);
                steps.Add(line.Step!);
                if (line.Step!.Contains("none of 1 peers answers", StringComparison.Ordinal)) await stop.CancelAsync();
            }
        });
        Assert.Contains("it names no tracker", steps[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_can_not_be_looked_into_says_why()
    {
        await using var network = await Network.StartAsync();
        var bob = await network.AgentAsync("bob");
        foreach (var request in new[]
            {
                new ContentsRequest("virga:1:nonsense"), new ContentsRequest(null, "magnet:?x=1"),
                new ContentsRequest(null, File: [1, 2, 3]), new ContentsRequest(null),
            })
        {
            var last = (await LinesAsync(bob, request))[^1];
            Assert.Equal("BadInput", last.Error!.Kind);
        }
    }

    private static async Task<(TestAgent Alice, TestAgent Bob)> PairAsync(Network network, IPEndPoint? torrent = null)
    {
        var alice = await network.AgentAsync("alice", torrent: torrent);
        var bob = await network.AgentAsync("bob");
        foreach (var file in Files)
        {
            var path = Path.Combine(network.Folder("from/f"), file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, Virga.Testing.Seeded.Bytes(1000, (ulong)file.Length));
        }
        await alice.AddAccountAsync("disk", network.Folder("from"));
        await bob.AddAccountAsync("disk", network.Folder("to"));
        return (alice, bob);
    }

    private static List<string> Got(Network network, string folder)
    {
        var root = network.PathOf("to/" + folder);
        return [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Select(p => Path.GetRelativePath(root, p)).Order(StringComparer.Ordinal)];
    }

    private static async Task<ContentsInfo> ContentsAsync(TestAgent agent, ContentsRequest request)
    {
        var last = (await LinesAsync(agent, request))[^1];
        Assert.True(last.Result is not null, last.Error?.Message);
        return last.Result;
    }

    private static async Task<List<ContentsEvent>> LinesAsync(TestAgent agent, ContentsRequest request)
    {
        using var answer = await agent.SendAsync(
            HttpMethod.Post, "/control/contents",
            new StringContent(JsonSerializer.Serialize(request, ControlJson.Default.ContentsRequest)));
        var text = await answer.Content.ReadAsStringAsync();
        return [.. text.TrimEnd().Split('\n').Select(
            line => JsonSerializer.Deserialize(line, ControlJson.Default.ContentsEvent)!)];
    }
}
