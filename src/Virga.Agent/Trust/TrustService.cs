using System.Collections.Concurrent;
using Virga.Agent.Network;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust;

namespace Virga.Agent.Trust;

/// <summary>
/// Whom this agent trusts (spec/v1/trust.md): takes in the chains of those who may vouch, and looks at them again and
/// again; makes the user's own statements; tells at once who has fallen.
/// </summary>
internal sealed class TrustService(
    PeerKeys keys, KnownAgents known, ChainDirectory directory, PeerClients clients, AgentOptions options,
    Func<IReadOnlyList<Endpoint>> repositories, Action<string> log)
{
    /// <summary>How long a vouch or a revoke of somebody else may go unseen (spec/v1/trust.md).</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private const int LooksAtOnce = 8;
    private const int IssuersMax = 1_000;

    private readonly TrustStore store = new([keys.Id], options.Time.GetUtcNow());
    private readonly ConcurrentDictionary<AgentId, Sigchain> issuers = [];
    private readonly SemaphoreSlim looking = new(1, 1);
    private DateTimeOffset lookBegan;

    /// <summary>Told of the agents that are not admitted for exchange any more, before anything else happens.</summary>
    public Action<IReadOnlyList<AgentId>>? Fallen { get; set; }

    /// <summary>When somebody last fell; what is shared anew after that gets new keys.</summary>
    public DateTimeOffset LastCut { get; private set; }

    public AgentId Self => keys.Id;

    public KnownAgents Known => known;

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

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await LookAsync(options.Time.GetUtcNow(), cancellationToken);
            var next = options.Time.GetUtcNow() + LookEvery;
            if (store.NextChange is { } change && change < next) next = change;
            var wait = next - options.Time.GetUtcNow();
            if (wait > TimeSpan.Zero) await Task.Delay(wait, options.Time, cancellationToken);
            Tell(store.Advance(options.Time.GetUtcNow()));
        }
    }

    /// <summary>
    /// Whether an asker is admitted within a reach. An unknown one may have been vouched for just now: those who may
    /// vouch are looked at again first, every two seconds at most, for all who ask meanwhile.
    /// </summary>
    public async Task<bool> AdmitsAsync(AgentId asker, int reach, CancellationToken cancellationToken)
    {
        if (store.IsAdmitted(asker, TrustScopes.Exchange, reach)) return true;
        var asked = options.Time.GetUtcNow();
        var wait = lookBegan + LookAgainAfter - asked;
        if (wait > TimeSpan.Zero) await Task.Delay(wait, options.Time, cancellationToken);
        await LookAsync(asked, cancellationToken);
        return store.IsAdmitted(asker, TrustScopes.Exchange, reach);
    }

    /// <summary>
    /// Looks at those who may vouch before a person is answered, as long as a person likes to wait: what is known
    /// already will do where somebody does not answer.
    /// </summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await LookAsync(options.Time.GetUtcNow() - LookAgainAfter, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            log("not all who may vouch have answered in time");
        }
    }

    public bool IsAdmitted(AgentId asker, int reach) => store.IsAdmitted(asker, TrustScopes.Exchange, reach);

    /// <summary>What a grant records: the asker's genesis, then its chain of record back to a root's vouch.</summary>
    public IReadOnlyList<Hash256> ChainOfRecord(AgentId asker, int reach)
    {
        var chain = new List<Hash256> { asker.Hash };
        foreach (var link in store.Decide(asker, TrustScopes.Exchange, reach).Chain.Reverse())
        {
            var issuer = link.Issuer == keys.Id ? keys.Chain : issuers.GetValueOrDefault(link.Issuer);
            if (issuer is not null && link.Seq < issuer.Statements.Count)
                chain.Add(issuer.Statements[link.Seq].Hash);
        }
        return chain;
    }

    public TrustDecision Decide(AgentId agent, TrustScopes scope) => store.Decide(agent, scope);

    public IReadOnlyList<(AgentId Agent, int Depth)> Admitted(TrustScopes scope) => store.Admitted(scope);

    /// <summary>This agent's own vouches that are in force.</summary>
    public IReadOnlyList<TrustLink> OwnVouches()
    {
        var found = new List<TrustLink>();
        foreach (var subject in keys.Chain.Statements.Where(s => s.Type == StatementType.Vouch)
            .Select(s => VouchBody.Parse(s).Subject).Distinct())
        {
            foreach (var name in TrustScopeNames.All)
            {
                if (OwnVouch(subject, TrustScopeNames.Parse(name)) is not { } vouch) continue;
                var at = found.FindIndex(f => f.Subject == subject && f.Seq == vouch.Seq);
                if (at < 0) found.Add(vouch);
                else found[at] = found[at] with { Scopes = found[at].Scopes | vouch.Scopes };
            }
        }
        return found;
    }

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
        TakeIn(chain);
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
        await LookAsync(options.Time.GetUtcNow(), cancellationToken);
        return changes;
    }

    public async Task<IReadOnlyList<TrustChange>> SetRefusedAsync(
        AgentId agent, bool isRefused, CancellationToken cancellationToken)
    {
        CheckOther(agent);
        await known.SetAsync(agent, a => a with { IsRefused = isRefused }, cancellationToken);
        return Tell(isRefused ? store.Refuse(agent) : store.Accept(agent));
    }

    /// <summary>A fraud proof was found: neither the agent nor what it vouches for counts from now on.</summary>
    public void RefuseFraud(AgentId agent) => Tell(store.Refuse(agent));

    /// <summary>
    /// Takes in the newest chains of all who may vouch, until nobody new comes up; unless that was begun after a
    /// moment already.
    /// </summary>
    private async Task LookAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        await looking.WaitAsync(cancellationToken);
        try
        {
            if (lookBegan > since) return;
            var now = options.Time.GetUtcNow();
            var seen = new HashSet<AgentId> { keys.Id };
            while (seen.Count <= IssuersMax)
            {
                var next = Vouchers().Where(seen.Add).ToList();
                if (next.Count == 0) break;
                await Parallel.ForEachAsync(
                    next,
                    new ParallelOptions { MaxDegreeOfParallelism = LooksAtOnce, CancellationToken = cancellationToken },
                    async (agent, token) => await LookAtAsync(agent, token));
            }
            lookBegan = now;
        }
        finally
        {
            looking.Release();
        }
    }

    /// <summary>Whose own vouches count: roots, and those that may pass trust on.</summary>
    private IEnumerable<AgentId> Vouchers() =>
        store.Admitted(TrustScopes.Exchange).Where(a => a.Depth > 0).Select(a => a.Agent);

    private async Task LookAtAsync(AgentId agent, CancellationToken cancellationToken)
    {
        try
        {
            var places = PlacesOf(new AgentAddress(agent, known.EndpointOf(agent)));
            TakeIn(await directory.GetNewestAsync(agent, places, cancellationToken));
        }
        catch (VirgaException e)
        {
            // What is known of it stands until more is known.
            log($"the chain of {agent} can't be looked at: {e.Message}");
        }
    }

    private void TakeIn(Sigchain chain)
    {
        issuers[chain.Id] = chain;
        Tell(store.Add(chain));
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
    private List<Endpoint> PlacesOf(AgentAddress agent)
    {
        var own = issuers.GetValueOrDefault(agent.Id)?.Endpoints
            .Select(e => new Endpoint(e.Url, e.Certificate)) ?? [];
        var named = agent.Endpoint ?? known.EndpointOf(agent.Id);
        return [.. (named is null ? own : own.Prepend(named)).Concat(repositories()).Distinct()];
    }

    private TrustLink? OwnVouch(AgentId subject, TrustScopes scope)
    {
        var decision = store.Decide(subject, scope, reach: 0);
        return decision.Chain.Count == 1 && decision.Chain[0].Issuer == keys.Id ? decision.Chain[0] : null;
    }

    private void CheckOther(AgentId agent)
    {
        if (agent == keys.Id)
            throw new VirgaException(FailureKind.BadInput, "that is this agent itself", "Name another one.");
    }
}
