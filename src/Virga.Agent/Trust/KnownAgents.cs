using System.Collections.Concurrent;
using Virga.Agent.State;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Trust;

/// <summary>What the user keeps of another agent.</summary>
/// <param name="IsRoot">Its word counts like the user's own.</param>
/// <param name="Endpoint">Where its chain was last served, as its address said.</param>
internal sealed record KnownAgent(AgentId Agent, bool IsRoot, bool IsRefused, string? Name, Endpoint? Endpoint);

/// <summary>The agents that the user has named, made a root, or ruled out. In memory, and in the database.</summary>
internal sealed class KnownAgents(AgentState state)
{
    private const int NameCharsMax = 64;

    private readonly ConcurrentDictionary<AgentId, KnownAgent> agents = [];
    private long alterations;

    /// <summary>Another number after each change.</summary>
    public long Alterations => Interlocked.Read(ref alterations);

    public IReadOnlyCollection<KnownAgent> All => [.. agents.Values];

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT agent, is_root, is_refused, name, endpoint FROM known_agents",
                row => new KnownAgent(
                    new AgentId(row.Hash(0)), row.Long(1) != 0, row.Long(2) != 0, row.IsNull(3) ? null : row.Text(3),
                    row.IsNull(4) ? null : Endpoint.FromUser(row.Text(4)))),
            cancellationToken);
        foreach (var row in rows) agents[row.Agent] = row;
    }

    public string? NameOf(AgentId agent) => agents.GetValueOrDefault(agent)?.Name;

    public bool IsRefused(AgentId agent) => agents.GetValueOrDefault(agent)?.IsRefused ?? false;

    public Endpoint? EndpointOf(AgentId agent) => agents.GetValueOrDefault(agent)?.Endpoint;

    /// <summary>An AgentId, an address, or a name that the user gave; BadInput when it is none of them.</summary>
    public AgentAddress Find(string who)
    {
        var named = agents.Values.FirstOrDefault(a => a.Name == who.Trim());
        if (named is not null) return new AgentAddress(named.Agent, named.Endpoint);
        try
        {
            return AgentAddress.Parse(who);
        }
        catch (VirgaException e) when (!who.StartsWith("virga1", StringComparison.Ordinal))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{PeerText.Clean(who, 80)}' is no agent: neither a name, an id nor an address",
                "Names are listed by: virga trust list", e);
        }
    }

    public async Task<KnownAgent> SetAsync(
        AgentId agent, Func<KnownAgent, KnownAgent> change, CancellationToken cancellationToken)
    {
        var before = agents.GetValueOrDefault(agent) ?? new KnownAgent(agent, false, false, null, null);
        var after = change(before);
        if (after == before) return after;
        if (after.Name is { } name && agents.Values.Any(a => a.Name == name && a.Agent != agent))
        {
            throw new VirgaException(
                FailureKind.Conflict, $"another agent is called '{name}' already",
                "Choose another name, or take that one away first.");
        }
        await state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    "INSERT OR REPLACE INTO known_agents (agent, is_root, is_refused, name, endpoint) "
                        + "VALUES (?, ?, ?, ?, ?)",
                    agent.Hash, after.IsRoot ? 1 : 0, after.IsRefused ? 1 : 0, after.Name, after.Endpoint?.ToText());
            },
            cancellationToken);
        agents[agent] = after;
        Interlocked.Increment(ref alterations);
        return after;
    }

    /// <summary>BadInput unless it can be told from ids and shown on one line.</summary>
    public static string? CheckName(string? name)
    {
        if (string.IsNullOrWhiteSpace(name)) return null;
        name = name.Trim();
        if (name.Length <= NameCharsMax && !name.StartsWith("virga1", StringComparison.Ordinal)
            && !name.Any(char.IsControl) && !name.Contains('@', StringComparison.Ordinal))
            return name;
        throw new VirgaException(
            FailureKind.BadInput, "that can't be an agent's name",
            $"A name has 1 to {NameCharsMax} characters, no @, and does not start with virga1.");
    }
}
