using System.Net;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Protocol;
using Virga.Storage;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Hosting.Tests;

public sealed class ChainStoreTests : IAsyncLifetime
{
    private Fixture fixture = null!;
    private HttpClient client = null!;

    public async Task InitializeAsync()
    {
        fixture = await Fixture.StartAsync(change: options =>
            options with { Limits = new PeerLimits { NewChains = new RequestRate(0.1, 5) } });
        client = fixture.Client();
    }

    public async Task DisposeAsync()
    {
        client.Dispose();
        await fixture.DisposeAsync();
    }

    [Fact]
    public async Task A_chain_is_posted_in_parts_fetched_from_a_number_and_posted_again_without_harm()
    {
        using var agent = new TestAgent(fixture.Time);
        Assert.Equal(1, await PostAsync(agent));
        for (var i = 0; i < 5; i++) await AppendAsync(agent, $"name {i}");
        Assert.Equal(6, await PostAsync(agent));
        Assert.Equal(6, await PostAsync(agent, agent.Keys.Envelopes.Skip(2).Take(2)));
        var got = SignedEnvelope.ParseList(await client.GetByteArrayAsync($"/v1/chains/{agent.Id}?from=4"), 256);
        Assert.Equal(agent.Keys.Envelopes.Skip(4).Select(e => e.Encode()), got.Select(e => e.Encode()));
        Assert.Empty(SignedEnvelope.ParseList(await client.GetByteArrayAsync($"/v1/chains/{agent.Id}?from=6"), 256));
    }

    [Fact]
    public async Task A_long_chain_comes_in_pages_of_256()
    {
        using var agent = new TestAgent(fixture.Time);
        for (var i = 0; i < 299; i++) await AppendAsync(agent, $"name {i}");
        foreach (var page in SignedEnvelope.Pages(agent.Keys.Envelopes)) await PostAsync(agent, page);
        Assert.Equal(256, SignedEnvelope.ParseList(await client.GetByteArrayAsync($"/v1/chains/{agent.Id}"), 256)
            .Count);
        Assert.Equal(44,
            SignedEnvelope.ParseList(await client.GetByteArrayAsync($"/v1/chains/{agent.Id}?from=256"), 256).Count);
    }

    [Fact]
    public async Task Where_chains_end_is_told_of_many_at_once()
    {
        using var agent = new TestAgent(fixture.Time);
        using var fraud = new TestAgent(fixture.Time);
        using var stranger = new TestAgent(fixture.Time);
        await AppendAsync(agent, "name");
        await PostAsync(agent);
        await AppendAsync(fraud, "name");
        await PostAsync(fraud);
        await fixture.Chains.AppendAsync(fraud.Id, [Statement(fraud, "another")], CancellationToken.None);
        IReadOnlyList<AgentId> asked = [stranger.Id, agent.Id, fixture.Keys.Id, fraud.Id];
        IReadOnlyList<(long, Hash256)?> expected =
        [
            null, (2, HashOf(agent.Keys.Envelopes[1])),
            (fixture.Keys.Envelopes.Count, HashOf(fixture.Keys.Envelopes[^1])), null,
        ];
        Assert.Equal(expected, await TipsAsync(asked));
        // What is not in memory comes from the database.
        Assert.Equal(expected, await fixture.NewChains().TipsAsync(asked, CancellationToken.None));

        using var response = await client.PostAsync("/v1/tips", new ByteArrayContent("le"u8.ToArray()));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task The_peers_own_chain_is_served_and_an_unknown_one_is_not_found()
    {
        var own = SignedEnvelope.ParseList(await client.GetByteArrayAsync($"/v1/chains/{fixture.Keys.Id}"), 256);
        Assert.Equal(fixture.Keys.Id, Sigchain.Check(own.Select(e => (e.Body, e.Signature)), fixture.Time.GetUtcNow())
            .Id);
        using var stranger = new TestAgent(fixture.Time);
        using var response = await client.GetAsync($"/v1/chains/{stranger.Id}");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task A_chain_under_the_id_of_another_is_refused()
    {
        using var agent = new TestAgent(fixture.Time);
        using var other = new TestAgent(fixture.Time);
        using var response = await client.PostAsync($"/v1/chains/{other.Id}", new ByteArrayContent(agent.ChainBytes));
        Assert.Equal(ErrorCode.BadRequest, (await Fixture.ErrorOf(response)).Code);
        Assert.Null(await fixture.Chains.FindAsync(other.Id, CancellationToken.None));
    }

    [Fact]
    public async Task What_came_before_a_bad_statement_stands()
    {
        using var agent = new TestAgent(fixture.Time);
        for (var i = 0; i < 3; i++) await AppendAsync(agent, $"name {i}");
        var forged = agent.Keys.Envelopes[3] with { Signature = new byte[64] };
        using var response = await client.PostAsync(
            $"/v1/chains/{agent.Id}", Content([.. agent.Keys.Envelopes.Take(3), forged]));
        Assert.Equal(401, (int)response.StatusCode);
        Assert.Equal(3, (await fixture.Chains.FindAsync(agent.Id, CancellationToken.None))!.Statements.Count);
        Assert.Equal(4, await PostAsync(agent));
    }

    [Fact]
    public async Task A_gap_is_refused_and_names_the_statement_that_is_missing()
    {
        using var agent = new TestAgent(fixture.Time);
        for (var i = 0; i < 3; i++) await AppendAsync(agent, $"name {i}");
        await PostAsync(agent, agent.Keys.Envelopes.Take(1));
        using var response = await client.PostAsync($"/v1/chains/{agent.Id}", Content(agent.Keys.Envelopes.Skip(2)));
        var error = await Fixture.ErrorOf(response);
        Assert.Equal(ErrorCode.BadRequest, error.Code);
        Assert.Contains("statement 1", error.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_contradiction_is_answered_with_its_proof_and_the_agent_is_refused_from_then_on(
        bool inOneMessage)
    {
        using var agent = new TestAgent(fixture.Time);
        var honest = agent.Keys.Envelopes[0];
        var one = Statement(agent, "one");
        var two = Statement(agent, "two");
        if (!inOneMessage) await PostAsync(agent, [honest, one]);
        using var response = await client.PostAsync(
            $"/v1/chains/{agent.Id}", Content(inOneMessage ? [honest, one, two] : [honest, two]));
        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        var error = await Fixture.ErrorOf(response);
        Assert.Equal(ErrorCode.Conflict, error.Code);
        var proof = FraudProof.Parse(error.Proof);
        Assert.Equal(agent.Id, proof.Agent);
        proof.Verify(agent.Keys.Chain);

        using var posted = await client.PostAsync($"/v1/chains/{agent.Id}", Content([honest, one]));
        Assert.Equal(HttpStatusCode.Forbidden, posted.StatusCode);
        using var fetched = await client.GetAsync($"/v1/chains/{agent.Id}");
        Assert.Equal(HttpStatusCode.Forbidden, fetched.StatusCode);
        Assert.NotNull((await Fixture.ErrorOf(fetched)).Proof);
        var denied = await Assert.ThrowsAsync<VirgaException>(async () =>
            await fixture.Chains.FindAsync(agent.Id, CancellationToken.None));
        Assert.Equal(FailureKind.Denied, denied.Kind);
    }

    [Fact]
    public async Task A_contradiction_that_somebody_else_signed_proves_nothing()
    {
        using var agent = new TestAgent(fixture.Time);
        using var enemy = new TestAgent(fixture.Time);
        await AppendAsync(agent, "one");
        await PostAsync(agent);
        var body = Statement(agent, "two").Body;
        var forged = SignedEnvelope.Sign(enemy.Identity.SigningKey, "statement", body);
        using var response = await client.PostAsync($"/v1/chains/{agent.Id}", Content([forged]));
        Assert.Equal(ErrorCode.BadSignature, (await Fixture.ErrorOf(response)).Code);
        Assert.NotNull(await fixture.Chains.FindAsync(agent.Id, CancellationToken.None));
    }

    [Fact]
    public async Task New_agents_from_one_address_are_limited_and_known_ones_are_not()
    {
        using var known = new TestAgent(fixture.Time);
        await PostAsync(known);
        HttpResponseMessage? refused = null;
        for (var i = 0; i < 5 && refused is null; i++)
        {
            using var agent = new TestAgent(fixture.Time);
            var response = await client.PostAsync($"/v1/chains/{agent.Id}", new ByteArrayContent(agent.ChainBytes));
            if (response.StatusCode == HttpStatusCode.TooManyRequests) refused = response;
        }

        Assert.NotNull(refused?.Headers.RetryAfter);
        await AppendAsync(known, "still welcome");
        Assert.Equal(2, await PostAsync(known));
    }

    [Fact]
    public async Task A_full_store_forgets_who_was_unused_for_longest_but_nobody_recent_or_pinned()
    {
        await using var database = Database.Open(Path.Combine(fixture.Folder, "small.db"), Fixture.Schema);
        var limits = new ChainLimits(AgentsMax: 2, BytesMax: 1 << 20);
        var store = new ChainStore(database, fixture.Keys, fixture.Time, limits);
        using var first = new TestAgent(fixture.Time);
        using var second = new TestAgent(fixture.Time);
        await store.AppendAsync(first.Id, first.Keys.Envelopes, CancellationToken.None);
        await store.AppendAsync(second.Id, second.Keys.Envelopes, CancellationToken.None);
        await database.WriteAsync(sql => ChainStore.Pin(sql, first.Id));
        using var third = new TestAgent(fixture.Time);
        var full = await Assert.ThrowsAsync<VirgaException>(async () =>
            await store.AppendAsync(third.Id, third.Keys.Envelopes, CancellationToken.None));
        Assert.Equal(FailureKind.Full, full.Kind);
        fixture.Time.Advance(TimeSpan.FromDays(8));
        await store.AppendAsync(third.Id, third.Keys.Envelopes, CancellationToken.None);
        Assert.NotNull(await store.FindAsync(first.Id, CancellationToken.None));
        Assert.Null(await store.FindAsync(second.Id, CancellationToken.None));
        Assert.NotNull(await store.FindAsync(third.Id, CancellationToken.None));
    }

    [Fact]
    public async Task A_store_whose_bytes_are_used_up_drops_the_unused_and_then_refuses()
    {
        await using var database = Database.Open(Path.Combine(fixture.Folder, "bytes.db"), Fixture.Schema);
        using var first = new TestAgent(fixture.Time);
        using var second = new TestAgent(fixture.Time);
        var bytes = first.Keys.Envelopes[0].Body.Length;
        var limits = new ChainLimits(AgentsMax: 10, BytesMax: bytes + 50);
        var store = new ChainStore(database, fixture.Keys, fixture.Time, limits);
        await store.AppendAsync(first.Id, first.Keys.Envelopes, CancellationToken.None);
        await Assert.ThrowsAsync<VirgaException>(async () =>
            await store.AppendAsync(second.Id, second.Keys.Envelopes, CancellationToken.None));
        Assert.Null(await store.FindAsync(second.Id, CancellationToken.None));
        fixture.Time.Advance(TimeSpan.FromDays(8));
        await store.AppendAsync(second.Id, second.Keys.Envelopes, CancellationToken.None);
        Assert.Null(await store.FindAsync(first.Id, CancellationToken.None));
        await AppendAsync(second, "does not fit beside its own genesis");
        await Assert.ThrowsAsync<VirgaException>(async () =>
            await store.AppendAsync(second.Id, second.Keys.Envelopes, CancellationToken.None));
        Assert.Single((await store.FindAsync(second.Id, CancellationToken.None))!.Statements);
    }

    [Fact]
    public async Task A_chain_that_is_asked_for_now_and_then_does_not_count_as_unused()
    {
        await using var database = Database.Open(Path.Combine(fixture.Folder, "used.db"), Fixture.Schema);
        var limits = new ChainLimits(AgentsMax: 1, BytesMax: 1 << 20);
        var store = new ChainStore(database, fixture.Keys, fixture.Time, limits);
        using var busy = new TestAgent(fixture.Time);
        await store.AppendAsync(busy.Id, busy.Keys.Envelopes, CancellationToken.None);
        for (var day = 0; day < 10; day++)
        {
            fixture.Time.Advance(TimeSpan.FromDays(1.5));
            Assert.NotNull(await store.FindAsync(busy.Id, CancellationToken.None));
        }

        using var other = new TestAgent(fixture.Time);
        await Assert.ThrowsAsync<VirgaException>(async () =>
            await store.AppendAsync(other.Id, other.Keys.Envelopes, CancellationToken.None));
        Assert.NotNull(await store.FindAsync(busy.Id, CancellationToken.None));
    }

    [Fact]
    public async Task A_chain_longer_than_the_store_keeps_is_refused_as_Full()
    {
        await using var database = Database.Open(Path.Combine(fixture.Folder, "short.db"), Fixture.Schema);
        var limits = ChainLimits.ForAgent with { StatementsMax = 3 };
        var store = new ChainStore(database, fixture.Keys, fixture.Time, limits);
        using var agent = new TestAgent(fixture.Time);
        for (var i = 0; i < 3; i++) await AppendAsync(agent, $"name {i}");
        var full = await Assert.ThrowsAsync<VirgaException>(async () =>
            await store.AppendAsync(agent.Id, agent.Keys.Envelopes, CancellationToken.None));
        Assert.Equal(FailureKind.Full, full.Kind);
        Assert.Equal(3, (await store.FindAsync(agent.Id, CancellationToken.None))!.Statements.Count);
    }

    [Fact]
    public async Task Accepted_statements_are_handed_on_once_and_in_order()
    {
        await using var database = Database.Open(Path.Combine(fixture.Folder, "log.db"), Fixture.Schema);
        var seen = new List<(AgentId, long)>();
        var store = new ChainStore(database, fixture.Keys, fixture.Time, null, (_, statement) =>
            seen.Add((statement.Agent, statement.Seq)));
        using var agent = new TestAgent(fixture.Time);
        await AppendAsync(agent, "one");
        await store.AppendAsync(agent.Id, agent.Keys.Envelopes, CancellationToken.None);
        await AppendAsync(agent, "two");
        await Task.WhenAll(Enumerable.Range(0, 8)
            .Select(_ => store.AppendAsync(agent.Id, agent.Keys.Envelopes, CancellationToken.None).AsTask()));
        Assert.Equal([(agent.Id, 0), (agent.Id, 1), (agent.Id, 2)], seen);
    }

    [Fact]
    public async Task Chains_out_of_the_cache_are_read_from_the_disk()
    {
        await using var database = Database.Open(Path.Combine(fixture.Folder, "cache.db"), Fixture.Schema);
        var limits = ChainLimits.ForAgent with { CachedStatementsMax = 2 };
        var store = new ChainStore(database, fixture.Keys, fixture.Time, limits);
        var agents = Enumerable.Range(0, 5).Select(_ => new TestAgent(fixture.Time)).ToList();
        foreach (var agent in agents) await store.AppendAsync(agent.Id, agent.Keys.Envelopes, CancellationToken.None);
        foreach (var agent in agents)
        {
            Assert.Equal(agent.Id, (await store.FindAsync(agent.Id, CancellationToken.None))!.Id);
            agent.Dispose();
        }
    }

    private static Task<SignedEnvelope> AppendAsync(TestAgent agent, string name) =>
        agent.Keys.AppendStatementAsync(StatementType.Profile, StatementWriter.ProfileBody(name),
            CancellationToken.None);

    private static SignedEnvelope Statement(TestAgent agent, string name)
    {
        var genesis = Sigchain.Check([(agent.Keys.Envelopes[0].Body, agent.Keys.Envelopes[0].Signature)],
            DateTimeOffset.MaxValue.AddYears(-1));
        var body =
            StatementWriter.Next(genesis, StatementType.Profile, StatementWriter.ProfileBody(name), genesis.Head.Time);
        return SignedEnvelope.Sign(agent.Identity.SigningKey, "statement", body);
    }

    private static ByteArrayContent Content(IEnumerable<SignedEnvelope> envelopes) =>
        new(SignedEnvelope.EncodeList(envelopes));

    private static Hash256 HashOf(SignedEnvelope envelope) => new(SHA256.HashData(envelope.Body));

    private async Task<IReadOnlyList<(long Next, Hash256 Last)?>> TipsAsync(IReadOnlyList<AgentId> agents)
    {
        using var response = await client.PostAsync(
            "/v1/tips", new ByteArrayContent(ChainTips.EncodeRequest(agents)));
        return ChainTips.ParseAnswer(await response.Content.ReadAsByteArrayAsync(), agents.Count);
    }

    private async Task<long> PostAsync(TestAgent agent, IEnumerable<SignedEnvelope>? envelopes = null)
    {
        using var response =
            await client.PostAsync($"/v1/chains/{agent.Id}", Content(envelopes ?? agent.Keys.Envelopes));
        var body = await response.Content.ReadAsByteArrayAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, ErrorMessage.TryRead(body)?.Message);
        return NumberAnswer.Parse(body, "next");
    }
}
