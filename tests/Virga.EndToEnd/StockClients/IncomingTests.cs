using System.Text.Json;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd.StockClients;

/// <summary>Peers that come to us, rather than we to them.</summary>
[Trait("Needs", "server")]
public sealed class IncomingTests
{
    [Fact]
    public async Task Who_comes_to_us_gives_what_a_magnet_link_leaves_out()
    {
        await using var scene = new Scene(inMemory: true);
        FileTree.Write(scene.PathOf("seed/film"), 300_001, 1);
        var list = scene.PathOf("list");
        await File.WriteAllTextAsync(list, JsonSerializer.Serialize(new[]
        {
            new
            {
                path = scene.PathOf("seed/film"), kind = "v1", tracker = "", node = "", pads = false,
                file = scene.PathOf("t"),
            },
        }));
        var made = await Executable.ToolAsync(
            "/usr/bin/python3", [StockClient.Script("libtorrent_torrents.py"), list]);
        Assert.True(made.Exit == 0, made.ToString());
        var magnet = JsonDocument.Parse(made.Out).RootElement[0].GetProperty("magnet").GetString();
        var place = $"127.0.0.1:{FreePort.Take()}";
        var agent = await scene.StartAsync(
            "agent", ["up", "--no-repository", "--listen", "127.0.0.1:0", "--torrent", place]);
        await Scene.AddDiskAsync(agent, "disk", scene.Folder("to"));
        var begun = await agent.Control.StartTorrentAsync(
            new TorrentRequest(magnet, null, "disk", "", Ratio: 0), CancellationToken.None);

        var options = new
        {
            source = scene.PathOf("t"), folder = scene.PathOf("seed"), listen = "127.0.0.1:0", pex = false,
            dht = (string?)null, peers = new[] { place },
        };
        await using var seeder = StockNetwork.StartOutside(
            ["/usr/bin/python3", StockClient.Script("libtorrent_client.py"), JsonSerializer.Serialize(options)],
            scene.Root);
        var ended = await Scene.WatchAsync(agent, begun.Id);

        Assert.True(ended.State == TransferState.Completed, $"{ended.Status}\n{seeder.Errors}\n{scene.Logs()}");
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(scene.PathOf("seed")), FileTree.Hash(scene.PathOf("to"))));
    }
}
