using Virga.Core;
using Virga.Testing;
using static Virga.Trust.Tests.TestChain;

namespace Virga.Trust.Tests;

public sealed class FraudProofTests
{
    [Fact]
    public void Two_rightly_signed_statements_with_one_number_are_a_proof_that_anybody_can_check()
    {
        var (made, fork) = Forked();
        Assert.True(made.Chain.TryProveFraud(fork.Body, fork.Signature, out var proof));
        var read = FraudProof.Parse(proof.Encode());
        Assert.Equal(proof.Encode(), read.Encode());
        Assert.Equal(made.Chain.Id, read.Agent);
        read.Verify(made.Chain);
        read.Verify(Sigchain.Check(made.Envelopes[..1], Now));
    }

    [Fact]
    public void A_statement_that_the_chain_holds_or_does_not_reach_proves_nothing()
    {
        var (made, _) = Forked();
        var known = made.Envelopes[1];
        Assert.False(made.Chain.TryProveFraud(known.Body, known.Signature, out _));
        var next = made.Make("profile", StatementWriter.ProfileBody("c"));
        Assert.False(made.Chain.TryProveFraud(next.Body, next.Signature, out _));
        Assert.False(new TestChain(3).Chain.TryProveFraud(known.Body, known.Signature, out _));
    }

    [Fact]
    public void A_contradiction_that_somebody_else_signed_proves_nothing()
    {
        var (made, fork) = Forked();
        var forged = (fork.Body, Signature: Sign(NewKey(99), fork.Body));
        Assert.False(made.Chain.TryProveFraud(forged.Body, forged.Signature, out _));
        var (body, signature) = made.Envelopes[1];
        var proof = new FraudProof(body, signature, forged.Body, forged.Signature);
        Assert.Equal(FailureKind.Unauthenticated, Assert.Throws<VirgaException>(() => proof.Verify(made.Chain)).Kind);
    }

    [Fact]
    public void A_key_that_was_removed_before_proves_nothing_and_one_that_was_valid_there_does()
    {
        var second = NewKey(7);
        var made = new TestChain(1).Add("addkey", StatementWriter.AddSigningKeyBody(second.PublicKey));
        var before = made.Chain;
        made.Add("removekey", StatementWriter.RemoveKeyBody(made.Key.PublicKey.Bytes));
        var after = made.Chain;
        made.Add("profile", StatementWriter.ProfileBody("a"), by: second);
        var early = StatementWriter.Next(before, "profile", StatementWriter.ProfileBody("old key, its time"), Now);
        Assert.True(made.Chain.TryProveFraud(early, Sign(made.Key, early), out _));
        var late = StatementWriter.Next(after, "profile", StatementWriter.ProfileBody("old key, too late"), Now);
        Assert.False(made.Chain.TryProveFraud(late, Sign(made.Key, late), out _));
        Assert.True(made.Chain.TryProveFraud(late, Sign(second, late), out _));
    }

    [Fact]
    public void Statements_that_do_not_contradict_each_other_are_refused_as_proof()
    {
        var (made, fork) = Forked();
        var (body, signature) = made.Envelopes[1];
        var (laterBody, laterSignature) = made.Envelopes[2];
        var (otherBody, otherSignature) = Forked(seed: 20).Made.Envelopes[1];
        Refused(new FraudProof(body, signature, body, signature));
        Refused(new FraudProof(body, signature, laterBody, laterSignature));
        Refused(new FraudProof(body, signature, otherBody, otherSignature));
        Refused(new FraudProof(made.Envelopes[0].Body, made.Envelopes[0].Signature, fork.Body, fork.Signature));

        void Refused(FraudProof proof) =>
            Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => proof.Verify(made.Chain)).Kind);
    }

    [Fact]
    public void Bad_bytes_end_in_a_VirgaException_and_nothing_else()
    {
        var (made, fork) = Forked();
        made.Chain.TryProveFraud(fork.Body, fork.Signature, out var proof);
        Torture.Parse(proof.Encode(), bytes => FraudProof.Parse(bytes).Verify(made.Chain), seed: 9, mutations: 500);
    }

    private static (TestChain Made, (byte[] Body, byte[] Signature) Fork) Forked(int seed = 1)
    {
        var made = new TestChain(seed);
        var fork = made.Make("profile", StatementWriter.ProfileBody("a second face"));
        made.Add("profile", StatementWriter.ProfileBody("a")).Add("profile", StatementWriter.ProfileBody("b"));
        return (made, fork);
    }
}
