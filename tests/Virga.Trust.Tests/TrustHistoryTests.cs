using Virga.Core;

namespace Virga.Trust.Tests;

public sealed class TrustHistoryTests
{
    private static readonly DateTimeOffset start = TrustWorld.Start;
    private static readonly DateTimeOffset later = TestChain.Now.AddHours(5);

    private readonly TestChain me = new(9_000);
    private readonly TestChain bob = new(9_001);
    private readonly AgentId carol = new TestChain(9_002).Chain.Id;

    private AgentId Bob => bob.Chain.Id;

    [Fact]
    public void A_revoke_is_told_with_its_date_and_number_also_when_the_graph_knows_nothing_any_more()
    {
        TrustStoreTests.Vouch(me, Bob, TrustScopes.Exchange | TrustScopes.Host, 1);
        Revoke(me, Bob, TrustScopes.Exchange);
        var decision = Explain(Bob, TrustScopes.Exchange);
        Assert.Equal(TrustStanding.NoChain, decision.Standing);
        var hint = decision.Hints[0];
        Assert.Equal((VouchFault.Revoked, 1), (hint.Fault, hint.Vouch.Seq));
        Assert.Equal(new TrustCut(me.Chain.Id, 2, later), hint.Cut);
        Assert.True(Explain(Bob, TrustScopes.Host).IsAdmitted);
        Assert.Equal(TrustStanding.NotKnown, Explain(carol, TrustScopes.Exchange).Standing);
    }

    [Fact]
    public void A_vouch_after_the_revoke_is_the_last_word()
    {
        TrustStoreTests.Vouch(me, Bob, TrustScopes.Exchange, 1);
        Revoke(me, Bob, TrustScopes.Exchange);
        var again = new VouchBody(Bob, TrustScopes.Exchange, 0, start, start.AddHours(8));
        me.Add(StatementType.Vouch, again.Encode(), time: later);
        Assert.True(Explain(Bob, TrustScopes.Exchange).IsAdmitted);
        var ended = Explain(Bob, TrustScopes.Exchange, start.AddDays(2));
        Assert.Equal(TrustStanding.NoChain, ended.Standing);
        var hint = Assert.Single(ended.Hints);
        Assert.Equal((VouchFault.Ended, 3, null), (hint.Fault, hint.Vouch.Seq, hint.Cut));
    }

    [Fact]
    public void Whoever_falls_with_an_issuer_is_told_what_became_of_the_issuer()
    {
        TrustStoreTests.Vouch(me, Bob, TrustScopes.Exchange, 1);
        TrustStoreTests.Vouch(bob, carol, TrustScopes.Exchange, 0);
        Revoke(me, Bob, TrustScopes.All);
        var decision = Explain(carol, TrustScopes.Exchange);
        Assert.Equal(
            [(Bob, carol, VouchFault.IssuerNotAdmitted), (me.Chain.Id, Bob, VouchFault.Revoked)],
            decision.Hints.Select(h => (h.Vouch.Issuer, h.Vouch.Subject, h.Fault)));
        Assert.Equal(later, decision.Hints[1].Cut!.Value.At);
    }

    [Fact]
    public void A_disown_is_told_with_who_said_it_and_one_of_own_statements_counts_as_a_revoke()
    {
        TrustStoreTests.Vouch(me, Bob, TrustScopes.Exchange, 1);
        TrustStoreTests.Vouch(bob, carol, TrustScopes.Exchange, 0);
        me.Add(StatementType.Disown, new DisownBody(Bob, 1).Encode(), time: later);
        var disowned = Assert.Single(Explain(carol, TrustScopes.Exchange).Hints);
        Assert.Equal(
            (VouchFault.Disowned, new TrustCut(me.Chain.Id, 2, later)), (disowned.Fault, disowned.Cut));

        me.Add(StatementType.Disown, new DisownBody(me.Chain.Id, 1).Encode(), time: later);
        var own = Explain(Bob, TrustScopes.Exchange).Hints[0];
        Assert.Equal((VouchFault.Revoked, 3), (own.Fault, own.Cut!.Value.Seq));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Explaining_changes_no_decision_and_names_only_vouches_that_do_not_count(int seed)
    {
        var world = new TrustWorld((ulong)seed + 3_000, disownsInHundred: 10);
        var store = new TrustStore([world.Ids[0]], start);
        foreach (var beginnings in world.Beginnings) store.Add(beginnings[^1]);
        List<Sigchain> chains = [.. world.Beginnings.Select(beginnings => beginnings[^1])];
        foreach (var agent in world.Ids)
        {
            var before = store.Decide(agent, TrustScopes.Exchange);
            var after = TrustHistory.Explain(before, chains, start);
            Assert.Equal((before.IsAdmitted, before.Depth), (after.IsAdmitted, after.Depth));
            if (before.IsAdmitted) Assert.Same(before, after);
            Assert.InRange(after.Hints.Count, Math.Min(before.Hints.Count, 16), 16);
            Assert.DoesNotContain(after.Hints, hint => hint.Fault == VouchFault.None);
            Assert.Equal(
                after.Hints.Count,
                after.Hints.DistinctBy(h => (h.Vouch.Issuer, h.Vouch.Subject, h.Vouch.Seq)).Count());
        }
    }

    private static void Revoke(TestChain chain, AgentId subject, TrustScopes scopes) =>
        chain.Add(StatementType.Revoke, new RevokeBody(subject, scopes).Encode(), time: later);

    private TrustDecision Explain(AgentId agent, TrustScopes scope, DateTimeOffset? at = null)
    {
        var store = new TrustStore([me.Chain.Id], at ?? start);
        store.Add(me.Chain);
        store.Add(bob.Chain);
        return TrustHistory.Explain(store.Decide(agent, scope), [me.Chain, bob.Chain], at ?? start);
    }
}
