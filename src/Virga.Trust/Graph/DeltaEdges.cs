namespace Virga.Trust.Graph;

/// <summary>
/// Vouches that came since the base was laid down, and those that have not started yet: arrays with linked lists of
/// indices by issuer, by subject and by pair. Slots are never freed; the next compaction leaves the dead ones behind.
/// </summary>
internal sealed class DeltaEdges
{
    private readonly Dictionary<int, int> outHeads = [];
    private readonly Dictionary<int, int> inHeads = [];
    private readonly Dictionary<long, int> pairHeads = [];
    private int[] sources = [];
    private uint[] words = [];
    private int[] starts = [];
    private int[] ends = [];
    private ushort[] seqs = [];
    private int[] nextOut = [];
    private int[] nextIn = [];
    private int[] nextPair = [];

    public int Count { get; private set; }

    public IEnumerable<int> Issuers => outHeads.Keys;

    public static long Pair(int issuer, int subject) => (long)issuer << 32 | (uint)subject;

    public int FirstOut(int issuer) => outHeads.GetValueOrDefault(issuer, -1);

    public int FirstIn(int subject) => inHeads.GetValueOrDefault(subject, -1);

    public int FirstOfPair(int issuer, int subject) => pairHeads.GetValueOrDefault(Pair(issuer, subject), -1);

    public int NextOut(int edge) => nextOut[edge];

    public int NextIn(int edge) => nextIn[edge];

    public int NextOfPair(int edge) => nextPair[edge];

    public int Source(int edge) => sources[edge];

    public ref uint Word(int edge) => ref words[edge];

    /// <summary>The hour from which the vouch counts.</summary>
    public int Start(int edge) => starts[edge];

    /// <summary>The hour from which it no longer counts.</summary>
    public int End(int edge) => ends[edge];

    public ushort Seq(int edge) => seqs[edge];

    public bool IsLive(int edge, int hour) =>
        starts[edge] <= hour && hour < ends[edge] && EdgeWord.Scopes(words[edge]) != 0;

    public void Add(int issuer, uint word, int start, int end, ushort seq)
    {
        var subject = EdgeWord.Target(word);
        for (var free = FirstOfPair(issuer, subject); free >= 0; free = nextPair[free])
        {
            if (EdgeWord.Scopes(words[free]) != 0) continue;
            (words[free], starts[free], ends[free], seqs[free]) = (word, start, end, seq);
            return;
        }
        if (Count == sources.Length) Grow();
        var edge = Count++;
        (sources[edge], words[edge], starts[edge], ends[edge], seqs[edge]) = (issuer, word, start, end, seq);
        nextOut[edge] = FirstOut(issuer);
        outHeads[issuer] = edge;
        nextIn[edge] = FirstIn(subject);
        inHeads[subject] = edge;
        nextPair[edge] = FirstOfPair(issuer, subject);
        pairHeads[Pair(issuer, subject)] = edge;
    }

    private void Grow()
    {
        var size = Math.Max(64, Count * 2);
        Array.Resize(ref sources, size);
        Array.Resize(ref words, size);
        Array.Resize(ref starts, size);
        Array.Resize(ref ends, size);
        Array.Resize(ref seqs, size);
        Array.Resize(ref nextOut, size);
        Array.Resize(ref nextIn, size);
        Array.Resize(ref nextPair, size);
    }
}

/// <summary>
/// One vouch in 32 bits: the subject's index in the low 24, the depth in 3, the scopes in 5. No scope: it is dead.
/// </summary>
internal static class EdgeWord
{
    public const int TargetBits = 24;
    public const uint TargetMask = (1u << TargetBits) - 1;
    public const int ScopeShift = 27;
    public const uint ScopeMask = 31u << ScopeShift;

    public static uint Make(int target, int depth, TrustScopes scopes) =>
        (uint)target | (uint)depth << TargetBits | (uint)scopes << ScopeShift;

    public static int Target(uint word) => (int)(word & TargetMask);

    public static int Depth(uint word) => (int)(word >> TargetBits & 7);

    public static TrustScopes Scopes(uint word) => (TrustScopes)(word >> ScopeShift);

    public static uint Bit(TrustScopes scope) => (uint)scope << ScopeShift;
}

/// <summary>A set of agents as bits; grows by itself.</summary>
internal sealed class AgentSet
{
    private ulong[] bits = [];

    public bool Contains(int agent)
    {
        var at = agent >> 6;
        return at < bits.Length && (bits[at] >> (agent & 63) & 1) != 0;
    }

    /// <summary>Whether it was not in before.</summary>
    public bool Add(int agent)
    {
        var at = agent >> 6;
        if (at >= bits.Length) Array.Resize(ref bits, Math.Max(at + 1, bits.Length * 2));
        var isNew = (bits[at] >> (agent & 63) & 1) == 0;
        bits[at] |= 1UL << (agent & 63);
        return isNew;
    }

    public void Remove(int agent)
    {
        var at = agent >> 6;
        if (at < bits.Length) bits[at] &= ~(1UL << (agent & 63));
    }
}
