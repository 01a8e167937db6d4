using System.Collections.Concurrent;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Agent.Network;

/// <summary>
/// Watches the logs of the repositories in use, round after round, and speaks with other agents about them.
/// </summary>
/// <param name="others">Other agents that may be asked which heads they saw.</param>
internal sealed class LogWatcher(
    LogService logs, RepositoriesInUse repositories, ChainDirectory directory, PeerClients clients,
    Func<IReadOnlyList<Endpoint>> others, TimeProvider time, Action<string> log)
{
    /// <summary>Of this agent's own statements, those that a repository is held to after a start.</summary>
    private const int OwnMax = 64;

    private const int OthersAtOnce = 4;

    private readonly ConcurrentDictionary<Endpoint, int> posted = [];
    private readonly ConcurrentDictionary<AgentId, int> expected = [];
    private readonly Dictionary<(AgentId To, AgentId About), int> introduced = [];
    private readonly SemaphoreSlim round = new(1, 1);
    private int rounds;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await RoundAsync(cancellationToken);
            }
            catch (VirgaException e)
            {
                log($"the repositories' logs can't be watched at the moment: {e.Message}");
            }
            await Task.Delay(LogKeeper.RoundEvery, time, cancellationToken);
        }
    }

    /// <summary>Looks at all of them once, now.</summary>
    public async Task RoundAsync(CancellationToken cancellationToken)
    {
        await round.WaitAsync(cancellationToken);
        try
        {
            await repositories.RefreshAsync(cancellationToken);
            var endpoints = repositories.Now;
            await logs.Keeper.RoundAsync(repositories.Places, Others(), cancellationToken);
            foreach (var endpoint in endpoints)
            {
                if (logs.Keeper.WhoAt(endpoint.Url.Authority) is { } agent)
                    await repositories.MeetAsync(endpoint, agent, cancellationToken);
            }
            // Whose heads they are told of they know only now.
            if (await IntroduceAsync(endpoints, cancellationToken))
                await logs.Keeper.RoundAsync(repositories.Places, [], cancellationToken);
            foreach (var (endpoint, count) in posted) Expect(endpoint, count);
            await logs.WrittenAsync();
        }
        finally
        {
            round.Release();
        }
    }

    /// <summary>This agent's chain was taken in by a repository, which is held to that from now on.</summary>
    public void Posted(Endpoint repository)
    {
        var count = clients.OwnChain.Count;
        posted[repository] = count;
        Expect(repository, count);
    }

    /// <summary>
    /// Tells each repository the chains of the others, without which it could not tell whose heads it hears of. Returns
    /// whether any of them was told something new.
    /// </summary>
    private async Task<bool> IntroduceAsync(IReadOnlyList<Endpoint> endpoints, CancellationToken cancellationToken)
    {
        var isAnyTold = false;
        foreach (var (to, about) in endpoints.SelectMany(to => endpoints.Select(about => (to, about))))
        {
            if (repositories.AgentAt(about) is not { } agent || repositories.AgentAt(to) is not { } host
                || host == agent || directory.Find(agent) is not { } chain
                || introduced.GetValueOrDefault((host, agent)) == chain.Statements.Count) continue;
            try
            {
                await clients.Repository(to).PostChainAsync(
                    agent, [.. chain.Statements.Select(item => new SignedEnvelope(item.Bytes, item.Signature))],
                    cancellationToken);
            }
            catch (VirgaException e) when (!e.IsTransient)
            {
                // It takes it no better the next time.
            }
            catch (VirgaException)
            {
                continue;
            }
            introduced[(host, agent)] = chain.Statements.Count;
            isAnyTold = true;
        }
        return isAnyTold;
    }

    private void Expect(Endpoint repository, int count)
    {
        // Who it is is known after the first round.
        if (repositories.AgentAt(repository) is not { } agent) return;
        var own = clients.OwnChain;
        for (var i = expected.GetValueOrDefault(agent, Math.Max(0, count - OwnMax)); i < count; i++)
            logs.Keeper.Expect(agent, LogTree.LeafHash(LogEntry.Of(own[i].Body, own[i].Signature)));
        expected[agent] = count;
    }

    /// <summary>Some of them each round, so that all come up in time.</summary>
    private IReadOnlyList<ITrustPlace> Others()
    {
        var all = others();
        var first = rounds++ * OthersAtOnce;
        return clients.Places(
            Enumerable.Range(first, Math.Min(OthersAtOnce, all.Count)).Select(i => all[i % all.Count]));
    }
}
