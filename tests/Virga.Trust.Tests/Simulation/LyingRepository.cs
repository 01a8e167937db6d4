using Virga.Core;
using Virga.Core.Keys;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Simulation;

/// <summary>How a repository breaks its log.</summary>
internal enum Lie
{
    /// <summary>It shows half of the nodes one history, and the others another.</summary>
    TwoHistories,

    /// <summary>It promises statements of its victims a place that they never get.</summary>
    BrokenPromises,

    /// <summary>It shows a smaller log than before, and goes on from there.</summary>
    Rewind,

    /// <summary>It puts something else in the place of an entry.</summary>
    Rewritten,
}

/// <summary>
/// A repository that lies from a time on. What its victims say then it keeps from those to whom it lies.
/// </summary>
internal sealed class LyingRepository(TrustNetwork world, int node, SigningKey key, TimeSpan ahead, Lie lie)
    : SimulatedRepository(world, node, key, ahead)
{
    private readonly Dictionary<AgentId, int> shownOf = [];
    private readonly Dictionary<Hash256, long> promised = [];
    private HashSet<AgentId> victims = [];
    private SimulatedLog? other;

    public bool IsLying { get; private set; }

    public void BeginToLie(HashSet<AgentId> those)
    {
        IsLying = true;
        victims = those;
        foreach (var victim in victims) shownOf[victim] = Find(victim)?.Statements.Count ?? 0;
        World.Loop.Trace(20, Node, (long)lie);
        var entries = Log.Entries;
        // Under a head that somebody keeps: what nobody was shown binds nobody.
        var middle = (int)World.Repositories.Where(other => other != this).SelectMany(other => other.Keeper.States)
            .Where(state => state.Repository == Id).Max(state => state.Newest?.Size ?? 0) / 2;
        switch (lie)
        {
            case Lie.TwoHistories:
                other = Log.Rewritten(entries.SkipLast(1));
                other.Publish(Now);
                break;
            case Lie.Rewind:
                Log = Log.Rewritten(entries.SkipLast(entries.Count / 3));
                Log.Publish(Now);
                break;
            case Lie.Rewritten:
                Log = Log.Rewritten(
                    [.. entries.Take(middle), "something else"u8.ToArray(), .. entries.Skip(middle + 1)]);
                Log.Publish(Now);
                break;
        }
    }

    public override ChainPage ReadChain(int asker, AgentId agent, int from)
    {
        if (!IsLying || !IsLiedTo(asker) || !shownOf.TryGetValue(agent, out var count))
            return base.ReadChain(asker, agent, from);
        if (count == 0) throw new VirgaException(FailureKind.NotFound, $"{agent} is not known here");
        var page = base.ReadChain(asker, agent, from);
        return from + page.Statements.Count <= count ? page
            : new ChainPage([.. page.Statements.Take(Math.Max(0, count - from))], true);
    }

    public override Task<byte[]> ExchangeHeadsAsync(int asker, byte[] heads) =>
        IsLying ? Task.FromResult(LogHeadsMessage.Encode([])) : base.ExchangeHeadsAsync(asker, heads);

    public override byte[]? ReadLog(int asker, string path) => LogFor(asker).Read(path);

    public override byte[]? ReadPromise(int asker, Hash256 leaf) =>
        promised.TryGetValue(leaf, out var place) ? Log.Promise(leaf, place) : LogFor(asker).Promise(leaf);

    protected override void Accepted(byte[] entry)
    {
        var isHidden = IsLying && victims.Contains(LogEntry.Parse(entry).Agent);
        if (isHidden && lie == Lie.BrokenPromises) promised[LogTree.LeafHash(entry)] = Log.Size;
        if (!isHidden || lie == Lie.TwoHistories) Log.Append(entry);
        if (!isHidden) other?.Append(entry);
    }

    protected override async Task PublishAsync()
    {
        await base.PublishAsync();
        if (other is not null && other.Size > other.PublishedSize) other.Publish(Now);
    }

    private bool IsLiedTo(int asker) => lie != Lie.TwoHistories || asker % 2 == 1;

    private SimulatedLog LogFor(int asker) => other is not null && IsLiedTo(asker) ? other : Log;
}
