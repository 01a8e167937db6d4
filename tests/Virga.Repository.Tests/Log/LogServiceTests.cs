using System.Net;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Repository.Log;
using Virga.Trust;
using Virga.Trust.Log;

namespace Virga.Repository.Tests.Log;

/// <summary>A running repository's log, witness and followers, over the network.</summary>
public sealed class LogServiceTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_reader_that_knows_nothing_of_us_verifies_what_is_served()
    {
        await using var fixture = await Fixture.StartAsync();
        var agents = Enumerable.Range(0, 3).Select(_ => fixture.NewAgent()).ToList();
        foreach (var agent in agents) await PostAsync(agent);
        await agents[0].Keys.AppendStatementAsync(StatementType.Profile, StatementWriter.ProfileBody("One"), None);
        await PostAsync(agents[0]);
        var log = ClientOf(fixture);
        foreach (var agent in agents) Assert.NotNull(await log.PromiseAsync(LeafOf(agent.Keys.Envelopes[0]), None));

        var http = fixture.RawClient();
        var reader = ReaderOf(fixture.Host.Id, http, KeyOf(fixture));
        var head = await reader.CheckpointAsync();
        Assert.Equal(5, head.Size);
        Assert.Equal(fixture.Time.GetUtcNow().ToUnixTimeSeconds(),
            C2spClient.Cosigned(head, LogIdentity.OriginOf(fixture.Host.Id), KeyOf(fixture)));
        var entries = await reader.AuditAsync(head);
        Assert.Equal(
            [fixture.Host.Id, agents[0].Id, agents[1].Id, agents[2].Id, agents[0].Id],
            entries.Select(entry => LogEntry.Parse(entry).Agent));

        var identity = await IdentityAsync(fixture);
        var promise = LogPromise.Open(
            (await log.PromiseAsync(LeafOf(agents[0].Keys.Envelopes[1]), None))!, identity);
        Assert.Equal(4, promise.Index);
        Assert.Equal(SHA256.HashData([0, .. entries[4]]), promise.Leaf.ToArray());
        Assert.Null(await log.PromiseAsync(Some.Hash(1), None));

        using var checkpoint = await http.GetAsync("/v1/log/checkpoint");
        Assert.Equal("text/plain; charset=utf-8", checkpoint.Content.Headers.ContentType!.ToString());
        Assert.True(checkpoint.Headers.CacheControl!.NoCache);
        using var tile = await http.GetAsync("/v1/log/tile/0/000.p/5");
        Assert.Equal("application/octet-stream", tile.Content.Headers.ContentType!.ToString());
        Assert.Equal(TimeSpan.FromDays(365), tile.Headers.CacheControl!.MaxAge);
        foreach (var path in new[]
        {
            "tile/0/000", "tile/0/000.p/6", "tile/0/0", "tile/9/000", "tile/0/..%2F..%2F..%2Fvirga.key",
            "tile/", "tile/entries/x000/000", "tile/0/000.p/5/..%2F4", "promises/",
        })
        {
            using var answer = await http.GetAsync("/v1/log/" + path);
            Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.NotFound, HttpStatusCode.BadRequest });
        }
    }

    [Fact]
    public async Task A_fraud_is_logged_once_with_its_proof()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        await PostAsync(agent);
        var (one, two) = (Profile(agent, "One"), Profile(agent, "Two"));
        await agent.Client.PostChainAsync(agent.Id, [one], None);
        for (var i = 0; i < 2; i++)
        {
            await Assert.ThrowsAsync<VirgaException>(() =>
                agent.Client.PostChainAsync(agent.Id, [i == 0 ? two : one], None));
        }

        await ClientOf(fixture).PromiseAsync(Some.Hash(1), None);
        var reader = ReaderOf(fixture.Host.Id, fixture.RawClient(), KeyOf(fixture));
        var entries = await reader.AuditAsync(await reader.CheckpointAsync());
        Assert.Equal([false, false, false, true], entries.Select(entry => LogEntry.Parse(entry).IsFraud));
        Assert.Equal(agent.Id, LogEntry.Parse(entries[^1]).Agent);
    }

    [Fact]
    public async Task Statements_that_are_too_large_or_nested_too_deep_are_not_logged()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        await PostAsync(agent);
        var deep = Encoding.ASCII.GetBytes("d4:body" + new string('l', 40) + new string('e', 40) + "e");
        foreach (var body in new[] { Some.Bytes(1, 17 << 10), deep, [] })
        {
            var refused = await Assert.ThrowsAsync<VirgaException>(() => agent.Client.PostChainAsync(
                agent.Id, [new SignedEnvelope(body, new byte[64])], None));
            Assert.Equal(FailureKind.BadInput, refused.Kind);
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/chains/{agent.Id}");
        request.Content = new ByteArrayContent(new byte[10 << 20]);
        request.Headers.ExpectContinue = true;
        using var huge = await fixture.RawClient().SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, huge.StatusCode);
        await ClientOf(fixture).PromiseAsync(Some.Hash(1), None);
        Assert.Equal(2, fixture.Host.Checkpoint.Head.Size);
    }

    [Fact]
    public async Task A_database_that_is_lost_comes_back_from_the_log_with_its_statements()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        await PostAsync(agent);
        await agent.Client.PostChainAsync(agent.Id, [Profile(agent, "One")], None);
        await ClientOf(fixture).PromiseAsync(Some.Hash(1), None);
        var head = fixture.Host.Checkpoint;
        await fixture.Host.DisposeAsync();
        foreach (var file in Directory.GetFiles(fixture.Folder, "repository.db*")) File.Delete(file);
        await fixture.RestartAsync();
        Assert.Equal(2, (await agent.Client.GetChainAsync(agent.Id, 0, None)).Count);
        Assert.Equal(head.Head.ToText(), fixture.Host.Checkpoint.Head.ToText());
    }

    [Fact]
    public async Task A_repository_witnesses_another_and_its_checkpoint_says_so()
    {
        await using var witness = await Fixture.StartAsync();
        await using var fixture = await Fixture.StartAsync(options => options with
        {
            Witnesses = [new AgentAddress(witness.Host.Id, witness.Host.Endpoint)],
        });
        var agent = fixture.NewAgent();
        for (var i = 0; i < 3; i++)
        {
            if (i == 0) await PostAsync(agent);
            else await agent.Client.PostChainAsync(agent.Id, [await NextAsync(agent, $"Name {i}")], None);
            await ClientOf(fixture).PromiseAsync(Some.Hash(1), None);
            await fixture.Host.DriveAsync(None);
            var reader = ReaderOf(fixture.Host.Id, fixture.RawClient(), KeyOf(fixture));
            var head = await reader.CheckpointAsync();
            Assert.Equal(i + 2, head.Size);
            Assert.Equal(witness.Time.GetUtcNow().ToUnixTimeSeconds(), C2spClient.Cosigned(
                head, LogIdentity.WitnessNameOf(witness.Host.Id), KeyOf(witness)));
        }

        // The witness keeps what it cosigned over a restart, and so does the log.
        var note = fixture.Host.Checkpoint.Note.ToText();
        await fixture.RestartAsync();
        Assert.Equal(note, fixture.Host.Checkpoint.Note.ToText());
        await witness.RestartAsync();
        var fork = SignedCheckpoint.Sign(
            fixture.Host.Checkpoint.Head with { Root = Some.Hash(1) }, PeerKeysOf(fixture), fixture.Time.GetUtcNow());
        var http = witness.RawClient();
        Assert.Equal((409, "4\n"), await AddAsync(new AddCheckpoint(4, [], fork.Note.Encode())));
        Assert.Equal((409, "4\n"), await AddAsync(new AddCheckpoint(0, [], fork.Note.Encode())));
        var grown = SignedCheckpoint.Sign(
            fork.Head with { Size = 9 }, PeerKeysOf(fixture), fixture.Time.GetUtcNow());
        Assert.Equal((422, ""), await AddAsync(new AddCheckpoint(4, [Some.Hash(3)], grown.Note.Encode())));
        Assert.Equal((400, ""), await AddAsync(new AddCheckpoint(10, [], grown.Note.Encode())));
        var stranger = SignedCheckpoint.Sign(fork.Head, agent.Keys.Identity.SigningKey, fixture.Time.GetUtcNow());
        Assert.Equal((403, ""), await AddAsync(new AddCheckpoint(4, [], stranger.Note.Encode())));
        var unknown = SignedCheckpoint.Sign(
            fork.Head with { Origin = "example.com/log" }, PeerKeysOf(fixture), fixture.Time.GetUtcNow());
        Assert.Equal((404, ""), await AddAsync(new AddCheckpoint(0, [], unknown.Note.Encode())));
        using var garbage = await http.PostAsync("/v1/witness/add-checkpoint", new StringContent("old x\n\n"));
        Assert.Equal(HttpStatusCode.BadRequest, garbage.StatusCode);

        async Task<(int, string)> AddAsync(AddCheckpoint request)
        {
            using var answer = await http.PostAsync(
                "/v1/witness/add-checkpoint", new ByteArrayContent(request.Encode()));
            if ((int)answer.StatusCode == 409)
                Assert.Equal("text/x.tlog.size", answer.Content.Headers.ContentType!.ToString());
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Of_two_requests_at_once_a_witness_cosigns_one_history()
    {
        await using var witness = await Fixture.StartAsync();
        var liar = witness.NewAgent();
        await PostAsync(liar);
        var notes = Enumerable.Range(1, 20).Select(i => SignedCheckpoint.Sign(
            new Checkpoint(LogIdentity.OriginOf(liar.Id), i % 3 + 1, Some.Hash(i)), liar.Keys.Identity.SigningKey,
            witness.Time.GetUtcNow()).Note.Encode());
        var http = witness.RawClient();
        var answers = await Task.WhenAll(notes.Select(async note =>
        {
            using var answer = await http.PostAsync("/v1/witness/add-checkpoint",
                new ByteArrayContent(new AddCheckpoint(0, [], note).Encode()));
            return answer.StatusCode;
        }));
        Assert.Single(answers, HttpStatusCode.OK);
        Assert.Equal(19, answers.Count(status => status == HttpStatusCode.Conflict));
    }

    internal static Task<long> PostAsync(TestAgent agent) =>
        agent.Client.PostChainAsync(agent.Id, agent.Keys.Envelopes, None);

    internal static Task<SignedEnvelope> NextAsync(TestAgent agent, string name) =>
        agent.Keys.AppendStatementAsync(StatementType.Profile, StatementWriter.ProfileBody(name), None);

    internal static Hash256 LeafOf(SignedEnvelope envelope) =>
        LogTree.LeafHash(LogEntry.Of(envelope.Body, envelope.Signature));

    /// <summary>The statement that would come next, without the agent's own chain knowing of it.</summary>
    internal static SignedEnvelope Profile(TestAgent agent, string name) => agent.Sign(Statement.SignatureType,
        StatementWriter.Next(agent.Keys.Chain, StatementType.Profile, StatementWriter.ProfileBody(name),
            agent.Keys.Chain.Head.Time));

    internal static LogClient ClientOf(Fixture fixture)
    {
        var agent = fixture.NewAgent();
        return new LogClient(
            agent.Http, fixture.Host.Endpoint, agent.Keys.Identity, () => agent.Keys.Envelopes, fixture.Host.Id);
    }

    internal static byte[] KeyOf(Fixture fixture) => PeerKeysOf(fixture).PublicKey.Bytes.ToArray();

    /// <summary>What a repository that lies would sign with.</summary>
    internal static Core.Keys.SigningKey PeerKeysOf(Fixture fixture) => fixture.Host.Keys.Identity.SigningKey;

    internal static C2spClient ReaderOf(AgentId repository, HttpClient http, byte[] key) => new(async path =>
    {
        using var answer = await http.GetAsync("/v1/log/" + path);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsByteArrayAsync() : null;
    }, LogIdentity.OriginOf(repository), key);

    private static async Task<LogIdentity> IdentityAsync(Fixture fixture)
    {
        var envelopes = await ClientOf(fixture).GetWholeChainAsync(fixture.Host.Id, 100, None);
        return LogIdentity.Of(Sigchain.Check(
            envelopes.Select(item => (item.Body, item.Signature)), fixture.Time.GetUtcNow()));
    }
}
