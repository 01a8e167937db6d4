namespace Virga.Trust.Graph;

/// <summary>Chains of those who are admitted, and why others are not.</summary>
internal sealed partial class TrustView
{
    /// <summary>
    /// The chain of record: from a root to the agent, one that gives it its label. Of several, at each step back from
    /// the agent the issuer with the highest label, then the one whose id is least. Empty for a root, or when not
    /// admitted.
    /// </summary>
    public IReadOnlyList<GraphEdge> Chain(int agent)
    {
        var chain = new List<GraphEdge>();
        var (at, needed, next) = (agent, LabelOf(agent), -1);
        while (needed > 0 && !IsRoot(at))
        {
            var edge = StrongestEdge(at, needed, next);
            chain.Add(edge);
            (at, needed, next) = (edge.Issuer, needed + 1, edge.Seq);
        }
        chain.Reverse();
        return chain;
    }

    /// <summary>
    /// The vouches for an agent that speak of this scope, those that count or nearly do first, each with what keeps it
    /// from counting.
    /// </summary>
    public List<(GraphEdge Edge, VouchFault Fault)> Vouches(int agent, int most)
    {
        var found = new List<(GraphEdge Edge, VouchFault Fault)>();
        foreach (var edge in AllInEdges(agent)) found.Add((edge, FaultOf(edge)));
        return [.. found.OrderBy(item => item.Fault).ThenByDescending(item => LabelOf(item.Edge.Issuer))
            .ThenBy(item => graph.IdOf(item.Edge.Issuer).Hash).Take(most)];
    }

    /// <summary>How many an agent's vouches give a label, that stand lower than it.</summary>
    public int CountLower(int agent) => ForLower(agent, 0, null);

    /// <summary>Adds a share to each that <see cref="CountLower"/> counts.</summary>
    public void AddToLower(int agent, ulong share, ulong[] weights) => ForLower(agent, share, weights);

    private int ForLower(int agent, ulong share, ulong[]? weights)
    {
        var (count, label, isLimited) = (0, LabelOf(agent), IsLimited(agent));
        if (label < 2) return 0;
        var words = graph.Words;
        var ends = graph.Ends;
        var now = graph.BaseNow;
        var last = agent < graph.BaseCount ? graph.OutStarts[agent + 1] : 0;
        for (var e = agent < graph.BaseCount ? graph.OutStarts[agent] : 0; e < last; e++)
        {
            var subject = EdgeWord.Target(words[e]);
            if ((words[e] & scopeBit) == 0 || ends[e] <= now || labels[subject] >= label) continue;
            if (isLimited && LabelFor(agent, graph.BaseSeq(agent, e)) < 2) continue;
            count++;
            if (weights is not null) weights[subject] += share;
        }
        if (!graph.HasDelta(agent)) return count;
        for (var e = graph.Delta.FirstOut(agent); e >= 0; e = graph.Delta.NextOut(e))
        {
            var subject = EdgeWord.Target(graph.Delta.Word(e));
            if (!IsLiveInDelta(e) || labels[subject] >= label) continue;
            if (isLimited && LabelFor(agent, graph.Delta.Seq(e)) < 2) continue;
            count++;
            if (weights is not null) weights[subject] += share;
        }
        return count;
    }

    private GraphEdge StrongestEdge(int agent, int needed, int next)
    {
        GraphEdge? strongest = null;
        foreach (var edge in AllInEdges(agent))
        {
            if (!IsLive(edge) || Given(edge.Issuer, edge.Word, edge.Seq) < needed) continue;
            if (next >= 0 && graph.Limit(edge.Issuer, agent) <= next) continue;
            if (strongest is null || IsStronger(edge, strongest.Value)) strongest = edge;
        }
        return strongest ?? throw new InvalidOperationException("an agent is admitted without a chain");
    }

    private bool IsStronger(GraphEdge edge, GraphEdge than)
    {
        var (label, other) = (LabelFor(edge.Issuer, edge.Seq), LabelFor(than.Issuer, than.Seq));
        if (label != other) return label > other;
        return graph.IdOf(edge.Issuer).Hash.CompareTo(graph.IdOf(than.Issuer).Hash) < 0;
    }

    private bool IsLive(GraphEdge edge) =>
        (edge.Word & scopeBit) != 0 && edge.Start <= graph.Hour && graph.Hour < edge.End;

    private VouchFault FaultOf(GraphEdge edge)
    {
        if (graph.IsRefused(edge.Issuer)) return VouchFault.IssuerRefused;
        if (LabelOf(edge.Issuer) == 0) return VouchFault.IssuerNotAdmitted;
        if ((edge.Word & scopeBit) == 0) return VouchFault.OtherScope;
        if (edge.Start > graph.Hour) return VouchFault.NotStarted;
        if (edge.End <= graph.Hour) return VouchFault.Ended;
        if (LabelOf(edge.Issuer) == 1) return VouchFault.NoDepthLeft;
        return LabelFor(edge.Issuer, edge.Seq) < 2 ? VouchFault.Disowned : VouchFault.None;
    }

    /// <summary>All that is known here, dead edges apart, whatever the scope and time.</summary>
    private IEnumerable<GraphEdge> AllInEdges(int agent)
    {
        if (agent < graph.BaseCount)
        {
            for (var at = graph.InStart(agent); at < graph.InEnd(agent); at++)
            {
                var source = graph.InSource(at);
                for (var e = graph.FirstOfPair(source, agent, out var last); e < last; e++)
                {
                    if (EdgeWord.Scopes(graph.Words[e]) != TrustScopes.None)
                        yield return new(source, graph.Words[e], graph.BaseSeq(source, e), 0, graph.BaseEnd(e));
                }
            }
        }
        var delta = graph.Delta;
        for (var e = delta.FirstIn(agent); e >= 0; e = delta.NextIn(e))
        {
            if (EdgeWord.Scopes(delta.Word(e)) != TrustScopes.None)
                yield return new(delta.Source(e), delta.Word(e), delta.Seq(e), delta.Start(e), delta.End(e));
        }
    }
}

/// <summary>A vouch as the graph holds it.</summary>
/// <param name="Start">An hour; 0 where it is no longer known because it has long begun.</param>
internal readonly record struct GraphEdge(int Issuer, uint Word, int Seq, int Start, int End)
{
    public int Subject => EdgeWord.Target(Word);
}
