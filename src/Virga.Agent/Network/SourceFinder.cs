using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Sources;
using Virga.Trust.Following;

namespace Virga.Agent.Network;

/// <summary>
/// Finds agents that have a share: the link's endpoints, and whoever announced it at the link's and our own
/// repositories.
/// </summary>
/// <param name="pace">Bounds what is read from them; null: what bounds all.</param>
internal sealed class SourceFinder(
    ShareLink link, RepositoriesInUse repositories, PeerClients clients, ChainDirectory chains,
    Func<AgentId, bool> isRefused, TimeProvider time, Action<string> log, Pace? pace = null)
    : ISourceFinder
{
    private const int SourcesMax = 64;

    private readonly PassBook passes = new(time);

    /// <summary>What stood in the way at the last look, for people; empty when nothing did.</summary>
    public IReadOnlyList<string> Problems { get; private set; } = [];

    public async Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken)
    {
        var sources = new List<ISource>();
        foreach (var (endpoint, agent, isOrigin) in await FindPlacesAsync(cancellationToken))
        {
            var source = new AgentSource(
                clients.Agent(endpoint, agent, pace), link.InfoHash, link.Secret, time, isRefused, passes, isOrigin);
            if (isOrigin) passes.Add(source);
            sources.Add(source);
        }
        return sources;
    }

    /// <param name="Agent">Who must answer there, where that is known.</param>
    private sealed record Place(Endpoint Endpoint, AgentId? Agent, bool IsOrigin);

    private async Task<List<Place>> FindPlacesAsync(CancellationToken cancellationToken)
    {
        var problems = new List<string>();
        var found = link.Endpoints.Select(endpoint => new Place(endpoint, null, true)).ToList();
        foreach (var repository in await repositories.AllowAsync(
            link.Repositories.Concat(repositories.Now), cancellationToken))
        {
            try
            {
                var announces = await clients.Repository(repository).LookUpAsync(link.InfoHash, cancellationToken);
                foreach (var envelope in announces)
                    found.AddRange(await EndpointsOfAsync(envelope, repository, cancellationToken));
            }
            catch (VirgaException e)
            {
                problems.Add($"repository {repository.Url.Authority}: {e.Message}");
                log($"looking up {link.InfoHash}: {problems[^1]}");
            }
        }
        Problems = problems;
        return [.. found.DistinctBy(place => place.Endpoint).Take(SourcesMax)];
    }

    /// <summary>An announce counts only when its agent's own chain says that its key signed it.</summary>
    private async Task<IReadOnlyList<Place>> EndpointsOfAsync(
        SignedEnvelope envelope, Endpoint repository, CancellationToken cancellationToken)
    {
        try
        {
            var announce = Announce.Parse(envelope.Body);
            if (announce.Agent == clients.Self.Id || announce.Expires < time.GetUtcNow()
                || isRefused(announce.Agent)) return [];
            var chain = await chains.GetAsync(announce.Agent, clients.Places([repository]), cancellationToken);
            if (!chain.ValidSigningKeys.Any(key => envelope.Verify(key, "announce"))) return [];
            var isOrigin = link.Agents.Count == 0 || link.Agents.Contains(announce.Agent);
            return [.. announce.Endpoints.Select(endpoint => new Place(endpoint, announce.Agent, isOrigin))];
        }
        catch (VirgaException e)
        {
            log($"an announce at {repository.Url.Authority} is left out: {e.Message}");
            return [];
        }
    }
}
