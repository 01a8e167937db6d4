using System.Collections.Concurrent;
using Virga.Core;

namespace Virga.Transfers.Swarm;

/// <summary>Agents that delivered wrong bytes, with what proves it: none is asked again for a day.</summary>
public sealed class BanList(TimeProvider time)
{
    private const int Most = 10_000;
    private static readonly TimeSpan Lasts = TimeSpan.FromDays(1);

    private readonly ConcurrentDictionary<AgentId, (string Why, DateTimeOffset Until)> banned = [];

    /// <param name="proof">
    /// Who delivered which piece of which blob, with the hash that it had and should have had.
    /// </param>
    public void Add(AgentId agent, string proof)
    {
        if (banned.Count < Most) banned[agent] = (proof, time.GetUtcNow() + Lasts);
    }

    /// <summary>What proves that it lied; null when nothing does.</summary>
    public string? WhyBanned(AgentId agent)
    {
        if (!banned.TryGetValue(agent, out var ban)) return null;
        if (ban.Until > time.GetUtcNow()) return ban.Why;
        banned.TryRemove(agent, out _);
        return null;
    }
}
