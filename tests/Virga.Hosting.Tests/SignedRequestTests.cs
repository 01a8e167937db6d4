using System.Net;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Hosting.Tests;

public sealed class SignedRequestTests : IAsyncLifetime
{
    private Fixture fixture = null!;
    private TestAgent agent = null!;
    private HttpClient client = null!;

    public async Task InitializeAsync()
    {
        fixture = await Fixture.StartAsync(routes => routes.Signed("POST", "/v1/echo/{name}", request =>
            request.Context.AnswerAsync(
                Encoding.UTF8.GetBytes($"{request.Asker} {Encoding.UTF8.GetString(request.Body.Span)}"))));
        agent = new TestAgent(fixture.Time);
        client = fixture.Client();
        using var posted = await client.PostAsync($"/v1/chains/{agent.Id}", new ByteArrayContent(agent.ChainBytes));
        Assert.Equal(HttpStatusCode.OK, posted.StatusCode);
    }

    public async Task DisposeAsync()
    {
        client.Dispose();
        agent.Dispose();
        await fixture.DisposeAsync();
    }

    [Fact]
    public async Task A_signed_request_is_answered_and_says_who_asked()
    {
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var versioned = fixture.Client(version);
            using var request = Sign("hello", "/v1/echo/%C3%A4%20b?x=1&y=%2F");
            request.Version = version;
            using var response = await versioned.SendAsync(request);
            Assert.Equal($"{agent.Id} hello", await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_plain_request_is_unsigned()
    {
        using var response = await client.PostAsync("/v1/echo/x", new StringContent("hi"));
        await ExpectAsync(response, 401, ErrorCode.Unsigned);
    }

    [Fact]
    public async Task The_same_request_twice_is_a_replay()
    {
        var nonce = RandomNumberGenerator.GetBytes(16);
        using var first = await client.SendAsync(Sign("hi", nonce: nonce));
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        using var second = await client.SendAsync(Sign("hi", nonce: nonce));
        await ExpectAsync(second, 401, ErrorCode.Replay);
    }

    [Fact]
    public async Task An_agent_that_is_not_known_is_told_to_post_its_chain()
    {
        using var stranger = new TestAgent(fixture.Time);
        using var response = await client.SendAsync(
            Fixture.Signed(stranger.Identity, fixture.Keys.Id, "POST", "/v1/echo/x", [], fixture.Time.GetUtcNow()));
        var error = await ExpectAsync(response, 401, ErrorCode.UnknownAgent);
        Assert.Contains("chain", error.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signature_by_another_key_is_refused_and_does_not_use_up_the_nonce()
    {
        using var thief = new TestAgent(fixture.Time);
        var nonce = RandomNumberGenerator.GetBytes(16);
        var pretending = new PeerIdentity(agent.Id, thief.Identity.SigningKey, thief.Identity.SealIdentity);
        using var forged = await client.SendAsync(
            Fixture.Signed(pretending, fixture.Keys.Id, "POST", "/v1/echo/x", "hi"u8.ToArray(),
                fixture.Time.GetUtcNow(), nonce));
        await ExpectAsync(forged, 401, ErrorCode.BadSignature);
        using var genuine = await client.SendAsync(Sign("hi", nonce: nonce));
        Assert.Equal(HttpStatusCode.OK, genuine.StatusCode);
    }

    [Fact]
    public async Task A_request_to_another_receiver_is_refused()
    {
        using var other = new TestAgent(fixture.Time);
        using var response = await client.SendAsync(
            Fixture.Signed(agent.Identity, other.Id, "POST", "/v1/echo/x", [], fixture.Time.GetUtcNow()));
        await ExpectAsync(response, 401, ErrorCode.BadSignature);
    }

    [Theory]
    [InlineData(-301)]
    [InlineData(-3600)]
    [InlineData(301)]
    public async Task A_clock_that_is_off_is_told_both_times(int seconds)
    {
        using var response = await client.SendAsync(Fixture.Signed(
            agent.Identity, fixture.Keys.Id, "POST", "/v1/echo/x", [], fixture.Time.GetUtcNow().AddSeconds(seconds)));
        var error = await ExpectAsync(response, 401, ErrorCode.Clock);
        Assert.Equal(fixture.Time.GetUtcNow(), error.Now);
    }

    [Fact]
    public async Task A_body_that_was_changed_on_the_way_is_refused()
    {
        using var request = Sign("hello");
        using var changed =
            new HttpRequestMessage(HttpMethod.Post, request.RequestUri) { Content = new StringContent("hellp") };
        foreach (var header in request.Headers) changed.Headers.TryAddWithoutValidation(header.Key, header.Value);
        foreach (var header in request.Content!.Headers.Where(header =>
            header.Key.StartsWith("Content-D", StringComparison.Ordinal)))
            changed.Content.Headers.TryAddWithoutValidation(header.Key, header.Value);
        using var response = await client.SendAsync(changed);
        await ExpectAsync(response, 401, ErrorCode.BadSignature);
    }

    [Fact]
    public async Task A_signature_for_another_path_query_or_method_is_refused()
    {
        foreach (var (method, target) in new[] { ("POST", "/v1/echo/y"), ("POST", "/v1/echo/x?a=1") })
        {
            using var request = Sign("hello");
            using var moved =
                new HttpRequestMessage(new HttpMethod(method), target) { Content = new StringContent("hello") };
            foreach (var header in request.Headers) moved.Headers.TryAddWithoutValidation(header.Key, header.Value);
            foreach (var header in request.Content!.Headers.Where(header =>
                header.Key.StartsWith("Content-D", StringComparison.Ordinal)))
                moved.Content.Headers.TryAddWithoutValidation(header.Key, header.Value);
            using var response = await client.SendAsync(moved);
            await ExpectAsync(response, 401, ErrorCode.BadSignature);
        }
    }

    [Fact]
    public async Task A_body_over_the_bound_is_refused_whether_its_length_is_told_or_not()
    {
        var large = new byte[(1 << 20) + 1];
        using var told = Sign(large);
        told.Headers.ExpectContinue = true;
        using var refused = await client.SendAsync(told);
        await ExpectAsync(refused, 413, ErrorCode.TooLarge);
        using var untold = Sign(large);
        untold.Headers.TransferEncodingChunked = true;
        using var client2 = fixture.Client();
        using var response = await client2.SendAsync(untold);
        await ExpectAsync(response, 413, ErrorCode.TooLarge);
    }

    [Fact]
    public async Task One_agent_is_limited_whatever_its_addresses()
    {
        await using var limited = await Fixture.StartAsync(
            routes => routes.Signed("POST", "/v1/echo/x", request => request.Context.AnswerAsync(Array.Empty<byte>())),
            options => options with { Limits = new PeerLimits { Agent = new RequestRate(1, 3) } });
        using var limitedClient = limited.Client();
        await limitedClient.PostAsync($"/v1/chains/{agent.Id}", new ByteArrayContent(agent.ChainBytes));
        HttpRequestMessage Ask() =>
            Fixture.Signed(agent.Identity, limited.Keys.Id, "POST", "/v1/echo/x", [], limited.Time.GetUtcNow());
        for (var i = 0; i < 3; i++) Assert.Equal(HttpStatusCode.OK, (await limitedClient.SendAsync(Ask())).StatusCode);
        using var refused = await limitedClient.SendAsync(Ask());
        Assert.NotNull(refused.Headers.RetryAfter);
        await ExpectAsync(refused, 429, ErrorCode.Throttled);
    }

    [Fact]
    public async Task A_bencode_bomb_of_a_chain_is_refused()
    {
        var bomb = new byte[900_000];
        Array.Fill(bomb, (byte)'l');
        using var response = await client.PostAsync($"/v1/chains/{agent.Id}", new ByteArrayContent(bomb));
        await ExpectAsync(response, 400, ErrorCode.BadRequest);
        using var claims =
            await client.PostAsync($"/v1/chains/{agent.Id}", new ByteArrayContent("l2000000000:"u8.ToArray()));
        await ExpectAsync(claims, 400, ErrorCode.BadRequest);
    }

    private HttpRequestMessage Sign(string body, string target = "/v1/echo/x", byte[]? nonce = null) =>
        Fixture.Signed(agent.Identity, fixture.Keys.Id, "POST", target, Encoding.UTF8.GetBytes(body),
            fixture.Time.GetUtcNow(), nonce);

    private HttpRequestMessage Sign(byte[] body) =>
        Fixture.Signed(agent.Identity, fixture.Keys.Id, "POST", "/v1/echo/x", body, fixture.Time.GetUtcNow());

    private static async Task<PeerError> ExpectAsync(HttpResponseMessage response, int status, string code)
    {
        var error = await Fixture.ErrorOf(response);
        Assert.Equal(code, error.Code);
        Assert.Equal(status, (int)response.StatusCode);
        return error;
    }
}
