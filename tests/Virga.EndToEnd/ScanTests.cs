using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>
/// A scanner of others (Wapiti) attacks the agent's page, signed in, and the share page. Its reports are left in
/// artifacts/scan.
/// </summary>
[Trait("Needs", "server")]
public sealed partial class ScanTests
{
    private const string Password = "rain that never lands";

    /// <summary>Of each kind of attack, so that the whole stays within two minutes of one core.</summary>
    private const int AttackSeconds = 12;

    /// <summary>Of its three levels the first is for what one may think about.</summary>
    private const int LevelMax = 1;

    /// <summary>All that need no server of others to call back to.</summary>
    private const string Attacks = "backup,blindsql,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,"
        + "permanentxss,redirect,sql,xss";

    [Fact]
    public async Task The_page_of_somebody_signed_in_withstands()
    {
        await using var scene = new Scene(inMemory: true);
        var agent = await scene.AgentAsync("agent", []);
        var nas = scene.Folder("nas");
        await File.WriteAllTextAsync(Path.Combine(nas, "note.txt"), "a note");
        await File.WriteAllTextAsync(Path.Combine(nas, "page.html"), "<a href=\"/sign-out\">out</a>");
        await File.WriteAllTextAsync(Path.Combine(nas, "picture.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
        await Scene.AddDiskAsync(agent, "nas", nas);
        var cookies = new CookieContainer();
        using var http = new HttpClient(new SocketsHttpHandler { CookieContainer = cookies });
        var link = new Uri((await agent.Control.PageLinkAsync(default)).Url);
        var home = new Uri(link.GetLeftPart(UriPartial.Authority) + "/");
        http.BaseAddress = home;
        await SignInAsync(http, link);
        await ScanAsync(
            scene, "page", home, cookies.GetCookieHeader(home),
            [
                "files", "files/nas/", "share?account=nas&path=note.txt", "get?link=virga:x", "transfers", "people",
                "network", "settings", "settings/accounts/add", "sign-in?to=/files", "recover", "welcome", "alive",
                "raw/nas?path=note.txt", "raw/nas?path=page.html", "raw/nas?path=picture.svg&download=1",
                "thumb/nas?path=picture.svg", "api/openapi.json", "api/v1/status",
                "api/v1/accounts/nas/entries?path=x", "api/v1/trust/graph?who=x&scope=exchange",
            ]);
        // The session that it used was none of a stranger, and stands.
        Assert.Contains("a note", await http.GetStringAsync("raw/nas?path=note.txt"), StringComparison.Ordinal);
        Assert.Equal(
            ["note.txt", "page.html", "picture.svg"], Directory.GetFiles(nas).Select(Path.GetFileName).Order());
        Assert.DoesNotContain("error Microsoft", agent.ReadLog(), StringComparison.Ordinal);
        Assert.DoesNotContain(Password, agent.ReadLog(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_share_page_withstands()
    {
        await using var scene = new Scene(inMemory: true);
        var home = new Uri($"http://127.0.0.1:{FreePort.Take()}/");
        var agent = await scene.AgentAsync("agent", [], "--share-page", home.Authority);
        FileTree.Write(Path.Combine(scene.Folder("nas/in"), "one.bin"), 300_000, 1);
        await Scene.AddDiskAsync(agent, "nas", scene.PathOf("nas"));
        ShareInfo? shared = null;
        await foreach (var told in agent.Control.ShareAsync(new ShareRequest("nas", "in", "public", []), default))
            shared = told.Result ?? shared;
        var address = new Uri(shared!.WebAddress!);
        await ScanAsync(
            scene, "share-page", home, null,
            [
                address.AbsolutePath[1..], "v1/peer", $"v1/guest/{shared.InfoHash}/info",
                $"v1/guest/{shared.InfoHash}/torrent?name=x",
            ]);
        Assert.DoesNotContain("error Microsoft", agent.ReadLog(), StringComparison.Ordinal);
    }

    /// <summary>By the one-time link, and the first password.</summary>
    private static async Task SignInAsync(HttpClient http, Uri link)
    {
        var page = await http.GetStringAsync(link);
        var form = page.Split("<form").First(f => f.Contains("Form.Password", StringComparison.Ordinal));
        var fields = HiddenIn().Matches(form).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        fields["Form.Password"] = fields["Form.Again"] = Password;
        using var content = new FormUrlEncodedContent(fields);
        using var answer = await http.PostAsync("welcome", content);
        Assert.Contains("recovery-code", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    /// <summary>Scans a site from given pages on; nothing of weight may be found.</summary>
    private static async Task ScanAsync(
        Scene scene, string name, Uri home, string? cookies, IReadOnlyList<string> places)
    {
        var folder = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "scan"));
        var report = Path.Combine(Directory.CreateDirectory(folder).FullName, name + ".json");
        File.Delete(report);
        List<string> arguments =
        [
            "--url", home.ToString(), "--scope", "domain", "--module", Attacks, "--depth", "3",
            "--max-scan-time", "30", "--max-attack-time", $"{AttackSeconds}", "--timeout", "20", "--no-bugreport",
            "--flush-session", "--store-session", scene.Folder("scan"), "--store-config", scene.Folder("scan-config"),
            "--format", "json", "--output", report, "--verbose", "1",
            .. places.SelectMany(place => new[] { "--start", home + place }),
        ];
        if (cookies is not null) arguments.AddRange(["--header", "Cookie: " + cookies]);
        var outcome = await Executable.ToolAsync("wapiti", arguments);
        await File.WriteAllTextAsync(Path.Combine(folder, name + ".txt"), outcome.Out);
        Assert.True(outcome.Exit == 0 && File.Exists(report), outcome.ToString());
        using var found = JsonDocument.Parse(await File.ReadAllTextAsync(report));
        var all = Findings(found.RootElement, "vulnerabilities").Where(f => f.Level > LevelMax)
            .Concat(Findings(found.RootElement, "anomalies")).Select(f => f.Told).ToList();
        Assert.True(all.Count == 0, string.Join('\n', all) + "\n" + outcome.Out);
        foreach (var place in places.Take(1))
            Assert.Contains(home + place, outcome.Out, StringComparison.Ordinal);
    }

    private static IEnumerable<(int Level, string Told)> Findings(JsonElement report, string kind) =>
        from category in report.GetProperty(kind).EnumerateObject()
        from finding in category.Value.EnumerateArray()
        select (finding.GetProperty("level").GetInt32(), $"{category.Name}: {finding}");

    [GeneratedRegex("""<input type="hidden" name="([^"]+)" value="([^"]*)" />""")]
    private static partial Regex HiddenIn();
}
