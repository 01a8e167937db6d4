using Virga.Core;

namespace Virga.Trust.Tests;

/// <summary>The part of the graph around one agent, against a reading of all statements.</summary>
public sealed class TrustAroundTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 24)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_is_shown_is_what_stands_and_never_more_than_was_asked_for(int seed)
    {
        var (world, store, naive, now) = Made(seed);
        foreach (var agent in world.Ids)
        {
            foreach (var (rings, most) in new[] { (1, 2), (2, 3), (3, 1), (3, 50) })
            {
                var around = store.Around(agent, TrustScopes.Exchange, new TrustAroundLimits(rings, most));
                Assert.Equal((agent, 0), (around.Agents[0].Agent, around.Agents[0].Ring));
                var shown = around.Agents.Select(a => a.Agent).ToList();
                Assert.Equal(shown.Count, shown.Distinct().Count());
                Assert.All(around.Center.Chain, link => Assert.Contains(link.Issuer, shown));
                foreach (var ring in around.Agents.Where(a => a.Ring > 0).GroupBy(a => a.Ring))
                {
                    Assert.InRange(ring.Key, 1, rings);
                    Assert.InRange(ring.Count(), 1, most * ring.Key);
                    var inner = around.Agents.Where(a => a.Ring == ring.Key - 1).Select(a => a.Agent).ToList();
                    Assert.All(ring, a => Assert.Contains(inner, i => Vouched(naive, i, now).Contains(a.Agent)));
                }
                Assert.InRange(around.Agents.Count(a => a.Ring == -1), 0, ((most + 1) / 2) + 1);
                AssertVouches(around, shown, naive, now);
                AssertStandings(around, naive, now);
                Assert.Equal(Vouched(naive, agent, now).Count(), around.Vouched);
                Assert.Equal(world.Ids.Count(other => Vouched(naive, other, now).Contains(agent)), around.Vouchers);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Whoever_asks_for_the_next_ones_has_seen_all_in_the_end(int seed)
    {
        var (world, store, naive, now) = Made(seed);
        foreach (var agent in world.Ids)
        {
            var seen = new HashSet<AgentId>();
            var (from, back) = (0, 0);
            while (true)
            {
                var around = store.Around(
                    agent, TrustScopes.Exchange, new TrustAroundLimits(1, 2, from, back));
                seen.UnionWith(around.Agents.Select(a => a.Agent));
                var isEnd = around.VouchedEnd == around.Vouched && around.VouchersEnd == around.Vouchers;
                if (isEnd) break;
                Assert.True(around.VouchedEnd > from || around.VouchersEnd > back, "it does not go on");
                (from, back) = (around.VouchedEnd, around.VouchersEnd);
            }
            Assert.All(Vouched(naive, agent, now), other => Assert.Contains(other, seen));
            Assert.All(
                world.Ids.Where(other => Vouched(naive, other, now).Contains(agent)),
                other => Assert.Contains(other, seen));
        }
    }

    [Fact]
    public void Somebody_unknown_stands_alone()
    {
        var world = new TrustWorld(1);
        var store = new TrustStore([world.Ids[0]], TrustWorld.Start);
        var around = store.Around(
            new TestChain(99).Chain.Id, TrustScopes.Exchange, new TrustAroundLimits(3, 10));
        Assert.Equal(TrustStanding.NotKnown, Assert.Single(around.Agents).Standing);
        Assert.Empty(around.Vouches);
    }

    private static (TrustWorld World, TrustStore Store, NaiveTrust Naive, DateTimeOffset Now) Made(int seed)
    {
        var world = new TrustWorld((ulong)seed + 5_000, agents: 8 + (seed % 4 * 5), disownsInHundred: seed % 3 * 10);
        AgentId[] roots = seed % 4 == 0 ? [world.Ids[0], world.Ids[1]] : [world.Ids[0]];
        var now = TrustWorld.Start.AddHours(seed % 20);
        var store = new TrustStore(roots, TrustWorld.Start);
        var naive = new NaiveTrust(roots);
        for (var i = 0; i < world.Ids.Length; i++)
        {
            naive.Chains[world.Ids[i]] = world.Beginnings[i][^1].Statements;
            store.Add(world.Beginnings[i][^1]);
        }
        store.Advance(now);
        if (seed % 2 == 0)
        {
            naive.Refused.Add(world.Ids[3]);
            store.Refuse(world.Ids[3]);
        }
        return (world, store, naive, now);
    }

    private static IEnumerable<AgentId> Vouched(NaiveTrust naive, AgentId issuer, DateTimeOffset now) =>
        naive.VouchesThatCount(issuer, TrustScopes.Exchange, now).Select(v => v.Vouch.Subject).Where(s => s != issuer)
            .Distinct();

    private static void AssertVouches(
        TrustAround around, List<AgentId> shown, NaiveTrust naive, DateTimeOffset now)
    {
        var said = shown.SelectMany(issuer => Vouched(naive, issuer, now).Where(shown.Contains)
            .Select(subject => (issuer, subject)));
        Assert.Equal(
            said.ToHashSet(), around.Vouches.Select(v => (v.Vouch.Issuer, v.Vouch.Subject)).ToHashSet());
        var admitted = naive.Admitted(TrustScopes.Exchange, VouchBody.MaxDepth, now);
        foreach (var (vouch, fault) in around.Vouches)
        {
            var isIssuerIn = admitted.ContainsKey(vouch.Issuer);
            Assert.Equal(!isIssuerIn, fault is VouchFault.IssuerNotAdmitted or VouchFault.IssuerRefused);
            if (fault == VouchFault.None && !naive.Refused.Contains(vouch.Subject))
                Assert.True(admitted.ContainsKey(vouch.Subject), "what counts admits");
        }
    }

    private static void AssertStandings(TrustAround around, NaiveTrust naive, DateTimeOffset now)
    {
        var admitted = naive.Admitted(TrustScopes.Exchange, VouchBody.MaxDepth, now);
        foreach (var agent in around.Agents)
        {
            var isIn = agent.Standing is TrustStanding.Root or TrustStanding.Admitted;
            Assert.Equal(admitted.ContainsKey(agent.Agent), isIn);
            if (isIn) Assert.Equal(admitted[agent.Agent], agent.Depth);
            Assert.Equal(naive.Refused.Contains(agent.Agent), agent.Standing == TrustStanding.Refused);
            Assert.Equal(Vouched(naive, agent.Agent, now).Count(), agent.Vouched);
        }
    }
}
