using System.Net;
using System.Web;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Accounts.Adapters.Tests.OAuth;

/// <summary>Linking an account with its owner's consent: by browser, by paste, by a code on another device.</summary>
public sealed class LinkTests
{
    private static readonly CancellationToken Now = CancellationToken.None;

    private static HttpClient Browser(bool follows = true) =>
        new(new SocketsHttpHandler { AllowAutoRedirect = follows, UseProxy = false });

    private static async Task<string> VisitAsync(Uri url)
    {
        using var browser = Browser();
        using var answer = await browser.GetAsync(url);
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Where the service sends the browser, without going there.</summary>
    private static async Task<Uri> ConsentAsync(Uri url)
    {
        using var browser = Browser(follows: false);
        using var answer = await browser.GetAsync(url);
        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        return answer.Headers.Location!;
    }

    private static Task<IReadOnlyDictionary<string, string>> LinkAsync(
        OAuthScene scene, ILinkDialog user, LinkWay way = LinkWay.Browser, string access = "full") =>
        scene.Linker.LinkAsync(scene.Config(access: access), way, user, Now);

    [Fact]
    public async Task By_browser_the_user_agrees_and_sees_that_it_is_done()
    {
        await using var scene = await OAuthScene.StartAsync();
        var page = "";
        var user = new ScriptedUser(async i => page = await VisitAsync(i.Url));
        var secrets = await LinkAsync(scene, user);
        await user.Acting;
        Assert.Contains("Cloudy is linked", page, StringComparison.Ordinal);
        Assert.Equal(["files", "about"], user.Invitation!.Scopes.Select(s => s.Name));
        Assert.DoesNotContain(OAuthScene.ClientSecret, user.Invitation.Url.AbsoluteUri, StringComparison.Ordinal);
        Assert.True(scene.Server.Permits(await scene.Tokens(secrets["refreshToken"]).GetAsync(Now), "files"));
        Assert.Empty(scene.Server.Refusals);
    }

    [Fact]
    public async Task Read_only_asks_for_reading_alone()
    {
        await using var scene = await OAuthScene.StartAsync();
        var user = new ScriptedUser(i => VisitAsync(i.Url));
        var secrets = await LinkAsync(scene, user, access: "read-only");
        Assert.Equal("files.read", Assert.Single(user.Invitation!.Scopes).Name);
        var token = await scene.Tokens(secrets["refreshToken"]).GetAsync(Now);
        Assert.True(scene.Server.Permits(token, "files.read"));
        Assert.False(scene.Server.Permits(token, "files"));
    }

    [Fact]
    public async Task A_wrong_state_is_refused_and_the_right_one_still_taken()
    {
        await using var scene = await OAuthScene.StartAsync();
        string? refused = null, without = null;
        var user = new ScriptedUser(async i =>
        {
            var redirect = await ConsentAsync(i.Url);
            var values = HttpUtility.ParseQueryString(redirect.Query);
            var forged = new UriBuilder(redirect) { Query = $"code=another&state={new string('x', 43)}" };
            refused = await VisitAsync(forged.Uri);
            without = await VisitAsync(new UriBuilder(redirect) { Query = $"code={values["code"]}" }.Uri);
            await VisitAsync(redirect);
        });
        var secrets = await LinkAsync(scene, user);
        await user.Acting;
        Assert.Contains("does not belong to the linking", refused, StringComparison.Ordinal);
        Assert.Contains("does not belong to the linking", without, StringComparison.Ordinal);
        Assert.True(scene.Server.Permits(await scene.Tokens(secrets["refreshToken"]).GetAsync(Now), "files"));
        Assert.Empty(scene.Server.Refusals);
    }

    [Fact]
    public async Task A_second_redirect_is_refused()
    {
        await using var scene = await OAuthScene.StartAsync();
        var exchange = new TaskCompletionSource();
        scene.Server.TokenGate = exchange.Task;
        string? second = null;
        Uri? redirect = null;
        var user = new ScriptedUser(async i =>
        {
            redirect = await ConsentAsync(i.Url);
            var first = VisitAsync(redirect);
            // Only once the first has been taken is the other one the second.
            while (!scene.Server.Requests.Contains("/token authorization_code")) await Task.Yield();
            second = await VisitAsync(redirect);
            exchange.SetResult();
            Assert.Contains("is linked", await first, StringComparison.Ordinal);
        });
        var secrets = await LinkAsync(scene, user);
        await user.Acting;
        Assert.Contains("was given already", second, StringComparison.Ordinal);
        await Assert.ThrowsAsync<HttpRequestException>(() => VisitAsync(redirect!));
        Assert.True(scene.Server.Permits(await scene.Tokens(secrets["refreshToken"]).GetAsync(Now), "files"));
    }

    [Fact]
    public async Task A_stolen_code_is_worth_nothing_without_the_verifier()
    {
        await using var scene = await OAuthScene.StartAsync();
        var user = new ScriptedUser(_ => Task.CompletedTask);
        using var ending = new CancellationTokenSource();
        var linking = scene.Linker.LinkAsync(scene.Config(), LinkWay.Paste, user, ending.Token);
        while (user.Invitation is null) await Task.Yield();
        var stolen = HttpUtility.ParseQueryString((await ConsentAsync(user.Invitation.Url)).Query)["code"]!;
        var redirectUri = HttpUtility.ParseQueryString(user.Invitation.Url.Query)["redirect_uri"]!;
        var thief = new LinkAttempt(
            scene.Provider.At(scene.Server.Origin), OAuthScene.ClientId, OAuthScene.ClientSecret, LinkAccess.Full,
            [], new OAuthClient(scene.Services, "Cloudy"));
        await Failing.WithAsync(
            FailureKind.Denied,
            async ValueTask () => await thief.ExchangeAsync(stolen, new Pkce(scene.Services.Random), redirectUri),
            "does not take the code");
        Assert.Contains("wrong code_verifier", Assert.Single(scene.Server.Refusals), StringComparison.Ordinal);
        await ending.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => linking);
    }

    [Fact]
    public async Task The_users_no_is_shown_in_both_places()
    {
        await using var scene = await OAuthScene.StartAsync();
        scene.Server.User = UserDecision.Refuses;
        var page = "";
        var user = new ScriptedUser(async i => page = await VisitAsync(i.Url));
        await Failing.WithAsync(
            FailureKind.Denied, async ValueTask () => await LinkAsync(scene, user), "access was refused");
        await user.Acting;
        Assert.Contains("Not linked", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/favicon.ico")]
    [InlineData("/?state=1&state=2")]
    [InlineData("/")]
    public async Task Other_requests_change_nothing(string target)
    {
        await using var scene = await OAuthScene.StartAsync();
        var user = new ScriptedUser(async i =>
        {
            var redirect = await ConsentAsync(i.Url);
            Assert.Contains("Virga", await VisitAsync(redirect), StringComparison.Ordinal);
        });
        var pkce = new Pkce(scene.Services.Random);
        await using var receiver = LoopbackReceiver.Start(scene.Provider, pkce, TimeProvider.System);
        using var browser = Browser();
        using var answer = await browser.GetAsync($"http://127.0.0.1:{receiver.Port}{target}");
        Assert.False(answer.IsSuccessStatusCode);
        using var rebound = new HttpRequestMessage(
            HttpMethod.Get, $"http://127.0.0.1:{receiver.Port}/?code=c&state={pkce.State}");
        rebound.Headers.Host = "evil.example";
        using var refused = await browser.SendAsync(rebound);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.False(receiver.Received.IsCompleted);
        await LinkAsync(scene, user);
        await user.Acting;
    }

    [Fact]
    public async Task What_the_user_unticked_is_named_and_what_was_given_is_given_back()
    {
        await using var scene = await OAuthScene.StartAsync();
        scene.Server.Unticked.Add("about");
        var user = new ScriptedUser(i => VisitAsync(i.Url));
        await Failing.WithAsync(
            FailureKind.Denied, async ValueTask () => await LinkAsync(scene, user), "see the account's name");
        Assert.False(scene.Server.HasLiveTokens);
    }

    [Fact]
    public async Task A_link_without_a_refresh_token_is_none()
    {
        await using var scene = await OAuthScene.StartAsync(
            rules: new AuthorizationRules { OfflineParameter = KeyValuePair.Create("access_type", "offline") });
        await Failing.WithAsync(
            FailureKind.Unsupported,
            async ValueTask () => await LinkAsync(scene, new ScriptedUser(i => VisitAsync(i.Url))), "no refresh token");
        scene.Provider = scene.Provider with
        {
            Parameters = new Dictionary<string, string> { ["access_type"] = "offline" },
        };
        Assert.Contains("refreshToken", await LinkAsync(scene, new ScriptedUser(i => VisitAsync(i.Url))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task By_paste_the_code_or_the_whole_address_is_taken(bool isWhole)
    {
        await using var scene = await OAuthScene.StartAsync();
        var user = new ScriptedUser(_ => Task.CompletedTask);
        var linking = LinkAsync(scene, user, LinkWay.Paste);
        while (user.Invitation is null) await Task.Yield();
        var redirect = await ConsentAsync(user.Invitation.Url);
        var code = HttpUtility.ParseQueryString(redirect.Query)["code"]!;
        user.Paste(isWhole ? $"  {redirect.AbsoluteUri} \n" : code);
        Assert.Contains("refreshToken", await linking);
    }

    [Fact]
    public async Task A_service_that_shows_the_code_is_asked_for_no_redirect()
    {
        await using var scene = await OAuthScene.StartAsync();
        scene.Provider = scene.Provider with { ShowsCode = true };
        var user = new ScriptedUser(_ => Task.CompletedTask);
        var linking = LinkAsync(scene, user, LinkWay.Paste);
        while (user.Invitation is null) await Task.Yield();
        Assert.DoesNotContain("redirect_uri", user.Invitation.Url.Query, StringComparison.Ordinal);
        var page = await VisitAsync(user.Invitation.Url);
        user.Paste(page.Split("<code id=\"code\">")[1].Split('<')[0]);
        Assert.Contains("refreshToken", await linking);
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/?code=abc&state=wrong", FailureKind.Denied, "another linking")]
    [InlineData("two words", FailureKind.BadInput, "no code")]
    [InlineData("", FailureKind.BadInput, "no code")]
    [InlineData("code-of-somebody-else", FailureKind.Denied, "does not take the code")]
    public async Task What_is_pasted_wrongly_is_told(string text, FailureKind kind, string holds)
    {
        await using var scene = await OAuthScene.StartAsync();
        var user = new ScriptedUser(_ => Task.CompletedTask);
        user.Paste(text);
        await Failing.WithAsync(kind, async ValueTask () => await LinkAsync(scene, user, LinkWay.Paste), holds);
    }

    [Fact]
    public async Task A_code_that_is_too_old_or_used_is_told_and_its_reuse_ends_what_it_gave()
    {
        var clock = new FakeTimeProvider();
        await using var scene = await OAuthScene.StartAsync(clock);
        var pkce = new Pkce(scene.Services.Random);
        var attempt = new LinkAttempt(
            scene.Provider.At(scene.Server.Origin), OAuthScene.ClientId, OAuthScene.ClientSecret, LinkAccess.Full,
            [new("files", "")], new OAuthClient(scene.Services, "Cloudy"));
        async Task<string> CodeAsync() => HttpUtility.ParseQueryString(
            (await ConsentAsync(attempt.AuthorizationUrl(pkce, "http://127.0.0.1:7/"))).Query)["code"]!;

        var old = await CodeAsync();
        clock.Advance(TimeSpan.FromMinutes(2));
        await Failing.WithAsync(
            FailureKind.Denied, async ValueTask () => await attempt.ExchangeAsync(old, pkce, "http://127.0.0.1:7/"),
            "does not take the code");
        var code = await CodeAsync();
        await attempt.ExchangeAsync(code, pkce, "http://127.0.0.1:7/");
        Assert.True(scene.Server.HasLiveTokens);
        await Failing.WithAsync(
            FailureKind.Denied, async ValueTask () => await attempt.ExchangeAsync(code, pkce, "http://127.0.0.1:7/"),
            "does not take the code");
        Assert.False(scene.Server.HasLiveTokens);
        await Failing.WithAsync(
            FailureKind.Denied,
            async ValueTask () => await attempt.ExchangeAsync(await CodeAsync(), pkce, "http://127.0.0.1:8/"),
            "does not take the code");
    }

    [Fact]
    public async Task The_one_port_that_a_service_allows_may_be_taken()
    {
        using var other = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        other.Start();
        await using var scene = await OAuthScene.StartAsync();
        scene.Provider = scene.Provider with { RedirectPort = ((IPEndPoint)other.LocalEndpoint).Port };
        var failure = await Failing.WithAsync(
            FailureKind.InUse,
            async ValueTask () => await LinkAsync(scene, new ScriptedUser(_ => Task.CompletedTask)), "is taken");
        Assert.Contains("--paste", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_or_access_that_is_missing_is_told_before_anything_is_asked()
    {
        await using var scene = await OAuthScene.StartAsync();
        var nobody = new ScriptedUser(_ => throw new InvalidOperationException("was asked"));
        var config = scene.Config() with { Settings = TestServices.Map(("access", "full")) };
        var failure = await Failing.WithAsync(
            FailureKind.BadInput,
            async ValueTask () => await scene.Linker.LinkAsync(config, LinkWay.Browser, nobody, Now),
            "Virga has none of its own");
        Assert.Contains("linking.md", failure.Advice, StringComparison.Ordinal);
        await Failing.WithAsync(
            FailureKind.Unsupported, async ValueTask () => await LinkAsync(scene, nobody, access: "own-files"),
            "own-files");
        scene.Provider = scene.Provider with { NeedsClientSecret = true };
        await Failing.WithAsync(
            FailureKind.BadInput,
            async ValueTask () => await scene.Linker.LinkAsync(
                scene.Config() with { Secrets = TestServices.None }, LinkWay.Browser, nobody, Now),
            "wants a secret");
    }

    [Theory]
    [InlineData(RevocationStyle.Rfc7009)]
    [InlineData(RevocationStyle.ByAccessToken)]
    public async Task Unlinking_ends_the_tokens_at_the_service(RevocationStyle style)
    {
        await using var scene = await OAuthScene.StartAsync(
            rules: new AuthorizationRules { RevokesByAccessToken = style == RevocationStyle.ByAccessToken });
        scene.Provider = scene.Provider with { RevocationStyle = style };
        var config = scene.Config(scene.Server.GiveRefreshToken(OAuthScene.ClientId, "files"));
        Assert.Equal(LinkEnd.Revoked, await scene.Linker.RevokeAsync(config, Now));
        Assert.False(scene.Server.HasLiveTokens);
        if (style == RevocationStyle.ByAccessToken)
            Assert.Equal(LinkEnd.EndedBefore, await scene.Linker.RevokeAsync(config, Now));
        Assert.Equal(LinkEnd.EndedBefore, await scene.Linker.RevokeAsync(scene.Config(), Now));
        scene.Provider = scene.Provider with { Revocation = null };
        Assert.Equal(LinkEnd.ByHand, await scene.Linker.RevokeAsync(config, Now));
    }
}
