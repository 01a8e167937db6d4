using Virga.Accounts.Adapters.OAuth;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Accounts.Adapters.Tests.OAuth;

/// <summary>
/// Access tokens are renewed in time, once for all who ask, and what replaces a refresh token is kept.
/// </summary>
public sealed class AccessTokensTests
{
    private static CancellationToken Now => CancellationToken.None;

    [Fact]
    public async Task A_token_is_kept_while_it_holds_and_renewed_before_it_ends()
    {
        var clock = new FakeTimeProvider();
        await using var scene = await OAuthScene.StartAsync(clock);
        var tokens = scene.Tokens();
        var first = await tokens.GetAsync(Now);
        clock.Advance(TimeSpan.FromMinutes(54));
        Assert.Equal(first, await tokens.GetAsync(Now));
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.True(scene.Server.Permits(first, "files"));
        var second = await tokens.GetAsync(Now);
        Assert.NotEqual(first, second);
        Assert.Equal(2, scene.Server.Requests.Count);
    }

    [Fact]
    public async Task However_many_ask_one_renewal_runs()
    {
        await using var scene = await OAuthScene.StartAsync();
        var gate = new TaskCompletionSource();
        scene.Server.TokenGate = gate.Task;
        var tokens = scene.Tokens();
        var asking = Enumerable.Range(0, 50).Select(_ => tokens.GetAsync(Now).AsTask()).ToList();
        gate.SetResult();
        Assert.Single((await Task.WhenAll(asking)).Distinct());
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Who_gives_up_waiting_stops_no_renewal()
    {
        await using var scene = await OAuthScene.StartAsync();
        var gate = new TaskCompletionSource();
        scene.Server.TokenGate = gate.Task;
        var store = new RecordingStore();
        var tokens = scene.Tokens(store: store);
        using var leaving = new CancellationTokenSource();
        var left = tokens.GetAsync(leaving.Token).AsTask();
        var stayed = tokens.GetAsync(Now).AsTask();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        gate.SetResult();
        Assert.True(scene.Server.Permits(await stayed, "files"));
        Assert.Single(store.Kept);
    }

    [Fact]
    public async Task A_refused_token_is_renewed_once()
    {
        await using var scene = await OAuthScene.StartAsync();
        var tokens = scene.Tokens();
        var first = await tokens.GetAsync(Now);
        scene.Server.EndAccessToken(first);
        tokens.Refused(first);
        var second = await tokens.GetAsync(Now);
        Assert.True(scene.Server.Permits(second, "files"));
        // Others that used the old one learn it late: the new one is not given up for that.
        tokens.Refused(first);
        Assert.Equal(second, await tokens.GetAsync(Now));
        Assert.Equal(2, scene.Server.Requests.Count);
    }

    [Fact]
    public async Task A_replaced_refresh_token_is_stored_before_its_access_token_is_used()
    {
        await using var scene = await OAuthScene.StartAsync();
        var store = new RecordingStore { Failure = () => new VirgaException(FailureKind.Full, "the disk is full") };
        var tokens = scene.Tokens(store: store);
        await Failing.WithAsync(FailureKind.Full, () => tokens.GetAsync(Now), "full", hasAdvice: false);
        await Failing.WithAsync(FailureKind.Full, () => tokens.GetAsync(Now), "full", hasAdvice: false);
        store.Failure = () => null;
        Assert.True(scene.Server.Permits(await tokens.GetAsync(Now), "files"));
        // The refresh token that was replaced was not used a second time meanwhile, which would have ended the link.
        Assert.Single(scene.Server.Requests);
        Assert.True(scene.Server.HasLiveTokens);
        var kept = Assert.Single(store.Kept);
        Assert.True(scene.Server.Permits(await scene.Tokens(kept).GetAsync(Now), "files"));
    }

    [Fact]
    public async Task A_chain_of_replaced_refresh_tokens_never_uses_one_twice()
    {
        var clock = new FakeTimeProvider();
        await using var scene = await OAuthScene.StartAsync(clock);
        var store = new RecordingStore();
        var tokens = scene.Tokens(store: store);
        for (var hour = 0; hour < 20; hour++)
        {
            Assert.True(scene.Server.Permits(await tokens.GetAsync(Now), "files"));
            clock.Advance(TimeSpan.FromHours(1));
        }
        Assert.Equal(20, store.Kept.Distinct().Count());
        Assert.Empty(scene.Server.Refusals);
    }

    [Fact]
    public async Task A_service_that_keeps_its_refresh_token_stores_nothing()
    {
        await using var scene = await OAuthScene.StartAsync(
            rules: new AuthorizationRules { RotatesRefreshTokens = false });
        var store = new RecordingStore();
        await scene.Tokens(store: store).GetAsync(Now);
        Assert.Empty(store.Kept);
    }

    [Fact]
    public async Task A_revoked_link_says_how_to_link_again()
    {
        await using var scene = await OAuthScene.StartAsync();
        var tokens = scene.Tokens();
        await tokens.GetAsync(Now);
        scene.Server.RevokeEverything();
        tokens.Refused(await tokens.GetAsync(Now));
        var failure = await Failing.WithAsync(
            FailureKind.Unauthenticated, () => tokens.GetAsync(Now), "no longer takes this link");
        Assert.Contains("virga account link mine cloudy", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_client_secret_is_told_from_a_link_that_ended()
    {
        await using var scene = await OAuthScene.StartAsync(secret: "another");
        await Failing.WithAsync(
            FailureKind.Unauthenticated, () => scene.Tokens().GetAsync(Now), "refuses the client");
    }

    [Fact]
    public async Task While_the_old_token_holds_a_failing_server_is_no_failure()
    {
        var clock = new FakeTimeProvider();
        await using var scene = await OAuthScene.StartAsync(clock);
        var tokens = scene.Tokens();
        var first = await tokens.GetAsync(Now);
        clock.Advance(TimeSpan.FromMinutes(56));
        scene.Server.TokenFaults.Enqueue((503, null));
        Assert.Equal(first, await tokens.GetAsync(Now));
        // It asks again a little later, not at every request.
        Assert.Equal(first, await tokens.GetAsync(Now));
        Assert.Equal(2, scene.Server.Requests.Count);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.NotEqual(first, await tokens.GetAsync(Now));
    }

    [Theory]
    [InlineData(503, null, FailureKind.Unavailable)]
    [InlineData(429, null, FailureKind.Throttled)]
    [InlineData(400, "temporarily_unavailable", FailureKind.Unavailable)]
    [InlineData(400, "unheard_of", FailureKind.BadInput)]
    [InlineData(200, null, FailureKind.Unsupported)]
    public async Task Every_answer_of_the_server_has_its_kind(int status, string? error, FailureKind kind)
    {
        await using var scene = await OAuthScene.StartAsync();
        scene.Server.TokenFaults.Enqueue((status, error));
        await Failing.WithAsync(kind, () => scene.Tokens().GetAsync(Now), "renewing", hasAdvice: status != 429);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unavailable()
    {
        var scene = await OAuthScene.StartAsync();
        var tokens = scene.Tokens();
        await scene.DisposeAsync();
        await Failing.WithAsync(FailureKind.Unavailable, () => tokens.GetAsync(Now), "renewing");
    }

    [Fact]
    public async Task What_an_account_is_asked_for_is_read_from_its_settings()
    {
        await using var scene = await OAuthScene.StartAsync();
        Failing.With(
            FailureKind.Unauthenticated, () => AccessTokens.Open(scene.Provider, scene.Config(), scene.Services),
            "not linked");
        Failing.With(
            FailureKind.BadInput, () => OAuthSettings.At(scene.Provider, "http://example.org"), "http://example.org");
        Failing.With(
            FailureKind.BadInput, () => OAuthSettings.At(scene.Provider, "https://example.org/path"), "/path");
        Assert.Equal(
            "https://gov.example/authorize",
            OAuthSettings.At(scene.Provider, "https://gov.example").Authorization.AbsoluteUri);
    }
}
