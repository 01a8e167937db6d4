using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Repository.Tests;

public sealed class HostileClientTests : IAsyncLifetime
{
    private Fixture fixture = null!;
    private TestAgent agent = null!;
    private TestAgent victim = null!;
    private HttpClient client = null!;

    public async Task InitializeAsync()
    {
        fixture = await Fixture.StartAsync();
        (agent, victim) = (fixture.NewAgent(), fixture.NewAgent());
        await agent.Client.PostChainAsync(agent.Id, agent.Keys.Envelopes, CancellationToken.None);
        await victim.Client.PostChainAsync(victim.Id, victim.Keys.Envelopes, CancellationToken.None);
        client = fixture.RawClient();
    }

    public async Task DisposeAsync() => await fixture.DisposeAsync();

    [Fact]
    public async Task An_announce_that_speaks_for_another_is_denied()
    {
        var body = agent.AnnounceBody([Some.Hash(1)], announce => announce with { Agent = victim.Id });
        await ExpectAsync(agent.Request("POST", "/v1/announces", body), 403, ErrorCode.Denied, "another agent");
        await ExpectNothingAsync();
    }

    [Fact]
    public async Task Anothers_own_record_sent_on_is_denied()
    {
        var body = victim.AnnounceBody([Some.Hash(1)]);
        await ExpectAsync(agent.Request("POST", "/v1/announces", body), 403, ErrorCode.Denied, "another agent");
        await ExpectNothingAsync();
    }

    [Fact]
    public async Task A_forged_record_inside_a_rightly_signed_request_is_refused()
    {
        var body = agent.AnnounceBody([Some.Hash(1)], signer: victim);
        await ExpectAsync(agent.Request("POST", "/v1/announces", body), 401, ErrorCode.BadSignature, "not signed by");
        await ExpectNothingAsync();
    }

    [Fact]
    public async Task A_record_signed_as_another_type_is_refused()
    {
        var record = new Withdraw(agent.Id, [Some.Hash(1)], fixture.Time.GetUtcNow());
        var body = agent.Sign(Feed.SignatureType, record.Encode()).Encode();
        await ExpectAsync(agent.Request("POST", "/v1/withdrawals", body), 401, ErrorCode.BadSignature, "not signed by");
    }

    [Fact]
    public async Task Hashes_that_are_not_those_of_the_record_are_refused()
    {
        var body = agent.AnnounceBody([Some.Hash(1)], announce => announce with { Digest = Some.Hash(5) });
        await ExpectAsync(agent.Request("POST", "/v1/announces", body), 400, ErrorCode.BadRequest,
            "not those of the record");
        body = agent.AnnounceBody([Some.Hash(1)], announce => announce with { Count = 2 });
        await ExpectAsync(agent.Request("POST", "/v1/announces", body), 400, ErrorCode.BadRequest, "1 hashes");
        await ExpectNothingAsync();
    }

    [Fact]
    public async Task A_thousand_and_one_hashes_are_refused_and_a_thousand_are_not()
    {
        Hash256[] hashes = [.. Enumerable.Range(0, 1_001).Select(Some.Hash).Order()];
        await ExpectAsync(agent.Request("POST", "/v1/announces", agent.AnnounceBody(hashes)), 400,
            ErrorCode.BadRequest, "");
        using var accepted =
            await client.SendAsync(agent.Request("POST", "/v1/announces", agent.AnnounceBody(hashes[..1_000])));
        Assert.Equal(HttpStatusCode.OK, accepted.StatusCode);
    }

    [Theory]
    [InlineData(-3600, 3000)]
    [InlineData(-200, -10)]
    [InlineData(600, 3600)]
    [InlineData(0, 7201)]
    [InlineData(0, 0)]
    public async Task An_announce_out_of_its_time_is_refused(int madeSeconds, int expiresSeconds)
    {
        var now = fixture.Time.GetUtcNow();
        var body = agent.AnnounceBody([Some.Hash(1)], announce => announce with
        {
            Time = now.AddSeconds(madeSeconds),
            Expires = now.AddSeconds(expiresSeconds),
        });
        using var response = await client.SendAsync(agent.Request("POST", "/v1/announces", body));
        Assert.Contains((int)response.StatusCode, new[] { 400, 401 });
        Assert.Contains(ErrorMessage.TryRead(await response.Content.ReadAsByteArrayAsync())!.Code,
            new[] { ErrorCode.BadRequest, ErrorCode.Clock });
        await ExpectNothingAsync();
    }

    [Fact]
    public async Task A_request_sent_twice_counts_once()
    {
        var body = agent.AnnounceBody([Some.Hash(1)]);
        using var first = agent.Request("POST", "/v1/announces", body);
        using var second =
            new HttpRequestMessage(HttpMethod.Post, "/v1/announces") { Content = new ByteArrayContent(body) };
        foreach (var header in first.Headers) second.Headers.TryAddWithoutValidation(header.Key, header.Value);
        foreach (var header in first.Content!.Headers.Where(header =>
            header.Key.StartsWith("Content-D", StringComparison.Ordinal)))
            second.Content.Headers.TryAddWithoutValidation(header.Key, header.Value);
        Assert.Equal(HttpStatusCode.OK, (await client.SendAsync(first)).StatusCode);
        await ExpectAsync(second, 401, ErrorCode.Replay, "before");
    }

    [Fact]
    public async Task An_agent_that_is_unknown_is_told_so()
    {
        var stranger = fixture.NewAgent();
        await ExpectAsync(stranger.Request("POST", "/v1/announces", stranger.AnnounceBody([Some.Hash(1)])), 401,
            ErrorCode.UnknownAgent, "not known");
    }

    [Fact]
    public async Task Two_megabytes_are_too_large()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/announces");
        request.Content = new ByteArrayContent(new byte[2 << 20]);
        // Otherwise the refusal may come while the body is still on its way, and be lost with the connection.
        request.Headers.ExpectContinue = true;
        await ExpectAsync(request, 413, ErrorCode.TooLarge, "longer");
        await ExpectAliveAsync();
    }

    [Fact]
    public async Task A_megabyte_without_end_is_cut_off_at_the_bound()
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Post, $"/v1/chains/{agent.Id}") { Content = new EndlessContent() };
        try
        {
            using var response = await client.SendAsync(request);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        }
        catch (HttpRequestException)
        {
            // The repository may close the connection while we still send.
        }

        await ExpectAliveAsync();
    }

    [Fact]
    public async Task Bencode_bombs_are_refused()
    {
        string[] bombs =
        [
            new string('l', 500_000), new string('d', 500_000), $"l{string.Concat(Enumerable.Repeat("i1e", 100_000))}e",
            "9999999999999:", $"i{new string('9', 500_000)}e",
        ];
        foreach (var bomb in bombs)
        {
            var bytes = Encoding.ASCII.GetBytes(bomb);
            await ExpectAsync(agent.Request("POST", "/v1/announces", bytes), 400, ErrorCode.BadRequest, "");
            using var chain = new HttpRequestMessage(HttpMethod.Post, $"/v1/chains/{agent.Id}");
            chain.Content = new ByteArrayContent(bytes);
            await ExpectAsync(chain, 400, ErrorCode.BadRequest, "");
        }
    }

    [Fact]
    public async Task Endless_headers_end_the_connection_and_nothing_else()
    {
        var url = fixture.Host.Endpoint.Url;
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(url.Host, url.Port);
        await using var tls = new SslStream(tcp.GetStream(), false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("x");
        var closed = false;
        try
        {
            await tls.WriteAsync("GET /v1/peer HTTP/1.1\r\nHost: x\r\nX-A: "u8.ToArray());
            for (var i = 0; i < 10_000; i++) await tls.WriteAsync(new byte[4096].Select(_ => (byte)'a').ToArray());
            closed = await tls.ReadAsync(new byte[1]) == 0;
        }
        catch (IOException)
        {
            closed = true;
        }

        Assert.True(closed);
        await ExpectAliveAsync();
    }

    [Fact]
    public async Task Garbage_instead_of_tls_is_dropped()
    {
        var url = fixture.Host.Endpoint.Url;
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(url.Host, url.Port);
        await tcp.GetStream().WriteAsync(Some.Bytes(1, 10_000));
        var buffer = new byte[1024];
        try
        {
            while (await tcp.GetStream().ReadAsync(buffer) > 0) { }
        }
        catch (IOException)
        {
        }

        await ExpectAliveAsync();
    }

    [Fact]
    public async Task The_chain_of_another_under_ones_own_id_is_refused()
    {
        var stranger = fixture.NewAgent();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/chains/{stranger.Id}")
        {
            Content = new ByteArrayContent(SignedEnvelope.EncodeList(victim.Keys.Envelopes)),
        };
        await ExpectAsync(request, 400, ErrorCode.BadRequest, "genesis");
    }

    [Fact]
    public async Task A_contradiction_is_proven_and_ends_the_agents_announces()
    {
        await agent.Client.AnnounceAsync([Some.Hash(1)], [TestAgent.Home], TimeSpan.FromHours(1),
            CancellationToken.None);
        var genesis = agent.Keys.Chain;
        SignedEnvelope Profile(string name) => agent.Sign("statement", StatementWriter.Next(
            genesis, StatementType.Profile, StatementWriter.ProfileBody(name), fixture.Time.GetUtcNow()));
        await agent.Client.PostChainAsync(agent.Id, [Profile("one")], CancellationToken.None);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/chains/{agent.Id}")
        {
            Content = new ByteArrayContent(SignedEnvelope.EncodeList([Profile("two")])),
        };
        var error = await ExpectAsync(request, 409, ErrorCode.Conflict, "two different statements");
        FraudProof.Parse(error.Proof).Verify(genesis);
        await ExpectNothingAsync();
        await ExpectAsync(agent.Request("POST", "/v1/announces", agent.AnnounceBody([Some.Hash(1)])), 403,
            ErrorCode.Denied, "trusted no more");
    }

    [Fact]
    public async Task A_feed_under_anothers_path_is_refused()
    {
        var record = new Feed(agent.Id, "x", Some.Hash(1), fixture.Time.GetUtcNow(), 1);
        var feed = agent.Sign(Feed.SignatureType, record.Encode()).Encode();
        await ExpectAsync(agent.Request("PUT", $"/v1/feeds/{victim.Id}/x", feed), 400, ErrorCode.BadRequest, "path");
        await ExpectAsync(agent.Request("PUT", $"/v1/feeds/{agent.Id}/y", feed), 400, ErrorCode.BadRequest, "path");
    }

    [Fact]
    public async Task A_flood_is_throttled_with_the_time_to_wait()
    {
        await fixture.RestartAsync(options =>
            options with { Limits = new PeerLimits { Address = new RequestRate(5, 20) } });
        using var flooding = fixture.RawClient();
        var answers =
            await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => flooding.GetAsync($"/v1/announces/{Some.Hash(1)}")));
        Assert.Equal(20, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        var refused = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.Equal(40, answers.Count(answer => answer.StatusCode == HttpStatusCode.TooManyRequests));
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
        Assert.Equal(ErrorCode.Throttled, ErrorMessage.TryRead(await refused.Content.ReadAsByteArrayAsync())!.Code);
        var throttled = await Assert.ThrowsAsync<VirgaException>(() =>
            agent.Client.LookUpAsync(Some.Hash(1), CancellationToken.None));
        Assert.Equal(FailureKind.Throttled, throttled.Kind);
        Assert.Equal(TimeSpan.FromSeconds(1), throttled.RetryAfter);
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(await agent.Client.LookUpAsync(Some.Hash(1), CancellationToken.None));
    }

    [Fact]
    public async Task An_agent_that_announces_too_much_is_told_the_bound()
    {
        await fixture.RestartAsync(options => options with { Announces = new AnnounceLimits(HashesPerAgentMax: 3) });
        await agent.Client.AnnounceAsync([Some.Hash(1), Some.Hash(2)], [TestAgent.Home], TimeSpan.FromHours(1),
            CancellationToken.None);
        var full = await Assert.ThrowsAsync<VirgaException>(() =>
            agent.Client.AnnounceAsync([Some.Hash(3), Some.Hash(4)], [TestAgent.Home], TimeSpan.FromHours(1),
                CancellationToken.None));
        Assert.Equal(FailureKind.Full, full.Kind);
        await agent.Client.AnnounceAsync([Some.Hash(1), Some.Hash(3)], [TestAgent.Home], TimeSpan.FromHours(1),
            CancellationToken.None);
    }

    private async Task<PeerError> ExpectAsync(HttpRequestMessage request, int status, string code, string messagePart)
    {
        using var response = await client.SendAsync(request);
        var error = ErrorMessage.TryRead(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal(code, error?.Code);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(messagePart, error!.Message, StringComparison.Ordinal);
        Assert.Equal(fixture.Time.GetUtcNow(), error.Now);
        return error;
    }

    private async Task ExpectNothingAsync() =>
        Assert.Empty(await victim.Client.LookUpAsync(Some.Hash(1), CancellationToken.None));

    private async Task ExpectAliveAsync() =>
        Assert.Equal(fixture.Host.Id, (await victim.Client.GetPeerAsync(CancellationToken.None)).Agent);

    private sealed class EndlessContent : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var chunk = RandomNumberGenerator.GetBytes(64 << 10);
            for (var i = 0; i < 1_000; i++) await stream.WriteAsync(chunk);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
