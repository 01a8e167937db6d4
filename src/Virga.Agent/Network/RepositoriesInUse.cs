using System.Collections.Concurrent;
using Virga.Agent.State;
using Virga.Core;
using Virga.Protocol;
using Virga.Trust.Following;

namespace Virga.Agent.Network;

/// <summary>A repository that is configured or trusted.</summary>
/// <param name="Agent">Who answers there; null while that is not known.</param>
/// <param name="IsTrusted">It is used because it is admitted in the scope <c>repository</c>.</param>
/// <param name="WhyNot">Why it is not used though it would be; null where it is used.</param>
internal sealed record RepositoryChoice(Endpoint Endpoint, AgentId? Agent, bool IsTrusted, string? WhyNot);

/// <summary>
/// Which repositories this agent uses (spec/v1/trust.md, "Repositories"): those that its user configured, and a few
/// that are admitted in the scope <c>repository</c>; none that is refused or proven a liar, wherever it is reached.
/// </summary>
internal sealed class RepositoriesInUse(
    IReadOnlyList<Endpoint> configured, AgentState state, PeerClients clients, TimeProvider time, Action<string> log)
{
    public const string SchemaSql =
        "CREATE TABLE repositories_met(endpoint TEXT PRIMARY KEY, agent BLOB NOT NULL) WITHOUT ROWID;";

    /// <summary>Beside those that are configured.</summary>
    private const int TrustedMax = 4;

    private const int AskedMax = 32;
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<Endpoint, (AgentId Agent, DateTimeOffset At)> met = [];
    private readonly ConcurrentDictionary<AgentId, DateTimeOffset> noRepositories = [];
    private volatile IReadOnlyList<(AgentId Agent, Endpoint Endpoint)> trusted = [];

    /// <summary>Why an agent must not be used; null where nothing speaks against it.</summary>
    public required Func<AgentId, string?> WhyNot { get; init; }

    /// <summary>Whether anybody at all must not be used.</summary>
    public required Func<bool> IsAnybodyRuledOut { get; init; }

    /// <summary>Agents that are admitted in the scope <c>repository</c> by a vouch.</summary>
    public required Func<IEnumerable<AgentId>> Admitted { get; init; }

    /// <summary>Where an agent is reached, as far as is known.</summary>
    public required Func<AgentId, CancellationToken, Task<IReadOnlyList<Endpoint>>> EndpointsAsync { get; init; }

    /// <summary>All that are configured or trusted, in a stable order.</summary>
    public IReadOnlyList<RepositoryChoice> All
    {
        get
        {
            var own = configured.Select(endpoint => Choice(endpoint, AgentAt(endpoint), isTrusted: false));
            var more = trusted.Where(item => !configured.Contains(item.Endpoint))
                .Select(item => Choice(item.Endpoint, item.Agent, isTrusted: true));
            return [.. own, .. more];
        }
    }

    /// <summary>Those that are used now.</summary>
    public IReadOnlyList<Endpoint> Now =>
        [.. All.Where(choice => choice.WhyNot is null).Select(choice => choice.Endpoint).Distinct()];

    /// <summary>
    /// Those that are watched, as places; each must be who it is known to be where it was vouched for.
    /// </summary>
    public IReadOnlyList<ITrustPlace> Places => [.. All.Where(choice => choice.WhyNot is null)
        .DistinctBy(choice => choice.Endpoint)
        .Select(choice => clients.Place(choice.Endpoint, choice.IsTrusted ? choice.Agent : null))];

    /// <summary>Who answered at an endpoint last.</summary>
    public AgentId? AgentAt(Endpoint endpoint) => met.TryGetValue(endpoint, out var known) ? known.Agent : null;

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            sql => sql.Query("SELECT endpoint, agent FROM repositories_met",
                static row => (Endpoint.FromUser(row.Text(0)), new AgentId(row.Hash(1)))), cancellationToken);
        foreach (var (endpoint, agent) in rows) met[endpoint] = (agent, DateTimeOffset.MinValue);
    }

    /// <summary>Takes note of who answers at an endpoint, also for the next run.</summary>
    public async Task MeetAsync(Endpoint endpoint, AgentId agent, CancellationToken cancellationToken)
    {
        var isNew = AgentAt(endpoint) != agent;
        met[endpoint] = (agent, time.GetUtcNow());
        if (!isNew || !configured.Contains(endpoint)) return;
        await state.Database.WriteAsync(
            sql => sql.Execute("INSERT OR REPLACE INTO repositories_met(endpoint, agent) VALUES(?1, ?2)",
                endpoint.ToText(), agent), cancellationToken);
    }

    /// <summary>
    /// Those of some endpoints that may be used: where anybody is ruled out, who it is at each is asked first.
    /// </summary>
    public async Task<IReadOnlyList<Endpoint>> AllowAsync(
        IEnumerable<Endpoint> endpoints, CancellationToken cancellationToken)
    {
        var all = endpoints.Distinct().ToList();
        if (!IsAnybodyRuledOut()) return all;
        var isAllowed = await Task.WhenAll(all.Select(async endpoint =>
            await WhoAsync(endpoint, cancellationToken) is not { } agent || WhyNot(agent) is null));
        return [.. all.Where((_, i) => isAllowed[i])];
    }

    /// <summary>Looks who is admitted as a repository now, and where.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var found = new List<(AgentId Agent, Endpoint Endpoint)>();
        // The order is stable, so that an agent does not wander from one to the other.
        foreach (var agent in Admitted().Where(agent => WhyNot(agent) is null)
            .OrderBy(agent => agent.ToString(), StringComparer.Ordinal).Take(AskedMax))
        {
            if (found.Count == TrustedMax) break;
            if (configured.Any(endpoint => AgentAt(endpoint) == agent)) continue;
            try
            {
                if (await FindAsync(agent, cancellationToken) is { } endpoint) found.Add((agent, endpoint));
            }
            catch (VirgaException e)
            {
                log($"{agent} may be used as a repository, but can't be reached: {e.Message}");
            }
        }
        trusted = found;
    }

    private async Task<Endpoint?> FindAsync(AgentId agent, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (noRepositories.TryGetValue(agent, out var at) && now - at < AskAgainAfter) return null;
        var endpoints = await EndpointsAsync(agent, cancellationToken);
        var before = trusted.FirstOrDefault(item => item.Agent == agent).Endpoint;
        // One that was used stays in use while it is down.
        if (before is not null && endpoints.Contains(before)) return before;
        foreach (var endpoint in endpoints)
        {
            var peer = await clients.Log(endpoint, agent).GetPeerAsync(cancellationToken);
            met[endpoint] = (peer.Agent, now);
            if (peer.Kind == PeerInfo.RepositoryKind) return endpoint;
        }
        if (noRepositories.Count > 1_000) noRepositories.Clear();
        noRepositories[agent] = now;
        return null;
    }

    private async Task<AgentId?> WhoAsync(Endpoint endpoint, CancellationToken cancellationToken)
    {
        if (met.TryGetValue(endpoint, out var known) && time.GetUtcNow() - known.At < AskAgainAfter)
            return known.Agent;
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            var agent = (await clients.Log(endpoint).GetPeerAsync(either.Token)).Agent;
            if (met.Count > 10_000) met.Clear();
            await MeetAsync(endpoint, agent, cancellationToken);
            return agent;
        }
        catch (VirgaException)
        {
            // Whoever does not answer is not used either; what was known of it holds.
            return AgentAt(endpoint);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return AgentAt(endpoint);
        }
    }

    private RepositoryChoice Choice(Endpoint endpoint, AgentId? agent, bool isTrusted) =>
        new(endpoint, agent, isTrusted, agent is { } known ? WhyNot(known) : null);
}
