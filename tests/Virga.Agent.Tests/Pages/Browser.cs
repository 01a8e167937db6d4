using Microsoft.Playwright;

namespace Virga.Agent.Tests.Pages;

/// <summary>Debian's Chromium without a window. Missing, it is a failure that says what to do.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private const string Chromium = "/usr/bin/chromium";

    private readonly IPlaywright playwright;
    private readonly IBrowser browser;

    private Browser(IPlaywright playwright, IBrowser browser)
    {
        this.playwright = playwright;
        this.browser = browser;
    }

    /// <summary>What the console said as an error, of all pages.</summary>
    public List<string> Errors { get; } = [];

    /// <summary>Hosts that were asked for something.</summary>
    public HashSet<string> Hosts { get; } = [];

    public static async Task<Browser> StartAsync()
    {
        if (!File.Exists(Chromium))
            throw new InvalidOperationException($"there is no {Chromium}: run ./test, it installs what the tests need");
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Chromium, Args = ["--no-sandbox"], Timeout = 120_000,
        });
        return new Browser(playwright, browser);
    }

    /// <summary>A page of a person who was never here before.</summary>
    public async Task<IPage> PageAsync(string? script = null, string locale = "en-GB")
    {
        var context = await browser.NewContextAsync(
            new BrowserNewContextOptions { AcceptDownloads = true, Locale = locale });
        context.SetDefaultTimeout(120_000);
        if (script is not null) await context.AddInitScriptAsync(script);
        var page = await context.NewPageAsync();
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") lock (Errors) Errors.Add(message.Text);
        };
        page.PageError += (_, error) =>
        {
            lock (Errors) Errors.Add(error);
        };
        page.Request += (_, request) =>
        {
            lock (Hosts) Hosts.Add(new Uri(request.Url).Authority);
        };
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        await browser.DisposeAsync();
        playwright.Dispose();
    }
}
