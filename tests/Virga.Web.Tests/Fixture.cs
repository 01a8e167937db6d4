using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Virga.Accounts.Adapters.Disk;
using Virga.Agent;
using Virga.Testing;

namespace Virga.Web.Tests;

/// <summary>An agent with its page, in this process, on a folder of its own.</summary>
internal sealed partial class Fixture : IAsyncDisposable
{
    public const string Password = "rain that never lands";

    private readonly DirectoryInfo folder;
    private readonly AgentHost agent;

    private Fixture(DirectoryInfo folder, AgentHost agent, PageServer page)
    {
        this.folder = folder;
        this.agent = agent;
        Page = page;
    }

    public PageServer Page { get; }

    public AgentHost Agent => agent;

    public static PageOptions Options(AgentHost agent, string folder, IPEndPoint? listen = null) => new()
    {
        Listen = listen ?? new IPEndPoint(IPAddress.Loopback, 0), DataFolder = folder, SignIn = agent.SignIn,
        Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
    };

    public PageOptions OptionsAt(IPEndPoint listen) => Options(agent, folder.FullName, listen);

    public string DataFolder => Path.Combine(folder.FullName, "data");

    public string Folder(string name) => folder.CreateSubdirectory(name).FullName;

    public static async Task<Fixture> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("virga-page-");
        var data = folder.CreateSubdirectory("data").FullName;
        var agent = await AgentHost.StartAsync(
            new AgentOptions
            {
                DataFolder = data, Adapters = [new DiskAdapter(RandomNumberGenerator.Fill)], Time = TimeProvider.System,
                Random = RandomNumberGenerator.Fill,
            },
            CancellationToken.None);
        var page = await PageServer.StartAsync(Options(agent, data), CancellationToken.None);
        return new Fixture(folder, agent, page);
    }

    /// <summary>A browser with cookies of its own that shows redirects.</summary>
    /// <param name="page">Null: the fixture's own.</param>
    public HttpClient Browser(PageServer? page = null) => new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        BaseAddress = (page ?? Page).Url,
    };

    /// <summary>The agent's page once more, on a clock that stands still: no wait passes by itself.</summary>
    public Task<PageServer> StandingStillAsync() => PageServer.StartAsync(
        OptionsAt(new IPEndPoint(IPAddress.Loopback, 0)) with
        {
            Time = new FakeTimeProvider(TimeProvider.System.GetUtcNow()),
        },
        CancellationToken.None);

    /// <summary>A browser that was let in by a link, and has set the password.</summary>
    public async Task<(HttpClient Browser, string RecoveryCode)> SetUpAsync()
    {
        var browser = await EnterAsync();
        var answer = await PostAsync(
            browser, "/welcome", ("Form.Password", Password), ("Form.Again", Password));
        return (browser, CodeIn().Match(answer).Groups[1].Value);
    }

    public async Task<HttpClient> EnterAsync()
    {
        var browser = Browser();
        var link = await Page.LinkAsync(CancellationToken.None);
        using var answer = await browser.GetAsync(link);
        Assert.Equal("/", answer.Headers.Location?.OriginalString);
        return browser;
    }

    /// <summary>Fills in the form of a page and sends it; what comes back, or where it leads.</summary>
    public static async Task<string> PostAsync(
        HttpClient browser, string path, params (string Name, string Value)[] values)
    {
        var page = await browser.GetStringAsync(path);
        var form = page.Split("<form").First(f => f.Contains($"name=\"{values[0].Name}\"", StringComparison.Ordinal));
        var fields = HiddenIn().Matches(form).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        foreach (var (name, value) in values) fields[name] = value;
        using var answer = await browser.PostAsync(path, new FormUrlEncodedContent(fields));
        return answer.Headers.Location?.ToString() ?? await answer.Content.ReadAsStringAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Page.DisposeAsync();
        await agent.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [GeneratedRegex("""id="recovery-code">([a-z0-9-]+)<""")]
    private static partial Regex CodeIn();

    [GeneratedRegex("""<input type="hidden" name="([^"]+)" value="([^"]*)" />""")]
    private static partial Regex HiddenIn();
}
