using Virga.Core;
using Virga.Testing.Simulation;
using Virga.Trust.Following;

namespace Virga.Trust.Tests.Simulation;

/// <summary>An agent from one start to the next: the product's parts, wired as in the agent's own service.</summary>
internal sealed class AgentLife
{
    /// <summary>Less often than the product does it, so that there is time for more seeds.</summary>
    private static readonly TimeSpan StormRoundEvery = TimeSpan.FromSeconds(150);

    private readonly SimulatedAgent agent;
    private readonly NodeClock clock;
    private readonly ChainDirectory directory;
    private readonly Dictionary<SimulatedRepository, int> posted = [];
    private readonly HashSet<SimulatedRepository> posting = [];
    private readonly Dictionary<int, SimulatedPlace> places = [];

    public AgentLife(SimulatedAgent agent)
    {
        this.agent = agent;
        var world = agent.World;
        clock = new NodeClock(world.Loop) { Ahead = agent.Ahead };
        directory = new ChainDirectory(clock);
        Began = world.Loop.Now;
        Store = new TrustStore([agent.Id, .. agent.Roots], clock.GetUtcNow());
        Keeper = new LogKeeper(directory, clock, world.Note(agent.Node));
        Follower = new TrustFollower(
            agent.Id, Store, directory, PlacesOf, Tell, clock, world.Note(agent.Node));
        directory.FraudFound = (proof, chain) =>
        {
            Refuse(proof.Agent);
            Keeper.Take(Evidence.Of(proof, chain));
        };
        directory.FraudSettled = Settle;
        Keeper.Found = Learn;
        Store.Add(agent.Chain);
        foreach (var name in TrustScopeNames.All) Store.IsAdmitted(agent.Id, TrustScopeNames.Parse(name));
        foreach (var proof in agent.Evidence.ToList()) Keeper.Take(Evidence.Parse(proof));
        world.Loop.Begin(() => FollowAsync(TimeSpan.FromMilliseconds(world.Random.Next(30_000))));
        world.Loop.Begin(() => KeepAsync(TimeSpan.FromMilliseconds(world.Random.Next(150_000))));
        Said();
    }

    public DateTimeOffset Began { get; }

    public bool IsRunning => !clock.IsStopped;

    public DateTimeOffset Now => clock.GetUtcNow();

    public TrustStore Store { get; }

    public TrustFollower Follower { get; }

    public LogKeeper Keeper { get; }

    /// <summary>Who reads here now, and since when.</summary>
    public Dictionary<AgentId, DateTimeOffset> Reads { get; } = [];

    public void End() => clock.Stop();

    /// <summary>Its user sets the clock right.</summary>
    public void SetClock(TimeSpan ahead) => clock.Ahead = ahead;

    public int Posted(SimulatedRepository repository) => posted.GetValueOrDefault(repository);

    public void SetPosted(SimulatedRepository repository, int count) => posted[repository] = count;

    public SimulatedPlace PlaceOf(ISimulatedPeer peer)
    {
        if (!places.TryGetValue(peer.Node, out var place))
            places.Add(peer.Node, place = new SimulatedPlace(agent.World.Network, agent.Node, peer, () => IsRunning));
        return place;
    }

    /// <summary>The agent has said something: it holds here at once, and is published.</summary>
    public void Said()
    {
        Tell(Store.Add(agent.Chain));
        foreach (var repository in agent.Repositories)
            if (posting.Add(repository)) agent.World.Loop.Begin(() => PublishAsync(repository));
    }

    /// <summary>Somebody asks to read.</summary>
    public async Task AskAsync(AgentId asker, TimeSpan takes)
    {
        var isAdmitted = await Follower.AdmitsAsync(asker, TrustScopes.Exchange, VouchBody.MaxDepth, default);
        agent.World.Loop.Trace(11, agent.Node, asker.GetHashCode(), isAdmitted ? 1 : 0);
        if (!isAdmitted) return;
        Reads.TryAdd(asker, agent.World.Loop.Now);
        await agent.World.Loop.PauseFor(takes);
        Reads.Remove(asker);
    }

    private async Task FollowAsync(TimeSpan wait)
    {
        await agent.World.Loop.PauseFor(wait);
        if (IsRunning) await Follower.RunAsync(default);
    }

    private async Task KeepAsync(TimeSpan wait)
    {
        while (true)
        {
            await agent.World.Loop.PauseFor(wait);
            if (!IsRunning) return;
            var used = agent.Repositories.Where(r => Keeper.BreachOf(r.Id) is null).Select(PlaceOf).ToList();
            var others = agent.Friends.Select(PlaceOf).ToList();
            await Keeper.RoundAsync(used, others, default);
            wait = agent.World.IsCalm ? 2 * LogKeeper.RoundEvery : StormRoundEvery;
            if (agent.World.UntilCalm is var left && left > TimeSpan.Zero && left < wait)
                wait = left + TimeSpan.FromMilliseconds(agent.World.Random.Next(30_000));
        }
    }

    private async Task PublishAsync(SimulatedRepository repository)
    {
        await agent.PublishAsync(this, repository);
        posting.Remove(repository);
    }

    private IReadOnlyList<ITrustPlace> PlacesOf(AgentId subject)
    {
        var used = agent.Repositories.Where(r => Keeper.BreachOf(r.Id) is null).Select(PlaceOf);
        return [.. agent.Friends.Where(friend => friend.Id == subject).Select(PlaceOf), .. used];
    }

    private void Learn(Evidence proof, AgentId who)
    {
        agent.Keep(proof, who);
        agent.World.Loop.Trace(12, agent.Node, proof.Breach is null ? 0 : 1);
        if (proof.Fraud is not { } fraud) return;
        Refuse(who);
        // So that a rotation which settles it is noticed.
        TakeIn(who, proof.Chain);
        TakeIn(who, [(fraud.BodyA, fraud.SignatureA)]);
        TakeIn(who, [(fraud.BodyB, fraud.SignatureB)]);
    }

    private void Refuse(AgentId who)
    {
        if (who != agent.Id) Tell(Store.Refuse(who));
    }

    private void TakeIn(AgentId who, IReadOnlyList<(byte[] Body, byte[] Signature)> statements)
    {
        try
        {
            directory.TakeIn(who, statements);
        }
        catch (VirgaException)
        {
            // It is proven already; what does not fit the chain at hand changes nothing.
        }
    }

    private void Settle(Sigchain chain)
    {
        Keeper.Settle(chain);
        Follower.TakeIn(chain, isReplaced: true);
        Tell(Store.Accept(chain.Id));
    }

    private void Tell(IReadOnlyList<TrustChange> changes)
    {
        foreach (var change in changes)
        {
            if (change is not { IsFallen: true, Scope: TrustScopes.Exchange }) continue;
            if (Reads.Remove(change.Agent)) agent.World.Loop.Trace(13, agent.Node, change.Agent.GetHashCode());
        }
    }
}
