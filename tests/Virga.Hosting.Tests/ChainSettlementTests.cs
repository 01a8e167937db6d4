using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Protocol;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Hosting.Tests;

/// <summary>Two histories of one agent at a peer that holds one (spec/v1/sigchain.md, "Two histories").</summary>
public sealed class ChainSettlementTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SigningKey stolen = Key(1);
    private readonly SigningKey kept = Key(2);
    private Fixture fixture = null!;
    private SignedEnvelope genesis = null!;
    private AgentId id;

    public async Task InitializeAsync()
    {
        fixture = await Fixture.StartAsync();
        var hash = new Hash256(SHA256.HashData(kept.PublicKey.Bytes.ToArray()));
        genesis = Sign(stolen, StatementWriter.Genesis(
            stolen.PublicKey, Sample.Hash(3), hash, fixture.Time.GetUtcNow()));
        id = new AgentId(new Hash256(SHA256.HashData(genesis.Body)));
    }

    public async Task DisposeAsync()
    {
        await fixture.DisposeAsync();
        stolen.Dispose();
        kept.Dispose();
    }

    [Fact]
    public async Task A_rotation_cuts_off_what_a_thief_appended_and_the_thief_can_not_come_back()
    {
        var thief = Next(Next([genesis], "Thief"), "Thief again");
        await fixture.Chains.AppendAsync(id, thief, None);
        var owner = Next(Rotated([genesis]), "Owner", kept);
        var result = await fixture.Chains.AppendAsync(id, owner, None);
        Assert.Equal((3, null), ((int)result.Next, result.Proof));
        Assert.Equal("Owner", (await fixture.Chains.FindAsync(id, None))!.ProfileName);
        await AssertHeldAsync(owner);
        // The same again, and the thief's history once more: nothing changes.
        await fixture.Chains.AppendAsync(id, owner, None);
        Assert.Equal((3, null), await AppendAsync(thief));
        await AssertHeldAsync(owner);
        var restarted = await fixture.Chains.FindAsync(id, None);
        Assert.Equal(kept.PublicKey, restarted!.SigningKey);
    }

    [Fact]
    public async Task Fraud_is_settled_by_a_rotation_at_its_place_or_later()
    {
        foreach (var isLater in new[] { false, true })
        {
            await fixture.DisposeAsync();
            await InitializeAsync();
            var held = Next(Next([genesis], "One"), "Two");
            await fixture.Chains.AppendAsync(id, held, None);
            Assert.NotNull((await AppendAsync(Next([genesis], "Other"))).Proof);
            var refused = await Assert.ThrowsAsync<VirgaException>(async () =>
                await fixture.Chains.FindAsync(id, None));
            Assert.Equal(FailureKind.Denied, refused.Kind);
            // More of the same settles nothing.
            refused = await Assert.ThrowsAsync<VirgaException>(() => AppendAsync(Next(held, "Three")));
            Assert.Equal(FailureKind.Denied, refused.Kind);
            var settled = Rotated(isLater ? held : [genesis]);
            Assert.Equal((settled.Count, null), await AppendAsync(settled));
            await AssertHeldAsync(settled);
            Assert.Equal(kept.PublicKey, (await fixture.Chains.FindAsync(id, None))!.SigningKey);
        }
    }

    [Fact]
    public async Task Two_rotations_are_fraud_for_good()
    {
        var one = Rotated([genesis]);
        await fixture.Chains.AppendAsync(id, one, None);
        Assert.NotNull((await AppendAsync(Rotated(Next([genesis], "Other")))).Proof);
        var refused = await Assert.ThrowsAsync<VirgaException>(() => AppendAsync(Next(one, "Owner", kept)));
        Assert.Equal(FailureKind.Denied, refused.Kind);
        refused = await Assert.ThrowsAsync<VirgaException>(async () => await fixture.Chains.FindAsync(id, None));
        Assert.Equal(FailureKind.Denied, refused.Kind);
    }

    private static SigningKey Key(int seed) => SigningKey.FromSeed(Sample.Array(seed, SigningKey.SeedBytes));

    private static SignedEnvelope Sign(SigningKey key, byte[] body) =>
        SignedEnvelope.Sign(key, Statement.SignatureType, body);

    private async Task<(int Next, byte[]? Proof)> AppendAsync(IReadOnlyList<SignedEnvelope> statements)
    {
        var result = await fixture.Chains.AppendAsync(id, statements, None);
        return ((int)result.Next, result.Proof);
    }

    private async Task AssertHeldAsync(IReadOnlyList<SignedEnvelope> expected)
    {
        var held = await fixture.Chains.ReadAsync(id, 0, None);
        Assert.Equal(expected.Select(item => Convert.ToHexString(item.Body)),
            held!.Select(item => Convert.ToHexString(item.Body)));
    }

    private List<SignedEnvelope> Next(IReadOnlyList<SignedEnvelope> chain, string name, SigningKey? key = null) =>
        Next(chain, StatementType.Profile, StatementWriter.ProfileBody(name), key ?? stolen);

    private List<SignedEnvelope> Rotated(IReadOnlyList<SignedEnvelope> chain) => Next(chain, StatementType.AddKey,
        StatementWriter.RotateKeyBody(kept.PublicKey, Sample.Hash(4)), kept);

    private List<SignedEnvelope> Next(IReadOnlyList<SignedEnvelope> chain, string type, byte[] body, SigningKey key)
    {
        var now = fixture.Time.GetUtcNow();
        var read = Sigchain.Check(chain.Select(item => (item.Body, item.Signature)), now);
        return [.. chain, Sign(key, StatementWriter.Next(read, type, body, now))];
    }
}
