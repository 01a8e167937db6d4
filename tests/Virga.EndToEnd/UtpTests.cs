using System.Globalization;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>Agents between which no TCP gets through, and datagrams get lost.</summary>
[Trait("Needs", "server")]
public sealed class UtpTests
{
    private const int Port = 7101;

    private static readonly string Place = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    [Fact]
    public async Task A_torrent_lands_by_uTP_while_packets_get_lost_and_both_ends_are_killed()
    {
        await using var scene = new Scene(inMemory: true);
        await using var island = await Island.CreateAsync();
        await island.LoseUdpAsync(Port, 20);
        var source = scene.Folder("from/talks");
        FileTree.Write(Path.Combine(source, "large"), 30_000_003, 1);
        FileTree.Write(Path.Combine(source, "small"), 70_001, 2);
        var giver = await StartAsync("giver", "--torrent", Place);
        await Scene.AddDiskAsync(giver, "disk", scene.PathOf("from"));
        var magnet = await ShareAsync(giver);
        var taker = await StartAsync("taker");
        await Scene.AddDiskAsync(taker, "disk", scene.Folder("to"));
        // Slow enough to be struck in its middle.
        await LimitAsync(taker, "5MB/s");
        var begun = await taker.Control.StartTorrentAsync(
            new TorrentRequest(magnet, null, "disk", "in", Peers: [Place], Ratio: 0), CancellationToken.None);

        await ReachedAsync(8_000_000);
        taker.Kill();
        await taker.WaitEndedAsync();
        taker = await StartAsync("taker");
        await ReachedAsync(16_000_000);
        giver.Kill();
        await giver.WaitEndedAsync();
        giver = await StartAsync("giver", "--torrent", Place);
        await LimitAsync(taker, "none");
        var ended = await Scene.WatchAsync(taker, begun.Id);

        Assert.True(ended.State == TransferState.Completed, $"{ended.Status}\n{scene.Logs()}");
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(source), FileTree.Hash(Path.Combine(scene.PathOf("to"), "in", "talks"))));

        async Task ReachedAsync(long bytes)
        {
            await foreach (var info in taker.Control.WatchAsync(begun.Id, CancellationToken.None))
                if (info.BytesDone >= bytes) return;
            Assert.Fail("it was over too soon");
        }

        Task<PeerProcess> StartAsync(string name, params string[] more) => StartInAsync(scene, island, name, more);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whoever_of_both_wants_no_uTP_none_is_spoken(bool isGiver)
    {
        string[] none = ["--torrent-no-utp"];
        await using var scene = new Scene(inMemory: true);
        await using var island = await Island.CreateAsync();
        await island.LoseUdpAsync(Port, 0);
        FileTree.Write(Path.Combine(scene.Folder("from/talks"), "talk"), 300_001, 1);
        var giver = await StartInAsync(
            scene, island, "giver", ["--torrent", Place, .. isGiver ? none : []]);
        await Scene.AddDiskAsync(giver, "disk", scene.PathOf("from"));
        var magnet = await ShareAsync(giver);
        var taker = await StartInAsync(scene, island, "taker", isGiver ? [] : none);
        await Scene.AddDiskAsync(taker, "disk", scene.Folder("to"));
        var begun = await taker.Control.StartTorrentAsync(
            new TorrentRequest(magnet, null, "disk", "in", Peers: [Place], Ratio: 0), CancellationToken.None);

        await foreach (var info in taker.Control.WatchAsync(begun.Id, CancellationToken.None))
        {
            Assert.NotEqual(TransferState.Completed, info.State);
            if (info.Status?.Contains("does not answer", StringComparison.Ordinal) ?? false) break;
        }
        await island.HealAsync();
        var ended = await Scene.WatchAsync(taker, begun.Id);

        Assert.True(ended.State == TransferState.Completed, $"{ended.Status}\n{scene.Logs()}");
    }

    private static Task<PeerProcess> StartInAsync(Scene scene, Island island, string name, params string[] more) =>
        scene.StartAsync(name, ["up", "--no-repository", "--listen", "127.0.0.1:0", .. more], prefix: island.Prefix);

    private static async Task LimitAsync(PeerProcess agent, string rate)
    {
        var limited = await Executable.RunAsync(agent.DataFolder, ["limits", "set", "--receive", rate]);
        Assert.True(limited.Exit == 0, limited.ToString());
    }

    private static async Task<string> ShareAsync(PeerProcess agent)
    {
        var made = await Executable.RunAsync(agent.DataFolder, ["share", "disk:talks", "--public", "--json"]);
        Assert.True(made.Exit == 0, made.ToString());
        using var json = JsonDocument.Parse(made.Out);
        return "magnet:?xt=urn:btmh:1220" + json.RootElement.GetProperty("infoHash").GetString();
    }
}
