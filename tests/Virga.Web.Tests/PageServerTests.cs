using System.Net;
using Virga.Core;

namespace Virga.Web.Tests;

public sealed class PageServerTests
{
    [Fact]
    public async Task The_web_server_is_loaded_when_the_first_browser_comes()
    {
        await using var fixture = await Fixture.StartAsync();
        Assert.False(fixture.Page.IsOpen);
        using var browser = fixture.Browser();
        Assert.Contains("Virga", await browser.GetStringAsync("/sign-in"));
        Assert.True(fixture.Page.IsOpen);
        using var another = fixture.Browser();
        Assert.Contains("Virga", await another.GetStringAsync("/sign-in"));
    }

    [Fact]
    public async Task A_page_that_nobody_opened_stops_at_once()
    {
        await using var fixture = await Fixture.StartAsync();
        await fixture.Page.DisposeAsync();
        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(fixture.Page.Url));
    }

    [Fact]
    public async Task A_taken_port_is_named()
    {
        await using var fixture = await Fixture.StartAsync();
        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => PageServer.StartAsync(fixture.OptionsAt(fixture.Page.Place), CancellationToken.None));
        Assert.Equal(FailureKind.InUse, failure.Kind);
        Assert.Contains($"{fixture.Page.Place.Port}", failure.Message);
    }

    [Fact]
    public async Task A_page_that_others_can_reach_does_not_start_without_a_password_or_in_the_clear()
    {
        await using var fixture = await Fixture.StartAsync();
        var everywhere = fixture.OptionsAt(new IPEndPoint(IPAddress.Any, 0));
        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => PageServer.StartAsync(everywhere, CancellationToken.None));
        Assert.Contains("no password", failure.Message);
        (await fixture.SetUpAsync()).Browser.Dispose();
        failure = await Assert.ThrowsAsync<VirgaException>(
            () => PageServer.StartAsync(everywhere, CancellationToken.None));
        Assert.Contains("in the clear", failure.Message);
        var behind = everywhere with { PublicUrl = new Uri("https://page.example.org") };
        await using var page = await PageServer.StartAsync(behind, CancellationToken.None);
        Assert.StartsWith("https://page.example.org/enter/", $"{await page.LinkAsync(CancellationToken.None)}");
    }

    [Fact]
    public async Task Every_answer_says_what_browsers_may_do_with_it()
    {
        await using var fixture = await Fixture.StartAsync();
        using var browser = fixture.Browser();
        foreach (var path in new[] { "/sign-in", "/", "/a/virga.css", "/no-such-page" })
        {
            using var answer = await browser.GetAsync(path);
            var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.Contains("script-src 'self';", policy);
            Assert.Contains("frame-ancestors 'none'", policy);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            Assert.False(answer.Headers.Contains("Server"));
        }
        var html = await browser.GetStringAsync("/sign-in");
        Assert.DoesNotContain("<style", html);
        Assert.DoesNotMatch("<script(?![^>]* src=\"/)", html);
        Assert.DoesNotMatch("(src|href)=\"(https?:)?//", html);
    }

    [Fact]
    public async Task A_name_that_only_leads_here_is_refused()
    {
        await using var fixture = await Fixture.StartAsync();
        using var browser = fixture.Browser();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sign-in") { Headers = { Host = "evil.example" } };
        using var answer = await browser.SendAsync(request);
        Assert.Equal(HttpStatusCode.MisdirectedRequest, answer.StatusCode);
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task What_changes_something_comes_from_our_own_pages(string header, string value)
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/sign-out");
            request.Headers.Add(header, value);
            using var answer = await browser.SendAsync(request);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            using var still = await browser.GetAsync("/transfers");
            Assert.Equal(HttpStatusCode.OK, still.StatusCode);
        }
    }

    [Fact]
    public async Task Without_an_antiforgery_token_no_form_is_taken()
    {
        await using var fixture = await Fixture.StartAsync();
        (await fixture.SetUpAsync()).Browser.Dispose();
        using var browser = fixture.Browser();
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string> { ["_handler"] = "sign-in", ["Form.Password"] = Fixture.Password });
        using var answer = await browser.PostAsync("/sign-in", form);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }
}
