using Virga.Core;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Simulation;

/// <summary>
/// Another repository's log as a repository follows it: entries in order, each batch shown to be what the checkpoint
/// says before any of it is looked into.
/// </summary>
internal sealed class FollowedLog(SimulatedPlace place, SimulatedRepository reader)
{
    private const int BundlesPerStep = 4;

    private readonly LogFrontier none = new();
    private LogWatch? watch;
    private LogFrontier? edge;

    public async Task FollowAsync()
    {
        if (reader.Keeper.BreachOf(place.Peer.Id) is not null) return;
        watch ??= new LogWatch(await ChainAsync());
        edge ??= none.Copy();
        if (watch.Newest is null || watch.Newest.Head.Size <= edge.Size)
        {
            var sighting = await watch.RefreshAsync(place.ReadLogAsync, default);
            if (sighting.Breach is { } breach)
            {
                reader.Keeper.Take(Evidence.Of(breach));
                return;
            }
        }

        var head = watch.Newest!.Head;
        if (head.Size <= edge.Size) return;
        var (next, entries) = await ReadAsync(head);
        foreach (var (agent, statements) in ByAgent(entries)) await TakeInAsync(agent, statements);
        edge = next;
    }

    private async Task<(LogFrontier Next, List<ReadOnlyMemory<byte>> Entries)> ReadAsync(Checkpoint head)
    {
        var next = edge!.Copy();
        var log = new LogReader(place.ReadLogAsync, head.Size);
        var entries = new List<ReadOnlyMemory<byte>>();
        for (var i = 0; i < BundlesPerStep && next.Size < head.Size; i++)
        {
            var bundle = await log.EntriesAsync(next.Size / LogTile.FullWidth, default);
            foreach (var entry in bundle.Skip((int)(next.Size % LogTile.FullWidth)))
            {
                next.Append(LogTree.LeafHash(entry.Span));
                entries.Add(entry);
            }
        }

        var isShown = next.Size == head.Size
            ? next.Root == head.Root
            : LogProof.IsConsistent(next.Size, head.Size, next.Root, head.Root,
                await log.ConsistencyAsync(next.Size, isWhole: false, default));
        return isShown ? (next, entries)
            : throw new VirgaException(FailureKind.Corrupt, $"the entries of {place.Name} don't fit its checkpoint");
    }

    private static List<(AgentId Agent, List<(byte[] Body, byte[] Signature)> Statements)> ByAgent(
        List<ReadOnlyMemory<byte>> entries)
    {
        var found = new List<(AgentId Agent, List<(byte[] Body, byte[] Signature)> Statements)>();
        foreach (var entry in entries)
        {
            var parsed = LogEntry.Parse(entry.Span);
            var at = found.FindIndex(f => f.Agent == parsed.Agent);
            if (at < 0)
            {
                at = found.Count;
                found.Add((parsed.Agent, []));
            }

            found[at].Statements.AddRange(parsed.Envelopes);
        }

        return found;
    }

    private async Task TakeInAsync(AgentId agent, List<(byte[] Body, byte[] Signature)> statements)
    {
        try
        {
            reader.Post(agent, statements);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.Denied)
        {
            // Statements before these may be missing here, or be a fraud that the whole chain settles.
            await TakeInWholeAsync(agent);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Unauthenticated or FailureKind.ClockSkew)
        {
            // They are passed over.
        }
    }

    private async Task TakeInWholeAsync(AgentId agent)
    {
        try
        {
            reader.Post(agent, await ReadChainAsync(agent));
        }
        catch (VirgaException e) when (!e.IsTransient)
        {
            // They are passed over.
        }
    }

    private async Task<List<(byte[] Body, byte[] Signature)>> ReadChainAsync(AgentId agent)
    {
        var all = new List<(byte[] Body, byte[] Signature)>();
        while (true)
        {
            var page = await place.ReadChainAsync(agent, all.Count, default);
            all.AddRange(page.Statements);
            if (page.IsLast || page.Statements.Count == 0) return all;
        }
    }

    private async Task<Sigchain> ChainAsync() =>
        Sigchain.Check(await ReadChainAsync(place.Peer.Id), reader.World.Loop.Now);
}
