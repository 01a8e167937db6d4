using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>What others try by names, by files and from other sites, in a real browser.</summary>
public sealed partial class PageTests
{
    /// <summary>As a name: markup, text that is turned around, and what takes no room.</summary>
    private const string Evil = "<img src=x onerror=hacked=1> \u202efdp.\u200b\u2067\u00ade";

    private const string EvilShown = "<img src=x onerror=hacked=1> [U+202E]fdp.[U+200B][U+2067][U+00AD]e";

    private static readonly Dictionary<string, string> evilFiles = new()
    {
        [Evil + ".txt"] = "named so",
        ["a\"onmouseover=\"hacked=1.txt"] = "a way out of an attribute",
        ["line\nbreak.txt"] = "two lines",
        ["{{7*7}}@(7*7).txt"] = "a template",
        ["page.html"] = Html, ["page.xhtml"] = Html, ["page.xml"] = Html, ["page.md"] = Html, ["page.txt"] = Html,
        ["really html.pdf"] = Html, ["really html.png"] = Html,
        ["picture.svg"] =
            """
            <svg xmlns="http://www.w3.org/2000/svg" onload="document.documentElement.setAttribute('data-run', 1)">
              <script>document.documentElement.setAttribute('data-run', 1); fetch('/stolen')</script>
              <image href="http://evil.example/stolen.png"/>
            </svg>
            """,
        ["script.pdf"] =
            """
            %PDF-1.4
            1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.launchURL\("/stolen"\))>>>>endobj
            2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
            3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
            trailer<</Root 1 0 R>>
            """,
    };

    private const string Html =
        """
        <?xml version="1.0"?><?xml-stylesheet href="/stolen.xsl" type="text/xsl"?>
        <html xmlns="http://www.w3.org/1999/xhtml"><body onload="document.documentElement.dataset.run = 1">
        <script>document.documentElement.setAttribute('data-run', 1); fetch('/stolen')</script>
        <img src="/stolen" onerror="document.documentElement.setAttribute('data-run', 1)"/></body></html>
        """;

    [Fact]
    public async Task What_others_try_is_harmless()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var agent = await scene.AgentAsync("agent", [repository]);
        var other = await scene.AgentAsync("other", [repository]);
        var folder = Directory.CreateDirectory(Path.Combine(scene.Folder("nas"), Evil)).FullName;
        foreach (var (name, content) in evilFiles) await File.WriteAllTextAsync(Path.Combine(folder, name), content);
        await Scene.AddDiskAsync(agent, "nas", scene.PathOf("nas"));
        ShareInfo? shared = null;
        await foreach (var told in agent.Control.ShareAsync(new ShareRequest("nas", Evil, "link", []), default))
            shared = told.Result ?? shared;
        var transfer = await agent.Control.StartTransferAsync(
            new TransferRequest(shared!.Link, "nas", Evil + " again"), default);
        await Scene.WatchAsync(agent, transfer.Id);
        var (mine, theirs) = (
            (await agent.Control.StatusAsync(default)).Address, (await other.Control.StatusAsync(default)).Address);
        await agent.Control.VouchAsync(new VouchRequest(theirs, ["exchange"], 1, 30, Evil), default);
        await other.Control.AskAsync(new AskRequest(mine, ["exchange"], 1, 30, Evil), default);
        await DriveAsync(scene, "attacks.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(agent), password = Password }, ["folder"] = Evil,
            ["link"] = shared.Link, ["files"] = evilFiles.Keys.Select(name => $"{Evil}/{name}"),
            ["shown"] = new Dictionary<string, string>
            {
                ["account"] = EvilShown, ["folder"] = EvilShown + ".txt", ["share"] = EvilShown,
                ["transfers"] = EvilShown, ["people"] = EvilShown,
            },
        });
        Assert.DoesNotContain("error Microsoft", agent.ReadLog(), StringComparison.Ordinal);
    }
}
