using Virga.Core;

namespace Virga.Trust.Graph;

/// <summary>
/// Who vouches for whom, in compact arrays. The base holds agents sorted by their ids and edges sorted by issuer and
/// subject (compressed rows), with an index by subject; what came since lies in the delta until the next compaction.
/// An edge holds the scopes that its statement still speaks for: a later statement about the same subject takes away
/// the scopes that it names. Times are in hours since 1970, and only go forward. Not safe for several threads.
/// </summary>
internal sealed partial class TrustGraph
{
    public const int AgentsMax = 1 << EdgeWord.TargetBits;
    private const int InSourceBytes = 3;
    private const int DeltaMin = 1 << 16;

    // The base. For edge e of agent i: outStarts[i] <= e < outStarts[i + 1].
    private Hash256[] ids = [];
    private int[] outStarts = [0];
    private uint[] words = [];
    private ushort[] ends = [];
    private byte[] seqsLow = [];
    private Dictionary<int, byte[]> seqsHigh = [];
    private int[] inStarts = [0];
    private byte[] inSources = [0];
    private int baseHour;

    private List<Hash256> newIds = [];
    private Dictionary<Hash256, int> newIndexes = [];
    private ushort[] lastSeqs = [];
    private DeltaEdges delta = new();
    private AgentSet hasDelta = new();

    // Pair of issuer and subject -> statements of the subject from this number on don't count in chains by the issuer.
    private Dictionary<long, ushort> limits = [];
    private Dictionary<int, int> limitedSubjects = [];
    private HashSet<int> refused = [];

    public TrustGraph(DateTimeOffset now) => Hour = baseHour = VouchBody.HourOf(now);

    /// <summary>Up to when vouches have started and ended.</summary>
    public int Hour { get; private set; }

    public int AgentCount => ids.Length + newIds.Count;

    public int BaseCount => ids.Length;

    public int BaseEdges => words.Length;

    public bool HasLimits => limits.Count > 0;

    public bool IsCompactionDue => delta.Count >= Math.Max(DeltaMin, words.Length / 2);

    public IReadOnlyCollection<int> Refused => refused;

    public DeltaEdges Delta => delta;

    public ReadOnlySpan<int> OutStarts => outStarts;

    public ReadOnlySpan<uint> Words => words;

    public ReadOnlySpan<ushort> Ends => ends;

    /// <summary>The hour as the base's ends count: an edge of the base is valid while its end is greater.</summary>
    public ushort BaseNow => (ushort)Math.Clamp(Hour - baseHour, 0, ushort.MaxValue);

    public AgentId IdOf(int agent) => new(agent < ids.Length ? ids[agent] : newIds[agent - ids.Length]);

    /// <summary>-1 when the agent is not known here.</summary>
    public int Find(AgentId agent)
    {
        var at = FindInBase(agent.Hash);
        return at >= 0 ? at : newIndexes.GetValueOrDefault(agent.Hash, -1);
    }

    public int FindOrAdd(AgentId agent)
    {
        var at = Find(agent);
        if (at >= 0) return at;
        at = AgentCount;
        if (at >= AgentsMax)
        {
            throw new VirgaException(
                FailureKind.Full, $"the graph of vouches holds {AgentsMax} agents, and takes no more",
                "Follow fewer repositories, or ones that are closer to whom you trust.");
        }
        newIds.Add(agent.Hash);
        newIndexes.Add(agent.Hash, at);
        if (lastSeqs.Length <= at) Array.Resize(ref lastSeqs, Math.Max(64, at + (at / 8) + 1));
        return at;
    }

    /// <summary>Number of the newest statement of trust that was taken in; 0 for none.</summary>
    public int LastSeq(int agent) => lastSeqs[agent];

    public void SetLastSeq(int agent, int seq) => lastSeqs[agent] = checked((ushort)seq);

    public bool IsRefused(int agent) => refused.Contains(agent);

    public bool HasDelta(int agent) => hasDelta.Contains(agent);

    /// <summary>Whether vouches of this agent may count in some chains and not in others.</summary>
    public bool IsLimited(int agent) => limitedSubjects.ContainsKey(agent);

    public IReadOnlyCollection<int> LimitedSubjects => limitedSubjects.Keys;

    /// <summary>
    /// The number from which vouches of the subject don't count for this issuer; past every number if none.
    /// </summary>
    public int Limit(int issuer, int subject) =>
        limits.TryGetValue(DeltaEdges.Pair(issuer, subject), out var from) ? from : int.MaxValue;

    /// <summary>Takes in a vouch. What it changes for whom is noted in <paramref name="change"/>.</summary>
    public void Vouch(
        int issuer, int subject, TrustScopes scopes, int depth, int start, int end, int seq, GraphChange change)
    {
        if (issuer == subject) return;
        Revoke(issuer, subject, scopes, change);
        Lift(issuer, subject, change);
        if (end <= Hour) return;
        var word = EdgeWord.Make(subject, depth, scopes);
        if (start > Hour || !TryReuse(issuer, word, end, seq))
        {
            delta.Add(issuer, word, start, end, (ushort)seq);
            hasDelta.Add(issuer);
        }
        if (nextChange > 0) nextChange = Math.Min(nextChange, start > Hour ? start : end);
        if (start <= Hour) change.Subjects.Add(subject);
    }

    /// <summary>Takes scopes away from what the issuer vouched for the subject until now.</summary>
    public void Revoke(int issuer, int subject, TrustScopes scopes, GraphChange change)
    {
        var isChanged = false;
        for (var e = FirstOfPair(issuer, subject, out var last); e < last; e++)
            isChanged |= TakeAway(ref words[e], scopes);
        for (var e = delta.FirstOfPair(issuer, subject); e >= 0; e = delta.NextOfPair(e))
            isChanged |= TakeAway(ref delta.Word(e), scopes);
        if (isChanged) change.Subjects.Add(subject);
    }

    /// <summary>
    /// Vouches of the subject from a number on don't count in chains by the issuer, until it vouches anew.
    /// </summary>
    public void Disown(int issuer, int subject, int from, GraphChange change)
    {
        var pair = DeltaEdges.Pair(issuer, subject);
        if (limits.TryGetValue(pair, out var before))
        {
            if (before <= from) return;
        }
        else
        {
            limitedSubjects[subject] = limitedSubjects.GetValueOrDefault(subject) + 1;
        }
        limits[pair] = (ushort)from;
        change.Limits.Add((issuer, subject));
    }

    /// <summary>Takes back the issuer's own vouches from one number to before another.</summary>
    public void RevokeOwn(int issuer, int from, int before, GraphChange change)
    {
        if (issuer < ids.Length)
        {
            for (var e = outStarts[issuer]; e < outStarts[issuer + 1]; e++)
            {
                var seq = BaseSeq(issuer, e);
                if (seq >= from && seq < before && TakeAway(ref words[e], TrustScopes.All))
                    change.Subjects.Add(EdgeWord.Target(words[e]));
            }
        }
        for (var e = delta.FirstOut(issuer); e >= 0; e = delta.NextOut(e))
        {
            if (delta.Seq(e) >= from && delta.Seq(e) < before && TakeAway(ref delta.Word(e), TrustScopes.All))
                change.Subjects.Add(EdgeWord.Target(delta.Word(e)));
        }
    }

    /// <summary>Forgets all that an issuer said, so that another history of it can be taken in.</summary>
    public void Forget(int issuer, GraphChange change)
    {
        RevokeOwn(issuer, 0, int.MaxValue, change);
        foreach (var pair in limits.Keys.Where(pair => pair >> 32 == issuer).ToList())
            Lift(issuer, (int)(uint)pair, change);
        lastSeqs[issuer] = 0;
    }

    /// <summary>Neither the agent nor what it vouches for counts. False when that was so already.</summary>
    public bool Refuse(int agent, GraphChange change)
    {
        if (!refused.Add(agent)) return false;
        change.Refused.Add(agent);
        return true;
    }

    /// <summary>Takes back <see cref="Refuse"/>. False when there was nothing to take back.</summary>
    public bool Accept(int agent, GraphChange change)
    {
        if (!refused.Remove(agent)) return false;
        change.Accepted.Add(agent);
        return true;
    }

    /// <summary>What a pair's edges hold, in the base and in the delta, to be put back later.</summary>
    public List<uint> WordsOfPair(int issuer, int subject)
    {
        var held = new List<uint>();
        for (var e = FirstOfPair(issuer, subject, out var last); e < last; e++) held.Add(words[e]);
        for (var e = delta.FirstOfPair(issuer, subject); e >= 0; e = delta.NextOfPair(e)) held.Add(delta.Word(e));
        return held;
    }

    /// <summary>Puts back what <see cref="WordsOfPair"/> gave.</summary>
    public void RestoreWordsOfPair(int issuer, int subject, List<uint> held)
    {
        var at = 0;
        for (var e = FirstOfPair(issuer, subject, out var last); e < last; e++) words[e] = held[at++];
        for (var e = delta.FirstOfPair(issuer, subject); e >= 0; e = delta.NextOfPair(e)) delta.Word(e) = held[at++];
    }

    /// <summary>Puts back what <see cref="Limit"/> gave.</summary>
    public void RestoreLimit(int issuer, int subject, int from)
    {
        if (from == int.MaxValue) Lift(issuer, subject, new GraphChange());
        else limits[DeltaEdges.Pair(issuer, subject)] = (ushort)from;
    }

    /// <summary>The edges of a pair in the base.</summary>
    public int FirstOfPair(int issuer, int subject, out int end)
    {
        end = 0;
        if (issuer >= ids.Length) return 0;
        var (low, high) = (outStarts[issuer], outStarts[issuer + 1]);
        var last = high;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (EdgeWord.Target(words[middle]) < subject) low = middle + 1;
            else high = middle;
        }
        end = low;
        while (end < last && EdgeWord.Target(words[end]) == subject) end++;
        return low;
    }

    public int BaseSeq(int issuer, int edge) => seqsLow[edge]
        | (seqsHigh.TryGetValue(issuer, out var high) ? high[edge - outStarts[issuer]] << 8 : 0);

    public int BaseEnd(int edge) => baseHour + ends[edge];

    public int InStart(int agent) => inStarts[agent];

    public int InEnd(int agent) => inStarts[agent + 1];

    /// <summary>The issuer at a place of the index by subject.</summary>
    public int InSource(int at)
    {
        var i = at * InSourceBytes;
        return inSources[i] | inSources[i + 1] << 8 | inSources[i + 2] << 16;
    }

    private static bool TakeAway(ref uint word, TrustScopes scopes)
    {
        var before = word;
        word &= ~EdgeWord.Bit(scopes);
        return word != before;
    }

    private void Lift(int issuer, int subject, GraphChange change)
    {
        if (!limits.Remove(DeltaEdges.Pair(issuer, subject))) return;
        if (--limitedSubjects[subject] == 0) limitedSubjects.Remove(subject);
        change.Limits.Add((issuer, subject));
    }

    /// <summary>A vouch that is said again takes the place of the one it replaced.</summary>
    private bool TryReuse(int issuer, uint word, int end, int seq)
    {
        if (end - baseHour > ushort.MaxValue) return false;
        for (var e = FirstOfPair(issuer, EdgeWord.Target(word), out var last); e < last; e++)
        {
            if (EdgeWord.Scopes(words[e]) != 0) continue;
            if (seq > byte.MaxValue && !seqsHigh.ContainsKey(issuer))
                seqsHigh[issuer] = new byte[outStarts[issuer + 1] - outStarts[issuer]];
            (words[e], ends[e], seqsLow[e]) = (word, (ushort)(end - baseHour), (byte)seq);
            if (seqsHigh.TryGetValue(issuer, out var high)) high[e - outStarts[issuer]] = (byte)(seq >> 8);
            return true;
        }
        return false;
    }

    private int FindInBase(Hash256 id)
    {
        // Ids are digests, so their place can be guessed; the bounded number of guesses keeps chosen ids from hurting.
        var (low, high) = (0, ids.Length - 1);
        for (var guesses = 0; low <= high; guesses++)
        {
            var (first, last) = (ids[low].LeadingBits, ids[high].LeadingBits);
            if (id.LeadingBits < first || id.LeadingBits > last) return -1;
            var middle = (low + high) >>> 1;
            if (guesses < 8 && last > first)
                middle = low + (int)((double)(id.LeadingBits - first) / (last - first) * (high - low));
            var order = ids[middle].CompareTo(id);
            if (order == 0) return middle;
            if (order < 0) low = middle + 1;
            else high = middle - 1;
        }
        return -1;
    }
}

/// <summary>What a change of the graph touches, for the views to act on.</summary>
internal sealed class GraphChange
{
    /// <summary>Agents for whom somebody vouches differently now.</summary>
    public List<int> Subjects { get; } = [];

    /// <summary>Issuer and subject of disowns that came or went.</summary>
    public List<(int Issuer, int Subject)> Limits { get; } = [];

    public List<int> Refused { get; } = [];

    public List<int> Accepted { get; } = [];

    public bool IsEmpty => Subjects.Count + Limits.Count + Refused.Count + Accepted.Count == 0;

    public void Clear()
    {
        Subjects.Clear();
        Limits.Clear();
        Refused.Clear();
        Accepted.Clear();
    }
}
