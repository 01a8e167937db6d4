using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing.Simulation;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Simulation;

/// <summary>
/// An agent: what it keeps on its disk, and one life after the other, each with nothing but that. It decides with the
/// product's own code; only disk, network and clock are made up.
/// </summary>
internal sealed class SimulatedAgent : ISimulatedPeer
{
    private const int PageStatements = 16;
    private static readonly TimeSpan PublishAgainAfter = TimeSpan.FromSeconds(7);

    private readonly Dictionary<AgentId, byte[]> evidence = [];
    private readonly List<(byte[] Body, byte[] Signature)> envelopes = [];
    private readonly List<DateTimeOffset> saidAt = [];
    private SigningKey key;
    private int rotations;

    public SimulatedAgent(TrustNetwork world, int node, IReadOnlyList<SimulatedRepository> repositories, TimeSpan ahead)
    {
        (World, Node, Repositories, Ahead) = (world, node, repositories, ahead);
        key = SimulatedKeys.First(world.Seed, node);
        var body = StatementWriter.Genesis(
            key.PublicKey, SimulatedKeys.SealKey(world.Seed, node),
            SimulatedKeys.HashOf(SimulatedKeys.Next(world.Seed, node, 0)), world.Loop.Now + ahead);
        envelopes.Add((body, SimulatedKeys.Sign(key, body)));
        Chain = Sigchain.Check(envelopes, world.Loop.Now + ahead);
    }

    public TrustNetwork World { get; }

    public int Node { get; }

    public AgentId Id => Chain.Id;

    /// <summary>Its own, as on its disk.</summary>
    public Sigchain Chain { get; private set; }

    public IReadOnlyList<SimulatedRepository> Repositories { get; }

    /// <summary>Whom it asks for their chains themselves, beside the repositories.</summary>
    public List<SimulatedAgent> Friends { get; } = [];

    public List<AgentId> Roots { get; } = [];

    /// <summary>By how much its clock is ahead.</summary>
    public TimeSpan Ahead { get; set; }

    /// <summary>What it signed as a fraud, for the eyes of one repository only.</summary>
    public List<(byte[] Body, byte[] Signature)>? SecondHistory { get; private set; }

    /// <summary>Null while it is off.</summary>
    public AgentLife? Life { get; private set; }

    public IReadOnlyCollection<byte[]> Evidence => evidence.Values;

    /// <summary>How many statements it had made by then.</summary>
    public int CountAt(DateTimeOffset time) => 1 + saidAt.Count(said => said <= time);

    public void Start() => Life = new AgentLife(this);

    /// <summary>All but what is on the disk is gone.</summary>
    public void Stop()
    {
        Life?.End();
        Life = null;
    }

    public void Keep(Evidence proof, AgentId who) => evidence.TryAdd(who, proof.Bytes);

    /// <summary>Says something with its own clock and key.</summary>
    public void Say(string type, byte[] body)
    {
        var time = World.Loop.Now + Ahead;
        var bytes = StatementWriter.Next(Chain, type, body, time);
        Append(bytes, SimulatedKeys.Sign(key, bytes));
    }

    /// <summary>Replaces its key by the one that was kept apart.</summary>
    public void Rotate()
    {
        var next = SimulatedKeys.Next(World.Seed, Node, rotations++);
        var body = StatementWriter.RotateKeyBody(
            next.PublicKey, SimulatedKeys.HashOf(SimulatedKeys.Next(World.Seed, Node, rotations)));
        key = next;
        Say(StatementType.AddKey, body);
    }

    /// <summary>
    /// Another history that parts from this one where it ends now: by the agent itself, or by who stole its key.
    /// </summary>
    public List<(byte[] Body, byte[] Signature)> SayOtherwise(string type, byte[] body)
    {
        var bytes = StatementWriter.Next(Chain, type, body, World.Loop.Now + Ahead);
        SecondHistory = [.. envelopes, (bytes, SimulatedKeys.Sign(key, bytes))];
        return SecondHistory;
    }

    public ChainPage ReadChain(int asker, AgentId agent, int from)
    {
        if (agent != Id) throw new VirgaException(FailureKind.NotFound, $"{agent} is not known here");
        var page = envelopes.Skip(from).Take(PageStatements).ToList();
        return new ChainPage(page, from + page.Count >= envelopes.Count);
    }

    public Task<byte[]> ExchangeHeadsAsync(int asker, byte[] heads) => Running.Keeper.HearAsync(null, heads, default);

    public byte[]? ReadEvidence(long number) =>
        number < Running.Keeper.All.Count ? Running.Keeper.All[(int)number].Bytes : null;

    public void TakeEvidence(byte[] proof) =>
        throw new VirgaException(FailureKind.NotFound, "an agent takes no evidence");

    public byte[]? ReadLog(int asker, string path) => null;

    public byte[]? ReadPromise(int asker, Hash256 leaf) => null;

    /// <summary>Posts what a repository lacks, again and again until it has it.</summary>
    public async Task PublishAsync(AgentLife life, SimulatedRepository repository)
    {
        var place = life.PlaceOf(repository);
        while (life.IsRunning && life.Posted(repository) < envelopes.Count)
        {
            var (from, to) = (life.Posted(repository), envelopes.Count);
            try
            {
                var posted = envelopes.GetRange(from, to - from);
                await place.AskAsync(() =>
                {
                    repository.Post(Id, posted);
                    return true;
                });
                life.SetPosted(repository, to);
                foreach (var (body, signature) in posted)
                    life.Keeper.Expect(repository.Id, LogTree.LeafHash(LogEntry.Of(body, signature)));
            }
            catch (VirgaException e)
            {
                // What it has may be another history; from the genesis on it can see which one stands.
                if (!e.IsTransient) life.SetPosted(repository, 0);
                await World.Loop.PauseFor(PublishAgainAfter);
            }
        }
    }

    private AgentLife Running => Life ?? throw new VirgaException(FailureKind.Unavailable, "it is off");

    private void Append(byte[] body, byte[] signature)
    {
        Chain = Chain.Append(body, signature, World.Loop.Now + Ahead);
        envelopes.Add((body, signature));
        saidAt.Add(World.Loop.Now);
        World.Loop.Trace(10, Node, envelopes.Count);
        Life?.Said();
    }
}
