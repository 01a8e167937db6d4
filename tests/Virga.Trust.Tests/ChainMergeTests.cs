using Virga.Core;
using Virga.Core.Keys;
using static Virga.Trust.Tests.TestChain;

namespace Virga.Trust.Tests;

/// <summary>Two histories of one agent: which one stands, in whatever order they come.</summary>
public sealed class ChainMergeTests
{
    [Fact]
    public void What_is_known_changes_nothing_and_what_follows_is_appended()
    {
        var made = Started();
        var start = made.Chain;
        made.Add("profile", StatementWriter.ProfileBody("b")).Add("profile", StatementWriter.ProfileBody("c"));
        Assert.Equal(ChainMergeKind.Known, made.Chain.Merge(made.Envelopes, Now).Kind);
        Assert.Equal(ChainMergeKind.Known, made.Chain.Merge(made.Envelopes[1..2], Now).Kind);
        Assert.Equal(ChainMergeKind.Known, made.Chain.Merge([], Now).Kind);
        foreach (var from in new[] { 0, 1, 2 })
        {
            var merge = start.Merge(made.Envelopes[from..], Now);
            Assert.Equal((ChainMergeKind.Extended, made.Chain.Head.Hash), (merge.Kind, merge.Chain.Head.Hash));
        }
    }

    [Fact]
    public void Gaps_disorder_and_other_agents_are_refused()
    {
        var made = Started().Add("profile", StatementWriter.ProfileBody("b"));
        var start = Sigchain.Check(made.Envelopes[..1], Now);
        Refused(FailureKind.BadInput, start, made.Envelopes[2..], "missing");
        Refused(FailureKind.BadInput, start, [made.Envelopes[0], made.Envelopes[2]], "out of its place");
        Refused(FailureKind.BadInput, made.Chain, new TestChain(9_500).Envelopes, "another agent");
        var forged = made.Make("profile", StatementWriter.ProfileBody("x"), by: NewKey(9_900));
        Refused(FailureKind.Unauthenticated, made.Chain, [forged], "not signed");
        Refused(FailureKind.Unauthenticated, start, [Fork(made, 1, "x", NewKey(9_900))], "not signed");
    }

    [Fact]
    public void Two_histories_without_a_rotation_are_fraud_either_way()
    {
        var made = Started().Add("profile", StatementWriter.ProfileBody("b"));
        var fork = Fork(made, 2, "other", made.Key);
        var other = Sigchain.Check([.. made.Envelopes[..2], fork], Now);
        foreach (var (chain, offered) in new[] { (made.Chain, fork), (other, made.Envelopes[2]) })
        {
            var merge = chain.Merge([offered], Now);
            Assert.Equal(ChainMergeKind.Fraud, merge.Kind);
            Assert.Same(chain, merge.Chain);
            merge.Proof!.Verify(made.Chain);
            merge.Proof.Verify(other);
            Assert.False(merge.Proof.IsSettledBy(chain));
            Assert.True(chain.TryProveFraud(offered.Body, offered.Signature, out _));
        }
    }

    [Fact]
    public void The_history_with_the_rotation_stands_whichever_came_first()
    {
        var made = Started().Add("profile", StatementWriter.ProfileBody("b"));
        var thiefs = Sigchain.Check([.. made.Envelopes[..2], Fork(made, 2, "thief", made.Key)], Now);
        var proof = made.Chain.Merge([Envelope(thiefs, 2)], Now).Proof!;
        Rotate(made).Add("profile", StatementWriter.ProfileBody("safe"), by: made.NextKey);

        var settled = thiefs.Merge(made.Envelopes[2..], Now);
        Assert.Equal((ChainMergeKind.Settled, made.Chain.Head.Hash), (settled.Kind, settled.Chain.Head.Hash));
        var superseded = made.Chain.Merge([Envelope(thiefs, 2)], Now);
        Assert.Equal(ChainMergeKind.Superseded, superseded.Kind);
        Assert.Same(made.Chain, superseded.Chain);
        Assert.False(made.Chain.TryProveFraud(Envelope(thiefs, 2).Body, Envelope(thiefs, 2).Signature, out _));
        Assert.True(proof.IsSettledBy(made.Chain));
        Assert.Contains("settled", Assert.Throws<VirgaException>(() => proof.Verify(made.Chain)).Message);
        proof.Verify(thiefs);
    }

    [Fact]
    public void A_rotation_may_cut_off_what_a_thief_appended()
    {
        var made = Started();
        var rotation = StatementWriter.Next(made.Chain, "addkey",
            StatementWriter.RotateKeyBody(made.NextKey.PublicKey, HashOf(NewKey(9_001))), Now);
        made.Add("profile", StatementWriter.ProfileBody("thief")).Add("profile", StatementWriter.ProfileBody("again"));
        var merge = made.Chain.Merge([(rotation, Sign(made.NextKey, rotation))], Now);
        Assert.Equal(ChainMergeKind.Settled, merge.Kind);
        Assert.Equal(3, merge.Chain.Statements.Count);
        Assert.False(made.Chain.TryProveFraud(rotation, Sign(made.NextKey, rotation), out _));
        var alone = new FraudProof(
            made.Envelopes[2].Body, made.Envelopes[2].Signature, rotation, Sign(made.NextKey, rotation));
        Assert.Contains("supersedes", Assert.Throws<VirgaException>(() => alone.Verify(made.Chain)).Message);
    }

    [Fact]
    public void A_stolen_key_signs_nothing_after_the_rotation_and_can_not_claim_one()
    {
        var made = Rotate(Started());
        var late = made.Make("profile", StatementWriter.ProfileBody("thief"), by: made.Key);
        Refused(FailureKind.Unauthenticated, made.Chain, [late], "not signed");
        // The public half of the next key is known by now, but its signature can't be had.
        var start = Sigchain.Check(made.Envelopes[..2], Now);
        var claim = StatementWriter.Next(start, "addkey",
            StatementWriter.RotateKeyBody(made.NextKey.PublicKey, HashOf(NewKey(9_002))), Now);
        Refused(FailureKind.Unauthenticated, start, [(claim, Sign(made.Key, claim))],
            "without being signed by that key");
    }

    [Fact]
    public void A_full_set_of_keys_that_a_thief_added_does_not_keep_the_rotation_out()
    {
        var made = Started();
        for (var i = 0; i < 15; i++) made.Add("addkey", StatementWriter.AddSigningKeyBody(NewKey(9_300 + i).PublicKey));
        Rotate(made);
        Assert.Equal([made.NextKey.PublicKey], made.Chain.ValidSigningKeys);
    }

    [Fact]
    public void Two_rotations_to_one_key_are_fraud_that_nothing_settles()
    {
        var made = Started();
        var (key, after) = (made.NextKey, NewKey(9_003));
        var first = StatementWriter.Next(made.Chain, "addkey",
            StatementWriter.RotateKeyBody(key.PublicKey, HashOf(after)), Now);
        made.Add("profile", StatementWriter.ProfileBody("b"));
        Rotate(made);
        var other = Sigchain.Check([.. made.Envelopes[..2], (first, Sign(key, first))], Now);
        foreach (var (chain, offered) in new[]
        {
            (made.Chain, new[] { (first, Sign(key, first)) }), (other, made.Envelopes[2..].ToArray()),
        })
        {
            var merge = chain.Merge(offered, Now);
            Assert.Equal(ChainMergeKind.Fraud, merge.Kind);
            merge.Proof!.Verify(made.Chain);
            merge.Proof.Verify(other);
            FraudProof.Parse(merge.Proof.Encode()).Verify(chain);
            Assert.Equal(made.Chain.Id, merge.Proof.Agent);
            Assert.False(merge.Proof.IsSettledBy(chain));
        }
        Assert.True(made.Chain.TryProveFraud(first, Sign(key, first), out var proof));
        proof.Verify(other);
        var forged = proof with { SignatureB = Sign(made.Key, proof.BodyB) };
        Assert.Equal(FailureKind.Unauthenticated, Assert.Throws<VirgaException>(() => forged.Verify(other)).Kind);
    }

    private static TestChain Started() => new TestChain(9_000).Add("profile", StatementWriter.ProfileBody("a"));

    private static TestChain Rotate(TestChain made) => made.Add("addkey",
        StatementWriter.RotateKeyBody(made.NextKey.PublicKey, HashOf(NewKey(9_004))), by: made.NextKey);

    private static (byte[] Body, byte[] Signature) Fork(TestChain made, int seq, string name, SigningKey by)
    {
        var body = StatementWriter.Next(
            Sigchain.Check(made.Envelopes[..seq], Now), "profile", StatementWriter.ProfileBody(name), Now);
        return (body, Sign(by, body));
    }

    private static (byte[] Body, byte[] Signature) Envelope(Sigchain chain, int seq) =>
        (chain.Statements[seq].Bytes, chain.Statements[seq].Signature);

    private static void Refused(
        FailureKind kind, Sigchain chain, IReadOnlyList<(byte[] Body, byte[] Signature)> offered, string says)
    {
        var failure = Assert.Throws<VirgaException>(() => chain.Merge(offered, Now));
        Assert.Equal(kind, failure.Kind);
        Assert.Contains(says, failure.Message);
    }
}
