using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Sources;

namespace Virga.Agent.Network;

/// <summary>Adds to the agents that are found their storage, where they let it be read directly.</summary>
/// <param name="pace">Bounds what is read from there; null: what bounds all.</param>
internal sealed class DirectFinder(
    ISourceFinder agents, StorageHttp storage, IReadOnlyList<SharedFile> files, TimeProvider time, Action<string> log,
    Pace? pace = null)
    : ISourceFinder
{
    private readonly Dictionary<string, AgentSource> known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DirectSource> direct = new(StringComparer.Ordinal);
    private Dictionary<Hash256, SharedFile>? byRoot;

    public async Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken)
    {
        var found = await agents.FindAsync(cancellationToken);
        var sources = new List<ISource>();
        foreach (var source in found)
        {
            // One source for an agent, so that its grant is asked for once and outlives this look.
            if (source is AgentSource agent && known.TryGetValue(agent.Name, out var before))
            {
                if (!ReferenceEquals(before, agent)) agent.Dispose();
                sources.Add(before);
                continue;
            }
            if (source is AgentSource fresh) known.Add(fresh.Name, fresh);
            sources.Add(source);
        }
        await Task.WhenAll(known.Values.Where(agent => agent.IsOrigin && !direct.ContainsKey(agent.Name))
            .Select(agent => AskAsync(agent, cancellationToken)));
        return [.. sources, .. direct.Values];
    }

    private async Task AskAsync(AgentSource agent, CancellationToken cancellationToken)
    {
        try
        {
            // Its grant says so; whoever reads from it needs one anyway.
            await agent.GetAudienceAsync(cancellationToken);
            if (!agent.IsDirect) return;
        }
        catch (VirgaException e)
        {
            log($"{agent.Name} is asked again later whether its storage may be read: {e.Message}");
            return;
        }
        lock (direct)
        {
            byRoot ??= ByRoot();
            direct.TryAdd(agent.Name, new DirectSource(agent, storage, byRoot, time, pace));
        }
    }

    /// <summary>Two files of one content in a public share have one blob.</summary>
    private Dictionary<Hash256, SharedFile> ByRoot()
    {
        var map = new Dictionary<Hash256, SharedFile>();
        foreach (var file in files)
            if (file.Blob is { } blob) map.TryAdd(blob.Root, file);
        return map;
    }
}
