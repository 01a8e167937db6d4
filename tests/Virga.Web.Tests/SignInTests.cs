using System.Net;
using Virga.Testing;
using Virga.Web.SignIn;

namespace Virga.Web.Tests;

public sealed class SignInTests
{
    [Fact]
    public async Task Without_a_session_every_page_leads_to_signing_in()
    {
        await using var fixture = await Fixture.StartAsync();
        using var browser = fixture.Browser();
        foreach (var path in new[] { "/", "/files", "/settings", "/welcome", "/raw/x?path=y" })
        {
            using var answer = await browser.GetAsync(path);
            Assert.StartsWith("/sign-in", answer.Headers.Location?.OriginalString);
        }
        using var hub = await browser.PostAsync("/_blazor/negotiate", null);
        Assert.Equal(HttpStatusCode.Unauthorized, hub.StatusCode);
    }

    [Fact]
    public async Task A_link_signs_in_once_and_leads_to_the_first_password()
    {
        await using var fixture = await Fixture.StartAsync();
        var link = await fixture.Page.LinkAsync(CancellationToken.None);
        using var browser = fixture.Browser();
        using var entered = await browser.GetAsync(link);
        var cookie = Assert.Single(entered.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        using var first = await browser.GetAsync("/files");
        Assert.Equal("/welcome", first.Headers.Location?.OriginalString);
        using var other = fixture.Browser();
        using var again = await other.GetAsync(link);
        Assert.Equal("/sign-in?link=old", again.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task The_password_signs_in_and_wrong_ones_are_slowed_down()
    {
        await using var fixture = await Fixture.StartAsync();
        (await fixture.SetUpAsync()).Browser.Dispose();
        await using var page = await fixture.StandingStillAsync();
        using var browser = fixture.Browser(page);
        Assert.Contains("not the password", await Fixture.PostAsync(browser, "/sign-in", ("Form.Password", "wrong")));
        var to = await Fixture.PostAsync(browser, "/sign-in?to=%2Fshare", ("Form.Password", Fixture.Password));
        Assert.EndsWith("/share", to);
        using var thief = fixture.Browser(page);
        for (var i = 0; i < 5; i++) await Fixture.PostAsync(thief, "/sign-in", ("Form.Password", $"guess {i}"));
        // Now the right one is not even looked at, whoever sends it.
        using var late = fixture.Browser(page);
        var refused = await Fixture.PostAsync(late, "/sign-in", ("Form.Password", Fixture.Password));
        Assert.Contains("Too many wrong tries", refused);
        Assert.DoesNotContain(Fixture.Password, refused);
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example/")]
    [InlineData("javascript:alert(1)")]
    public void Signing_in_leads_to_no_other_site(string to) => Assert.Equal("/", SignInEndpoints.LocalPath(to));

    [Fact]
    public async Task The_recovery_code_sets_a_new_password_once_and_signs_all_others_out()
    {
        await using var fixture = await Fixture.StartAsync();
        var (first, code) = await fixture.SetUpAsync();
        using (first)
        {
            using var browser = fixture.Browser();
            const string next = "another long sentence";
            var answer = await Fixture.PostAsync(
                browser, "/recover", ("Form.Code", $" {code.ToUpperInvariant()} "), ("Form.Password", next),
                ("Form.Again", next));
            Assert.Contains("recovery-code", answer);
            Assert.DoesNotContain(code, answer);
            using var still = await first.GetAsync("/files");
            Assert.StartsWith("/sign-in", still.Headers.Location?.OriginalString);
            using var fresh = fixture.Browser();
            var used = await Fixture.PostAsync(
                fresh, "/recover", ("Form.Code", code), ("Form.Password", next), ("Form.Again", next));
            Assert.Contains("not the code", used);
            Assert.Contains("not the password",
                await Fixture.PostAsync(fresh, "/sign-in", ("Form.Password", Fixture.Password)));
        }
    }

    [Fact]
    public async Task Signing_out_ends_the_session_and_not_the_cookie_alone()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            Assert.Single(await fixture.Agent.SignIn.SessionsAsync(TimeProvider.System.GetUtcNow(), default));
            using var answer = await browser.PostAsync("/sign-out", null);
            Assert.Equal("/sign-in", answer.Headers.Location?.OriginalString);
            Assert.Empty(await fixture.Agent.SignIn.SessionsAsync(TimeProvider.System.GetUtcNow(), default));
        }
    }

    [Fact]
    public void Waits_double_and_are_forgotten_after_an_hour()
    {
        var time = new FakeTimeProvider();
        var throttle = new Throttle(time);
        for (var i = 0; i < 5; i++) Assert.Equal(TimeSpan.Zero, throttle.Begin());
        Assert.Equal(TimeSpan.FromSeconds(2), throttle.Begin());
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(TimeSpan.Zero, throttle.Begin());
        Assert.Equal(TimeSpan.FromSeconds(4), throttle.Begin());
        time.Advance(TimeSpan.FromHours(2));
        for (var i = 0; i < 5; i++) Assert.Equal(TimeSpan.Zero, throttle.Begin());
    }
}
