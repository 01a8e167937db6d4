using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Components;
using Virga.Agent.Control;

namespace Virga.Web.Tests;

/// <summary>What others would try against the page and who is signed in to it, as far as it needs no browser.</summary>
public sealed partial class AttackTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    /// <summary>Every page that there is, by its routes.</summary>
    public static TheoryData<string> Pages => [.. PagePaths];

    private static IEnumerable<string> PagePaths =>
        typeof(PageServer).Assembly.GetTypes()
            .SelectMany(type => type.GetCustomAttributes(typeof(RouteAttribute), inherit: false))
            .Select(route => ((RouteAttribute)route).Template.Replace("{Account}", "nas").Replace("{*Path}", "in"))
            .Order().Distinct();

    /// <summary>All that changes something, and the way to the live page.</summary>
    public static TheoryData<string, string> Changes => new()
    {
        { "POST", "/sign-out" }, { "POST", "/look" }, { "POST", "/sign-in" }, { "POST", "/welcome" },
        { "POST", "/recover" }, { "PUT", "/raw/nas?path=x" }, { "POST", "/uploads" },
        { "PATCH", "/uploads/1?offset=0" }, { "DELETE", "/uploads/1" }, { "POST", "/passkeys/prove" },
        { "POST", "/passkeys/confirm" },
        { "POST", "/passkeys/new" }, { "POST", "/passkeys/add" }, { "POST", "/_blazor/negotiate?negotiateVersion=1" },
        { "POST", "/api/v1/stop" }, { "DELETE", "/api/v1/accounts/nas" },
    };

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task No_page_has_a_script_or_a_style_of_its_own_or_asks_another_host(string path)
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using var stranger = fixture.Browser();
        using (browser)
        {
            foreach (var visitor in new[] { browser, stranger })
            {
                using var answer = await visitor.GetAsync(path);
                var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
                Assert.StartsWith("default-src 'none'; script-src 'self';", policy);
                Assert.DoesNotMatch("script-src[^;]*(unsafe|data:|blob:|https?:|\\*)", policy);
                Assert.Equal("DENY", Assert.Single(answer.Headers.GetValues("X-Frame-Options")));
                Assert.True(answer.Headers.CacheControl?.NoStore);
                var html = await answer.Content.ReadAsStringAsync();
                Assert.DoesNotMatch("<script(?![^>]* src=\"/)", html);
                Assert.DoesNotContain("<style", html);
                Assert.DoesNotMatch("\\son[a-z]+\\s*=", TagsOf(html));
                Assert.DoesNotMatch("(src|href|action)=\"(?!/)[^\"#]", html);
                Assert.DoesNotMatch("(src|href|action)=\"//", html);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task No_other_site_changes_anything(string method, string path)
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            foreach (var (header, value) in new[]
                { ("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site") })
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                request.Headers.Add(header, value);
                using var answer = await browser.SendAsync(request);
                Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
                Assert.False(answer.Headers.Contains("Set-Cookie"));
                Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
            }
            using var still = await browser.GetAsync("/alive");
            Assert.Equal(HttpStatusCode.NoContent, still.StatusCode);
        }
    }

    [Fact]
    public async Task No_other_site_opens_the_live_connection()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/_blazor?id=x");
            request.Headers.Add("Connection", "Upgrade");
            request.Headers.Add("Upgrade", "websocket");
            request.Headers.Add("Sec-WebSocket-Version", "13");
            request.Headers.Add("Sec-WebSocket-Key", Convert.ToBase64String(new byte[16]));
            request.Headers.Add("Origin", "https://evil.example");
            using var answer = await browser.SendAsync(request);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        }
    }

    [Fact]
    public async Task No_cookie_is_for_scripts_or_other_sites_nor_crosses_a_line_in_the_clear()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            using var look = new FormUrlEncodedContent(
                new Dictionary<string, string> { ["language"] = "nl", ["theme"] = "dark", ["to"] = "/" });
            using var looked = await browser.PostAsync("/look", look);
            Assert.Equal(2, looked.Headers.GetValues("Set-Cookie").Count());
            foreach (var cookie in looked.Headers.GetValues("Set-Cookie")) AssertStrict(cookie);
            using var ended = await browser.PostAsync("/sign-out", null);
            AssertStrict(Assert.Single(ended.Headers.GetValues("Set-Cookie")));
        }
        // Behind TLS the browser keeps it for that host and TLS alone, whatever another site under the name sets.
        var behind = fixture.OptionsAt(new IPEndPoint(IPAddress.Loopback, 0)) with
        {
            PublicUrl = new Uri("https://page.example.org"),
        };
        await using var page = await PageServer.StartAsync(behind, CancellationToken.None);
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        var link = await page.LinkAsync(CancellationToken.None);
        using var enter = new HttpRequestMessage(HttpMethod.Get, $"http://{page.Place}{link.PathAndQuery}");
        enter.Headers.Host = "page.example.org";
        using var entered = await http.SendAsync(enter);
        var session = Assert.Single(entered.Headers.GetValues("Set-Cookie"));
        AssertStrict(session);
        Assert.StartsWith("__Host-", session);
        Assert.Contains("; secure", session, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("domain=", session, StringComparison.OrdinalIgnoreCase);

        static void AssertStrict(string cookie)
        {
            Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("path=/", cookie, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task Recovery_codes_are_not_guessed_either_and_a_guess_of_one_slows_the_other()
    {
        await using var fixture = await Fixture.StartAsync();
        var (first, code) = await fixture.SetUpAsync();
        first.Dispose();
        await using var page = await fixture.StandingStillAsync();
        using var thief = fixture.Browser(page);
        const string next = "another long sentence";
        for (var i = 0; i < 5; i++)
        {
            Assert.Contains("not the code", await Fixture.PostAsync(
                thief, "/recover", ("Form.Code", $"guess-{i}"), ("Form.Password", next), ("Form.Again", next)));
        }
        var late = await Fixture.PostAsync(
            thief, "/recover", ("Form.Code", code), ("Form.Password", next), ("Form.Again", next));
        Assert.Contains("Too many wrong tries", late);
        using var other = fixture.Browser(page);
        Assert.Contains(
            "Too many wrong tries", await Fixture.PostAsync(other, "/sign-in", ("Form.Password", Fixture.Password)));
        // Who may use the agent's data folder is let in all the same.
        (await fixture.EnterAsync()).Dispose();
    }

    [Fact]
    public async Task Links_are_not_guessed()
    {
        await using var fixture = await Fixture.StartAsync();
        var link = await fixture.Page.LinkAsync(CancellationToken.None);
        var code = link.Segments[^1];
        Assert.True(code.Length >= 32, "a link holds 160 bits at least");
        using var thief = fixture.Browser();
        foreach (var other in new[] { "x", code[..^1], code + "x", new string([.. code.Reverse()]) })
        {
            using var answer = await thief.GetAsync("/enter/" + other);
            Assert.Equal("/sign-in?link=old", answer.Headers.Location?.OriginalString);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
        }
    }

    [Fact]
    public async Task What_a_session_has_open_ends_with_it()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using var other = await fixture.EnterAsync();
        using (browser)
        {
            var folder = await AddAsync(fixture);
            // So much that it can't all be on the way at once.
            using (var file = File.Create(Path.Combine(folder, "film.mp4"))) file.SetLength(1L << 30);
            using var reading = await other.GetAsync(
                "/raw/nas?path=film.mp4", HttpCompletionOption.ResponseHeadersRead);
            await using var body = await reading.Content.ReadAsStreamAsync();
            var buffer = new byte[1 << 16];
            await body.ReadExactlyAsync(buffer);
            var sessions = await fixture.Agent.SignIn.SessionsAsync(TimeProvider.System.GetUtcNow(), default);
            Assert.Equal(2, sessions.Count);
            using var ended = await other.PostAsync("/sign-out", null);
            long read = buffer.Length;
            var cut = await Record.ExceptionAsync(async () =>
            {
                int count;
                while ((count = await body.ReadAsync(buffer)) > 0) read += count;
            });
            Assert.True(cut is IOException or HttpRequestException, $"{cut?.ToString() ?? "nothing"} after {read}");
            using var still = await browser.GetAsync("/alive");
            Assert.Equal(HttpStatusCode.NoContent, still.StatusCode);
        }
    }

    [Fact]
    public async Task No_secret_stands_in_a_page()
    {
        await using var fixture = await Fixture.StartAsync();
        var link = await fixture.Page.LinkAsync(CancellationToken.None);
        var cookies = new CookieContainer();
        using var browser = new HttpClient(
            new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = cookies })
        {
            BaseAddress = fixture.Page.Url,
        };
        using var entered = await browser.GetAsync(link);
        var welcome = await Fixture.PostAsync(
            browser, "/welcome", ("Form.Password", Fixture.Password), ("Form.Again", Fixture.Password));
        var code = RecoveryIn().Match(welcome).Groups[1].Value;
        using var control = new ControlClient(fixture.DataFolder);
        var token = await control.AddTokenAsync(new TokenRequest("test", ["admin"]), default);
        await AddAsync(fixture);
        var session = cookies.GetCookies(fixture.Page.Url)
            .Single(c => c.Name == $"virga-{fixture.Page.Place.Port}").Value;
        string[] secrets = [Fixture.Password, code, token.Token, session, link.Segments[^1]];
        foreach (var path in PagePaths)
        {
            using var answer = await browser.GetAsync(path);
            var shown = await answer.Content.ReadAsStringAsync() + answer.Headers;
            Assert.All(secrets, secret => Assert.DoesNotContain(secret, shown, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("page.html")]
    [InlineData("page.htm")]
    [InlineData("page.HTML")]
    [InlineData("page.xhtml")]
    [InlineData("page.xml")]
    [InlineData("page.xsl")]
    [InlineData("page.svg")]
    [InlineData("page.svgz")]
    [InlineData("page.mht")]
    [InlineData("page.js")]
    [InlineData("page.mjs")]
    [InlineData("page.css")]
    [InlineData("page.wasm")]
    [InlineData("page.swf")]
    [InlineData("page.pdf")]
    [InlineData("page.png")]
    [InlineData("page.txt")]
    [InlineData("page.md")]
    [InlineData("page.json")]
    [InlineData("page")]
    [InlineData("page.html.")]
    [InlineData("page.pdf\r\nX-Other: 1")]
    [InlineData("a\";page.html")]
    public async Task Whatever_a_file_holds_and_is_called_it_is_never_a_page(string name)
    {
        const string script = "<html xmlns=\"http://www.w3.org/1999/xhtml\"><script>alert(1)</script></html>";
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            var folder = await AddAsync(fixture);
            await File.WriteAllTextAsync(Path.Combine(folder, name), script);
            foreach (var place in new[] { "/raw/nas?path=", "/raw/nas?download=1&path=", "/thumb/nas?path=" })
            {
                using var answer = await browser.GetAsync(place + Uri.EscapeDataString(name));
                var type = answer.Content.Headers.ContentType?.MediaType ?? "";
                Assert.DoesNotMatch("html|xhtml|^(text|application)/xml|javascript|ecmascript|css|wasm|flash", type);
                Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
                Assert.Equal("same-origin", Assert.Single(answer.Headers.GetValues("Cross-Origin-Resource-Policy")));
                var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
                Assert.DoesNotContain("allow-", policy);
                // The browser's own viewer shows PDFs, in an origin of its own.
                if (type != "application/pdf" && answer.StatusCode != HttpStatusCode.NoContent)
                    Assert.StartsWith("sandbox; default-src 'none';", policy);
                var disposition = answer.Content.Headers.ContentDisposition?.DispositionType;
                if (type == "application/octet-stream") Assert.Equal("attachment", disposition);
            }
        }
    }

    private static async Task<string> AddAsync(Fixture fixture)
    {
        var folder = fixture.Folder("nas");
        using var agent = new ControlClient(fixture.DataFolder);
        await agent.AddAccountAsync(new AccountAddRequest("nas", "disk:" + folder, Nothing, Nothing), default);
        return folder;
    }

    /// <summary>The tags alone: what stands between them is text.</summary>
    private static string TagsOf(string html) => string.Concat(Tag().Matches(html).Select(m => m.Value));

    [GeneratedRegex("<[a-zA-Z][^>]*>")]
    private static partial Regex Tag();

    [GeneratedRegex("""id="recovery-code">([a-z0-9-]+)<""")]
    private static partial Regex RecoveryIn();
}
