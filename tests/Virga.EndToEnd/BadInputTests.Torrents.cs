using System.Security.Cryptography;
using Virga.Core.Bencoding;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>Torrents that are wrong, or that nobody has.</summary>
public sealed partial class BadInputTests
{
    private static readonly string Unknown = "magnet:?xt=urn:btih:" + new string('b', 40);

    [Fact]
    public async Task A_magnet_link_that_nobody_has_tells_what_was_tried_and_how_a_dead_tracker_fails()
    {
        await using var scene = new Scene(inMemory: true);
        var (alive, dead) = (FreePort.Take(), FreePort.Take());
        await scene.StartAsync(
            "tracker", ["repository", "--listen", "127.0.0.1:0", "--tracker", $"127.0.0.1:{alive}"]);
        var agent = await TorrentAgentAsync(scene, "--torrent-local", "--torrent-dht", "--torrent-dht-node",
            $"127.0.0.1:{dead}");
        var link = $"{Unknown}&tr=udp://localhost:{dead}&tr=http://[::1]:{dead}/announce"
            + $"&tr=http://127.0.0.1:{alive}/announce";

        var begun = await Executable.RunAsync(
            agent.DataFolder, ["torrent", "add", link, "--to", "disk:in", "--detach"]);
        AssertSays(begun, 0, "virga watch");
        string[] words =
        [
            "looking for what the link names", "tracker 127.0.0.1: named 0 peers",
            $"tracker localhost: nothing answers at the tracker localhost:{dead}",
            "the tracker [::1] can't be reached", "the DHT was asked (0 nodes)", "no peers were found",
        ];
        await SaysSoonAsync(agent, words);
    }

    [Fact]
    public async Task A_tracker_in_the_own_network_is_not_asked_and_that_is_said()
    {
        await using var scene = new Scene(inMemory: true);
        var agent = await TorrentAgentAsync(scene);
        var link = $"{Unknown}&tr=http://127.0.0.1:{FreePort.Take()}/announce&tr=udp://10.0.0.1:80";

        var begun = await Executable.RunAsync(
            agent.DataFolder, ["torrent", "add", link, "--to", "disk:in", "--detach"]);
        AssertSays(begun, 0);
        await SaysSoonAsync(
            agent, ["'127.0.0.1' is the address 127.0.0.1, which is not public", "'10.0.0.1' is the address"]);
    }

    [Fact]
    public async Task A_torrent_whose_paths_escape_lands_in_its_own_folder_and_that_is_said()
    {
        await using var scene = new Scene(inMemory: true);
        var content = new byte[200_000];
        Random.Shared.NextBytes(content);
        string[][] paths = [["..", "..", "outside"], ["/etc", "passwd"], ["a/../../b", "c"], ["good"]];
        await File.WriteAllBytesAsync(scene.PathOf("evil.torrent"), Escaping(content, paths));
        // Where libtorrent looks for them, as it makes the same names safe.
        string[] safe = ["outside", "etc/passwd", "a....b/c", "good"];
        for (var i = 0; i < safe.Length; i++)
        {
            var path = Path.Combine(scene.Folder("seed/..evil"), safe[i]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, content[(i * 50_000)..((i + 1) * 50_000)]);
        }
        using var seeder = await TorrentClient.SeedAsync(
            scene.PathOf("seed"), "..evil", new { torrent = scene.PathOf("evil.torrent") });
        var agent = await TorrentAgentAsync(scene);

        var added = await Executable.RunAsync(
            agent.DataFolder,
            ["torrent", "add", scene.PathOf("evil.torrent"), "--to", "disk:in/deep", "--peer", seeder.Place,
                "--no-seed"]);

        AssertSays(added, 0, "paths that lead elsewhere", "'..evil/outside', '..evil/etc/passwd', '..evil/a....b/c'");
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(scene.PathOf("seed")), FileTree.Hash(scene.PathOf("disk/in/deep"))));
        Assert.Equal(["in"], Directory.EnumerateFileSystemEntries(scene.PathOf("disk")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_torrent_that_fills_the_account_is_told_and_goes_on_when_there_is_room()
    {
        await using var scene = new Scene(inMemory: true);
        for (var i = 0; i < 10; i++)
            FileTree.Write(Path.Combine(scene.Folder("seed/many"), $"file {i}"), 700_000, (ulong)i + 1);
        using var seeder = await TorrentClient.SeedAsync(scene.PathOf("seed"), "many", new { kind = "v1" });
        await using var small = await TemporaryMount.CreateAsync(scene.Folder("small"), "size=4m");
        var agent = await TorrentAgentAsync(scene);
        await Scene.AddDiskAsync(agent, "small", scene.PathOf("small"));
        var added = await Executable.RunAsync(
            agent.DataFolder,
            ["torrent", "add", seeder.Magnet, "--to", "small:in", "--peer", seeder.Place, "--no-seed"]);

        AssertSays(added, Full, "No space left", "free some room", "virga resume");
        await small.RemountAsync("size=40m");
        var id = Assert.Single(await agent.Control.TransfersAsync(CancellationToken.None)).Id;
        AssertSays(await Executable.RunAsync(agent.DataFolder, ["resume", id]), 0);
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(scene.PathOf("seed")), FileTree.Hash(scene.PathOf("small/in"))));
    }

    private static async Task<PeerProcess> TorrentAgentAsync(Scene scene, params string[] more)
    {
        var agent = await scene.StartAsync("agent", ["up", "--no-repository", "--listen", "127.0.0.1:0", .. more]);
        await Scene.AddDiskAsync(agent, "disk", scene.Folder("disk"));
        return agent;
    }

    /// <summary>Until what is said of the one transfer has all the words.</summary>
    private static async Task SaysSoonAsync(PeerProcess agent, string[] words)
    {
        var said = Assert.Single(await agent.Control.TransfersAsync(CancellationToken.None));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        try
        {
            await foreach (var now in agent.Control.WatchAsync(said.Id, limit.Token))
            {
                said = now;
                if (words.All(word => now.Status.Contains(word, StringComparison.Ordinal))) return;
            }
        }
        catch (OperationCanceledException)
        {
            // It says something else.
        }
        Assert.Fail($"expected {string.Join(" | ", words)}: {said}");
    }

    private static byte[] Escaping(byte[] content, string[][] paths)
    {
        const int piece = 1 << 15;
        var hashes = content.Chunk(piece).SelectMany(SHA1.HashData).ToArray();
        return BencodeWriter.Encode(w =>
        {
            w.StartDictionary().Key("info").StartDictionary().Key("files").StartList();
            foreach (var path in paths)
            {
                w.StartDictionary().Key("length").Integer(content.Length / paths.Length).Key("path").StartList();
                foreach (var name in path) w.Text(name);
                w.End().End();
            }
            w.End().Key("name").Text("../evil").Key("piece length").Integer(piece).Key("pieces").Bytes(hashes)
                .End().End();
        });
    }
}
