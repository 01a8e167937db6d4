using Virga.Core;
using Virga.Testing;
using Virga.Trust.Following;

namespace Virga.Trust.Tests.Following;

/// <summary>What others say is looked at in time, and acted on when it arrives.</summary>
public sealed class TrustFollowerTests : IAsyncLifetime
{
    private readonly FakeTimeProvider time = new(TrustWorld.Start);
    private readonly TestChain me = new(1), friend = new(2), third = new(3), fourth = new(4), fifth = new(5);
    private readonly ChainPlace place = new("repository", pageSize: 100);
    private readonly List<TrustChange> told = [];
    private readonly CancellationTokenSource stop = new();
    private readonly TrustStore store;
    private readonly ChainDirectory directory;
    private readonly TrustFollower follower;
    private Task running = Task.CompletedTask;

    public TrustFollowerTests()
    {
        store = new TrustStore([me.Chain.Id], time.GetUtcNow());
        directory = new ChainDirectory(time);
        follower = new TrustFollower(
            me.Chain.Id, store, directory, _ => [place], told.AddRange, time, _ => { });
        foreach (var chain in new[] { friend, third, fourth }) place.With(chain);
        Vouch(me, friend, depth: 2);
        store.Add(me.Chain);
        foreach (var scope in TrustScopeNames.All) store.IsAdmitted(me.Chain.Id, TrustScopeNames.Parse(scope));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Task.WhenAll(running, Task.Delay(0, stop.Token)));
        stop.Dispose();
    }

    [Fact]
    public async Task Vouches_behind_vouches_are_found_in_one_look()
    {
        Vouch(friend, third, depth: 1);
        Vouch(third, fourth, depth: 0);
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.True(store.IsAdmitted(fourth.Chain.Id, TrustScopes.Exchange));
        // Who may pass nothing on is not asked for.
        Assert.Equal([friend.Chain.Id, third.Chain.Id], place.Asked.Select(a => a.Agent));
    }

    [Fact]
    public async Task Where_nothing_has_changed_a_place_is_asked_once_for_all()
    {
        await LookAtThreeAsync();
        place.Asked.Clear();
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.Empty(place.Asked);
        Assert.Equal(Three, place.AskedTips[^1].ToHashSet());

        Vouch(third, fifth, depth: 0);
        place.With(third);
        time.Advance(TimeSpan.FromSeconds(1));
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.Equal([third.Chain.Id], place.Asked.Select(a => a.Agent));
        Assert.True(store.IsAdmitted(fifth.Chain.Id, TrustScopes.Exchange));
    }

    [Fact]
    public async Task A_place_that_says_nothing_of_many_is_asked_for_each()
    {
        await LookAtThreeAsync();
        place.KnowsTips = false;
        place.Asked.Clear();
        Vouch(third, fifth, depth: 0);
        place.With(third);
        time.Advance(TimeSpan.FromSeconds(1));
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.Equal(Three, place.Asked.Select(a => a.Agent).ToHashSet());
        Assert.True(store.IsAdmitted(fifth.Chain.Id, TrustScopes.Exchange));
    }

    [Fact]
    public async Task Another_history_of_the_same_length_is_noticed()
    {
        await LookAtThreeAsync();
        var other = new TestChain(3);
        Vouch(third, fifth, depth: 0);
        place.With(third);
        await follower.LookAsync(time.GetUtcNow(), default);
        Vouch(other, friend, depth: 0);
        place.With(other);
        time.Advance(TimeSpan.FromSeconds(1));
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.Equal([third.Chain.Id], directory.Contested);
    }

    [Fact]
    public async Task A_place_that_is_behind_has_nothing_new()
    {
        await LookAtThreeAsync();
        var before = place.Chains[third.Chain.Id];
        Vouch(third, fifth, depth: 0);
        directory.TakeIn(third.Chain.Id, third.Envelopes);
        place.Chains[third.Chain.Id] = before;
        place.Asked.Clear();
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.Empty(place.Asked);
        Assert.True(store.IsAdmitted(fifth.Chain.Id, TrustScopes.Exchange));
    }

    [Fact]
    public async Task A_vouch_in_another_scope_is_followed_too()
    {
        Vouch(me, third, depth: 1, TrustScopes.Repository);
        store.Add(me.Chain);
        Vouch(third, fourth, depth: 0, TrustScopes.Repository);
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.True(store.IsAdmitted(fourth.Chain.Id, TrustScopes.Repository));
    }

    [Fact]
    public async Task What_somebody_takes_back_is_seen_at_the_next_look_half_a_minute_later_at_most()
    {
        Vouch(friend, third, depth: 1);
        Vouch(third, fourth, depth: 0);
        Start();
        await IdleAsync();
        Assert.True(store.IsAdmitted(fourth.Chain.Id, TrustScopes.Exchange));
        told.Clear();
        friend.Add(StatementType.Revoke, new RevokeBody(third.Chain.Id, TrustScopes.Exchange).Encode());
        place.With(friend);
        time.Advance(TrustFollower.LookEvery - TimeSpan.FromSeconds(1));
        await IdleAsync();
        Assert.Empty(told);
        time.Advance(TimeSpan.FromSeconds(1));
        await IdleAsync();
        Assert.Equal(
            [third.Chain.Id, fourth.Chain.Id],
            told.Where(c => c is { IsFallen: true, Scope: TrustScopes.Exchange }).Select(c => c.Agent).Distinct()
                .OrderBy(id => id == fourth.Chain.Id));
    }

    [Fact]
    public async Task A_vouch_ends_on_the_hour_though_nobody_answers_any_more()
    {
        Vouch(friend, third, depth: 0, hours: 1);
        Start();
        await IdleAsync();
        Assert.True(store.IsAdmitted(third.Chain.Id, TrustScopes.Exchange));
        place.Failure = new VirgaException(FailureKind.Unavailable, "no answer");
        for (var i = 0; i < 120; i++)
        {
            time.Advance(TrustFollower.LookEvery);
            await IdleAsync();
        }
        Assert.Contains(told, c => c.Agent == third.Chain.Id && c.IsFallen);
        Assert.True(store.IsAdmitted(friend.Chain.Id, TrustScopes.Exchange));
    }

    [Fact]
    public async Task Who_is_not_known_is_looked_for_once_for_all_who_ask_meanwhile()
    {
        await follower.LookAsync(time.GetUtcNow(), default);
        Vouch(friend, third, depth: 0);
        place.Asked.Clear();
        var asking = Enumerable.Range(0, 20)
            .Select(_ => follower.AdmitsAsync(third.Chain.Id, TrustScopes.Exchange, 7, default)).ToList();
        Assert.DoesNotContain(asking, task => task.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.All(await Task.WhenAll(asking), Assert.True);
        Assert.Single(place.Asked);
    }

    [Fact]
    public async Task A_stranger_is_not_admitted_and_costs_a_look_every_two_seconds_at_most()
    {
        await follower.LookAsync(time.GetUtcNow(), default);
        place.Asked.Clear();
        for (var i = 0; i < 3; i++)
        {
            var asking = Enumerable.Range(0, 50)
                .Select(_ => follower.AdmitsAsync(fourth.Chain.Id, TrustScopes.Exchange, 7, default)).ToList();
            time.Advance(TimeSpan.FromSeconds(2));
            Assert.All(await Task.WhenAll(asking), Assert.False);
        }
        Assert.Equal(3, place.Asked.Count);
    }

    [Fact]
    public async Task A_rotation_takes_back_what_a_thief_said()
    {
        await follower.LookAsync(time.GetUtcNow(), default);
        var thief = new TestChain(2);
        Vouch(thief, fourth, depth: 0);
        await follower.LookAsync(time.GetUtcNow(), default);
        time.Advance(TimeSpan.FromSeconds(1));
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.True(store.IsAdmitted(fourth.Chain.Id, TrustScopes.Exchange));
        friend.Add("addkey", StatementWriter.RotateKeyBody(
            friend.NextKey.PublicKey, TestChain.HashOf(TestChain.NewKey(77))), friend.NextKey);
        place.With(friend);
        time.Advance(TimeSpan.FromSeconds(1));
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.False(store.IsAdmitted(fourth.Chain.Id, TrustScopes.Exchange));
        Assert.True(store.IsAdmitted(friend.Chain.Id, TrustScopes.Exchange));
    }

    [Fact]
    public async Task A_place_that_is_silent_holds_up_neither_the_others_nor_the_next_agent()
    {
        const int issuers = 20;
        var silent = new ChainPlace("silent") { IsSilent = true };
        var many = Enumerable.Range(0, issuers).Select(i => new TestChain(1_000 + i)).ToList();
        foreach (var issuer in many)
        {
            Vouch(me, issuer, depth: 1);
            Vouch(issuer, third, depth: 0);
        }
        store.Add(me.Chain);
        var slow = new TrustFollower(
            me.Chain.Id, store, directory, _ => [silent, place], told.AddRange, time, _ => { });
        var look = slow.LookAsync(time.GetUtcNow(), default);
        // What the other place said is acted on before anybody has given up on this one.
        Assert.True(store.IsAdmitted(third.Chain.Id, TrustScopes.Exchange));
        while (!look.IsCompleted)
        {
            Assert.True(time.GetUtcNow() < TrustWorld.Start.AddSeconds(10), "it was waited for again and again");
            if (time.TimersWaiting > 0) time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.Equal(issuers + 1, place.Asked.Select(a => a.Agent).Distinct().Count());
        Assert.InRange(silent.Asked.Count, 1, 8);
    }

    [Fact]
    public async Task Who_is_refused_as_a_fraud_is_asked_for_until_a_rotation_settles_it()
    {
        Vouch(friend, third, depth: 0);
        await follower.LookAsync(time.GetUtcNow(), default);
        // It may not vouch itself, so that nobody looked at it until the proof came, from somewhere else.
        var thief = new TestChain(3).Add(StatementType.Profile, StatementWriter.ProfileBody("thief"));
        third.Add(StatementType.Profile, StatementWriter.ProfileBody("owner"));
        directory.FraudFound = (proof, _) => store.Refuse(proof.Agent);
        directory.FraudSettled = chain => store.Accept(chain.Id);
        directory.TakeIn(third.Chain.Id, thief.Envelopes);
        directory.TakeIn(third.Chain.Id, third.Envelopes);
        Assert.False(store.IsAdmitted(third.Chain.Id, TrustScopes.Exchange));
        third.Add("addkey", StatementWriter.RotateKeyBody(
            third.NextKey.PublicKey, TestChain.HashOf(TestChain.NewKey(77))), third.NextKey);
        place.With(third);
        time.Advance(TimeSpan.FromSeconds(1));
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.True(store.IsAdmitted(third.Chain.Id, TrustScopes.Exchange));
        Assert.Empty(directory.Contested);
    }

    private void Start() => running = follower.RunAsync(stop.Token);

    /// <summary>Until the follower waits for its next look.</summary>
    private HashSet<AgentId> Three => [friend.Chain.Id, third.Chain.Id, fourth.Chain.Id];

    /// <summary>Three may vouch, and have been looked at.</summary>
    private async Task LookAtThreeAsync()
    {
        Vouch(me, third, depth: 2);
        Vouch(me, fourth, depth: 2);
        store.Add(me.Chain);
        await follower.LookAsync(time.GetUtcNow(), default);
        Assert.Equal(Three, place.Asked.Select(a => a.Agent).ToHashSet());
        time.Advance(TimeSpan.FromSeconds(1));
    }

    private async Task IdleAsync()
    {
        while (time.TimersWaiting == 0) await Task.Yield();
    }

    private void Vouch(
        TestChain issuer, TestChain subject, int depth, TrustScopes scopes = TrustScopes.Exchange, int hours = 1_000)
    {
        issuer.Add(
            StatementType.Vouch,
            new VouchBody(
                subject.Chain.Id, scopes, depth, TrustWorld.Start, TrustWorld.Start.AddHours(hours)).Encode());
        if (issuer != me) place.With(issuer);
    }
}
