using Virga.Core;
using Virga.Testing;
using Virga.Trust.Graph;

namespace Virga.Trust.Tests;

/// <summary>The arrays themselves: sizes that chains of real signatures don't reach in a test.</summary>
public sealed class TrustGraphTests
{
    private static readonly int hour = VouchBody.HourOf(TrustWorld.Start);

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    /// <summary>Thousands of agents, so that words of vectors, the delta and compactions all take part.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void Following_each_change_gives_what_evaluating_anew_gives(int seed)
    {
        var (graph, random, change) = (new TrustGraph(TrustWorld.Start), new Seeded((ulong)seed), new GraphChange());
        var agents = 300 + (100 * seed);
        for (var i = 0; i < agents; i++) graph.FindOrAdd(new AgentId(Sample.Hash(i)));
        var (root, seqs) = (graph.Find(new AgentId(Sample.Hash(0))), new int[agents]);
        for (var i = 0; i < agents * 5; i++) Vouch();
        if (seed % 2 == 0)
        {
            graph.Compact();
            root = graph.Find(new AgentId(Sample.Hash(0)));
        }
        change.Clear();
        var (view, changes) = (new TrustView(graph, [root], TrustScopes.Exchange), new List<LabelChange>());
        for (var step = 0; step < 300; step++)
        {
            var before = view.Labels.ToArray();
            changes.Clear();
            change.Clear();
            var dice = random.Next(100);
            if (dice < 40) Vouch();
            else if (dice < 60) graph.Revoke(Any(), Any(), TrustScopes.All, change);
            else if (dice < 75) graph.Refuse(Any(), change);
            else if (dice < 85 && graph.Refused.Count > 0) graph.Accept(graph.Refused.First(), change);
            else if (dice < 90) graph.Advance(graph.Hour + (int)random.Next(30), change);
            else if (dice < 93) graph.RevokeOwn(Any(), 2, 5, change);
            else if (dice < 95) graph.Disown(Any(), Any(), 1 + (int)random.Next(5), change);
            view.Update(change, changes);
            var anew = new TrustView(graph, view.Roots, TrustScopes.Exchange);
            Assert.Equal(anew.Labels.ToArray(), view.Labels.ToArray());
            var expected = Enumerable.Range(0, agents).Where(a => before[a] != anew.Labels[a]);
            Assert.Equal(expected, changes.Select(c => c.Agent).Order());
            if (step % 60 == 59) view.Renumber(graph.Compact());
        }

        int Any() => (int)random.Next(agents);

        void Vouch()
        {
            var (issuer, subject) = (Any(), Any());
            var begins = hour + (int)random.Next(20) - 12;
            graph.Vouch(issuer, subject, (TrustScopes)(1 + random.Next(31)), (int)random.Next(8), begins,
                begins + 1 + (int)random.Next(400), ++seqs[issuer % agents], change);
        }
    }

    [Fact]
    public void A_vouch_for_oneself_has_no_effect()
    {
        var (graph, change) = (new TrustGraph(TrustWorld.Start), new GraphChange());
        var agent = graph.FindOrAdd(new AgentId(Sample.Hash(1)));
        graph.Vouch(agent, agent, TrustScopes.All, 7, hour, hour + 10, 1, change);
        Assert.Empty(change.Subjects);
        Assert.Equal(0, graph.Delta.Count);
    }

    [Fact]
    public async Task The_saved_graph_does_not_depend_on_the_order_in_which_chains_came()
    {
        var world = new TrustWorld(77);
        Assert.Equal(await Saved(world.Beginnings), await Saved(world.Beginnings.AsEnumerable().Reverse()));

        static async Task<byte[]> Saved(IEnumerable<List<Sigchain>> chains)
        {
            var store = new TrustStore([], TrustWorld.Start);
            foreach (var beginnings in chains) store.Add(beginnings[^1]);
            var file = new MemoryStream();
            await store.SaveAsync(file, default);
            return file.ToArray();
        }
    }

    [Fact]
    public async Task An_image_that_is_cut_or_has_a_wrong_bit_is_refused_with_what_to_do()
    {
        var store = new TrustStore([], TrustWorld.Start);
        foreach (var beginnings in new TrustWorld(78).Beginnings) store.Add(beginnings[^1]);
        var file = new MemoryStream();
        await store.SaveAsync(file, default);
        var good = file.ToArray();
        Assert.NotNull(await Open(good));
        for (var length = 0; length < good.Length; length += 53) await Refused(good[..length]);
        await Refused([.. good, 0]);
        for (var at = 0; at < good.Length; at += 37)
        {
            var bad = good.ToArray();
            bad[at] ^= (byte)(1 << (at % 8));
            await Refused(bad);
        }

        static async Task<TrustStore> Open(byte[] image) =>
            await TrustStore.OpenAsync(new MemoryStream(image), image.Length, [], TrustWorld.Start, default);

        static async Task Refused(byte[] image)
        {
            var failure = await Assert.ThrowsAsync<VirgaException>(() => Open(image));
            Assert.Equal(FailureKind.Corrupt, failure.Kind);
            Assert.NotNull(failure.Advice);
        }
    }

    [Fact]
    public async Task What_is_taken_in_while_an_image_is_written_leaves_no_whole_image()
    {
        var store = new TrustStore([], TrustWorld.Start);
        var world = new TrustWorld(79);
        foreach (var beginnings in world.Beginnings) store.Add(beginnings[^1]);
        var file = new Interrupted(() => store.Refuse(world.Ids[3]));
        var failure = await Assert.ThrowsAsync<VirgaException>(() => store.SaveAsync(file, default).AsTask());
        Assert.Equal(FailureKind.Changed, failure.Kind);
    }

    [Theory]
    [InlineData(3, 100_000)]
    [InlineData(0, 100_000)]
    [InlineData(7, 100_000)]
    [InlineData(3, 1)]
    public void A_hundred_thousand_agents_behind_one_vouch_weigh_less_than_twice_that_vouch(int depth, int sybils)
    {
        // Ten friends, each with ten of their own; one of those vouches for the attacker, who makes the rest.
        ulong OfAttacker(int count, bool areMany)
        {
            var (graph, random, change) = (new TrustGraph(TrustWorld.Start), new Seeded(5), new GraphChange());
            var ids = Enumerable.Range(0, 112 + count).Select(_ => Id(random)).Select(graph.FindOrAdd).ToArray();
            void Vouch(int issuer, int subject, int links) => graph.Vouch(
                ids[issuer], ids[subject], TrustScopes.Host, links, hour, hour + 10, 1 + (subject % 60_000), change);
            for (var i = 1; i <= 110; i++) Vouch(i <= 10 ? 0 : (i - 1) / 10, i, 7);
            Vouch(110, 111, depth);
            for (var i = 112; areMany && i < ids.Length; i++)
            {
                Vouch(i < 120 + (count / 8) ? 111 : 112 + (int)random.Next(i - 112), i, 7);
                Vouch(i, 112 + (int)random.Next(count), 7);
                Vouch(i, 1 + (int)random.Next(110), 7);
            }
            var view = new TrustView(graph, [ids[0]], TrustScopes.Host);
            var weights = TrustWeights.Compute(view);
            var all = weights.Aggregate(0UL, (sum, weight) => sum + weight);
            Assert.InRange(all, 1UL, TrustWeights.Whole);
            if (areMany && depth > 0) Assert.True(ids[112..].Count(id => view.LabelOf(id) > 0) > sybils / 20);
            return ids[111..].Aggregate(0UL, (sum, id) => sum + weights[id]);
        }

        var lone = OfAttacker(sybils, areMany: false);
        var many = OfAttacker(sybils, areMany: true);
        Assert.True(lone > 0);
        Assert.True(many < 2 * lone, $"{many} is not less than twice {lone}");
    }

    private static AgentId Id(Seeded random)
    {
        var bytes = new byte[Hash256.ByteCount];
        random.RandomBytes(bytes);
        return new AgentId(new Hash256(bytes));
    }

    /// <summary>Does something in the middle of being written to.</summary>
    private sealed class Interrupted(Action meanwhile) : MemoryStream
    {
        public override async ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await base.WriteAsync(buffer, cancellationToken);
            meanwhile();
        }
    }
}
