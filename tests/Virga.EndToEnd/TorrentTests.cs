using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>Torrents of stock clients, brought over by the executable.</summary>
[Trait("Needs", "server")]
public sealed class TorrentTests
{
    private const int NotFound = 5, BadInput = 2;

    [Theory]
    [InlineData("v1")]
    [InlineData("v2")]
    public async Task A_transfer_goes_on_after_its_agent_was_killed_and_fetches_little_twice(string kind)
    {
        await using var scene = new Scene(inMemory: true);
        var source = scene.Folder("seed/many");
        FileTree.Write(Path.Combine(source, "a/large"), 40_000_003, 1);
        FileTree.Write(Path.Combine(source, "b"), 9_999_999, 2);
        FileTree.Write(Path.Combine(source, "c"), 5, 3);
        await File.WriteAllBytesAsync(Path.Combine(source, "empty"), []);
        using var seeder = await TorrentClient.SeedAsync(scene.PathOf("seed"), "many", new { kind });
        var agent = await StartAsync(scene);
        // Slow enough to be killed in the middle.
        var limited = await Executable.RunAsync(agent.DataFolder, ["limits", "set", "--receive", "10MB/s"]);
        Assert.True(limited.Exit == 0, limited.ToString());
        await Scene.AddDiskAsync(agent, "disk", scene.Folder("to"));
        var begun = await agent.Control.StartTorrentAsync(
            new TorrentRequest(seeder.Magnet, null, "disk", "in", Peers: [seeder.Place], Ratio: 0),
            CancellationToken.None);
        TransferInfo? seen = null;
        await foreach (var info in agent.Control.WatchAsync(begun.Id, CancellationToken.None))
        {
            seen = info;
            if (info.BytesDone > 10_000_000) break;
        }

        agent.Kill();
        await agent.WaitEndedAsync();
        agent = await StartAsync(scene);
        await Executable.RunAsync(agent.DataFolder, ["limits", "set", "--receive", "none"]);
        var ended = await Scene.WatchAsync(agent, begun.Id);

        Assert.True(ended.State == TransferState.Completed, $"{ended.Status}\n{scene.Logs()}");
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(source), FileTree.Hash(Path.Combine(scene.PathOf("to"), "in", "many"))));
        Assert.Equal(TransferState.Running, seen!.State);
        Assert.True(ended.BytesFetched < 42_000_000, $"{ended.BytesFetched} bytes were fetched after the crash");
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("hybrid")]
    public async Task What_arrived_is_given_to_others_from_the_account_also_by_the_next_agent(string kind)
    {
        await using var scene = new Scene(inMemory: true);
        var source = scene.Folder("seed/many");
        FileTree.Write(Path.Combine(source, "a/large"), 3_000_003, 1);
        FileTree.Write(Path.Combine(source, "b"), 99_999, 2);
        await File.WriteAllBytesAsync(Path.Combine(source, "empty"), []);
        var port = FreePort.Take();
        var agent = await StartAsync(scene, "--torrent", $"127.0.0.1:{port}");
        await Scene.AddDiskAsync(agent, "disk", scene.Folder("to"));
        using (var seeder = await TorrentClient.SeedAsync(scene.PathOf("seed"), "many", new { kind }))
        {
            await File.WriteAllBytesAsync(scene.PathOf("t.torrent"), seeder.Torrent);
            var added = await AddAsync(
                agent, scene.PathOf("t.torrent"), "--peer", seeder.Place, "--ratio", "100");
            Assert.True(added.Exit == 0, $"{added}\n{scene.Logs()}");
        }
        await TakeAsync("first");

        agent.Kill();
        await agent.WaitEndedAsync();
        agent = await StartAsync(scene, "--torrent", $"127.0.0.1:{port}");
        await TakeAsync("second");
        var transfer = Assert.Single(await agent.Control.TransfersAsync(CancellationToken.None));
        Assert.Contains("giving it to others", transfer.Status, StringComparison.Ordinal);

        var cancelled = await agent.Control.CancelAsync(transfer.Id, CancellationToken.None);
        Assert.Equal("complete", cancelled.Status);

        async Task TakeAsync(string folder)
        {
            using var taker = await TorrentClient.TakeAsync(scene.PathOf("t.torrent"), scene.Folder(folder), port);
            Assert.Empty(FileTree.Differences(
                FileTree.Hash(source), FileTree.Hash(Path.Combine(scene.PathOf(folder), "many"))));
        }
    }

    [Fact]
    public async Task The_command_line_selects_shares_and_says_what_is_wrong()
    {
        await using var scene = new Scene(inMemory: true);
        var source = scene.Folder("seed/many");
        FileTree.Write(Path.Combine(source, "music/one.flac"), 300_000, 1);
        FileTree.Write(Path.Combine(source, "music/two.txt"), 200_000, 2);
        using var seeder = await TorrentClient.SeedAsync(scene.PathOf("seed"), "many", new { kind = "hybrid" });
        var agent = await StartAsync(scene);
        await Scene.AddDiskAsync(agent, "disk", scene.Folder("to"));
        var file = scene.PathOf("many.torrent");
        await File.WriteAllBytesAsync(file, seeder.Torrent);

        var none = await AddAsync(agent, file, "--select", "*.mp3");
        Says(none, BadInput, "matches '*.mp3'", "music/one.flac");
        var nobody = await AddAsync(agent, "magnet:?xt=urn:btih:" + new string('a', 40));
        Says(nobody, NotFound, "names no tracker and no peer", "--peer");
        Says(await AddAsync(agent, scene.PathOf("missing.torrent")), NotFound, "there is no file");
        Says(await AddAsync(agent, "magnet:?xt=urn:btih:12"), BadInput, "2 characters");
        var added = await AddAsync(
            agent, file, "--select", "*.flac", "--peer", seeder.Place, "--share", "--no-seed");

        Assert.True(added.Exit == 0, $"{added}\n{scene.Logs()}");
        Assert.Equal(
            ["many/", "many/music/", "many/music/one.flac"],
            FileTree.Hash(Path.Combine(scene.PathOf("to"), "in")).Keys);
        var shares = await Executable.RunAsync(agent.DataFolder, ["shares"]);
        Assert.Contains("disk:in/many", shares.Out, StringComparison.Ordinal);
    }

    private static Task<PeerProcess> StartAsync(Scene scene, params string[] more) =>
        scene.StartAsync("agent", ["up", "--no-repository", "--listen", "127.0.0.1:0", .. more]);

    private static Task<Outcome> AddAsync(PeerProcess agent, string what, params string[] more) =>
        Executable.RunAsync(agent.DataFolder, ["torrent", "add", what, "--to", "disk:in", .. more]);

    private static void Says(Outcome outcome, int exit, params string[] words)
    {
        Assert.True(outcome.Exit == exit, $"expected exit code {exit}: {outcome}");
        foreach (var word in words) Assert.Contains(word, outcome.Out + outcome.Error, StringComparison.Ordinal);
    }
}
