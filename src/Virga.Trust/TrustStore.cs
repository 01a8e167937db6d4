using Virga.Core;
using Virga.Trust.Graph;

namespace Virga.Trust;

/// <summary>
/// What an agent asks about trust (spec/v1/trust.md). It is fed checked sigchains and the time, answers from its own
/// roots, and tells whose standing each change altered. Pure: no clock, disk or network. The result depends on which
/// chains it was given, not on their order nor on how often. Safe for several threads; each call holds one lock.
/// </summary>
public sealed class TrustStore
{
    private const int HintsMax = 16;
    private const int AroundVouchesMax = 1_000;

    private readonly Lock gate = new();
    private readonly TrustGraph graph;
    private readonly Dictionary<(TrustScopes Scope, int Reach), TrustView> views = [];
    private readonly GraphChange change = new();
    private List<AgentId> roots;
    private int version;
    private long alterations;

    /// <param name="roots">Whose word counts without a vouch: the user's own agents, mostly.</param>
    public TrustStore(IEnumerable<AgentId> roots, DateTimeOffset now)
        : this(new TrustGraph(now), roots)
    {
    }

    private TrustStore(TrustGraph graph, IEnumerable<AgentId> roots)
    {
        this.graph = graph;
        this.roots = [.. roots.Distinct()];
        foreach (var root in this.roots) graph.FindOrAdd(root);
    }

    /// <summary>
    /// The next time at which a vouch starts or ends, so that <see cref="Advance"/> is due; null: never.
    /// </summary>
    public DateTimeOffset? NextChange
    {
        get
        {
            lock (gate) return graph.NextChange is { } hour ? VouchBody.TimeOf(hour) : null;
        }
    }

    public IReadOnlyList<AgentId> Roots
    {
        get
        {
            lock (gate) return [.. roots];
        }
    }

    /// <summary>Another number after each change of what this answers; asking what if changes nothing.</summary>
    public long Alterations => Interlocked.Read(ref alterations);

    /// <summary>
    /// Takes in what is new of a chain. A chain that is known already, or a beginning of it, changes nothing.
    /// </summary>
    public IReadOnlyList<TrustChange> Add(Sigchain chain)
    {
        lock (gate)
        {
            TakeIn(chain);
            return Settle();
        }
    }

    /// <summary>
    /// Takes in a chain in the place of what was known of it, after a rotation has settled that this history stands
    /// (<see cref="ChainMergeKind.Settled"/>).
    /// </summary>
    public IReadOnlyList<TrustChange> Replace(Sigchain chain)
    {
        lock (gate)
        {
            graph.Forget(graph.FindOrAdd(chain.Id), change);
            TakeIn(chain);
            return Settle();
        }
    }

    /// <summary>
    /// Neither this agent nor what it vouches for counts: it is proven a fraud, or the user wants it so.
    /// </summary>
    public IReadOnlyList<TrustChange> Refuse(AgentId agent)
    {
        lock (gate)
        {
            graph.Refuse(graph.FindOrAdd(agent), change);
            return Settle();
        }
    }

    /// <summary>Takes back <see cref="Refuse"/>.</summary>
    public IReadOnlyList<TrustChange> Accept(AgentId agent)
    {
        lock (gate)
        {
            if (graph.Find(agent) is >= 0 and var index) graph.Accept(index, change);
            return Settle();
        }
    }

    /// <summary>Vouches start and end. Time only goes forward: a clock that was set back brings nothing back.</summary>
    public IReadOnlyList<TrustChange> Advance(DateTimeOffset now)
    {
        lock (gate)
        {
            graph.Advance(VouchBody.HourOf(now), change);
            return Settle();
        }
    }

    /// <summary>Other roots; all scopes that were asked for are evaluated anew.</summary>
    public IReadOnlyList<TrustChange> SetRoots(IEnumerable<AgentId> newRoots)
    {
        lock (gate)
        {
            roots = [.. newRoots.Distinct()];
            var after = ViewsFrom(roots);
            var changes = Differences(after);
            foreach (var (key, view) in after) views[key] = view;
            Interlocked.Increment(ref alterations);
            return changes;
        }
    }

    /// <param name="scope">One scope.</param>
    /// <param name="reach">0: only whom roots vouch for themselves; each more allows one more link; at most 7.</param>
    public bool IsAdmitted(AgentId agent, TrustScopes scope, int reach = VouchBody.MaxDepth)
    {
        lock (gate) return graph.Find(agent) is >= 0 and var index && View(scope, reach).LabelOf(index) > 0;
    }

    /// <summary>Whether it is a root, or anybody known here ever vouched for it, whether that counts or not.</summary>
    public bool IsVouchedFor(AgentId agent)
    {
        lock (gate)
        {
            if (roots.Contains(agent)) return true;
            return graph.Find(agent) is >= 0 and var index
                && View(TrustScopes.Exchange, VouchBody.MaxDepth).Vouches(index, 1).Count > 0;
        }
    }

    /// <summary>The decision with its chain, or with the vouches that come closest.</summary>
    public TrustDecision Decide(AgentId agent, TrustScopes scope, int reach = VouchBody.MaxDepth)
    {
        lock (gate)
        {
            var (view, index) = (View(scope, reach), graph.Find(agent));
            if (index < 0) return new TrustDecision(agent, scope, TrustStanding.NotKnown, 0, [], []);
            var label = view.LabelOf(index);
            if (label > 0)
            {
                var chain = view.Chain(index).Select(Named).ToList();
                var standing = chain.Count == 0 ? TrustStanding.Root : TrustStanding.Admitted;
                return new TrustDecision(agent, scope, standing, label - 1, chain, []);
            }
            var hints = view.Vouches(index, HintsMax).ConvertAll(found => new TrustHint(
                Named(found.Edge), found.Fault,
                found.Fault == VouchFault.NotStarted ? VouchBody.TimeOf(found.Edge.Start) : null));
            var why = graph.IsRefused(index) ? TrustStanding.Refused
                : hints.Count == 0 ? TrustStanding.NotKnown : TrustStanding.NoChain;
            return new TrustDecision(agent, scope, why, 0, [], hints);
        }
    }

    /// <summary>Whether it is refused for itself: see <see cref="Refuse"/>.</summary>
    public bool IsRefused(AgentId agent)
    {
        lock (gate) return graph.Find(agent) is >= 0 and var index && graph.IsRefused(index);
    }

    /// <summary>All that are admitted, roots too, with the depth that is left to each.</summary>
    public IReadOnlyList<(AgentId Agent, int Depth)> Admitted(TrustScopes scope, int reach = VouchBody.MaxDepth)
    {
        lock (gate)
        {
            var view = View(scope, reach);
            var admitted = new List<(AgentId Agent, int Depth)>();
            for (var agent = 0; agent < graph.AgentCount; agent++)
                if (view.LabelOf(agent) is > 0 and var label) admitted.Add((graph.IdOf(agent), label - 1));
            return admitted;
        }
    }

    /// <summary>
    /// The agents around one, for a picture of the graph: its chain, who vouches for it, for whom it vouches, and so
    /// on outwards. An agent that nobody here knows stands alone.
    /// </summary>
    public TrustAround Around(AgentId agent, TrustScopes scope, TrustAroundLimits limits)
    {
        var center = Decide(agent, scope);
        lock (gate)
        {
            var (view, index) = (View(scope, VouchBody.MaxDepth), graph.Find(agent));
            if (index < 0)
                return new TrustAround(center, [new(agent, 0, center.Standing, 0, 0)], [], 0, 0, 0, 0);
            var rings = view.Rings(index, limits);
            return new TrustAround(
                center,
                [.. rings.Placed.Select(at => new TrustAroundAgent(
                    graph.IdOf(at.Agent), at.Ring, StandingOf(view, at.Agent), Math.Max(0, view.LabelOf(at.Agent) - 1),
                    view.CountVouched(at.Agent)))],
                [.. view.Within([.. rings.Placed.Select(at => at.Agent)]).Take(AroundVouchesMax)
                    .Select(found => new TrustAroundVouch(Named(found.Edge), found.Fault))],
                rings.Vouchers, rings.VouchersEnd, rings.Vouched, rings.VouchedEnd);
        }
    }

    /// <summary>Whose standing would change if an issuer took back its vouch. Nothing is changed.</summary>
    public IReadOnlyList<TrustChange> WhatIfRevoked(AgentId issuer, AgentId subject, TrustScopes scopes)
    {
        lock (gate)
        {
            EvaluateAllScopes();
            var (from, to) = (graph.Find(issuer), graph.Find(subject));
            if (from < 0 || to < 0) return [];
            var words = graph.WordsOfPair(from, to);
            graph.Revoke(from, to, scopes, change);
            return Peek(() => graph.RestoreWordsOfPair(from, to, words));
        }
    }

    /// <summary>
    /// Whose standing would change if an issuer disowned a subject from a statement on. Nothing is changed.
    /// </summary>
    public IReadOnlyList<TrustChange> WhatIfDisowned(AgentId issuer, AgentId subject, int fromSeq)
    {
        lock (gate)
        {
            EvaluateAllScopes();
            var (from, to) = (graph.Find(issuer), graph.Find(subject));
            if (from < 0 || to < 0) return [];
            var before = graph.Limit(from, to);
            graph.Disown(from, to, fromSeq, change);
            return Peek(() => graph.RestoreLimit(from, to, before));
        }
    }

    /// <summary>Whose standing would change if an agent were refused. Nothing is changed.</summary>
    public IReadOnlyList<TrustChange> WhatIfRefused(AgentId agent)
    {
        lock (gate)
        {
            EvaluateAllScopes();
            if (graph.Find(agent) is not (>= 0 and var index) || !graph.Refuse(index, change)) return [];
            return Peek(() => graph.Accept(index, new GraphChange()));
        }
    }

    /// <summary>Whose standing would change with other roots. Nothing is changed.</summary>
    public IReadOnlyList<TrustChange> WhatIfRoots(IEnumerable<AgentId> otherRoots)
    {
        lock (gate)
        {
            EvaluateAllScopes();
            return Differences(ViewsFrom([.. otherRoots.Distinct()]));
        }
    }

    /// <summary>
    /// For decisions where numbers matter: each agent's share of one whole, the largest first, at most so many. All
    /// that stand behind one vouch together have less than twice what one agent who vouches for nobody gets by that
    /// vouch.
    /// </summary>
    public IReadOnlyList<TrustShare> Shares(TrustScopes scope, int most)
    {
        lock (gate)
        {
            var weights = TrustWeights.Compute(View(scope, VouchBody.MaxDepth));
            return [.. Enumerable.Range(0, weights.Length).Where(agent => weights[agent] > 0)
                .OrderByDescending(agent => weights[agent]).ThenBy(agent => graph.IdOf(agent).Hash).Take(most)
                .Select(agent => new TrustShare(graph.IdOf(agent), weights[agent] / (double)TrustWeights.Whole))];
        }
    }

    /// <summary>
    /// Writes the graph as an image that <see cref="OpenAsync"/> reads: a cache of what the chains say. Throws Changed
    /// when anything was taken in meanwhile: what was written is then no image.
    /// </summary>
    public async ValueTask SaveAsync(Stream stream, CancellationToken token)
    {
        TrustGraph.Image image;
        int saved;
        lock (gate)
        {
            Compact();
            (image, saved) = (graph.ToImage(), version);
        }
        await image.WriteAsync(stream, () => Volatile.Read(ref version) == saved, token);
    }

    /// <summary>
    /// Reads a saved graph; Corrupt, with what to do, when it is damaged. Its hour goes on from where it was.
    /// </summary>
    /// <param name="length">Bytes of the image.</param>
    public static async ValueTask<TrustStore> OpenAsync(
        Stream stream, long length, IEnumerable<AgentId> roots, DateTimeOffset now, CancellationToken token)
    {
        var store = new TrustStore(await TrustGraph.OpenAsync(stream, length, token), roots);
        store.Advance(now);
        return store;
    }

    private void TakeIn(Sigchain chain)
    {
        var issuer = graph.FindOrAdd(chain.Id);
        for (var seq = graph.LastSeq(issuer) + 1; seq < chain.Statements.Count; seq++)
            TakeIn(issuer, chain.Statements[seq]);
        graph.SetLastSeq(issuer, Math.Max(graph.LastSeq(issuer), chain.Statements.Count - 1));
    }

    private void TakeIn(int issuer, Statement statement)
    {
        var seq = (int)statement.Seq;
        switch (statement.Type)
        {
            case StatementType.Vouch:
                var vouch = VouchBody.Parse(statement);
                graph.Vouch(issuer, graph.FindOrAdd(vouch.Subject), vouch.Scopes, vouch.Depth,
                    VouchBody.HourOf(vouch.NotBefore), VouchBody.HourOf(vouch.Expires), seq, change);
                break;
            case StatementType.Revoke:
                var revoke = RevokeBody.Parse(statement);
                graph.Revoke(issuer, graph.FindOrAdd(revoke.Subject), revoke.Scopes, change);
                break;
            case StatementType.Disown:
                var disown = DisownBody.Parse(statement);
                if (disown.Subject == statement.Agent) graph.RevokeOwn(issuer, disown.From, seq, change);
                else graph.Disown(issuer, graph.FindOrAdd(disown.Subject), disown.From, change);
                break;
        }
    }

    private TrustStanding StandingOf(TrustView view, int agent) =>
        graph.IsRefused(agent) ? TrustStanding.Refused
            : view.LabelOf(agent) == 0
                ? view.VouchersOf(agent).Count == 0 ? TrustStanding.NotKnown : TrustStanding.NoChain
            : view.Roots.Contains(agent) ? TrustStanding.Root : TrustStanding.Admitted;

    /// <summary>So that what is asked tells of every scope.</summary>
    private void EvaluateAllScopes()
    {
        foreach (var name in TrustScopeNames.All) View(TrustScopeNames.Parse(name), VouchBody.MaxDepth);
    }

    private TrustView View(TrustScopes scope, int reach)
    {
        if (views.TryGetValue((scope, reach), out var view)) return view;
        return views[(scope, reach)] = new TrustView(graph, roots.Select(graph.FindOrAdd), scope, reach);
    }

    private Dictionary<(TrustScopes Scope, int Reach), TrustView> ViewsFrom(List<AgentId> from)
    {
        var indexes = from.ConvertAll(graph.FindOrAdd);
        return views.Keys.ToDictionary(key => key, key => new TrustView(graph, indexes, key.Scope, key.Reach));
    }

    private List<TrustChange> Differences(Dictionary<(TrustScopes Scope, int Reach), TrustView> after)
    {
        var changes = new List<TrustChange>();
        foreach (var (key, view) in after)
        {
            for (var agent = 0; agent < graph.AgentCount; agent++)
            {
                var (was, isNow) = (views[key].LabelOf(agent), view.LabelOf(agent));
                if (was != isNow) changes.Add(Named(key, new LabelChange(agent, (byte)was, (byte)isNow)));
            }
        }
        return changes;
    }

    /// <summary>Brings every view up to date, and tells what became of whom.</summary>
    private List<TrustChange> Settle()
    {
        version++;
        if (!change.IsEmpty) Interlocked.Increment(ref alterations);
        var changes = new List<TrustChange>();
        var found = new List<LabelChange>();
        foreach (var (key, view) in views)
        {
            found.Clear();
            view.Update(change, found);
            AddNamed(key, found, changes);
        }
        change.Clear();
        if (graph.IsCompactionDue) Compact();
        return changes;
    }

    /// <summary>Like <see cref="Settle"/>, and then all is as it was.</summary>
    private List<TrustChange> Peek(Action restoreGraph)
    {
        version++;
        var changes = new List<TrustChange>();
        var found = views.ToDictionary(item => item.Key, _ => new List<LabelChange>());
        foreach (var (key, view) in views)
        {
            view.Update(change, found[key]);
            AddNamed(key, found[key], changes);
        }
        restoreGraph();
        foreach (var (key, view) in views) view.Undo(found[key]);
        change.Clear();
        return changes;
    }

    private void Compact()
    {
        var newIndexOf = graph.Compact();
        foreach (var view in views.Values) view.Renumber(newIndexOf);
    }

    /// <summary>For others, refused and not admitted is the same.</summary>
    private void AddNamed((TrustScopes Scope, int Reach) view, List<LabelChange> found, List<TrustChange> changes)
    {
        foreach (var item in found)
            if (DepthOf(item.Before) != DepthOf(item.After)) changes.Add(Named(view, item));
    }

    private TrustChange Named((TrustScopes Scope, int Reach) view, LabelChange item) =>
        new(graph.IdOf(item.Agent), view.Scope, view.Reach, DepthOf(item.Before), DepthOf(item.After));

    private static int? DepthOf(byte label) => label is 0 or TrustView.Refused ? null : label - 1;

    private TrustLink Named(GraphEdge edge) => new(
        graph.IdOf(edge.Issuer), graph.IdOf(edge.Subject), edge.Seq, EdgeWord.Scopes(edge.Word),
        EdgeWord.Depth(edge.Word), VouchBody.TimeOf(edge.End));
}
