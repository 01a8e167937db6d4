using System.Collections.Concurrent;
using Virga.Core;
using Virga.Protocol;
using Virga.Trust;

namespace Virga.Agent.Network;

/// <summary>Other agents' sigchains: fetched, checked, kept in memory for a while.</summary>
internal sealed class ChainDirectory(PeerClients clients, TimeProvider time)
{
    private const int CacheMax = 10_000;
    private static readonly TimeSpan FreshFor = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<AgentId, (Sigchain Chain, DateTimeOffset At)> cache = [];

    /// <summary>The newest chain that any of the places has; NotFound, with what each said, when none has it.</summary>
    public Task<Sigchain> GetAsync(
        AgentId agent, IEnumerable<Endpoint> places, CancellationToken cancellationToken) =>
        cache.TryGetValue(agent, out var known) && time.GetUtcNow() - known.At < FreshFor
            ? Task.FromResult(known.Chain)
            : GetNewestAsync(agent, places, cancellationToken);

    /// <summary>As <see cref="GetAsync"/>, asked for now whatever is known.</summary>
    public async Task<Sigchain> GetNewestAsync(
        AgentId agent, IEnumerable<Endpoint> places, CancellationToken cancellationToken)
    {
        cache.TryGetValue(agent, out var known);
        Sigchain? best = null;
        var problems = new List<string>();
        foreach (var place in places)
        {
            try
            {
                var chain = await FetchAsync(agent, place, cancellationToken);
                if (best is null || chain.Statements.Count > best.Statements.Count) best = chain;
            }
            catch (VirgaException e)
            {
                problems.Add($"{place.Url.Authority}: {e.Message}");
            }
        }
        if (known.Chain is { } old && (best is null || best.Statements.Count < old.Statements.Count)) return old;
        if (best is null)
        {
            var said = problems.Count == 0 ? "there is nobody to ask" : string.Join("; ", problems);
            throw new VirgaException(
                FailureKind.NotFound, $"nobody knows agent {agent}: {said}",
                "Ask its owner for the whole address, virga1...@https://..., as 'virga id' prints it there; "
                    + "or use a repository that the other one uses, too.");
        }
        if (cache.Count >= CacheMax) cache.Clear();
        cache[agent] = (best, time.GetUtcNow());
        return best;
    }

    private async Task<Sigchain> FetchAsync(AgentId agent, Endpoint place, CancellationToken cancellationToken)
    {
        var client = clients.Repository(place);
        var envelopes = new List<SignedEnvelope>();
        while (true)
        {
            var page = await client.GetChainAsync(agent, envelopes.Count, cancellationToken);
            envelopes.AddRange(page);
            if (page.Count < 256) break;
        }
        var chain = Sigchain.Check(envelopes.Select(e => (e.Body, e.Signature)), time.GetUtcNow());
        return chain.Id == agent
            ? chain
            : throw new VirgaException(
                FailureKind.Corrupt, $"{place.Url.Authority} answered with the chain of another agent");
    }
}
