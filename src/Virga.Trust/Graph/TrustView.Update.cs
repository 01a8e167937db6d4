namespace Virga.Trust.Graph;

/// <summary>One agent whose standing in a view changed. Labels: depth left plus one, 0 for none.</summary>
internal readonly record struct LabelChange(int Agent, byte Before, byte After);

/// <summary>
/// Following changes of the graph without evaluating anew. Drops first, from the highest label down: what lost its
/// support falls to the best that is left, and is looked at again when its new turn comes. Then raises, the same way.
/// </summary>
internal sealed partial class TrustView
{
    /// <summary>Beyond one touched agent in so many, evaluating anew is quicker.</summary>
    private const int WholeShare = 16;

    private readonly List<LabelChange> journal = [];
    private bool isWholeNeeded;

    /// <summary>
    /// Brings the labels up to date and adds to <paramref name="changes"/> each agent whose label is another than
    /// before.
    /// </summary>
    public void Update(GraphChange change, List<LabelChange> changes)
    {
        Fit();
        journal.Clear();
        isWholeNeeded = change.Limits.Exists(IsFeltHere)
            || change.Subjects.Count > Math.Max(1_024, graph.AgentCount / WholeShare);
        if (!isWholeNeeded) Drop(change);
        if (!isWholeNeeded) Lift(change);
        if (isWholeNeeded) UpdateWhole(changes);
        else Net(changes);
    }

    /// <summary>Undoes the last update, whose changes are given, after the graph itself is as it was before.</summary>
    public void Undo(List<LabelChange> changes)
    {
        if (isWholeNeeded) Evaluate();
        else foreach (var (agent, before, _) in changes) labels[agent] = before;
    }

    private bool IsFeltHere((int Issuer, int Subject) limit) => LabelOf(limit.Issuer) > 1 || IsRoot(limit.Issuer);

    private void UpdateWhole(List<LabelChange> changes)
    {
        Restore();
        foreach (var bucket in buckets) bucket.Clear();
        queued = new AgentSet();
        var before = labels.AsSpan(0, graph.AgentCount).ToArray();
        Evaluate();
        for (var at = 0; at < before.Length; at++)
        {
            at += before.AsSpan(at).CommonPrefixLength(labels.AsSpan(at, before.Length - at));
            if (at < before.Length) changes.Add(new LabelChange(at, before[at], labels[at]));
        }
    }

    private void Restore()
    {
        for (var i = journal.Count - 1; i >= 0; i--) labels[journal[i].Agent] = journal[i].Before;
        journal.Clear();
    }

    private void Set(int agent, int label)
    {
        journal.Add(new LabelChange(agent, labels[agent], (byte)label));
        labels[agent] = (byte)label;
    }

    /// <summary>The journal with each agent once: what it was at first, and what it is at last.</summary>
    private void Net(List<LabelChange> changes)
    {
        foreach (var (agent, before, _) in journal)
        {
            if (queued.Add(agent) && before != labels[agent])
                changes.Add(new LabelChange(agent, before, labels[agent]));
        }
        foreach (var entry in journal) queued.Remove(entry.Agent);
        journal.Clear();
    }

    private void Drop(GraphChange change)
    {
        foreach (var agent in change.Refused)
        {
            var before = LabelOf(agent);
            if (labels[agent] == Refused) continue;
            Set(agent, Refused);
            QueueSupported(agent, before, 0);
        }
        foreach (var agent in change.Subjects) QueueDrop(agent);
        for (var label = RootLabel - 1; label > 0 && !isWholeNeeded; label--)
        {
            var bucket = buckets[label];
            for (var i = 0; i < bucket.Count && !isWholeNeeded; i++)
            {
                var agent = bucket[i];
                queued.Remove(agent);
                if (labels[agent] != label) continue;
                var best = Best(agent, label);
                if (best >= label) continue;
                Set(agent, best);
                // Should whoever gives the best that is left fall too, then that queues this agent again.
                QueueSupported(agent, label, best);
            }
            bucket.Clear();
        }
    }

    private void QueueDrop(int agent)
    {
        var label = labels[agent];
        if (label > 0 && label < RootLabel && queued.Add(agent)) buckets[label].Add(agent);
    }

    /// <summary>Those that may have their label from an agent that had one and now has a lower one.</summary>
    private void QueueSupported(int agent, int before, int after)
    {
        if (before < 2) return;
        if (IsLimited(agent)) isWholeNeeded = true;
        if (agent < graph.BaseCount)
        {
            var words = graph.Words;
            var last = graph.OutStarts[agent + 1];
            for (var e = graph.OutStarts[agent]; e < last; e++)
                if ((words[e] & scopeBit) != 0) QueueSupported(words[e], before, after);
        }
        if (!graph.HasDelta(agent)) return;
        for (var e = graph.Delta.FirstOut(agent); e >= 0; e = graph.Delta.NextOut(e))
            if ((graph.Delta.Word(e) & scopeBit) != 0) QueueSupported(graph.Delta.Word(e), before, after);
    }

    private void QueueSupported(uint word, int before, int after)
    {
        var subject = EdgeWord.Target(word);
        var (label, depth) = (labels[subject], EdgeWord.Depth(word) + 1);
        if (IsLimited(subject)) isWholeNeeded = true;
        if (label <= Math.Min(before - 1, depth) && label > Math.Min(after - 1, depth)) QueueDrop(subject);
    }

    private void Lift(GraphChange change)
    {
        foreach (var agent in change.Accepted)
        {
            if (labels[agent] != Refused) continue;
            Set(agent, 0);
            if (IsLimited(agent)) isWholeNeeded = true;
            QueueRaise(agent, IsRoot(agent) ? RootLabel : Best(agent, RootLabel));
        }
        foreach (var agent in change.Subjects)
        {
            if (labels[agent] >= RootLabel) continue;
            if (IsLimited(agent)) isWholeNeeded = true;
            QueueRaise(agent, Best(agent, RootLabel));
        }
        for (var label = RootLabel; label > 0 && !isWholeNeeded; label--)
        {
            var bucket = buckets[label];
            for (var i = 0; i < bucket.Count && !isWholeNeeded; i++)
                if (labels[bucket[i]] == label && label > 1) RaiseSupported(bucket[i], label - 1);
            bucket.Clear();
        }
    }

    private void QueueRaise(int agent, int label)
    {
        if (label <= labels[agent]) return;
        Set(agent, label);
        buckets[label].Add(agent);
    }

    private void RaiseSupported(int agent, int cap)
    {
        if (IsLimited(agent)) isWholeNeeded = true;
        if (agent < graph.BaseCount)
        {
            for (var e = graph.OutStarts[agent]; e < graph.OutStarts[agent + 1]; e++)
                if (IsLiveInBase(e)) RaiseSupported(graph.Words[e], cap);
        }
        if (!graph.HasDelta(agent)) return;
        for (var e = graph.Delta.FirstOut(agent); e >= 0; e = graph.Delta.NextOut(e))
            if (IsLiveInDelta(e)) RaiseSupported(graph.Delta.Word(e), cap);
    }

    private void RaiseSupported(uint word, int cap)
    {
        var subject = EdgeWord.Target(word);
        if (IsLimited(subject)) isWholeNeeded = true;
        QueueRaise(subject, Math.Min(cap, EdgeWord.Depth(word) + 1));
    }

    /// <summary>
    /// The highest label that anybody gives an agent; not looked for beyond <paramref name="enough"/>.
    /// </summary>
    private int Best(int agent, int enough)
    {
        var best = 0;
        if (agent < graph.BaseCount)
        {
            var last = graph.InEnd(agent);
            for (var at = graph.InStart(agent); at < last && best < enough; at++)
            {
                var source = graph.InSource(at);
                if (LabelOf(source) - 1 <= best) continue;
                for (var e = graph.FirstOfPair(source, agent, out var end); e < end; e++)
                    if (IsLiveInBase(e)) best = Math.Max(best, Given(source, graph.Words[e], graph.BaseSeq(source, e)));
            }
        }
        for (var e = graph.Delta.FirstIn(agent); e >= 0 && best < enough; e = graph.Delta.NextIn(e))
        {
            if (!IsLiveInDelta(e)) continue;
            best = Math.Max(best, Given(graph.Delta.Source(e), graph.Delta.Word(e), graph.Delta.Seq(e)));
        }
        return best;
    }
}
