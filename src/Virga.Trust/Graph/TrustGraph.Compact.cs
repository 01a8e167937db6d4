using Virga.Core;

namespace Virga.Trust.Graph;

/// <summary>Laying down a new base from the old one and the delta.</summary>
internal sealed partial class TrustGraph
{
    /// <summary>
    /// Leaves behind what ended or was taken back, and sorts new agents in. For a moment it needs room for both bases.
    /// Returns the new index of each agent.
    /// </summary>
    public int[] Compact()
    {
        var (newIndexOf, oldIndexOf) = SortAgents();
        var live = 0;
        for (var e = 0; e < words.Length; e++) live += IsLiveInBase(e) ? 1 : 0;
        for (var e = 0; e < delta.Count; e++) live += delta.IsLive(e, Hour) ? 1 : 0;
        var into = new Base(oldIndexOf.Length, live);
        var row = new List<(uint Word, int End, int Seq)>();
        for (var agent = 0; agent < oldIndexOf.Length; agent++)
        {
            row.Clear();
            CollectRow(oldIndexOf[agent], newIndexOf, row);
            into.Add(agent, row, Hour);
        }
        ReplaceDelta(newIndexOf);
        Adopt(into, newIndexOf, oldIndexOf);
        return newIndexOf;
    }

    private bool IsLiveInBase(int edge) => words[edge] >> EdgeWord.ScopeShift != 0 && ends[edge] > BaseNow;

    private (int[] NewIndexOf, int[] OldIndexOf) SortAgents()
    {
        var added = new int[newIds.Count];
        for (var i = 0; i < added.Length; i++) added[i] = i;
        Array.Sort(added, (a, b) => newIds[a].CompareTo(newIds[b]));
        var (newIndexOf, oldIndexOf) = (new int[AgentCount], new int[AgentCount]);
        for (int at = 0, old = 0, extra = 0; at < oldIndexOf.Length; at++)
        {
            var isOld = extra == added.Length
                || (old < ids.Length && ids[old].CompareTo(newIds[added[extra]]) < 0);
            oldIndexOf[at] = isOld ? old++ : ids.Length + added[extra++];
            newIndexOf[oldIndexOf[at]] = at;
        }
        return (newIndexOf, oldIndexOf);
    }

    private void CollectRow(int agent, int[] newIndexOf, List<(uint Word, int End, int Seq)> row)
    {
        for (var e = agent < ids.Length ? outStarts[agent] : 0; agent < ids.Length && e < outStarts[agent + 1]; e++)
            if (IsLiveInBase(e)) row.Add((Renumbered(words[e], newIndexOf), BaseEnd(e), BaseSeq(agent, e)));
        if (!hasDelta.Contains(agent)) return;
        for (var e = delta.FirstOut(agent); e >= 0; e = delta.NextOut(e))
        {
            if (delta.IsLive(e, Hour))
                row.Add((Renumbered(delta.Word(e), newIndexOf), delta.End(e), delta.Seq(e)));
        }
        row.Sort((a, b) => (EdgeWord.Target(a.Word), a.Seq).CompareTo((EdgeWord.Target(b.Word), b.Seq)));
    }

    private static uint Renumbered(uint word, int[] newIndexOf) =>
        (word & ~EdgeWord.TargetMask) | (uint)newIndexOf[EdgeWord.Target(word)];

    /// <summary>Only what has not started stays in the delta.</summary>
    private void ReplaceDelta(int[] newIndexOf)
    {
        var (kept, issuers) = (new DeltaEdges(), new AgentSet());
        for (var e = 0; e < delta.Count; e++)
        {
            if (EdgeWord.Scopes(delta.Word(e)) == 0 || delta.Start(e) <= Hour) continue;
            var issuer = newIndexOf[delta.Source(e)];
            kept.Add(issuer, Renumbered(delta.Word(e), newIndexOf), delta.Start(e), delta.End(e), delta.Seq(e));
            issuers.Add(issuer);
        }
        (delta, hasDelta) = (kept, issuers);
    }

    private void Adopt(Base made, int[] newIndexOf, int[] oldIndexOf)
    {
        var sortedIds = GC.AllocateUninitializedArray<Hash256>(oldIndexOf.Length);
        var sortedSeqs = new ushort[oldIndexOf.Length];
        for (var i = 0; i < oldIndexOf.Length; i++)
        {
            sortedIds[i] = IdOf(oldIndexOf[i]).Hash;
            sortedSeqs[i] = lastSeqs[oldIndexOf[i]];
        }
        (ids, lastSeqs, baseHour) = (sortedIds, sortedSeqs, Hour);
        (newIds, newIndexes) = ([], []);
        (outStarts, words, ends, seqsLow, seqsHigh) =
            (made.OutStarts, made.Words, made.Ends, made.SeqsLow, made.SeqsHigh);
        (inStarts, inSources) = IndexBySubject();
        refused = [.. refused.Select(agent => newIndexOf[agent])];
        limits = limits.ToDictionary(
            limit => DeltaEdges.Pair(newIndexOf[limit.Key >> 32], newIndexOf[(uint)limit.Key]), limit => limit.Value);
        limitedSubjects = limitedSubjects.ToDictionary(limit => newIndexOf[limit.Key], limit => limit.Value);
        nextChange = -1;
    }

    /// <summary>Issuers by subject, ascending, each pair once.</summary>
    private (int[] Starts, byte[] Sources) IndexBySubject()
    {
        var starts = new int[ids.Length + 1];
        for (var agent = 0; agent < ids.Length; agent++)
            for (var e = outStarts[agent]; e < outStarts[agent + 1]; e++)
                if (IsFirstOfPair(agent, e)) starts[EdgeWord.Target(words[e]) + 1]++;
        for (var i = 0; i < ids.Length; i++) starts[i + 1] += starts[i];
        var sources = GC.AllocateUninitializedArray<byte>((starts[^1] * InSourceBytes) + 1);
        var at = starts.AsSpan(0, ids.Length).ToArray();
        for (var agent = 0; agent < ids.Length; agent++)
        {
            for (var e = outStarts[agent]; e < outStarts[agent + 1]; e++)
            {
                if (!IsFirstOfPair(agent, e)) continue;
                var i = at[EdgeWord.Target(words[e])]++ * InSourceBytes;
                (sources[i], sources[i + 1], sources[i + 2]) = ((byte)agent, (byte)(agent >> 8), (byte)(agent >> 16));
            }
        }
        return (starts, sources);
    }

    private bool IsFirstOfPair(int issuer, int edge) =>
        edge == outStarts[issuer] || ((words[edge] ^ words[edge - 1]) & EdgeWord.TargetMask) != 0;

    /// <summary>Rows in the making.</summary>
    private sealed class Base(int agents, int edges)
    {
        private int count;

        public int[] OutStarts { get; } = new int[agents + 1];

        public uint[] Words { get; } = GC.AllocateUninitializedArray<uint>(edges);

        public ushort[] Ends { get; } = GC.AllocateUninitializedArray<ushort>(edges);

        public byte[] SeqsLow { get; } = GC.AllocateUninitializedArray<byte>(edges);

        public Dictionary<int, byte[]> SeqsHigh { get; } = [];

        public void Add(int agent, List<(uint Word, int End, int Seq)> row, int hour)
        {
            for (var i = 0; i < row.Count; i++)
            {
                var (word, end, seq) = row[i];
                (Words[count], Ends[count], SeqsLow[count]) = (word, checked((ushort)(end - hour)), (byte)seq);
                count++;
                if (seq <= byte.MaxValue) continue;
                if (!SeqsHigh.TryGetValue(agent, out var high)) SeqsHigh[agent] = high = new byte[row.Count];
                high[i] = (byte)(seq >> 8);
            }
            OutStarts[agent + 1] = count;
        }
    }
}
