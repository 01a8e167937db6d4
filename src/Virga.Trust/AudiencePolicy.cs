using System.Collections.Frozen;
using Virga.Core;

namespace Virga.Trust;

/// <summary>
/// Decides whom an audience admits, and leaves the chain that justified it, so that a grant can be cut when a link of
/// it breaks. Pure and quick: it is asked for every grant, from several threads.
/// </summary>
public interface IAudiencePolicy
{
    /// <param name="scope">What it is asked for, such as <c>exchange</c>.</param>
    /// <param name="chain">
    /// Hashes of the statements that justified it, the asker's genesis first; empty when refused.
    /// </param>
    bool Admits(AgentId asker, string scope, out IReadOnlyList<Hash256> chain);
}

/// <summary>Admits the agents that are named, for any scope.</summary>
public sealed class NamedAgents(IEnumerable<AgentId> agents) : IAudiencePolicy
{
    private readonly FrozenSet<AgentId> agents = agents.ToFrozenSet();

    public bool Admits(AgentId asker, string scope, out IReadOnlyList<Hash256> chain)
    {
        var isNamed = agents.Contains(asker);
        chain = isNamed ? [asker.Hash] : [];
        return isNamed;
    }
}
