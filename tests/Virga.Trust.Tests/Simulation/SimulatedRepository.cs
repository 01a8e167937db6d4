using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing.Simulation;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Simulation;

/// <summary>
/// A repository in memory that keeps to the rules: takes in chains, logs what it accepts, follows the logs of the
/// others, and keeps and passes on proofs. What it holds outlasts a restart.
/// </summary>
internal class SimulatedRepository : ISimulatedPeer
{
    private const int PageStatements = 16;
    private static readonly TimeSpan PublishEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan FollowEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RoundEvery = TimeSpan.FromSeconds(30);

    private readonly Dictionary<AgentId, Sigchain> chains = [];
    private readonly Dictionary<AgentId, FraudProof> proofs = [];
    private readonly NodeClock clock;
    private List<FollowedLog> followed = [];

    public SimulatedRepository(TrustNetwork world, int node, SigningKey key, TimeSpan ahead)
    {
        (World, Node) = (world, node);
        clock = new NodeClock(world.Loop) { Ahead = ahead };
        var genesis = StatementWriter.Genesis(
            key.PublicKey, SimulatedKeys.SealKey(world.Seed, node),
            SimulatedKeys.HashOf(SimulatedKeys.Next(world.Seed, node, 0)), world.Loop.Now);
        Chain = Sigchain.Check([(genesis, SimulatedKeys.Sign(key, genesis))], clock.GetUtcNow());
        Log = new SimulatedLog(Id, key);
        Log.Append(LogEntry.Of(Chain.Head.Bytes, Chain.Head.Signature));
        Log.Publish(clock.GetUtcNow());
        Keeper = new LogKeeper(new ChainDirectory(clock), clock, world.Note(node)) { Self = Id };
    }

    public TrustNetwork World { get; }

    public int Node { get; }

    public Sigchain Chain { get; }

    public AgentId Id => Chain.Id;

    public SimulatedLog Log { get; protected set; }

    public LogKeeper Keeper { get; }

    /// <summary>What it gave out of each chain, from which time on; null while it refused that agent.</summary>
    public Dictionary<AgentId, List<(DateTimeOffset At, Sigchain? Chain)>> History { get; } = [];

    protected DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>Begins to follow the others.</summary>
    public void Start(IEnumerable<SimulatedRepository> all, Func<TimeSpan> stagger)
    {
        var others = all.Where(other => other != this).ToList();
        var places = others.ConvertAll(other => new SimulatedPlace(World.Network, Node, other, () => true));
        followed = places.ConvertAll(place => new FollowedLog(place, this));
        World.Loop.Begin(() => RepeatAsync(stagger(), PublishEvery, PublishAsync));
        foreach (var log in followed) World.Loop.Begin(() => RepeatAsync(stagger(), FollowEvery, log.FollowAsync));
        World.Loop.Begin(() => RepeatAsync(
            stagger(), RoundEvery,
            () => Keeper.RoundAsync([.. places.Where(p => Keeper.BreachOf(p.Peer.Id) is null)], [], default)));
    }

    public virtual ChainPage ReadChain(int asker, AgentId agent, int from)
    {
        if (agent == Id) return Page(Chain, from);
        if (proofs.ContainsKey(agent))
            throw new VirgaException(FailureKind.Denied, $"{agent} has told two histories");
        return Page(chains.GetValueOrDefault(agent) ?? throw new VirgaException(
            FailureKind.NotFound, $"{agent} is not known here"), from);
    }

    public virtual Task<byte[]> ExchangeHeadsAsync(int asker, byte[] heads) => Keeper.HearAsync(null, heads, default);

    public byte[]? ReadEvidence(long number) => number < Keeper.All.Count ? Keeper.All[(int)number].Bytes : null;

    public void TakeEvidence(byte[] proof) => Keeper.Take(Evidence.Parse(proof));

    public virtual byte[]? ReadLog(int asker, string path) => Log.Read(path);

    public virtual byte[]? ReadPromise(int asker, Hash256 leaf) => Log.Promise(leaf);

    /// <summary>What its log holds of a chain now: what was posted before a proof came.</summary>
    public Sigchain? Find(AgentId agent) => chains.GetValueOrDefault(agent);

    public FraudProof? ProofOf(AgentId agent) => proofs.GetValueOrDefault(agent);

    /// <summary>Takes in statements, as a repository's store of chains does.</summary>
    /// <exception cref="VirgaException">As there.</exception>
    public void Post(AgentId agent, IReadOnlyList<(byte[] Body, byte[] Signature)> statements)
    {
        if (agent == Id) return;
        var chain = chains.GetValueOrDefault(agent);
        if (proofs.GetValueOrDefault(agent) is { } proof)
        {
            Merge(chain!, statements, proof);
            return;
        }

        for (var i = 0; i < statements.Count; i++)
        {
            var (body, signature) = statements[i];
            var statement = Statement.Parse(body, signature);
            if (chain is not null && statement.Seq < chain.Statements.Count)
            {
                if (chain.Statements[(int)statement.Seq].Hash == statement.Hash) continue;
                Merge(chain, [.. statements.Skip(i)], null);
                return;
            }

            chain = chain is null ? Begin(agent, statements[i]) : chain.Append(body, signature, Now);
            chains[agent] = chain;
            Remember(agent, chain);
            Accepted(LogEntry.Of(body, signature));
        }
    }

    protected virtual void Accepted(byte[] entry) => Log.Append(entry);

    protected virtual Task PublishAsync()
    {
        if (Log.Size > Log.PublishedSize) Log.Publish(Now);
        return Task.CompletedTask;
    }

    protected static ChainPage Page(Sigchain chain, int from)
    {
        var page = chain.Statements.Skip(from).Take(PageStatements).Select(s => (s.Bytes, s.Signature)).ToList();
        return new ChainPage(page, from + page.Count >= chain.Statements.Count);
    }

    private Sigchain Begin(AgentId agent, (byte[] Body, byte[] Signature) genesis)
    {
        var chain = Sigchain.Check([genesis], Now);
        return chain.Id == agent ? chain : throw new VirgaException(FailureKind.BadInput, "the genesis is another's");
    }

    private void Merge(
        Sigchain chain, IReadOnlyList<(byte[] Body, byte[] Signature)> statements, FraudProof? held)
    {
        ChainMerge merge;
        try
        {
            merge = chain.Merge(statements, Now);
        }
        catch (VirgaException)
        {
            RefuseFraud(chain.Id, held);
            if (statements.Count == 0
                || !chain.TryProveFraud(statements[0].Body, statements[0].Signature, out var first)) throw;
            Prove(chain, first);
            return;
        }

        var isSettled = merge.Kind is ChainMergeKind.Settled or ChainMergeKind.Extended
            && (held is null || held.IsSettledBy(merge.Chain));
        if (isSettled)
        {
            proofs.Remove(chain.Id);
            chains[chain.Id] = merge.Chain;
            Remember(chain.Id, merge.Chain);
            foreach (var item in merge.Chain.Statements) Accepted(LogEntry.Of(item.Bytes, item.Signature));
            return;
        }

        RefuseFraud(chain.Id, held);
        if (merge.Proof is { } proof) Prove(chain, proof);
    }

    private void Prove(Sigchain chain, FraudProof proof)
    {
        proofs.Add(chain.Id, proof);
        Remember(chain.Id, null);
        Accepted(proof.Encode());
        Keeper.Take(Evidence.Of(proof, chain));
    }

    private static void RefuseFraud(AgentId agent, FraudProof? held)
    {
        if (held is not null) throw new VirgaException(FailureKind.Denied, $"{agent} has told two histories");
    }

    private void Remember(AgentId agent, Sigchain? chain)
    {
        if (!History.TryGetValue(agent, out var list)) History.Add(agent, list = []);
        list.Add((World.Loop.Now, chain));
    }

    private async Task RepeatAsync(TimeSpan first, TimeSpan every, Func<Task> work)
    {
        await World.Loop.PauseFor(first);
        while (true)
        {
            try
            {
                if (!World.IsDown(Node)) await work();
            }
            catch (VirgaException e)
            {
                World.Note(Node)(e.Message);
            }

            await World.Loop.PauseFor(every);
        }
    }
}
