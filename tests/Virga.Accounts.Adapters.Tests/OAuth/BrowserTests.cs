using System.ComponentModel;
using System.Diagnostics;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Accounts.Adapters.Tests.OAuth;

/// <summary>The redirect through a real browser, which presses the button of the page of consent.</summary>
[Trait("Needs", "server")]
public sealed class BrowserTests
{
    [Theory]
    [InlineData("127.0.0.1", "/")]
    [InlineData("localhost", "")]
    public async Task A_browser_leads_from_consent_to_the_linked_account(string host, string path)
    {
        await using var scene = await OAuthScene.StartAsync();
        scene.Server.User = UserDecision.Reads;
        scene.Provider = scene.Provider with { RedirectHost = host, RedirectPath = path };
        var page = "";
        var user = new ScriptedUser(async i => page = await BrowseAsync(i.Url));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var secrets = await scene.Linker.LinkAsync(scene.Config(), LinkWay.Browser, user, limit.Token);
        await user.Acting;
        Assert.Contains("Cloudy is linked", page, StringComparison.Ordinal);
        var token = await scene.Tokens(secrets["refreshToken"]).GetAsync(limit.Token);
        Assert.True(scene.Server.Permits(token, "files"));
        Assert.Empty(scene.Server.Refusals);
    }

    /// <summary>What the browser shows when nothing more is loaded.</summary>
    private static async Task<string> BrowseAsync(Uri url)
    {
        var profile = Directory.CreateTempSubdirectory("virga-browser-");
        var start = new ProcessStartInfo("chromium")
        {
            ArgumentList =
            {
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                $"--user-data-dir={profile.FullName}", "--virtual-time-budget=5000", "--dump-dom", url.AbsoluteUri,
            },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var browser = Process.Start(start)!;
            var errors = browser.StandardError.ReadToEndAsync();
            var page = await browser.StandardOutput.ReadToEndAsync();
            await browser.WaitForExitAsync();
            return page.Length > 0 ? page : await errors;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException("chromium is not installed: run ./test, which installs it", e);
        }
        finally
        {
            profile.Delete(recursive: true);
        }
    }
}
