using Virga.Core;
using Virga.Transfers.Planning;
using Virga.Transfers.Sources;

namespace Virga.Agent.Planning;

/// <summary>Gives a transfer the sources that its plan allows, and knows by which route each delivers.</summary>
internal sealed class PlannedSources(ISourceFinder inner, IReadOnlySet<RouteKind> allowed) : ISourceFinder
{
    private readonly HashSet<string> direct = new(StringComparer.Ordinal);

    public async Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken)
    {
        var found = new List<ISource>();
        var agents = allowed.Contains(RouteKind.Agent) || allowed.Contains(RouteKind.Swarm);
        var barred = 0;
        foreach (var source in await inner.FindAsync(cancellationToken))
        {
            if (source is DirectSource)
            {
                lock (direct) direct.Add(source.Name);
                found.Add(source);
            }
            else if (agents)
            {
                found.Add(source);
            }
            else
            {
                barred++;
            }
        }
        // Storage is known only while its owner's agent answers: that is waited for.
        if (found.Count > 0 || barred == 0 || allowed.Contains(RouteKind.Direct)) return found;
        throw new VirgaException(
            FailureKind.TooExpensive, "what is left could come only by a way that costs more than allowed",
            "Resume it when the way that was planned works again, or get it with a higher --max-cost.");
    }

    /// <summary>What came by which route.</summary>
    public Dictionary<string, long> Moved(IReadOnlyList<SourceReport> reports)
    {
        var moved = new Dictionary<string, long>(StringComparer.Ordinal);
        lock (direct)
        {
            var byAgents = reports.Where(r => !direct.Contains(r.Name) && r.Bytes > 0).ToList();
            var kind = byAgents.Count > 1 ? RouteKind.Swarm : RouteKind.Agent;
            Add(RouteKind.Direct, reports.Where(r => direct.Contains(r.Name)).Sum(r => r.Bytes));
            Add(kind, byAgents.Sum(r => r.Bytes));
        }
        return moved;

        void Add(RouteKind route, long bytes)
        {
            if (bytes > 0) moved[RouteNames.NameOf(route)] = bytes;
        }
    }

    /// <summary>Whose rate a run has measured: who delivered nearly all of it; null when it was a mixture.</summary>
    public RateKey? Measured(IReadOnlyList<SourceReport> reports, string? storageName, string account)
    {
        const double nearlyAll = 0.95;
        var all = reports.Sum(r => r.Bytes);
        if (all == 0) return null;
        lock (direct)
        {
            var byStorage = reports.Where(r => direct.Contains(r.Name)).Sum(r => r.Bytes);
            if (byStorage >= nearlyAll * all)
                return storageName is null ? null : new RateKey(RouteKind.Direct, storageName, account);
            if (byStorage > (1 - nearlyAll) * all) return null;
        }
        var most = reports.MaxBy(r => r.Bytes)!;
        return most.Bytes >= nearlyAll * all
            ? new RateKey(RouteKind.Agent, most.Name, account)
            : new RateKey(RouteKind.Swarm, RateTable.SwarmSource, account);
    }
}
