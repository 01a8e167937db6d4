using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Virga.Trust.Graph;

/// <summary>
/// Whom one scope admits, seen from given roots at the graph's hour. A label is the depth that is left plus one: what
/// an agent with label L vouches for gets at most L - 1, and at most the vouch's depth plus one; each agent has the
/// highest label that any chain gives it. Along a chain labels strictly fall, so that no agents hold each other up in a
/// circle, and one pass from the highest label down is exact. Not safe for several threads.
/// </summary>
internal sealed partial class TrustView
{
    public const byte Refused = byte.MaxValue;

    /// <summary>Label of roots when a chain may be as long as depths allow.</summary>
    public const int LongestReach = VouchBody.MaxDepth;

    private readonly TrustGraph graph;
    private readonly uint scopeBit;
    private readonly List<int>[] buckets;
    private AgentSet queued = new();
    private byte[] labels = [];
    private int[] roots;

    // By agents that are disowned: at each label, the number below which their vouches count in a chain that gives the
    // agent at least this label.
    private readonly Dictionary<int, int[]> numbersThatCount = [];

    /// <param name="reach">0: only whom roots vouch for themselves; each more allows one more link.</param>
    public TrustView(TrustGraph graph, IEnumerable<int> roots, TrustScopes scope, int reach = LongestReach)
    {
        this.graph = graph;
        if (!BitOperations.IsPow2((uint)scope)) throw new ArgumentException("a view is of one scope", nameof(scope));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)reach, (uint)LongestReach, nameof(reach));
        this.roots = [.. roots.Distinct()];
        Scope = scope;
        scopeBit = EdgeWord.Bit(scope);
        RootLabel = reach + 2;
        buckets = [.. Enumerable.Range(0, RootLabel + 1).Select(_ => new List<int>())];
        Evaluate();
    }

    public TrustScopes Scope { get; }

    public int RootLabel { get; }

    public IReadOnlyList<int> Roots => roots;

    /// <summary>By agent; 0: not admitted.</summary>
    public ReadOnlySpan<byte> Labels => labels.AsSpan(0, graph.AgentCount);

    public int LabelOf(int agent) => agent < labels.Length && labels[agent] != Refused ? labels[agent] : 0;

    /// <summary>Evaluates anew from the roots: one pass over the edges of those that may vouch.</summary>
    public void Evaluate()
    {
        Fit();
        Array.Clear(labels);
        foreach (var agent in graph.Refused) labels[agent] = Refused;
        foreach (var root in roots)
            if (labels[root] != Refused) labels[root] = (byte)RootLabel;
        numbersThatCount.Clear();
        foreach (var agent in graph.LimitedSubjects) numbersThatCount[agent] = new int[RootLabel + 1];
        for (var label = RootLabel; label > 1; label--) SpreadLevel(label);
    }

    /// <summary>After a compaction: agents have new indexes.</summary>
    public void Renumber(int[] newIndexOf)
    {
        var moved = new byte[graph.AgentCount];
        for (var old = 0; old < newIndexOf.Length; old++)
            moved[newIndexOf[old]] = old < labels.Length ? labels[old] : (byte)0;
        (labels, queued) = (moved, new AgentSet());
        roots = [.. roots.Select(root => newIndexOf[root])];
        var limited = numbersThatCount.ToList();
        numbersThatCount.Clear();
        foreach (var (agent, numbers) in limited) numbersThatCount[newIndexOf[agent]] = numbers;
    }

    private void Fit()
    {
        if (labels.Length >= graph.AgentCount) return;
        var isFirst = labels.Length == 0;
        Array.Resize(ref labels, isFirst ? graph.AgentCount : graph.AgentCount + (graph.AgentCount / 8) + 64);
    }

    /// <summary>
    /// All that have this label pass on the next lower one. Whom they reach gets a lower label than they.
    /// </summary>
    private void SpreadLevel(int label)
    {
        var (at, count, hasLimits) = (0, graph.AgentCount, graph.HasLimits);
        ref var first = ref MemoryMarshal.GetArrayDataReference(labels);
        var sought = Vector256.Create((byte)label);
        for (; at <= count - Vector256<byte>.Count; at += Vector256<byte>.Count)
        {
            var found = Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)at), sought)
                .ExtractMostSignificantBits();
            for (; found != 0; found &= found - 1)
            {
                var agent = at + BitOperations.TrailingZeroCount(found);
                if (!hasLimits || !graph.IsLimited(agent)) Spread(agent, label - 1);
            }
        }
        for (; at < count; at++)
            if (labels[at] == label && (!hasLimits || !graph.IsLimited(at))) Spread(at, label - 1);
        if (!hasLimits) return;
        foreach (var agent in graph.LimitedSubjects) SpreadLimited(agent, label);
    }

    /// <param name="cap">The highest label that the agent can pass on.</param>
    private void Spread(int agent, int cap)
    {
        if (agent < graph.BaseCount) SpreadBase(agent, cap);
        if (!graph.HasDelta(agent)) return;
        var delta = graph.Delta;
        for (var e = delta.FirstOut(agent); e >= 0; e = delta.NextOut(e))
        {
            var word = delta.Word(e);
            if ((word & scopeBit) != 0 && delta.IsLive(e, graph.Hour)) Raise(word, cap);
        }
    }

    /// <summary>
    /// The loop that costs: no bounds are checked, since starts and subjects were when the base was made or opened.
    /// </summary>
    private void SpreadBase(int agent, int cap)
    {
        ref var starts = ref MemoryMarshal.GetReference(graph.OutStarts);
        ref var words = ref MemoryMarshal.GetReference(graph.Words);
        ref var ends = ref MemoryMarshal.GetReference(graph.Ends);
        ref var first = ref MemoryMarshal.GetArrayDataReference(labels);
        var (shift, now) = (BitOperations.Log2(scopeBit), (int)graph.BaseNow);
        var last = (nint)Unsafe.Add(ref starts, agent + 1);
        for (nint e = Unsafe.Add(ref starts, agent); e < last; e++)
        {
            var word = Unsafe.Add(ref words, e);
            var depth = (int)(word >> EdgeWord.TargetBits & 7) + 1;
            var given = Math.Min(cap, depth);
            // All ones where the scope is named and the end is still ahead: no branch that can't be foretold.
            var counts = (now - Unsafe.Add(ref ends, e)) >> 31 & -(int)(word >> shift & 1);
            ref var label = ref Unsafe.Add(ref first, (nint)(word & EdgeWord.TargetMask));
            if ((given & counts) > label) label = (byte)given;
        }
    }

    private void Raise(uint word, int cap)
    {
        ref var label = ref labels[EdgeWord.Target(word)];
        var given = Math.Min(cap, EdgeWord.Depth(word) + 1);
        if (given > label) label = (byte)given;
    }

    /// <summary>
    /// An agent whose later vouches don't count in every chain: at each label, those vouches that count in some chain
    /// that gives at least this label, and did not count at a higher one.
    /// </summary>
    private void SpreadLimited(int agent, int label)
    {
        if (LabelOf(agent) < label) return;
        var numbers = numbersThatCount[agent];
        numbers[label] = NumbersThatCount(agent, label);
        var from = label < RootLabel ? numbers[label + 1] : 0;
        if (numbers[label] <= from) return;
        foreach (var (word, seq) in OutEdges(agent))
            if (seq >= from && seq < numbers[label]) Raise(word, label - 1);
    }

    private int NumbersThatCount(int agent, int label)
    {
        var all = int.MaxValue;
        foreach (var root in roots) all = Math.Min(all, graph.Limit(root, agent));
        if (IsRoot(agent)) return all;
        var most = 0;
        foreach (var (source, word, seq) in InEdges(agent))
        {
            var limit = Math.Min(all, graph.Limit(source, agent));
            if (limit > most && Given(source, word, seq) >= label) most = limit;
        }
        return most;
    }

    /// <summary>The label that counts for an agent's statement of this number.</summary>
    private int LabelFor(int agent, int seq)
    {
        var label = LabelOf(agent);
        if (label < 2 || !graph.HasLimits || !numbersThatCount.TryGetValue(agent, out var numbers)) return label;
        while (label > 0 && numbers[label] <= seq) label--;
        return label;
    }

    private int Given(int source, uint word, int seq) =>
        Math.Max(0, Math.Min(LabelFor(source, seq) - 1, EdgeWord.Depth(word) + 1));

    /// <summary>Whether changes around an agent need all to be evaluated anew.</summary>
    private bool IsLimited(int agent) =>
        graph.HasLimits && (graph.IsLimited(agent) || numbersThatCount.ContainsKey(agent));

    private bool IsRoot(int agent) => Array.IndexOf(roots, agent) >= 0;

    /// <summary>Live vouches of this view's scope by an agent.</summary>
    private IEnumerable<(uint Word, int Seq)> OutEdges(int agent)
    {
        if (agent < graph.BaseCount)
        {
            for (var e = graph.OutStarts[agent]; e < graph.OutStarts[agent + 1]; e++)
                if (IsLiveInBase(e)) yield return (graph.Words[e], graph.BaseSeq(agent, e));
        }
        if (!graph.HasDelta(agent)) yield break;
        for (var e = graph.Delta.FirstOut(agent); e >= 0; e = graph.Delta.NextOut(e))
            if (IsLiveInDelta(e)) yield return (graph.Delta.Word(e), graph.Delta.Seq(e));
    }

    /// <summary>Live vouches of this view's scope for an agent.</summary>
    private IEnumerable<(int Source, uint Word, int Seq)> InEdges(int agent)
    {
        if (agent < graph.BaseCount)
        {
            for (var at = graph.InStart(agent); at < graph.InEnd(agent); at++)
            {
                var source = graph.InSource(at);
                for (var e = graph.FirstOfPair(source, agent, out var last); e < last; e++)
                    if (IsLiveInBase(e)) yield return (source, graph.Words[e], graph.BaseSeq(source, e));
            }
        }
        for (var e = graph.Delta.FirstIn(agent); e >= 0; e = graph.Delta.NextIn(e))
            if (IsLiveInDelta(e)) yield return (graph.Delta.Source(e), graph.Delta.Word(e), graph.Delta.Seq(e));
    }

    private bool IsLiveInBase(int edge) => (graph.Words[edge] & scopeBit) != 0 && graph.Ends[edge] > graph.BaseNow;

    private bool IsLiveInDelta(int edge) =>
        (graph.Delta.Word(edge) & scopeBit) != 0 && graph.Delta.IsLive(edge, graph.Hour);
}
