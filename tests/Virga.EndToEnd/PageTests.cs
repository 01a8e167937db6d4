using System.Text.Json;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>
/// A real browser goes the whole way on two agents' pages: first run, account, share; first run, account, get; and
/// looks at every page, light and dark, on a desktop and a phone. Pictures of all of them are left in artifacts/pages.
/// </summary>
[Trait("Needs", "server")]
public sealed partial class PageTests
{
    private const string Password = "rain that never lands";

    /// <summary>Of one step: only a page that hangs for good is not waited for.</summary>
    private const int StepMs = 120_000;

    private static readonly string Artifacts = Path.GetFullPath(
        Path.Combine(AppContext.BaseDirectory, "..", "..", ".."));

    [Fact]
    public async Task A_person_shares_on_one_page_and_receives_on_another()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var sender = await scene.AgentAsync("sender", [repository]);
        var receiver = await scene.AgentAsync("receiver", [repository]);
        var photos = Directory.CreateDirectory(Path.Combine(scene.Folder("nas"), "photos")).FullName;
        for (var i = 0; i < 20; i++) FileTree.Write(Path.Combine(photos, $"{i}.jpg"), 40_000 + i, (ulong)i);
        await File.WriteAllTextAsync(Path.Combine(photos, "cod\u202eexe.doc"), "turned around");
        await File.WriteAllTextAsync(Path.Combine(photos, "<img src=x onerror=alert(1)>"), "markup");
        await DriveAsync(scene, "pages.mjs", new Dictionary<string, object>
        {
            ["sender"] = new
            {
                link = await LinkAsync(sender), password = Password, account = "nas",
                folder = "disk:" + scene.PathOf("nas"), share = "photos",
            },
            ["receiver"] = new
            {
                link = await LinkAsync(receiver), password = Password, account = "cloud",
                folder = "disk:" + scene.Folder("cloud"),
            },
        });
        var received = FileTree.Hash(scene.PathOf("cloud"));
        received.Remove("made here/");
        Assert.Empty(FileTree.Differences(FileTree.Hash(photos), received));
        foreach (var peer in new[] { sender, receiver })
        {
            Assert.DoesNotContain(Password, peer.ReadLog(), StringComparison.Ordinal);
            Assert.DoesNotContain("error Microsoft", peer.ReadLog(), StringComparison.Ordinal);
        }
    }

    /// <summary>Passkeys, with the browser's own virtual authenticator.</summary>
    [Fact]
    public async Task A_person_signs_in_by_passkeys()
    {
        await using var scene = new Scene(inMemory: true);
        var agent = await scene.AgentAsync("agent", []);
        await DriveAsync(scene, "passkeys.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(agent) },
        });
        Assert.DoesNotContain("error Microsoft", agent.ReadLog(), StringComparison.Ordinal);
    }

    /// <summary>What people without an agent open: a private share, a public one, a link that was cut short.</summary>
    [Fact]
    public async Task The_share_page_is_for_everybody()
    {
        await using var scene = new Scene(inMemory: true);
        var home = $"http://127.0.0.1:{FreePort.Take()}";
        var agent = await scene.AgentAsync("agent", [], "--share-page", home["http://".Length..]);
        FileTree.Write(Path.Combine(scene.Folder("nas/in"), "one.bin"), 300_000, 1);
        await File.WriteAllTextAsync(scene.PathOf("nas/in/note.txt"), "written for all");
        await Scene.AddDiskAsync(agent, "nas", scene.PathOf("nas"));
        var shared = await ShareAsync(agent, "link");
        await DriveAsync(scene, "share.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = home }, ["own"] = new { link = await LinkAsync(agent), password = Password },
            ["pages"] = new Dictionary<string, string>
            {
                ["share-private"] = shared, ["share-problem"] = shared[..^1],
                ["share-public"] = await ShareAsync(agent, "public"),
            },
        });

        async Task<string> ShareAsync(PeerProcess owner, string audience)
        {
            await foreach (var told in owner.Control.ShareAsync(
                new ShareRequest("nas", "in", audience, []), CancellationToken.None))
            {
                if (told.Result?.WebAddress is { } address) return address[home.Length..];
            }
            throw new InvalidOperationException("the share has no web address");
        }
    }

    /// <summary>Dropped, cut in the middle, and gone on with after the page was closed.</summary>
    [Fact]
    public async Task Uploads_go_on_where_they_were()
    {
        await using var scene = new Scene(inMemory: true);
        var agent = await scene.AgentAsync("agent", []);
        var nas = scene.Folder("nas");
        await Scene.AddDiskAsync(agent, "nas", nas);
        var files = Directory.CreateDirectory(scene.PathOf("files")).FullName;
        FileTree.Write(Path.Combine(files, "big.bin"), 40 << 20, 1);
        FileTree.Write(Path.Combine(files, "other.bin"), 45 << 20, 2);
        await DriveAsync(scene, "uploads.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(agent) }, ["password"] = Password,
            ["big"] = Path.Combine(files, "big.bin"), ["other"] = Path.Combine(files, "other.bin"),
        });
        Assert.Equal("dropped", await File.ReadAllTextAsync(Path.Combine(nas, "dropped.txt")));
        File.Delete(Path.Combine(nas, "dropped.txt"));
        Assert.Empty(FileTree.Differences(FileTree.Hash(files), FileTree.Hash(nas)));
    }

    /// <summary>Runs a script of Browser/ with the browser; it prints what it finds, and is to find nothing.</summary>
    private static async Task DriveAsync(Scene scene, string script, Dictionary<string, object> values)
    {
        values["modules"] = Path.Combine(Artifacts, "browser");
        values["chromium"] = "/usr/bin/chromium";
        values["shots"] = Path.Combine(Artifacts, "pages");
        values["limitMs"] = StepMs;
        var settings = scene.PathOf(script + ".json");
        await File.WriteAllTextAsync(settings, JsonSerializer.Serialize(values));
        var outcome = await Executable.ToolAsync(
            "node", [Path.Combine(AppContext.BaseDirectory, "Browser", script), settings]);
        const string advice = "Run ./test, which installs what drives the browser.";
        Assert.True(outcome.Exit == 0, $"{outcome}\n{advice}\n{scene.Logs()}");
    }

    private static async Task<string> LinkAsync(PeerProcess agent) =>
        (await agent.Control.PageLinkAsync(CancellationToken.None)).Url;
}
