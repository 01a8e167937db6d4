using Virga.Core;
using Virga.Testing;

namespace Virga.Trust.Tests;

public sealed class TrustStoreTests
{
    private static readonly int[] reaches = [7, 1];

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Every_step_ends_where_the_naive_reading_of_all_statements_ends(int seed)
    {
        var world = new TrustWorld((ulong)seed, agents: 8 + (seed % 5 * 5), disownsInHundred: seed % 3 * 10);
        var (random, now) = (world.Random, TrustWorld.Start);
        AgentId[] roots = seed % 4 == 0 ? [world.Ids[0], world.Ids[1]] : [world.Ids[0]];
        var store = new TrustStore(roots, now);
        var naive = new NaiveTrust(roots);
        foreach (var id in world.Ids) naive.Chains[id] = [];
        Ask(store);
        for (var step = 0; step < 120; step++)
        {
            var before = Standings(naive, now);
            IReadOnlyList<TrustChange> changes;
            var mayOnlyCut = false;
            var (dice, agent) = (random.Next(100), world.Ids[random.Next(world.Ids.Length)]);
            if (dice < 70)
            {
                var beginnings = world.Beginnings[Array.IndexOf(world.Ids, agent)];
                var chain = beginnings[(int)random.Next(beginnings.Count)];
                var known = naive.Chains[agent];
                if (chain.Statements.Count > known.Count) naive.Chains[agent] = chain.Statements;
                mayOnlyCut = naive.Chains[agent].Skip(known.Count).All(s => s.Type != StatementType.Vouch);
                changes = store.Add(chain);
            }
            else if (dice < 80)
            {
                now += TimeSpan.FromMinutes(random.Next(200));
                changes = store.Advance(now);
            }
            else if (dice < 86)
            {
                // A root that is refused leaves nothing to look at: seldom.
                if (roots.Contains(agent) && random.Next(10) > 0) continue;
                naive.Refused.Add(agent);
                mayOnlyCut = true;
                changes = store.Refuse(agent);
            }
            else if (dice < 96)
            {
                if (naive.Refused.Count > 0) agent = naive.Refused.Order(Comparer<AgentId>.Create(ById)).First();
                naive.Refused.Remove(agent);
                changes = store.Accept(agent);
            }
            else
            {
                store = await Reopened(store, roots, now, keepOld: dice == 96);
                Ask(store);
                changes = [];
            }
            Same(before, Standings(naive, now), changes, mayOnlyCut);
            SameEverywhere(store, naive, world, now);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_order_and_the_number_of_times_do_not_matter(int seed)
    {
        var world = new TrustWorld((ulong)seed + 1_000);
        var (first, second) = (Fed(world, evaluateFirst: false), Fed(world, evaluateFirst: true));
        foreach (var scope in TrustWorld.Scopes)
        {
            Assert.Equal(
                first.Admitted(scope).OrderBy(a => a.Agent.Hash), second.Admitted(scope).OrderBy(a => a.Agent.Hash));
            Assert.Equal(first.Shares(scope, 100), second.Shares(scope, 100));
            foreach (var agent in world.Ids)
            {
                var (a, b) = (first.Decide(agent, scope), second.Decide(agent, scope));
                Assert.Equal(a.Chain, b.Chain);
                Assert.Equal((a.Standing, a.Depth, a.Until), (b.Standing, b.Depth, b.Until));
            }
        }
        Assert.Equal(first.NextChange, second.NextChange);

        static TrustStore Fed(TrustWorld world, bool evaluateFirst)
        {
            var store = new TrustStore([world.Ids[0]], TrustWorld.Start);
            if (evaluateFirst) Ask(store);
            for (var i = 0; i < 60; i++)
            {
                var beginnings = world.Beginnings[(int)world.Random.Next(world.Ids.Length)];
                store.Add(beginnings[(int)world.Random.Next(beginnings.Count)]);
            }
            foreach (var beginnings in world.Beginnings) store.Add(beginnings[^1]);
            return store;
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_if_tells_what_then_happens_and_changes_nothing(int seed)
    {
        var world = new TrustWorld((ulong)seed + 2_000, disownsInHundred: seed % 2 * 6);
        var random = world.Random;
        var store = new TrustStore([world.Ids[0]], TrustWorld.Start);
        foreach (var beginnings in world.Beginnings) store.Add(beginnings[^1]);
        for (var i = 0; i < 20; i++)
        {
            var (issuer, subject) = (world.Ids[random.Next(12)], world.Ids[random.Next(12)]);
            if (issuer == subject) continue;
            var before = TrustWorld.Scopes.ToDictionary(scope => scope, scope => store.Admitted(scope).ToHashSet());
            var refused = store.WhatIfRefused(subject);
            var revoked = store.WhatIfRevoked(issuer, subject, TrustScopes.All);
            var disowned = store.WhatIfDisowned(issuer, subject, 3);
            foreach (var scope in TrustWorld.Scopes) Assert.Equal(before[scope], store.Admitted(scope).ToHashSet());
            Assert.DoesNotContain(
                refused.Concat(revoked).Concat(disowned), change => change.After > (change.Before ?? -1));
            Assert.Equal(refused.ToHashSet(), store.Refuse(subject).ToHashSet());
            Assert.Equal(Reversed(refused), store.Accept(subject).ToHashSet());
        }

        static HashSet<TrustChange> Reversed(IReadOnlyList<TrustChange> changes) =>
            [.. changes.Select(change => change with { Before = change.After, After = change.Before })];
    }

    [Fact]
    public void Depth_scope_and_time_never_grow_along_a_chain()
    {
        for (var seed = 1; seed <= 40; seed++)
        {
            var world = new TrustWorld((ulong)seed + 3_000);
            var store = new TrustStore([world.Ids[0]], TrustWorld.Start);
            foreach (var beginnings in world.Beginnings) store.Add(beginnings[^1]);
            foreach (var agent in world.Ids)
            {
                var decision = store.Decide(agent, TrustScopes.Exchange);
                var depth = VouchBody.MaxDepth + 1;
                foreach (var link in decision.Chain)
                {
                    Assert.True(depth > 0, $"seed {seed}: a chain longer than its depth");
                    Assert.True(link.Scopes.HasFlag(TrustScopes.Exchange));
                    Assert.True(decision.Until <= link.Expires);
                    depth = Math.Min(depth - 1, link.Depth);
                }
                if (decision.Chain.Count > 0) Assert.Equal(depth, decision.Depth);
            }
        }
    }

    [Fact]
    public void A_refusal_says_what_keeps_each_vouch_from_counting()
    {
        var chains = Enumerable.Range(0, 5).Select(i => new TestChain(7_000 + i)).ToArray();
        var ids = chains.Select(chain => chain.Chain.Id).ToArray();
        Vouch(chains[0], ids[1], TrustScopes.Exchange, 0);
        Vouch(chains[1], ids[2], TrustScopes.Exchange, 3);
        Vouch(chains[0], ids[3], TrustScopes.Host, 3);
        Vouch(chains[3], ids[4], TrustScopes.Exchange, 3);
        var store = new TrustStore([ids[0]], TrustWorld.Start);
        foreach (var chain in chains) store.Add(chain.Chain);

        Assert.Equal(TrustStanding.Root, store.Decide(ids[0], TrustScopes.Exchange).Standing);
        Assert.Equal(TrustStanding.Admitted, store.Decide(ids[1], TrustScopes.Exchange).Standing);
        Assert.Equal((TrustStanding.NoChain, VouchFault.NoDepthLeft), Why(ids[2]));
        Assert.Equal((TrustStanding.NoChain, VouchFault.OtherScope), Why(ids[3]));
        Assert.Equal((TrustStanding.NoChain, VouchFault.IssuerNotAdmitted), Why(ids[4]));
        Assert.Equal(TrustStanding.NotKnown, store.Decide(new AgentId(Sample.Hash(9)), TrustScopes.Exchange).Standing);
        store.Refuse(ids[1]);
        Assert.Equal((TrustStanding.Refused, VouchFault.None), Why(ids[1]));
        Assert.Equal((TrustStanding.NoChain, VouchFault.IssuerRefused), Why(ids[2]));

        (TrustStanding, VouchFault) Why(AgentId agent)
        {
            var decision = store.Decide(agent, TrustScopes.Exchange);
            Assert.Empty(decision.Chain);
            return (decision.Standing, Assert.Single(decision.Hints).Fault);
        }
    }

    [Fact]
    public void A_rotation_that_settles_a_fork_takes_back_what_a_thief_vouched_for()
    {
        var (me, friend, thief) = (new TestChain(7_100), new TestChain(7_101), new TestChain(7_102).Chain.Id);
        Vouch(me, friend.Chain.Id, TrustScopes.Exchange, 3);
        var honest = friend.Chain;
        Vouch(friend, thief, TrustScopes.Exchange, 0);
        var store = new TrustStore([me.Chain.Id], TrustWorld.Start);
        store.Add(me.Chain);
        store.Add(friend.Chain);
        Assert.True(store.IsAdmitted(thief, TrustScopes.Exchange));

        var rotation = StatementWriter.Next(honest, StatementType.AddKey,
            StatementWriter.RotateKeyBody(friend.NextKey.PublicKey, Sample.Hash(1)), TestChain.Now);
        var merge = friend.Chain.Merge([(rotation, TestChain.Sign(friend.NextKey, rotation))], TestChain.Now);
        Assert.Equal(ChainMergeKind.Settled, merge.Kind);
        var change = Assert.Single(store.Replace(merge.Chain));
        Assert.Equal((thief, true), (change.Agent, change.IsFallen));
        Assert.True(store.IsAdmitted(friend.Chain.Id, TrustScopes.Exchange));
    }

    [Fact]
    public void What_counts_by_the_weaker_chain_alone_falls_with_it_though_its_issuer_stands_as_before()
    {
        var chains = Enumerable.Range(0, 4).Select(i => new TestChain(7_400 + i)).ToArray();
        var ids = chains.Select(chain => chain.Chain.Id).ToArray();
        var (early, late) = (new AgentId(Sample.Hash(1)), new AgentId(Sample.Hash(2)));
        Vouch(chains[0], ids[1], TrustScopes.Exchange, 7);
        Vouch(chains[0], ids[2], TrustScopes.Exchange, 3);
        Vouch(chains[1], ids[3], TrustScopes.Exchange, 7);
        chains[1].Add(StatementType.Disown, new DisownBody(ids[3], 2).Encode());
        Vouch(chains[2], ids[3], TrustScopes.Exchange, 1);
        Vouch(chains[3], early, TrustScopes.Exchange, 7);
        Vouch(chains[3], late, TrustScopes.Exchange, 7);
        var store = new TrustStore([ids[0]], TrustWorld.Start);
        foreach (var chain in chains) store.Add(chain.Chain);
        Assert.Equal((5, 0), (Depth(early), Depth(late)));
        Assert.Equal([ids[0], ids[2], ids[3]], store.Decide(late, TrustScopes.Exchange).Chain.Select(l => l.Issuer));

        var fallen = store.Refuse(ids[2]).Where(change => change.IsFallen).Select(change => change.Agent);
        Assert.Equal([ids[2].Hash, late.Hash], fallen.Select(agent => agent.Hash).OrderBy(hash => hash == late.Hash));
        Assert.Equal(VouchFault.Disowned, Assert.Single(store.Decide(late, TrustScopes.Exchange).Hints).Fault);
        Assert.Equal(6, Depth(ids[3]));
        store.Accept(ids[2]);
        Assert.Equal((5, 0), (Depth(early), Depth(late)));

        int Depth(AgentId agent) => store.Decide(agent, TrustScopes.Exchange).Depth;
    }

    [Fact]
    public void Time_that_goes_back_brings_nothing_back()
    {
        var (me, friend) = (new TestChain(7_200), new TestChain(7_201).Chain.Id);
        Vouch(me, friend, TrustScopes.Exchange, 0, hours: 2);
        var store = new TrustStore([me.Chain.Id], TrustWorld.Start);
        store.Add(me.Chain);
        Assert.True(store.IsAdmitted(friend, TrustScopes.Exchange));
        Assert.Equal(TrustWorld.Start.AddHours(2), store.NextChange);
        Assert.Empty(store.Advance(TrustWorld.Start.AddHours(2).AddSeconds(-1)));
        Assert.True(Assert.Single(store.Advance(TrustWorld.Start.AddHours(2))).IsFallen);
        store.Advance(TrustWorld.Start);
        Assert.False(store.IsAdmitted(friend, TrustScopes.Exchange));
        Assert.Null(store.NextChange);
    }

    [Fact]
    public void Other_roots_see_other_agents()
    {
        var (me, other) = (new TestChain(7_300), new TestChain(7_301));
        var friend = new TestChain(7_302).Chain.Id;
        Vouch(other, friend, TrustScopes.Exchange, 0);
        var store = new TrustStore([me.Chain.Id], TrustWorld.Start);
        store.Add(other.Chain);
        Assert.False(store.IsAdmitted(friend, TrustScopes.Exchange));
        var changes = store.SetRoots([me.Chain.Id, other.Chain.Id]);
        Assert.Equal(2, changes.Count(change => change.IsAdmittedNow));
        Assert.True(store.IsAdmitted(friend, TrustScopes.Exchange));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_if_other_roots_tells_what_then_happens_and_changes_nothing(int seed)
    {
        var world = new TrustWorld((ulong)seed + 4_000, disownsInHundred: seed % 2 * 6);
        var store = new TrustStore([world.Ids[0], world.Ids[1]], TrustWorld.Start);
        foreach (var beginnings in world.Beginnings) store.Add(beginnings[^1]);
        var before = TrustWorld.Scopes.ToDictionary(scope => scope, scope => store.Admitted(scope).ToHashSet());
        var would = store.WhatIfRoots([world.Ids[1]]);
        foreach (var scope in TrustWorld.Scopes) Assert.Equal(before[scope], store.Admitted(scope).ToHashSet());
        Assert.Equal([world.Ids[0], world.Ids[1]], store.Roots);
        Assert.Equal(would.ToHashSet(), store.SetRoots([world.Ids[1]]).ToHashSet());
    }

    internal static void Vouch(TestChain chain, AgentId subject, TrustScopes scopes, int depth, int hours = 100) =>
        chain.Add(StatementType.Vouch, new VouchBody(
            subject, scopes, depth, TrustWorld.Start.AddHours(-1), TrustWorld.Start.AddHours(hours)).Encode());

    private static int ById(AgentId a, AgentId b) => a.Hash.CompareTo(b.Hash);

    private static void Ask(TrustStore store)
    {
        foreach (var scope in TrustWorld.Scopes)
            foreach (var reach in reaches) store.Admitted(scope, reach);
    }

    private static async Task<TrustStore> Reopened(TrustStore store, AgentId[] roots, DateTimeOffset now, bool keepOld)
    {
        var file = new MemoryStream();
        await store.SaveAsync(file, default);
        file.Position = 0;
        var opened = await TrustStore.OpenAsync(file, file.Length, roots, now, default);
        return keepOld ? store : opened;
    }

    private static Dictionary<(AgentId, TrustScopes, int), int> Standings(NaiveTrust naive, DateTimeOffset now)
    {
        var all = new Dictionary<(AgentId, TrustScopes, int), int>();
        foreach (var scope in TrustWorld.Scopes)
            foreach (var reach in reaches)
                foreach (var (agent, depth) in naive.Admitted(scope, reach, now)) all[(agent, scope, reach)] = depth;
        return all;
    }

    private static void Same(
        Dictionary<(AgentId, TrustScopes, int), int> before, Dictionary<(AgentId, TrustScopes, int), int> after,
        IReadOnlyList<TrustChange> changes, bool mayOnlyCut)
    {
        var expected = before.Keys.Union(after.Keys)
            .Select(key => new TrustChange(key.Item1, key.Item2, key.Item3, Get(before, key), Get(after, key)))
            .Where(change => change.Before != change.After).ToHashSet();
        Assert.Equal(expected.Count, changes.Count);
        Assert.Equal(expected, changes.ToHashSet());
        if (mayOnlyCut) Assert.DoesNotContain(changes, change => change.After > (change.Before ?? -1));

        static int? Get(Dictionary<(AgentId, TrustScopes, int), int> from, (AgentId, TrustScopes, int) key) =>
            from.TryGetValue(key, out var depth) ? depth : null;
    }

    private static void SameEverywhere(TrustStore store, NaiveTrust naive, TrustWorld world, DateTimeOffset now)
    {
        foreach (var scope in TrustWorld.Scopes)
        {
            foreach (var reach in reaches)
            {
                var expected = naive.Admitted(scope, reach, now);
                var actual = store.Admitted(scope, reach).ToDictionary(a => a.Agent, a => a.Depth);
                Assert.Equal(expected.OrderBy(a => a.Key.Hash), actual.OrderBy(a => a.Key.Hash));
                foreach (var agent in world.Ids)
                {
                    var decision = store.Decide(agent, scope, reach);
                    Assert.Equal(expected.ContainsKey(agent), decision.IsAdmitted);
                    if (decision.Chain.Count > 0)
                        Assert.True(
                            naive.IsChain(decision.Chain, scope, reach, now, decision.Depth), "a chain that is none");
                }
            }
        }
    }
}
