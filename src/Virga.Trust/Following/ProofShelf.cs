using System.Collections.Immutable;
using Virga.Core;

namespace Virga.Trust.Following;

/// <summary>The proofs that are held, in the order in which they came; one of a kind against each agent.</summary>
/// <param name="countMax">Proofs that are held. Of strangers, whose frauds cost nothing, at most nine in ten.</param>
/// <param name="bytesMax">Of all of them. Of strangers a quarter.</param>
internal sealed class ProofShelf(int countMax = 10_000, long bytesMax = 128 << 20)
{
    private readonly Lock gate = new();
    private readonly Dictionary<Hash256, AgentId> ids = [];
    private readonly Dictionary<(AgentId Agent, bool IsBreach), Evidence> proven = [];
    private volatile ImmutableList<Evidence> all = [];
    private long bytes;

    public IReadOnlyList<Evidence> All => all;

    public AgentId? WhoIn(Hash256 id)
    {
        lock (gate) return ids.TryGetValue(id, out var who) ? who : null;
    }

    public Evidence? Find(AgentId agent, bool isBreach)
    {
        lock (gate) return proven.GetValueOrDefault((agent, isBreach));
    }

    /// <summary>The proof of fraud against an agent counts no more, and keeps its place.</summary>
    public void Void(AgentId agent)
    {
        lock (gate) proven.Remove((agent, false));
    }

    /// <summary>False where it is known already, or there is no room.</summary>
    /// <param name="isVoid">Whether a proof against the same agent counts no more.</param>
    public bool Add(Evidence proof, AgentId who, bool isStranger, Func<Evidence, bool> isVoid)
    {
        lock (gate)
        {
            var key = (who, proof.Breach is not null);
            if (ids.ContainsKey(proof.Id) || (proven.TryGetValue(key, out var held) && !isVoid(held))) return false;
            var (count, room) = isStranger ? (countMax / 10 * 9, bytesMax / 4) : (countMax, bytesMax);
            if (all.Count >= count || bytes + proof.Bytes.Length > room) return false;
            ids.Add(proof.Id, who);
            proven[key] = proof;
            bytes += proof.Bytes.Length;
            all = all.Add(proof);
            return true;
        }
    }
}
