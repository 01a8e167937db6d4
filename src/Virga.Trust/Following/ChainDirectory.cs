using System.Collections.Concurrent;
using Virga.Core;

namespace Virga.Trust.Following;

/// <summary>What came of asking for a chain.</summary>
/// <param name="Chain">The newest that is known.</param>
/// <param name="IsReplaced">A rotation has settled that another history stands than the one before.</param>
public sealed record ChainNews(Sigchain Chain, bool IsReplaced);

/// <summary>
/// Other agents' sigchains: asked for at several places, of each only what is new there, checked, merged, and kept in
/// memory. Two histories of one agent are noticed wherever they turn up. Safe for several callers at once.
/// </summary>
public sealed class ChainDirectory(TimeProvider time)
{
    private const int KnownMax = 10_000;
    private static readonly TimeSpan FreshFor = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<AgentId, Known> agents = [];

    private sealed class Known
    {
        public readonly Lock Gate = new();

        /// <summary>How many statements each place had when it was asked last.</summary>
        public readonly ConcurrentDictionary<string, int> CountAt = new(StringComparer.Ordinal);

        public volatile Sigchain? Chain;
        public volatile FraudProof? Proof;
        public DateTimeOffset At;
    }

    /// <summary>Told of each proof of fraud that is found, with the chain that it is checked against.</summary>
    public Action<FraudProof, Sigchain>? FraudFound { get; set; }

    /// <summary>Told when a rotation has settled which history of an agent stands, so that a proof is void.</summary>
    public Action<Sigchain>? FraudSettled { get; set; }

    /// <summary>Those against whom there is a proof that no rotation has settled yet, in a stable order.</summary>
    public IReadOnlyList<AgentId> Contested =>
        [.. agents.Where(pair => pair.Value.Proof is not null).Select(pair => pair.Key).OrderBy(id => id.Hash)];

    /// <summary>What is known of a chain without asking anybody.</summary>
    public Sigchain? Find(AgentId agent) => agents.GetValueOrDefault(agent)?.Chain;

    /// <summary>All chains that are known.</summary>
    public IReadOnlyList<Sigchain> All =>
        [.. agents.Values.Select(known => known.Chain).Where(chain => chain is not null).Select(chain => chain!)];

    /// <summary>Whether an agent is known to have told two histories, of which none is settled to stand.</summary>
    public bool IsFraud(AgentId agent) => agents.GetValueOrDefault(agent)?.Proof is not null;

    /// <summary>The newest chain that any of the places has; NotFound, with what each said, when none has it.</summary>
    public async Task<Sigchain> GetAsync(
        AgentId agent, IReadOnlyList<ITrustPlace> places, CancellationToken cancellationToken) =>
        agents.TryGetValue(agent, out var known) && known.Chain is { } chain && time.GetUtcNow() - known.At < FreshFor
            ? chain
            : (await GetNewestAsync(agent, places, cancellationToken)).Chain;

    /// <summary>As <see cref="GetAsync"/>, asked for now whatever is known.</summary>
    public async Task<ChainNews> GetNewestAsync(
        AgentId agent, IReadOnlyList<ITrustPlace> places, CancellationToken cancellationToken)
    {
        if (agents.Count >= KnownMax) agents.Clear();
        var known = agents.GetOrAdd(agent, static _ => new Known());
        var problems = new List<string>();
        var isReplaced = false;
        foreach (var place in places)
        {
            try
            {
                isReplaced |= await AskAsync(agent, known, place, cancellationToken);
            }
            catch (VirgaException e)
            {
                problems.Add($"{place.Name}: {e.Message}");
            }
        }
        if (problems.Count < places.Count) known.At = time.GetUtcNow();
        if (known.Chain is { } chain) return new ChainNews(chain, isReplaced);
        var said = problems.Count == 0 ? "there is nobody to ask" : string.Join("; ", problems);
        throw new VirgaException(
            FailureKind.NotFound, $"nobody knows agent {agent}: {said}",
            "Ask its owner for the whole address, virga1...@https://..., as 'virga id' prints it there; "
                + "or use a repository that the other one uses, too.");
    }

    /// <summary>Asks one place now, and takes in what it has.</summary>
    /// <exception cref="VirgaException">It does not answer, does not know that agent, or what it says is not good.
    /// </exception>
    public async Task<ChainNews> AskAsync(AgentId agent, ITrustPlace place, CancellationToken cancellationToken)
    {
        if (agents.Count >= KnownMax) agents.Clear();
        var known = agents.GetOrAdd(agent, static _ => new Known());
        var isReplaced = await AskAsync(agent, known, place, cancellationToken);
        known.At = time.GetUtcNow();
        return known.Chain is { } chain ? new ChainNews(chain, isReplaced) : throw new VirgaException(
            FailureKind.NotFound, $"{place.Name} does not know agent {agent}");
    }

    /// <summary>
    /// Asks one place for many agents at once: those of whom it has nothing that is not known here. The others, and
    /// all where it does not say, are asked for one by one.
    /// </summary>
    public async Task<IReadOnlySet<AgentId>> UnchangedAsync(
        IReadOnlyList<AgentId> agents, ITrustPlace place, CancellationToken cancellationToken)
    {
        var unchanged = new HashSet<AgentId>();
        try
        {
            var tips = await place.ReadTipsAsync(agents, cancellationToken);
            for (var i = 0; i < tips.Count; i++)
            {
                if (tips[i] is not var (next, last) || this.agents.GetValueOrDefault(agents[i]) is not { } known
                    || known.Chain is not { } chain || next > chain.Statements.Count
                    || chain.Statements[(int)next - 1].Hash != last) continue;
                known.CountAt[place.Name] = (int)next;
                known.At = time.GetUtcNow();
                unchanged.Add(agents[i]);
            }
        }
        catch (VirgaException)
        {
            // It knows no such question, or nothing: who asks for one says what is wrong.
        }
        return unchanged;
    }

    /// <summary>Takes in a chain, or a run of its statements, that came from elsewhere and was not checked.</summary>
    /// <returns>Whether another history stands now than before.</returns>
    /// <exception cref="VirgaException">As <see cref="Sigchain.Merge"/>; what came before is kept.</exception>
    public bool TakeIn(AgentId agent, IReadOnlyList<(byte[] Body, byte[] Signature)> statements) =>
        TakeIn(agent, agents.GetOrAdd(agent, static _ => new Known()), statements);

    private async Task<bool> AskAsync(
        AgentId agent, Known known, ITrustPlace place, CancellationToken cancellationToken)
    {
        var count = known.Chain?.Statements.Count ?? 0;
        var there = known.CountAt.GetValueOrDefault(place.Name, count);
        // One statement that both have: each holds the hash of the one before, so two histories differ in it.
        var from = Math.Max(0, Math.Min(count, there) - 1);
        var statements = await ReadAsync(agent, place, from, cancellationToken);
        var isBehind = statements.Count == 0;
        var isOther = !isBehind && from > 0 && !IsSame(known.Chain, from, statements[0].Body);
        if (from > 0 && (isBehind || isOther))
        {
            from = 0;
            statements = await ReadAsync(agent, place, from, cancellationToken);
        }
        known.CountAt[place.Name] = from + statements.Count;
        // Mostly there is nothing new.
        if (from > 0 && statements.Count == 1 && IsSame(known.Chain, from, statements[0].Body)) return false;
        return TakeIn(agent, known, statements);
    }

    private static async Task<List<(byte[] Body, byte[] Signature)>> ReadAsync(
        AgentId agent, ITrustPlace place, int from, CancellationToken cancellationToken)
    {
        var all = new List<(byte[] Body, byte[] Signature)>();
        while (all.Count + from < Sigchain.MaxStatements)
        {
            var page = await place.ReadChainAsync(agent, from + all.Count, cancellationToken);
            all.AddRange(page.Statements);
            if (page.IsLast || page.Statements.Count == 0) break;
        }
        return all;
    }

    private static bool IsSame(Sigchain? chain, int at, byte[] body) =>
        chain is not null && at < chain.Statements.Count && chain.Statements[at].Bytes.AsSpan().SequenceEqual(body);

    private bool TakeIn(AgentId agent, Known known, IReadOnlyList<(byte[] Body, byte[] Signature)> statements)
    {
        if (statements.Count == 0) return false;
        FraudProof? found = null;
        VirgaException? refusal = null;
        var isReplaced = false;
        var isSettled = false;
        Sigchain chain;
        lock (known.Gate)
        {
            var before = known.Chain;
            (chain, found, refusal) = Merge(agent, before, statements);
            // A history that goes on where the known one ended keeps its last statement.
            isReplaced = before is not null
                && chain.Statements[Math.Min(before.Statements.Count, chain.Statements.Count) - 1].Hash
                    != before.Statements[Math.Min(before.Statements.Count, chain.Statements.Count) - 1].Hash;
            known.Chain = chain;
            if (known.Proof is { } held && held.IsSettledBy(chain))
            {
                known.Proof = null;
                isSettled = true;
            }
            if (found is not null && known.Proof is null) known.Proof = found;
            else found = null;
        }
        if (isSettled) FraudSettled?.Invoke(chain);
        if (found is not null) FraudFound?.Invoke(found, chain);
        return refusal is null ? isReplaced : throw refusal;
    }

    private (Sigchain Chain, FraudProof? Found, VirgaException? Refusal) Merge(
        AgentId agent, Sigchain? before, IReadOnlyList<(byte[] Body, byte[] Signature)> statements)
    {
        var now = time.GetUtcNow();
        if (before is null)
        {
            var first = Sigchain.CheckPrefix(statements, now, out var fault);
            if (first is null) throw fault!;
            return first.Id == agent ? (first, null, fault) : throw new VirgaException(
                FailureKind.Corrupt, "that is the chain of another agent", "Don't trust where it came from.");
        }
        try
        {
            var merge = before.Merge(statements, now);
            return (merge.Chain, merge.Proof, null);
        }
        catch (VirgaException fault)
        {
            // What is good before the fault counts, and a contradiction in it, too.
            return MergeOneByOne(before, statements, now, fault);
        }
    }

    private static (Sigchain Chain, FraudProof? Found, VirgaException? Refusal) MergeOneByOne(
        Sigchain chain, IReadOnlyList<(byte[] Body, byte[] Signature)> statements, DateTimeOffset now,
        VirgaException fault)
    {
        foreach (var (body, signature) in statements)
        {
            try
            {
                if (chain.TryProveFraud(body, signature, out var proof)) return (chain, proof, fault);
                chain = chain.Merge([(body, signature)], now).Chain;
            }
            catch (VirgaException)
            {
                break;
            }
        }
        return (chain, null, fault);
    }
}
