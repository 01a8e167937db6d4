using Virga.Core;

namespace Virga.Trust.Tests.Simulation;

/// <summary>What a simulation must have come to, by all statements that were ever made.</summary>
internal static class TrustVerdict
{
    private const int FaultsShown = 6;

    /// <summary>What is wrong; null where all is right.</summary>
    public static string? Of(TrustNetwork world)
    {
        var faults = world.Access.Faults.Concat(Decisions(world)).Concat(Proofs(world)).ToList();
        if (faults.Count == 0) return null;
        var others = faults.Count > FaultsShown ? $"; and {faults.Count - FaultsShown} more" : "";
        return $"({world.Lie}) {string.Join("; ", faults.Take(FaultsShown))}{others}";
    }

    private static IEnumerable<string> Decisions(TrustNetwork world)
    {
        var truth = new NaiveTrust([]);
        foreach (var agent in world.Agents) truth.Chains.Add(agent.Id, agent.Chain.Statements);
        foreach (var agent in world.HonestAgents)
        {
            if (agent.Life is not { } life)
            {
                yield return $"agent {agent.Node} is off";
                continue;
            }

            var rules = new NaiveTrust([agent.Id, .. agent.Roots], truth);
            rules.Refused.Add(world.Storm.Fraud.Id);
            foreach (var scope in TrustWorld.Scopes)
            {
                var right = rules.Admitted(scope, VouchBody.MaxDepth, life.Now);
                var found = life.Store.Admitted(scope).ToDictionary(a => a.Agent, a => a.Depth);
                foreach (var other in world.Agents)
                {
                    var (must, has) = (Depth(right, other.Id), Depth(found, other.Id));
                    if (must != has) yield return $"agent {agent.Node}, {scope}, of {other.Node}: {has}, not {must}";
                }
            }
        }
    }

    private static IEnumerable<string> Proofs(TrustNetwork world)
    {
        foreach (var agent in world.HonestAgents)
            if (agent.Life?.Keeper.BreachOf(world.Liar.Id) is null) yield return $"agent {agent.Node} lacks the proof";
        foreach (var repository in world.Repositories.Where(r => r != world.Liar))
        {
            if (repository.Keeper.BreachOf(world.Liar.Id) is null)
                yield return $"repository {repository.Node} lacks the proof";
        }
    }

    private static string Depth(Dictionary<AgentId, int> admitted, AgentId agent) =>
        admitted.TryGetValue(agent, out var depth) ? $"depth {depth}" : "not admitted";
}
