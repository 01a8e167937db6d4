using Virga.Agent.Network;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent.Trust;

/// <summary>
/// Whom this agent trusts (spec/v1/trust.md): takes in the chains of those who may vouch, and looks at them again and
/// again; makes the user's own statements; tells at once who has fallen.
/// </summary>
internal sealed class TrustService
{
    private readonly PeerKeys keys;
    private readonly KnownAgents known;
    private readonly ChainDirectory directory;
    private readonly PeerClients clients;
    private readonly AgentOptions options;
    private readonly Func<IReadOnlyList<Endpoint>> repositories;
    private readonly TrustStore store;
    private readonly TrustFollower follower;

    public TrustService(
        PeerKeys keys, KnownAgents known, ChainDirectory directory, PeerClients clients, AgentOptions options,
        Func<IReadOnlyList<Endpoint>> repositories, Action<string> log)
    {
        this.keys = keys;
        this.known = known;
        this.directory = directory;
        this.clients = clients;
        this.options = options;
        this.repositories = repositories;
        store = new TrustStore([keys.Id], options.Time.GetUtcNow());
        follower = new TrustFollower(
            keys.Id, store, directory, agent => PlacesOf(new AgentAddress(agent, null)), changes => Tell(changes),
            options.Time, log);
    }

    /// <summary>Told of the agents that are not admitted for exchange any more, before anything else happens.</summary>
    public Action<IReadOnlyList<AgentId>>? Fallen { get; set; }

    /// <summary>Told of each repository that has taken this agent's chain in.</summary>
    public Action<Endpoint>? Posted { get; set; }

    /// <summary>When somebody last fell; what is shared anew after that gets new keys.</summary>
    public DateTimeOffset LastCut { get; private set; }

    public AgentId Self => keys.Id;

    public Sigchain OwnChain => keys.Chain;

    public KnownAgents Known => known;

    /// <summary>Another number after each change of whom the user trusts, or calls how.</summary>
    public long Alterations => store.Alterations + known.Alterations;

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        await known.LoadAsync(cancellationToken);
        store.SetRoots(Roots());
        foreach (var agent in known.All.Where(a => a.IsRefused)) store.Refuse(agent.Agent);
        store.Add(keys.Chain);
        LastCut = keys.Chain.Statements
            .Where(s => s.Type is StatementType.Revoke or StatementType.Disown)
            .Select(s => s.Time).DefaultIfEmpty(DateTimeOffset.MinValue).Max();
        // So that what changes later is told of: only scopes that were asked for are followed.
        foreach (var scope in TrustScopeNames.All) _ = store.IsAdmitted(keys.Id, TrustScopeNames.Parse(scope));
    }

    public Task RunAsync(CancellationToken cancellationToken) => follower.RunAsync(cancellationToken);

    /// <inheritdoc cref="TrustFollower.AdmitsAsync"/>
    public Task<bool> AdmitsAsync(AgentId asker, int reach, CancellationToken cancellationToken) =>
        follower.AdmitsAsync(asker, TrustScopes.Exchange, reach, cancellationToken);

    /// <inheritdoc cref="TrustFollower.RefreshAsync"/>
    public Task RefreshAsync(CancellationToken cancellationToken) => follower.RefreshAsync(cancellationToken);

    public bool IsAdmitted(AgentId asker, int reach) => store.IsAdmitted(asker, TrustScopes.Exchange, reach);

    /// <summary>What a grant records: the asker's genesis, then its chain of record back to a root's vouch.</summary>
    public IReadOnlyList<Hash256> ChainOfRecord(AgentId asker, int reach)
    {
        var chain = new List<Hash256> { asker.Hash };
        foreach (var link in store.Decide(asker, TrustScopes.Exchange, reach).Chain.Reverse())
        {
            var issuer = link.Issuer == keys.Id ? keys.Chain : directory.Find(link.Issuer);
            if (issuer is not null && link.Seq < issuer.Statements.Count)
                chain.Add(issuer.Statements[link.Seq].Hash);
        }
        return chain;
    }

    /// <summary>The decision; where it is no, with what the chains that count here say of the past.</summary>
    /// <summary>Whether nothing is taken from an agent: a proven fraud, or one that the user has ruled out.</summary>
    public bool IsRefused(AgentId agent) => store.IsRefused(agent);

    public TrustDecision Decide(AgentId agent, TrustScopes scope)
    {
        var decision = store.Decide(agent, scope);
        if (decision.IsAdmitted) return decision;
        var issuers = IssuersOf(store, scope, keys.Id, directory).Prepend(keys.Chain).ToList();
        return TrustHistory.Explain(decision, issuers, options.Time.GetUtcNow());
    }

    /// <summary>The known chains of those who are admitted: the one given first, then those who may pass on most.
    /// </summary>
    public static IReadOnlyList<Sigchain> IssuersOf(
        TrustStore store, TrustScopes scope, AgentId first, ChainDirectory directory) =>
    [
        .. store.Admitted(scope).OrderByDescending(a => a.Agent == first).ThenByDescending(a => a.Depth)
            .Select(a => directory.Find(a.Agent)).Where(chain => chain is not null).Select(chain => chain!),
    ];

    public IReadOnlyList<(AgentId Agent, int Depth)> Admitted(TrustScopes scope) => store.Admitted(scope);

    /// <summary>Who may be used in a scope because of a vouch.</summary>
    public IEnumerable<AgentId> Vouched(TrustScopes scope) =>
        store.Admitted(scope).Select(a => a.Agent).Except(Roots());

    /// <inheritdoc cref="EndpointsOfAsync"/>
    public Task<IReadOnlyList<Endpoint>> EndpointsAsync(AgentId agent, CancellationToken cancellationToken) =>
        EndpointsOfAsync(new AgentAddress(agent, null), cancellationToken);

    /// <summary>Where other agents are reached that are trusted, in a stable order.</summary>
    public IReadOnlyList<Endpoint> OtherEndpoints(int countMax) =>
        [.. store.Admitted(TrustScopes.Exchange).Select(a => a.Agent).Where(agent => agent != keys.Id)
            .OrderBy(agent => agent.ToString(), StringComparer.Ordinal)
            .Select(agent => known.EndpointOf(agent) ?? directory.Find(agent)?.Endpoints
                .Select(e => new Endpoint(e.Url, e.Certificate)).FirstOrDefault())
            .OfType<Endpoint>().Distinct().Take(countMax)];

    /// <summary>This agent's own vouches that are in force, also for roots and for those that are refused here.
    /// </summary>
    public IReadOnlyList<TrustLink> OwnVouches() => ChainVouches.Of(keys.Chain, options.Time.GetUtcNow());

    public async Task<(IReadOnlyList<TrustChange> Changes, string? Problem)> VouchAsync(
        AgentAddress subject, TrustScopes scopes, int depth, int days, CancellationToken cancellationToken)
    {
        CheckOther(subject.Id);
        // Its chain must be there: a vouch for an id that was mistyped would stand for years.
        var chain = await directory.GetAsync(subject.Id, PlacesOf(subject), cancellationToken);
        if (subject.Endpoint is { } endpoint)
            await known.SetAsync(subject.Id, a => a with { Endpoint = endpoint }, cancellationToken);
        var hour = VouchBody.HourOf(options.Time.GetUtcNow());
        var vouch = new VouchBody(
            subject.Id, scopes, depth, VouchBody.TimeOf(hour), VouchBody.TimeOf(hour + (days * 24)));
        var result = await StateAsync(StatementType.Vouch, vouch.Encode(), cancellationToken);
        follower.TakeIn(chain);
        return result;
    }

    public Task<(IReadOnlyList<TrustChange> Changes, string? Problem)> RevokeAsync(
        AgentId subject, TrustScopes scopes, CancellationToken cancellationToken)
    {
        CheckOther(subject);
        return StateAsync(StatementType.Revoke, new RevokeBody(subject, scopes).Encode(), cancellationToken);
    }

    public Task<(IReadOnlyList<TrustChange> Changes, string? Problem)> DisownAsync(
        AgentId subject, int from, CancellationToken cancellationToken) =>
        StateAsync(StatementType.Disown, new DisownBody(subject, from).Encode(), cancellationToken);

    public IReadOnlyList<TrustChange> WhatIfRevoked(AgentId subject, TrustScopes scopes) =>
        store.WhatIfRevoked(keys.Id, subject, scopes);

    public IReadOnlyList<TrustChange> WhatIfDisowned(AgentId subject, int from) =>
        store.WhatIfDisowned(keys.Id, subject, from);

    public IReadOnlyList<TrustChange> WhatIfRefused(AgentId subject) => store.WhatIfRefused(subject);

    /// <inheritdoc cref="TrustStore.Around"/>
    public TrustAround Around(AgentId agent, TrustScopes scope, TrustAroundLimits limits) =>
        store.Around(agent, scope, limits);

    /// <summary>
    /// What this agent's user can do to be rid of another, and whose standing that would change: take the own vouch
    /// back, where there is one; take a root off the list; else refuse it. Null where there is nothing to cut.
    /// </summary>
    public (string? Action, IReadOnlyList<TrustChange> Changes) WhatIfCut(AgentId agent)
    {
        if (agent == keys.Id) return (null, []);
        if (Roots().Contains(agent)) return ("remove-root", WhatIfRootRemoved(agent));
        if (OwnVouches().Any(link => link.Subject == agent))
            return ("revoke", WhatIfRevoked(agent, TrustScopes.All));
        return store.IsRefused(agent) ? (null, []) : ("refuse", WhatIfRefused(agent));
    }

    /// <summary>NotFound where it is no root.</summary>
    public IReadOnlyList<TrustChange> WhatIfRootRemoved(AgentId root)
    {
        CheckOther(root);
        return Roots().Contains(root) ? store.WhatIfRoots(Roots().Where(r => r != root)) : throw new VirgaException(
            FailureKind.NotFound, "that agent is no root", "Roots are listed by: virga trust roots");
    }

    public async Task<IReadOnlyList<TrustChange>> SetRootAsync(
        AgentAddress agent, bool isRoot, CancellationToken cancellationToken)
    {
        if (agent.Id == keys.Id)
        {
            throw new VirgaException(
                FailureKind.BadInput, "this agent is always a root of its own trust", "Name another one.");
        }
        if (isRoot) await directory.GetAsync(agent.Id, PlacesOf(agent), cancellationToken);
        await known.SetAsync(
            agent.Id, a => a with { IsRoot = isRoot, Endpoint = agent.Endpoint ?? a.Endpoint }, cancellationToken);
        var changes = Tell(store.SetRoots(Roots()));
        await follower.LookAsync(options.Time.GetUtcNow(), cancellationToken);
        return changes;
    }

    public async Task<IReadOnlyList<TrustChange>> SetRefusedAsync(
        AgentId agent, bool isRefused, CancellationToken cancellationToken)
    {
        CheckOther(agent);
        if (!isRefused && directory.IsFraud(agent))
        {
            throw new VirgaException(
                FailureKind.Conflict, "that agent is proven to have told two histories: nobody can accept it",
                "Its owner may settle which one stands, with a rotation to the key kept apart.");
        }
        await known.SetAsync(agent, a => a with { IsRefused = isRefused }, cancellationToken);
        return Tell(isRefused ? store.Refuse(agent) : store.Accept(agent));
    }

    /// <summary>A fraud proof was found: neither the agent nor what it vouches for counts from now on.</summary>
    public void RefuseFraud(AgentId agent) => Tell(store.Refuse(agent));

    /// <summary>Its owner has settled with a rotation which of two histories stands.</summary>
    public void Settle(Sigchain chain)
    {
        follower.TakeIn(chain, isReplaced: true);
        if (!known.IsRefused(chain.Id)) Tell(store.Accept(chain.Id));
    }

    private async Task<(IReadOnlyList<TrustChange> Changes, string? Problem)> StateAsync(
        string type, byte[] body, CancellationToken cancellationToken)
    {
        await keys.AppendStatementAsync(type, body, cancellationToken);
        // What was decided holds here from now on, whoever can be told of it.
        var changes = Tell(store.Add(keys.Chain));
        var problems = new List<string>();
        foreach (var repository in repositories())
        {
            try
            {
                await clients.Repository(repository).PostChainAsync(keys.Id, clients.OwnChain, cancellationToken);
                Posted?.Invoke(repository);
            }
            catch (VirgaException e)
            {
                problems.Add($"{repository.Url.Authority}: {e.Message}");
            }
        }
        return (changes, problems.Count == 0 ? null : string.Join("; ", problems));
    }

    private IReadOnlyList<TrustChange> Tell(IReadOnlyList<TrustChange> changes)
    {
        var fallen = changes.Where(c => c is { IsFallen: true, Scope: TrustScopes.Exchange }).Select(c => c.Agent)
            .Distinct().ToList();
        if (fallen.Count == 0) return changes;
        LastCut = options.Time.GetUtcNow();
        Fallen?.Invoke(fallen);
        return changes;
    }

    private List<AgentId> Roots() => [keys.Id, .. known.All.Where(a => a.IsRoot).Select(a => a.Agent)];

    /// <summary>
    /// Where an agent's chain may be had: from itself, as far as is known where it is, and repositories.
    /// </summary>
    public IReadOnlyList<ITrustPlace> PlacesOf(AgentAddress agent) =>
        clients.Places([.. KnownEndpointsOf(agent), .. repositories()]);

    /// <summary>Where an agent is reached: as its address or the user said, then as its chain says.</summary>
    public async Task<IReadOnlyList<Endpoint>> EndpointsOfAsync(
        AgentAddress agent, CancellationToken cancellationToken)
    {
        await directory.GetAsync(agent.Id, PlacesOf(agent), cancellationToken);
        return KnownEndpointsOf(agent);
    }

    private List<Endpoint> KnownEndpointsOf(AgentAddress agent)
    {
        var own = directory.Find(agent.Id)?.Endpoints.Select(e => new Endpoint(e.Url, e.Certificate)) ?? [];
        var named = agent.Endpoint ?? known.EndpointOf(agent.Id);
        return [.. (named is null ? own : own.Prepend(named)).Distinct()];
    }

    private void CheckOther(AgentId agent)
    {
        if (agent == keys.Id)
            throw new VirgaException(FailureKind.BadInput, "that is this agent itself", "Name another one.");
    }
}
