using System.Net;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Following;
using Virga.Trust.Log;
using static Virga.Repository.Tests.Log.LogServiceTests;

namespace Virga.Repository.Tests.Log;

/// <summary>Heads and proofs at a repository's door.</summary>
public sealed class EvidenceTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_proof_that_is_handed_in_is_kept_given_out_and_acted_on_over_a_restart()
    {
        await using var fixture = await Fixture.StartAsync();
        using var liar = new Liar(fixture);
        await PostAsync(fixture, liar.Chain);
        Assert.Null(await ClientOf(fixture).EvidenceAsync(0, Evidence.BytesMax, None));
        var proof = liar.Fraud();
        await ClientOf(fixture).PostEvidenceAsync(proof.Bytes, None);
        await ClientOf(fixture).PostEvidenceAsync(proof.Bytes, None);
        // Another one against the same agent is taken for known.
        await ClientOf(fixture).PostEvidenceAsync(liar.Fraud(7).Bytes, None);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(proof.Bytes, await ClientOf(fixture).EvidenceAsync(0, Evidence.BytesMax, None));
            Assert.Null(await ClientOf(fixture).EvidenceAsync(1, Evidence.BytesMax, None));
            Assert.NotNull(fixture.Host.Logs.FraudOf(liar.Id));
            await fixture.RestartAsync();
        }
        // It takes no statements of who is proven a fraud, and serves none.
        var refused = await Assert.ThrowsAsync<VirgaException>(() =>
            fixture.NewAgent().Client.GetChainAsync(liar.Id, 0, None));
        Assert.Equal(FailureKind.Denied, refused.Kind);
    }

    [Fact]
    public async Task A_fraud_that_a_rotation_settles_counts_no_more_also_after_a_restart_and_keeps_its_number()
    {
        await using var fixture = await Fixture.StartAsync();
        using var liar = new Liar(fixture);
        await PostAsync(fixture, liar.Chain);
        // Found by the repository itself this time.
        var (a, b) = liar.Two(1);
        await PostAsync(fixture, [liar.Envelope(a)], liar.Id);
        await Assert.ThrowsAsync<VirgaException>(() => PostAsync(fixture, [liar.Envelope(b)], liar.Id));
        Assert.NotNull(fixture.Host.Logs.FraudOf(liar.Id));
        var proof = await ClientOf(fixture).EvidenceAsync(0, Evidence.BytesMax, None);
        Assert.Equal(liar.Id, Evidence.Parse(proof!).Check(fixture.Time.GetUtcNow()));

        await PostAsync(fixture, liar.Rotated());
        for (var i = 0; i < 2; i++)
        {
            Assert.Null(fixture.Host.Logs.FraudOf(liar.Id));
            Assert.Equal(2, (await fixture.NewAgent().Client.GetChainAsync(liar.Id, 0, None)).Count);
            Assert.Equal(proof, await ClientOf(fixture).EvidenceAsync(0, Evidence.BytesMax, None));
            await fixture.RestartAsync();
        }
        // Whoever leaves the rotation out convinces nobody who has seen it.
        var refused = await Assert.ThrowsAsync<VirgaException>(() =>
            ClientOf(fixture).PostEvidenceAsync(liar.Fraud(5).Bytes, None));
        Assert.Contains("settled", refused.Message, StringComparison.Ordinal);
        Assert.Null(fixture.Host.Logs.FraudOf(liar.Id));
    }

    [Theory]
    [InlineData("", HttpStatusCode.BadRequest)]
    [InlineData("de", HttpStatusCode.BadRequest)]
    [InlineData("d6:breach1:xe", HttpStatusCode.BadRequest)]
    [InlineData("forged", HttpStatusCode.Unauthorized)]
    [InlineData("large", HttpStatusCode.RequestEntityTooLarge)]
    [InlineData("nested", HttpStatusCode.BadRequest)]
    public async Task Evidence_that_proves_nothing_is_refused(string what, HttpStatusCode status)
    {
        await using var fixture = await Fixture.StartAsync();
        using var liar = new Liar(fixture);
        var good = liar.Fraud().Fraud!;
        var body = what switch
        {
            "forged" => Evidence.Of(good with { SignatureB = good.SignatureA }, liar.Begin).Bytes,
            "large" => new byte[ProtocolLimits.MessageBytes + 1],
            "nested" => Encoding.ASCII.GetBytes(
                "d5:chain" + new string('l', 500_000) + new string('e', 500_001)),
            _ => Encoding.ASCII.GetBytes(what),
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/evidence")
        {
            Content = new ByteArrayContent(body),
        };
        // Who is refused by the length alone may find the door shut before it has sent the rest.
        request.Headers.ExpectContinue = status == HttpStatusCode.RequestEntityTooLarge;
        using var answer = await fixture.RawClient().SendAsync(request);
        Assert.Equal(status, answer.StatusCode);
        Assert.Empty(fixture.Host.Logs.All);
    }

    [Fact]
    public async Task Who_floods_with_proofs_or_heads_is_throttled_and_others_are_not_harmed()
    {
        await using var fixture = await Fixture.StartAsync();
        using var raw = fixture.RawClient();
        Assert.Equal(HttpStatusCode.TooManyRequests, await FloodAsync("/v1/evidence", 25));
        Assert.Equal(HttpStatusCode.TooManyRequests, await FloodAsync("/v1/heads", 70));
        Assert.Null(await ClientOf(fixture).EvidenceAsync(0, Evidence.BytesMax, None));

        async Task<HttpStatusCode> FloodAsync(string path, int count)
        {
            var last = HttpStatusCode.OK;
            for (var i = 0; i < count; i++)
            {
                using var answer = await raw.PostAsync(path, new ByteArrayContent([1]));
                last = answer.StatusCode;
            }
            return last;
        }
    }

    [Fact]
    public async Task Evidence_is_asked_for_by_a_number()
    {
        await using var fixture = await Fixture.StartAsync();
        foreach (var bad in new[] { "x", "-1", "1e3", "99999999999999999999" })
        {
            using var answer = await fixture.RawClient().GetAsync("/v1/evidence/" + bad);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Heads_of_a_log_that_the_repository_only_knows_the_keys_of_are_compared()
    {
        await using var fixture = await Fixture.StartAsync();
        using var liar = new Liar(fixture);
        byte[] Heads(long size, int root) => LogHeadsMessage.Encode([SignedCheckpoint.Sign(
            new Checkpoint(LogIdentity.OriginOf(liar.Id), size, Some.Hash(root)), liar.Key,
            fixture.Time.GetUtcNow())]);
        // Whose heads these are it can't tell yet.
        await ClientOf(fixture).ExchangeHeadsAsync(Heads(9, 1), None);
        Assert.Empty(LogHeadsMessage.Parse(await ClientOf(fixture).ExchangeHeadsAsync(Heads(9, 2), None)));
        await PostAsync(fixture, liar.Chain);
        var told = await ClientOf(fixture).ExchangeHeadsAsync(Heads(9, 1), None);
        Assert.Single(LogHeadsMessage.Parse(told));
        Assert.Empty(fixture.Host.Logs.All);
        await ClientOf(fixture).ExchangeHeadsAsync(Heads(9, 2), None);
        var proof = Assert.Single(fixture.Host.Logs.All);
        Assert.Equal((LogBreachKind.Fork, liar.Id), (proof.Breach!.Kind, proof.Check(fixture.Time.GetUtcNow())));
        Assert.Equal(proof.Bytes, await ClientOf(fixture).EvidenceAsync(0, Evidence.BytesMax, None));
    }

    [Fact]
    public async Task A_follower_stops_at_a_proof_of_others_and_passes_it_on_to_those_it_follows()
    {
        await using var liar = await Fixture.StartAsync();
        await using var honest = await Fixture.StartAsync();
        var endpoints = new[] { liar.Host.Endpoint, honest.Host.Endpoint };
        await using var follower = await Fixture.StartAsync(options => options with { Follow = endpoints });
        await follower.Host.DriveAsync(None);
        // What nobody here has seen: a promise, and a head that does not keep it.
        var key = liar.Host.Keys.Identity.SigningKey;
        var (origin, now) = (LogIdentity.OriginOf(liar.Host.Id), follower.Time.GetUtcNow());
        var breach = new LogBreach(
            LogBreachKind.Dropped, new LogPromise(origin, 900, Some.Hash(1), now).Sign(key),
            SignedCheckpoint.Sign(new Checkpoint(origin, 5, Some.Hash(2)), key, now.AddSeconds(1)).Note, [],
            [.. liar.Host.Keys.Envelopes.Select(item => (item.Body, item.Signature))]);
        await ClientOf(follower).PostEvidenceAsync(Evidence.Of(breach).Bytes, None);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await follower.Host.DriveAsync(None));
        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Single(follower.Host.Breaches);
        await follower.Host.RoundAsync(None);
        Assert.NotNull(honest.Host.Logs.BreachOf(liar.Host.Id));
        // Of itself it makes nothing: it is for others to judge.
        Assert.Empty(liar.Host.Logs.All);
    }

    private static Task PostAsync(Fixture fixture, Sigchain chain) => PostAsync(
        fixture, [.. chain.Statements.Select(item => new SignedEnvelope(item.Bytes, item.Signature))], chain.Id);

    private static async Task PostAsync(Fixture fixture, SignedEnvelope[] statements, AgentId agent) =>
        await fixture.NewAgent().Client.PostChainAsync(agent, statements, None);

    /// <summary>An agent that tells two histories, with the key that may settle which is true.</summary>
    private sealed class Liar : IDisposable
    {
        private readonly SigningKey next = SigningKey.FromSeed(RandomNumberGenerator.GetBytes(32));
        private readonly DateTimeOffset now;

        public Liar(Fixture fixture)
        {
            now = DateTimeOffset.FromUnixTimeSeconds(fixture.Time.GetUtcNow().ToUnixTimeSeconds());
            var genesis = StatementWriter.Genesis(
                Key.PublicKey, Some.Hash(1), new Hash256(SHA256.HashData(next.PublicKey.Bytes.ToArray())), now);
            Begin = Chain = Sigchain.Check([(genesis, Sign(genesis, Key))], now);
        }

        public SigningKey Key { get; } = SigningKey.FromSeed(RandomNumberGenerator.GetBytes(32));

        public Sigchain Begin { get; }

        public Sigchain Chain { get; }

        public AgentId Id => Chain.Id;

        public (byte[] A, byte[] B) Two(int which) => (Profile($"One {which}"), Profile($"Two {which}"));

        public Evidence Fraud(int which = 1)
        {
            var (a, b) = Two(which);
            return Evidence.Of(new FraudProof(a, Sign(a, Key), b, Sign(b, Key)), Begin);
        }

        public SignedEnvelope Envelope(byte[] body) => new(body, Sign(body, Key));

        public Sigchain Rotated()
        {
            var body = StatementWriter.Next(Begin, StatementType.AddKey,
                StatementWriter.RotateKeyBody(next.PublicKey, Some.Hash(5)), now);
            return Begin.Append(body, Sign(body, next), now);
        }

        public void Dispose()
        {
            Key.Dispose();
            next.Dispose();
        }

        private byte[] Profile(string name) =>
            StatementWriter.Next(Begin, StatementType.Profile, StatementWriter.ProfileBody(name), now);

        private static byte[] Sign(byte[] body, SigningKey by) =>
            DomainSignature.Sign(by, Statement.SignatureType, body);
    }
}
