using System.Text.Json;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>
/// A real browser goes the whole way on two agents' pages: first run, account, share; first run, account, get; and
/// looks at every page, light and dark, on a desktop and a phone. Pictures of all of them are left in artifacts/pages.
/// </summary>
[Trait("Needs", "server")]
public sealed class PageTests
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
        var settings = scene.PathOf("settings.json");
        await File.WriteAllTextAsync(settings, JsonSerializer.Serialize(new
        {
            modules = Path.Combine(Artifacts, "browser"),
            chromium = "/usr/bin/chromium",
            shots = Path.Combine(Artifacts, "pages"),
            limitMs = StepMs,
            sender = new
            {
                link = await LinkAsync(sender), password = Password, account = "nas",
                folder = "disk:" + scene.PathOf("nas"), share = "photos",
            },
            receiver = new
            {
                link = await LinkAsync(receiver), password = Password, account = "cloud",
                folder = "disk:" + scene.Folder("cloud"),
            },
        }));
        var script = Path.Combine(AppContext.BaseDirectory, "Browser", "pages.mjs");
        var outcome = await Executable.ToolAsync("node", [script, settings]);
        const string advice = "Run ./test, which installs what drives the browser.";
        Assert.True(outcome.Exit == 0, $"{outcome}\n{advice}\n{scene.Logs()}");
        var received = FileTree.Hash(scene.PathOf("cloud"));
        received.Remove("made here/");
        Assert.Empty(FileTree.Differences(FileTree.Hash(photos), received));
        foreach (var peer in new[] { sender, receiver })
        {
            Assert.DoesNotContain(Password, peer.ReadLog(), StringComparison.Ordinal);
            Assert.DoesNotContain("error Microsoft", peer.ReadLog(), StringComparison.Ordinal);
        }
    }

    private static async Task<string> LinkAsync(PeerProcess agent) =>
        (await agent.Control.PageLinkAsync(CancellationToken.None)).Url;
}
