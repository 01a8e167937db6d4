using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;

namespace Virga.Hosting;

/// <summary>
/// Bounds of what is kept of others' chains. When they are reached, chains that were unused for longest make room, if
/// they were unused for <see cref="UnusedMin"/>; after that, new ones are refused.
/// </summary>
/// <param name="AgentsMax">Chains kept.</param>
/// <param name="BytesMax">Bytes of all statements kept.</param>
/// <param name="StatementsMax">Most statements of one agent.</param>
/// <param name="AgentBytesMax">Most bytes of one agent's statements.</param>
/// <param name="CachedStatementsMax">Statements held in memory, of the chains used last.</param>
public sealed record ChainLimits(
    int AgentsMax, long BytesMax, int StatementsMax = 4_096, int AgentBytesMax = 1 << 20,
    int CachedStatementsMax = 20_000)
{
    /// <summary>For an agent: a chain that is needed again is posted or fetched again.</summary>
    public static readonly ChainLimits ForAgent =
        new(AgentsMax: 10_000, BytesMax: 64 << 20) { UnusedMin = TimeSpan.FromHours(1) };

    /// <summary>For a repository, which others rely on: only what nobody has used for a year makes room.</summary>
    public static readonly ChainLimits ForRepository =
        new(AgentsMax: 1_000_000, BytesMax: 4L << 30) { UnusedMin = TimeSpan.FromDays(365) };

    public TimeSpan UnusedMin { get; init; } = TimeSpan.FromDays(7);
}

/// <summary>A statement that was checked and is being stored; handed on inside the same transaction.</summary>
public sealed record AcceptedStatement(AgentId Agent, long Seq, SignedEnvelope Envelope);

/// <param name="Next">The seq of the statement that would come next.</param>
/// <param name="Proof">A bencoded fraud proof where the posted statements contradict those that are known.</param>
public sealed record ChainAppend(long Next, byte[]? Proof);

/// <summary>
/// The sigchains that a peer knows, checked statement by statement, in SQLite. Two rightly signed statements with one
/// seq are kept as a proof of fraud, and that agent is refused until a rotation settles which history stands
/// (spec/v1/sigchain.md). Thread-safe.
/// </summary>
public sealed class ChainStore(
    Database database, PeerKeys own, TimeProvider time, ChainLimits? limits = null,
    Action<SqlSession, AcceptedStatement>? accepted = null)
{
    /// <summary>The store's tables: one migration of the database that it is given.</summary>
    public const string SchemaSql = """
        CREATE TABLE chain(agent BLOB PRIMARY KEY, next INTEGER NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL,
            pinned INTEGER NOT NULL DEFAULT 0, proof BLOB) WITHOUT ROWID;
        CREATE INDEX chain_used ON chain(used) WHERE pinned = 0;
        CREATE TABLE statement(agent BLOB NOT NULL REFERENCES chain(agent) ON DELETE CASCADE, seq INTEGER NOT NULL,
            body BLOB NOT NULL, sig BLOB NOT NULL, PRIMARY KEY(agent, seq)) WITHOUT ROWID;
        """;

    private const string TipSql = """
        SELECT chain.next, statement.body FROM chain JOIN statement ON statement.agent = chain.agent
            AND statement.seq = chain.next - 1 WHERE chain.agent = ?1 AND chain.proof IS NULL
        """;

    private const int LockCount = 64;

    /// <summary>What the tables hold; null when that must be counted.</summary>
    private volatile Totals? keptTotals;

    private readonly ChainLimits limits = limits ?? ChainLimits.ForAgent;
    private readonly ChainCache cache = new((limits ?? ChainLimits.ForAgent).CachedStatementsMax);
    private readonly SemaphoreSlim[] locks = [.. Enumerable.Range(0, LockCount).Select(_ => new SemaphoreSlim(1, 1))];

    public PeerKeys Own => own;

    /// <summary>How exactly it is recorded when a chain was used; a write for each use would be too much.</summary>
    private TimeSpan UsedPrecision =>
        limits.UnusedMin < TimeSpan.FromDays(2) ? limits.UnusedMin / 2 : TimeSpan.FromDays(1);

    /// <summary>Told of an agent once its fraud is proven, so that whatever is held of it can be dropped.</summary>
    public Action<AgentId>? FraudFound { get; set; }

    /// <summary>Told of a proof, with the chain that it is checked against, once it is stored.</summary>
    public Action<FraudProof, Sigchain>? FraudProven { get; set; }

    /// <summary>Told when a rotation has settled which history of an agent stands, so that a proof is void.</summary>
    public Action<Sigchain>? FraudSettled { get; set; }

    /// <summary>
    /// Told of a proof inside the transaction that stores it; must only use the session, and be quick.
    /// </summary>
    public Action<SqlSession, byte[]>? ProofStored { get; init; }

    /// <summary>The agent's checked chain, or null when it is unknown.</summary>
    /// <exception cref="VirgaException">Denied: the agent is known to be fraudulent.</exception>
    public async ValueTask<Sigchain?> FindAsync(AgentId agent, CancellationToken cancellationToken)
    {
        if (agent == own.Id) return own.Chain;
        if (cache.Find(agent, out var loaded) is { } cached && time.GetUtcNow() - loaded < UsedPrecision) return cached;
        using var held = await LockAsync(agent, cancellationToken);
        var (chain, _, proof) = await LoadAsync(agent, cancellationToken);
        RefuseFraud(agent, proof);
        return chain;
    }

    /// <summary>
    /// Envelopes from a seq on, at most <see cref="ProtocolLimits.ChainPageEnvelopes"/>; null when the agent is
    /// unknown.
    /// </summary>
    public async ValueTask<IReadOnlyList<SignedEnvelope>?> ReadAsync(AgentId agent, long from,
        CancellationToken cancellationToken)
    {
        if (agent == own.Id) return Page(own.Envelopes.Skip((int)Math.Min(from, int.MaxValue)));
        return await database.ReadAsync(sql =>
        {
            var state = StateOf(sql, agent);
            if (state is null) return null;
            RefuseFraud(agent, state.Proof);
            return Page(Statements(sql, agent, from, ProtocolLimits.ChainPageEnvelopes));
        }, cancellationToken);
    }

    /// <summary>
    /// How many statements each chain has, and the hash of the last one; null where the agent is unknown or refused.
    /// </summary>
    public async ValueTask<IReadOnlyList<(long Next, Hash256 Last)?>> TipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken)
    {
        var tips = new (long Next, Hash256 Last)?[agents.Count];
        var stored = new List<int>();
        for (var i = 0; i < tips.Length; i++)
        {
            var chain = agents[i] == own.Id ? own.Chain : cache.Find(agents[i], out _);
            if (chain is null) stored.Add(i);
            else tips[i] = (chain.Statements.Count, chain.Head.Hash);
        }
        if (stored.Count == 0) return tips;
        return await database.ReadAsync(sql =>
        {
            foreach (var i in stored)
                tips[i] = sql.First<(long Next, Hash256 Last)?>(TipSql, static row =>
                    (row.Long(0), new Hash256(SHA256.HashData(row.Bytes(1)))), agents[i]);
            return tips;
        }, cancellationToken);
    }

    /// <summary>The proofs of fraud that are held, each with the chain that it is checked against.</summary>
    public async ValueTask<IReadOnlyList<(FraudProof Proof, Sigchain Chain)>> FraudsAsync(
        int countMax, CancellationToken cancellationToken)
    {
        var agents = await database.ReadAsync(
            sql => sql.Query("SELECT agent FROM chain WHERE proof IS NOT NULL LIMIT ?1",
                static row => new AgentId(row.Hash(0)), countMax), cancellationToken);
        var found = new List<(FraudProof Proof, Sigchain Chain)>();
        foreach (var agent in agents)
        {
            using var held = await LockAsync(agent, cancellationToken);
            var (chain, _, proof) = await LoadAsync(agent, cancellationToken);
            if (chain is not null && proof is not null) found.Add((FraudProof.Parse(proof), chain));
        }
        return found;
    }

    /// <summary>Whether any statement of the agent is held, without loading its chain.</summary>
    public async ValueTask<bool> KnowsAsync(AgentId agent, CancellationToken cancellationToken) =>
        agent == own.Id || cache.Find(agent, out _) is not null
            || await database.ReadAsync(sql => StateOf(sql, agent) is not null, cancellationToken);

    /// <summary>
    /// Checks and stores statements that come in order; those known already are skipped. What came before a bad one
    /// stands.
    /// </summary>
    /// <exception cref="VirgaException">
    /// BadInput (a rule is broken, or statements are missing in between), Denied (known fraud that these do not
    /// settle), Full (bounds of the store).
    /// </exception>
    public async ValueTask<ChainAppend> AppendAsync(
        AgentId agent, IReadOnlyList<SignedEnvelope> envelopes, CancellationToken cancellationToken)
    {
        if (agent == own.Id) return new ChainAppend(own.Envelopes.Count, null);
        using var held = await LockAsync(agent, cancellationToken);
        var (chain, bytes, proof) = await LoadAsync(agent, cancellationToken);
        if (proof is not null) return await MergeAsync(chain!, envelopes, proof, cancellationToken);
        var known = chain?.Statements.Count ?? 0;
        var fresh = new List<SignedEnvelope>();
        VirgaException? refusal = null;
        int? contradicting = null;
        for (var i = 0; i < envelopes.Count && contradicting is null; i++)
        {
            var envelope = envelopes[i];
            try
            {
                var seq = SeqOf(envelope);
                if (chain is not null && seq < chain.Statements.Count)
                {
                    if (chain.Statements[(int)seq].Hash.Matches(SHA256.HashData(envelope.Body))) continue;
                    contradicting = i;
                    break;
                }

                RequireRoom(agent, chain, bytes + envelope.Body.Length, seq);
                chain = chain is null ? Begin(agent, envelope)
                    : chain.Append(envelope.Body, envelope.Signature, time.GetUtcNow());
                bytes += envelope.Body.Length;
                fresh.Add(envelope);
            }
            catch (VirgaException e)
            {
                refusal = e;
                break;
            }
        }

        if (fresh.Count > 0) await StoreAsync(agent, known, fresh, bytes, cancellationToken);
        if (chain is not null) cache.Put(agent, chain, time.GetUtcNow());
        if (contradicting is { } at)
            return await MergeAsync(chain!, [.. envelopes.Skip(at)], null, cancellationToken);
        if (refusal is not null) throw refusal;
        return new ChainAppend(chain?.Statements.Count ?? 0, null);
    }

    /// <summary>Keeps an agent's chain from making room for others, e.g. because its feeds are kept.</summary>
    public static void Pin(SqlSession sql, AgentId agent) =>
        sql.Execute("UPDATE chain SET pinned=1 WHERE agent=?1", agent);

    private static long SeqOf(SignedEnvelope envelope) =>
        BencodeValue.ParseDictionary(envelope.Body, BencodeLimits.Message, "statement").Integer("seq", 0, int.MaxValue);

    private static VirgaException Fraud(AgentId agent, byte[] proof)
    {
        var failure = new VirgaException(FailureKind.Denied,
            $"{agent} has signed two different statements with one number and is trusted no more",
            "The agent's owner must make a new identity.");
        failure.Data["virga.proof"] = proof;
        return failure;
    }

    private static void RefuseFraud(AgentId agent, byte[]? proof)
    {
        if (proof is not null) throw Fraud(agent, proof);
    }

    private static ChainState? StateOf(SqlSession sql, AgentId agent) =>
        sql.First("SELECT bytes, used, proof FROM chain WHERE agent=?1",
            static row => new ChainState(row.Long(0), row.Time(1), row.BytesOrNull(2)), agent);

    private static List<SignedEnvelope> Statements(SqlSession sql, AgentId agent, long from, int count) =>
        sql.Query("SELECT body, sig FROM statement WHERE agent=?1 AND seq>=?2 ORDER BY seq LIMIT ?3",
            static row => new SignedEnvelope(row.Bytes(0), row.Bytes(1)), agent, from, count);

    private static IReadOnlyList<SignedEnvelope> Page(IEnumerable<SignedEnvelope> envelopes) =>
        SignedEnvelope.Pages([.. envelopes.Take(ProtocolLimits.ChainPageEnvelopes)]).FirstOrDefault() ?? [];

    private Sigchain Begin(AgentId agent, SignedEnvelope genesis)
    {
        if (!agent.Hash.Matches(SHA256.HashData(genesis.Body)))
        {
            throw new VirgaException(FailureKind.BadInput, $"the first statement is not the genesis of {agent}",
                "Post the chain from its genesis on, under the id of the agent that it belongs to.");
        }

        return Sigchain.Check([(genesis.Body, genesis.Signature)], time.GetUtcNow());
    }

    private void RequireRoom(AgentId agent, Sigchain? chain, long bytes, long seq)
    {
        var next = chain?.Statements.Count ?? 0;
        if (seq > next)
        {
            throw new VirgaException(FailureKind.BadInput, $"statements {next} to {seq - 1} of {agent} are missing",
                $"Post the chain from statement {next} on.");
        }

        if (next >= limits.StatementsMax || bytes > limits.AgentBytesMax)
        {
            throw new VirgaException(FailureKind.Full,
                $"the chain of {agent} is longer than this peer keeps ({limits.StatementsMax} statements)",
                "Use another repository, or make a new identity.");
        }
    }

    private async ValueTask<(Sigchain? Chain, long Bytes, byte[]? Proof)> LoadAsync(
        AgentId agent, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var (state, envelopes) = await database.ReadAsync(sql =>
        {
            var found = StateOf(sql, agent);
            return (found, found is null ? [] : Statements(sql, agent, 0, int.MaxValue));
        }, cancellationToken);
        if (state is null) return (null, 0, null);
        if (now - state.Used > UsedPrecision)
            await database.WriteAsync(sql =>
                sql.Execute("UPDATE chain SET used=?2 WHERE agent=?1", agent, now), cancellationToken);
        var chain = cache.Find(agent, out _);
        if (chain is null || chain.Statements.Count != envelopes.Count)
            chain = Sigchain.Check(envelopes.Select(envelope => (envelope.Body, envelope.Signature)), now);
        // A chain in the cache is one that is not refused.
        if (state.Proof is null) cache.Put(agent, chain, time.GetUtcNow());
        return (chain, state.Bytes, state.Proof);
    }

    private async ValueTask StoreAsync(
        AgentId agent, int known, List<SignedEnvelope> fresh, long bytes, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        try
        {
            await database.WriteAsync(sql => Store(sql, agent, known, fresh, bytes, now), cancellationToken);
        }
        catch
        {
            // What was counted has been undone.
            keptTotals = null;
            throw;
        }
    }

    private void Store(
        SqlSession sql, AgentId agent, int known, List<SignedEnvelope> fresh, long bytes, DateTimeOffset now)
    {
        MakeRoom(sql, agent, isNew: known == 0, fresh.Sum(envelope => (long)envelope.Body.Length), now);
        if (known == 0) sql.Execute("INSERT INTO chain(agent,next,bytes,used) VALUES(?1,0,0,?2)", agent, now);
        var isAsRead = sql.Execute("UPDATE chain SET next=?2, bytes=?3, used=?4 WHERE agent=?1 AND next=?5",
            agent, known + fresh.Count, bytes, now, known) == 1;
        // Another chain may have taken its room since it was read.
        if (!isAsRead)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"the chain of {agent} was just dropped", "Post it again.");
        }

        for (var i = 0; i < fresh.Count; i++)
        {
            sql.Execute("INSERT INTO statement(agent,seq,body,sig) VALUES(?1,?2,?3,?4)", agent, known + i,
                fresh[i].Body, fresh[i].Signature);
            accepted?.Invoke(sql, new AcceptedStatement(agent, known + i, fresh[i]));
        }
    }

    private void MakeRoom(SqlSession sql, AgentId agent, bool isNew, long bytes, DateTimeOffset now)
    {
        // Counting a million chains for each statement would take longer than all else.
        var totals = keptTotals ?? sql.First("SELECT count(*), coalesce(sum(bytes),0) FROM chain",
            static row => new Totals(row.Long(0), row.Long(1)))!;
        var (count, total) = (totals.Agents + (isNew ? 1 : 0), totals.Bytes + bytes);
        while (count > limits.AgentsMax || total > limits.BytesMax)
        {
            var (unused, freed) = sql.First(
                "SELECT agent, bytes FROM chain WHERE pinned=0 AND used<?1 AND agent<>?2 ORDER BY used LIMIT 1",
                static row => (new AgentId(row.Hash(0)), row.Long(1)), now - limits.UnusedMin, agent);
            if (unused == default)
            {
                throw new VirgaException(FailureKind.Full,
                    "this peer keeps as many chains of agents as it can, and takes no more",
                    "Use another repository, or try again in some days.");
            }

            sql.Execute("DELETE FROM chain WHERE agent=?1", unused);
            cache.Remove(unused);
            count--;
            total -= freed;
        }

        keptTotals = new Totals(count, total);
    }

    /// <summary>
    /// Statements that part from the chain that is held, or come while a proof against it is: the history with the
    /// rotation stands, without one they are fraud.
    /// </summary>
    /// <param name="held">The proof against the agent; null where there is none.</param>
    private async ValueTask<ChainAppend> MergeAsync(
        Sigchain chain, IReadOnlyList<SignedEnvelope> others, byte[]? held, CancellationToken cancellationToken)
    {
        ChainMerge merge;
        try
        {
            merge = chain.Merge([.. others.Select(item => (item.Body, item.Signature))], time.GetUtcNow());
        }
        catch (VirgaException)
        {
            RefuseFraud(chain.Id, held);
            // What can't be taken in as a whole may still hold a contradiction at its beginning.
            if (others.Count == 0 || !chain.TryProveFraud(others[0].Body, others[0].Signature, out var first)) throw;
            return await ProveAsync(chain, first, cancellationToken);
        }

        var isSettled = merge.Kind is ChainMergeKind.Settled or ChainMergeKind.Extended
            && (held is null || FraudProof.Parse(held).IsSettledBy(merge.Chain));
        if (isSettled) return await ReplaceAsync(chain, merge.Chain, cancellationToken);
        RefuseFraud(chain.Id, held);
        return merge.Proof is { } proof ? await ProveAsync(chain, proof, cancellationToken)
            : new ChainAppend(chain.Statements.Count, null);
    }

    /// <summary>Another history stands from where the two part; a proof against the one before is void.</summary>
    private async ValueTask<ChainAppend> ReplaceAsync(
        Sigchain before, Sigchain after, CancellationToken cancellationToken)
    {
        var bytes = after.Statements.Sum(item => (long)item.Bytes.Length);
        RequireRoom(after.Id, before, bytes, 0);
        var fork = 0;
        while (fork < before.Statements.Count && fork < after.Statements.Count
            && before.Statements[fork].Hash == after.Statements[fork].Hash) fork++;
        var now = time.GetUtcNow();
        await database.WriteAsync(sql =>
        {
            sql.Execute("UPDATE chain SET next=?2, bytes=?3, used=?4, proof=NULL WHERE agent=?1",
                after.Id, after.Statements.Count, bytes, now);
            sql.Execute("DELETE FROM statement WHERE agent=?1 AND seq>=?2", after.Id, fork);
            for (var seq = fork; seq < after.Statements.Count; seq++)
            {
                var item = after.Statements[seq];
                sql.Execute("INSERT INTO statement(agent,seq,body,sig) VALUES(?1,?2,?3,?4)", after.Id, seq, item.Bytes,
                    item.Signature);
                accepted?.Invoke(
                    sql, new AcceptedStatement(after.Id, seq, new SignedEnvelope(item.Bytes, item.Signature)));
            }
        }, cancellationToken);
        keptTotals = null;
        cache.Put(after.Id, after, now);
        FraudSettled?.Invoke(after);
        return new ChainAppend(after.Statements.Count, null);
    }

    private async ValueTask<ChainAppend> ProveAsync(
        Sigchain chain, FraudProof proof, CancellationToken cancellationToken)
    {
        var encoded = proof.Encode();
        await database.WriteAsync(
            sql =>
            {
                if (sql.Execute("UPDATE chain SET proof=?2, pinned=1 WHERE agent=?1 AND proof IS NULL", chain.Id,
                    encoded) > 0) ProofStored?.Invoke(sql, encoded);
            },
            cancellationToken);
        cache.Remove(chain.Id);
        FraudFound?.Invoke(chain.Id);
        FraudProven?.Invoke(proof, chain);
        return new ChainAppend(chain.Statements.Count, encoded);
    }

    private async ValueTask<Held> LockAsync(AgentId agent, CancellationToken cancellationToken)
    {
        var chosen = locks[(agent.GetHashCode() & int.MaxValue) % LockCount];
        await chosen.WaitAsync(cancellationToken);
        return new Held(chosen);
    }

    private sealed record Totals(long Agents, long Bytes);

    private sealed record ChainState(long Bytes, DateTimeOffset Used, byte[]? Proof);

    private readonly record struct Held(SemaphoreSlim Lock) : IDisposable
    {
        public void Dispose() => Lock.Release();
    }
}

/// <summary>The chains used last, bounded by the number of their statements.</summary>
internal sealed class ChainCache(int statementsMax)
{
    private readonly Dictionary<AgentId, LinkedListNode<Entry>> byAgent = [];
    private readonly LinkedList<Entry> newestFirst = new();
    private readonly Lock gate = new();
    private int statements;

    public Sigchain? Find(AgentId agent, out DateTimeOffset loaded)
    {
        lock (gate)
        {
            loaded = default;
            if (!byAgent.TryGetValue(agent, out var node)) return null;
            newestFirst.Remove(node);
            newestFirst.AddFirst(node);
            loaded = node.Value.Loaded;
            return node.Value.Chain;
        }
    }

    public void Put(AgentId agent, Sigchain chain, DateTimeOffset now)
    {
        lock (gate)
        {
            RemoveHeld(agent);
            byAgent.Add(agent, newestFirst.AddFirst(new Entry(agent, chain, now)));
            statements += chain.Statements.Count;
            while (statements > statementsMax && newestFirst.Count > 1) RemoveHeld(newestFirst.Last!.Value.Agent);
        }
    }

    public void Remove(AgentId agent)
    {
        lock (gate) RemoveHeld(agent);
    }

    private void RemoveHeld(AgentId agent)
    {
        if (!byAgent.Remove(agent, out var node)) return;
        newestFirst.Remove(node);
        statements -= node.Value.Chain.Statements.Count;
    }

    private readonly record struct Entry(AgentId Agent, Sigchain Chain, DateTimeOffset Loaded);
}
