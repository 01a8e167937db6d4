namespace Virga.Trust.Graph;

/// <summary>Who stands around an agent, for those who look at the graph.</summary>
internal sealed partial class TrustView
{
    /// <summary>
    /// Whom an agent vouches for now in this scope, each once: those whom that admits first, then who vouches for most,
    /// then by id.
    /// </summary>
    public List<GraphEdge> VouchedBy(int agent) =>
        [.. AllOutEdges(agent).Where(IsLive).DistinctBy(edge => edge.Subject)
            .Select(edge => (Edge: edge, Fault: FaultOf(edge), Count: CountVouched(edge.Subject)))
            .OrderBy(item => item.Fault != VouchFault.None).ThenByDescending(item => item.Count)
            .ThenBy(item => graph.IdOf(item.Edge.Subject).Hash).Select(item => item.Edge)];

    /// <summary>
    /// Who vouches for an agent now in this scope, each once: those whose word counts first, the strongest of them
    /// first, then by id.
    /// </summary>
    public List<GraphEdge> VouchersOf(int agent) =>
        [.. AllInEdges(agent).Where(IsLive).DistinctBy(edge => edge.Issuer)
            .OrderBy(FaultOf).ThenByDescending(edge => LabelOf(edge.Issuer))
            .ThenBy(edge => graph.IdOf(edge.Issuer).Hash)];

    /// <summary>For how many an agent vouches now in this scope.</summary>
    public int CountVouched(int agent) =>
        AllOutEdges(agent).Where(IsLive).Select(edge => edge.Subject).Distinct().Count();

    /// <summary>The vouches between agents of a set, in the order of their issuers there.</summary>
    public IEnumerable<(GraphEdge Edge, VouchFault Fault)> Within(IReadOnlyCollection<int> agents)
    {
        var inside = agents.ToHashSet();
        return agents.SelectMany(AllOutEdges).Where(edge => inside.Contains(edge.Subject) && IsLive(edge))
            .DistinctBy(edge => (edge.Issuer, edge.Subject)).Select(edge => (edge, FaultOf(edge)));
    }

    /// <summary>The rings around an agent: each agent once, the one in the middle first.</summary>
    public AroundRings Rings(int center, TrustAroundLimits limits)
    {
        var rings = new AroundRings();
        rings.TryPlace(center, 0);
        var back = -1;
        foreach (var edge in Chain(center).Reverse()) rings.TryPlace(edge.Issuer, back--);
        var (vouched, vouchers) = (VouchedBy(center), VouchersOf(center));
        (rings.Vouched, rings.Vouchers) = (vouched.Count, vouchers.Count);
        (var last, rings.VouchedEnd) =
            rings.Place(vouched.ConvertAll(edge => edge.Subject), limits.From, 1, limits.Most);
        (_, rings.VouchersEnd) =
            rings.Place(vouchers.ConvertAll(edge => edge.Issuer), limits.Back, -1, (limits.Most + 1) / 2);
        for (var ring = 2; ring <= limits.Rings; ring++)
        {
            var (room, next) = (limits.Most * ring, new List<int>());
            for (var i = 0; i < last.Count; i++)
            {
                // What one does not need is left to those behind it.
                var share = (room - next.Count) / (last.Count - i);
                next.AddRange(rings.Place(VouchedBy(last[i]).ConvertAll(edge => edge.Subject), 0, ring, share).Placed);
            }
            last = next;
        }
        return rings;
    }

    /// <summary>Who stands in which ring, and how far the lists of the one in the middle were gone through.</summary>
    internal sealed class AroundRings
    {
        private readonly HashSet<int> seen = [];
        private readonly List<(int Agent, int Ring)> placed = [];

        public IReadOnlyList<(int Agent, int Ring)> Placed => placed;

        public int Vouched { get; set; }

        public int VouchedEnd { get; set; }

        public int Vouchers { get; set; }

        public int VouchersEnd { get; set; }

        public bool TryPlace(int agent, int ring)
        {
            if (!seen.Add(agent)) return false;
            placed.Add((agent, ring));
            return true;
        }

        /// <summary>
        /// Places those of a list from a number on that have no place yet, as many as there is room for, and says where
        /// in the list that ended.
        /// </summary>
        public (List<int> Placed, int End) Place(List<int> agents, int from, int ring, int room)
        {
            var found = new List<int>();
            var at = Math.Min(from, agents.Count);
            for (; at < agents.Count; at++)
            {
                if (seen.Contains(agents[at])) continue;
                if (found.Count == room) break;
                TryPlace(agents[at], ring);
                found.Add(agents[at]);
            }
            return (found, at);
        }
    }

    /// <summary>All that is known here, dead edges apart, whatever the scope and time.</summary>
    private IEnumerable<GraphEdge> AllOutEdges(int agent)
    {
        if (agent < graph.BaseCount)
        {
            for (var e = graph.OutStarts[agent]; e < graph.OutStarts[agent + 1]; e++)
            {
                if (EdgeWord.Scopes(graph.Words[e]) != TrustScopes.None)
                    yield return new(agent, graph.Words[e], graph.BaseSeq(agent, e), 0, graph.BaseEnd(e));
            }
        }
        if (!graph.HasDelta(agent)) yield break;
        var delta = graph.Delta;
        for (var e = delta.FirstOut(agent); e >= 0; e = delta.NextOut(e))
        {
            if (EdgeWord.Scopes(delta.Word(e)) != TrustScopes.None)
                yield return new(agent, delta.Word(e), delta.Seq(e), delta.Start(e), delta.End(e));
        }
    }
}
