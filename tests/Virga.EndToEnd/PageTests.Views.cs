using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>What a browser is driven through beside the whole way: people, files, transfers in hand.</summary>
public sealed partial class PageTests
{
    private const long TransferBytes = 96 << 20;
    private const long TransferBytesPerSecond = 512 << 10;

    /// <summary>A picture of one point, as PNG.</summary>
    private const string Picture =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

    /// <summary>
    /// Somebody vouches for Anna and Dora, Anna for two more, one of these for another. Dora's name is markup.
    /// </summary>
    [Fact]
    public async Task A_person_walks_the_graph_of_vouches()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var me = await scene.AgentAsync("me", [repository]);
        var peers = new List<PeerProcess>();
        foreach (var name in new[] { "anna", "bob", "carl", "dora" })
            peers.Add(await scene.AgentAsync(name, [repository]));
        var (anna, bob, carl, dora) = (peers[0], peers[1], peers[2], peers[3]);
        await VouchAsync(me, anna, 2, "anna");
        await VouchAsync(me, dora, 0, "<b>dora</b>\u202e<img src=x onerror=hacked=1>");
        await VouchAsync(anna, bob, 1, null);
        await VouchAsync(bob, carl, 0, null);
        await VouchAsync(anna, me, 0, "the first");
        // Anna and those behind her, Dora, and this agent itself.
        while ((await me.Control.AdmittedAsync("exchange", default)).Count < 5) await Task.Delay(100);
        await DriveAsync(scene, "people.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(me), password = Password }, ["carl"] = carl.Id,
        });
        var left = await me.Control.AdmittedAsync("exchange", default);
        Assert.Equal(
            new[] { me.Id, dora.Id, carl.Id }.Order(StringComparer.Ordinal),
            left.Select(a => a.Agent).Order(StringComparer.Ordinal));
        Assert.Equal("carl", left.Single(a => a.Agent == carl.Id).Name);
        Assert.DoesNotContain("error Microsoft", me.ReadLog(), StringComparison.Ordinal);

        static async Task VouchAsync(PeerProcess by, PeerProcess subject, int depth, string? name)
        {
            var address = (await subject.Control.StatusAsync(default)).Address;
            await by.Control.VouchAsync(new VouchRequest(address, ["exchange"], depth, 30, name), default);
        }
    }

    /// <summary>Pictures, a document, a search far below, and moving, also to where something stands.</summary>
    [Fact]
    public async Task Files_are_looked_at_found_and_moved()
    {
        await using var scene = new Scene(inMemory: true);
        var agent = await scene.AgentAsync("agent", []);
        var trip = scene.Folder("nas/trip");
        var deeper = Directory.CreateDirectory(Path.Combine(trip, "deep", "deeper")).FullName;
        foreach (var name in new[] { "one.png", "two.png", "three \u202egnp.png" })
            await File.WriteAllBytesAsync(Path.Combine(trip, name), Convert.FromBase64String(Picture));
        await File.WriteAllTextAsync(Path.Combine(trip, "film.mp4"), "no film");
        await File.WriteAllTextAsync(Path.Combine(trip, "taken.txt"), "stays");
        await File.WriteAllTextAsync(Path.Combine(deeper, "taken.txt"), "was here");
        await File.WriteAllTextAsync(Path.Combine(deeper, "needle.txt"), "found in the hay");
        await File.WriteAllTextAsync(Path.Combine(deeper, "cod\u202eneedle.txt"), "turned around");
        await File.WriteAllTextAsync(
            Path.Combine(trip, "read me.md"),
            """
            # A trip
            ![two](two.png) and ![gone](https://example.org/x.png)

            | day | what |
            |---|---|
            | 1 | rain |

            <script>hacked = 1</script><img src=x onerror="hacked = 1">
            [out](javascript:hacked=1)
            """);
        await Scene.AddDiskAsync(agent, "nas", scene.PathOf("nas"));
        await DriveAsync(scene, "views.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(agent), password = Password },
        });
        Assert.Equal(Convert.FromBase64String(Picture), await File.ReadAllBytesAsync(Path.Combine(deeper, "one.png")));
        Assert.False(File.Exists(Path.Combine(trip, "one.png")));
        Assert.Equal("stays", await File.ReadAllTextAsync(Path.Combine(trip, "taken.txt")));
        Assert.Equal("was here", await File.ReadAllTextAsync(Path.Combine(deeper, "taken.txt")));
    }

    /// <summary>A file that is none, one that is, and the same by a magnet link: what is chosen comes over.</summary>
    [Fact]
    public async Task A_torrent_is_looked_into_and_brought_over()
    {
        await using var scene = new Scene(inMemory: true);
        var source = scene.Folder("seed/many");
        FileTree.Write(Path.Combine(source, "a/one.flac"), 3_000_000, 1);
        FileTree.Write(Path.Combine(source, "two.txt"), 20_000, 2);
        FileTree.Write(Path.Combine(source, "three.txt"), 3, 3);
        using var seeder = await TorrentClient.SeedAsync(scene.PathOf("seed"), "many", new { kind = "hybrid" });
        var agent = await scene.AgentAsync("agent", [], "--torrent-local");
        await Scene.AddDiskAsync(agent, "nas", scene.Folder("to"));
        await DriveAsync(scene, "torrent.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(agent), password = Password }, ["account"] = "nas",
            ["torrent"] = Convert.ToBase64String(seeder.Torrent),
            ["magnet"] = $"{seeder.Magnet}&x.pe={seeder.Place}",
        });
        var received = FileTree.Hash(scene.PathOf("to/many"));
        var wanted = FileTree.Hash(source).Where(f => f.Key.StartsWith("a/", StringComparison.Ordinal)).ToDictionary();
        Assert.Empty(FileTree.Differences(wanted, received));
    }

    /// <summary>Held back by a limit, so that there is time for all that one does with it.</summary>
    [Fact]
    public async Task A_transfer_is_paused_put_first_and_gone_on_with()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var sender = await scene.AgentAsync("sender", [repository]);
        var receiver = await scene.AgentAsync("receiver", [repository]);
        FileTree.Write(Path.Combine(scene.Folder("nas/film"), "film.mkv"), TransferBytes, 3);
        await Scene.AddDiskAsync(sender, "nas", scene.PathOf("nas"));
        await Scene.AddDiskAsync(receiver, "cloud", scene.Folder("cloud"));
        ShareInfo? shared = null;
        await foreach (var told in sender.Control.ShareAsync(new ShareRequest("nas", "film", "link", []), default))
            shared = told.Result ?? shared;
        await receiver.Control.SetLimitsAsync(new LimitsRequest(TransferBytesPerSecond, null, 3, null, []), default);
        foreach (var place in new[] { "kept", "dropped" })
            await receiver.Control.StartTransferAsync(new TransferRequest(shared!.Link!, "cloud", place), default);
        await DriveAsync(scene, "transfers.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(receiver), password = Password },
        });
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(scene.PathOf("nas/film")), FileTree.Hash(scene.PathOf("cloud/kept"))));
        var transfers = await receiver.Control.TransfersAsync(default);
        Assert.Equal(TransferPriority.High, transfers.Single(t => t.Path == "kept").Priority);
        Assert.Equal(TransferState.Cancelled, transfers.Single(t => t.Path == "dropped").State);
    }
}
