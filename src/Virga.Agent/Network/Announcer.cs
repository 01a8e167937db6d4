using System.Collections.Concurrent;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Network;

/// <summary>
/// Keeps this agent's shares announced and its chain known at its repositories. A repository that is down is tried
/// again.
/// </summary>
internal sealed class Announcer(
    PeerClients clients, RepositoriesInUse repositories, Func<Endpoint> ownEndpoint,
    Func<CancellationToken, Task<List<Hash256>>> shares, TimeProvider time, Action<string> log)
{
    private const int HashesMax = 1000;
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(2);
    private static readonly TimeSpan Renew = Lifetime / 3;
    private static readonly TimeSpan RetryMin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryMax = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<Endpoint, RepositoryStatus> states = [];

    public IReadOnlyList<RepositoryStatus> States =>
        [.. repositories.All.Select(r => r.WhyNot is { } why
            ? new RepositoryStatus(r.Endpoint.ToText(), states.GetValueOrDefault(r.Endpoint)?.LastContact, why)
            : states.GetValueOrDefault(r.Endpoint) ?? new RepositoryStatus(r.Endpoint.ToText(), null, null))];

    /// <summary>Told of each repository that has taken this agent's chain in.</summary>
    public Action<Endpoint>? Posted { get; set; }

    /// <summary>When a share ends, after which no announce of it may hold; null: never.</summary>
    public Func<Hash256, DateTimeOffset?>? EndOf { get; init; }

    /// <summary>Announces now, everywhere; returns what went wrong, by repository.</summary>
    public async Task<IReadOnlyList<string>> AnnounceAsync(
        IReadOnlyList<Hash256> hashes, CancellationToken cancellationToken)
    {
        var allowed = await repositories.AllowAsync(repositories.Now, cancellationToken);
        var problems = await Task.WhenAll(allowed.Select(r => AnnounceAtAsync(r, hashes, cancellationToken)));
        return [.. problems.Where(p => p is not null).Select(p => p!)];
    }

    public async Task WithdrawAsync(Hash256 infoHash, CancellationToken cancellationToken)
    {
        foreach (var repository in repositories.Now)
        {
            try
            {
                await clients.Repository(repository).WithdrawAsync([infoHash], cancellationToken);
            }
            catch (VirgaException e)
            {
                // It forgets the announce by itself when it expires.
                log($"withdrawing at {repository.Url.Authority}: {e.Message}");
            }
        }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var retry = RetryMin;
        while (true)
        {
            var problems = await AnnounceAsync(await shares(cancellationToken), cancellationToken);
            retry = problems.Count == 0 ? RetryMin : TimeSpan.FromTicks(Math.Min(RetryMax.Ticks, retry.Ticks * 2));
            await Task.Delay(problems.Count == 0 ? Renew : retry, time, cancellationToken);
        }
    }

    /// <summary>Whole seconds, as they are told: what ends within one isn't worth telling.</summary>
    private TimeSpan LifetimeOf(Hash256 hash)
    {
        if (EndOf?.Invoke(hash) is not { } end) return Lifetime;
        var left = TimeSpan.FromSeconds(Math.Floor((end - time.GetUtcNow()).TotalSeconds));
        return left < Lifetime ? left : Lifetime;
    }

    private async Task<string?> AnnounceAtAsync(
        Endpoint repository, IReadOnlyList<Hash256> hashes, CancellationToken cancellationToken)
    {
        try
        {
            var client = clients.Repository(repository);
            await client.PostChainAsync(clients.Self.Id, clients.OwnChain, cancellationToken);
            Posted?.Invoke(repository);
            foreach (var group in hashes.GroupBy(LifetimeOf).Where(g => g.Key > TimeSpan.Zero))
            {
                foreach (var page in group.Order().Chunk(HashesMax))
                    await client.AnnounceAsync(page, [ownEndpoint()], group.Key, cancellationToken);
            }
            states[repository] = new RepositoryStatus(repository.ToText(), time.GetUtcNow(), null);
            return null;
        }
        catch (VirgaException e)
        {
            var last = states.GetValueOrDefault(repository)?.LastContact;
            states[repository] = new RepositoryStatus(repository.ToText(), last, e.Message);
            log($"announcing at {repository.Url.Authority}: {e.Message}");
            return $"{repository.Url.Authority}: {e.Message}";
        }
    }
}
