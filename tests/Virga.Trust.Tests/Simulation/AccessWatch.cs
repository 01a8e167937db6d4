using Virga.Core;

namespace Virga.Trust.Tests.Simulation;

/// <summary>
/// Looks, again and again, whether somebody still reads where nobody may say any more that he may: by the rules word
/// for word, over what an honest place had, that was reached all the time, as long ago as the bound.
/// </summary>
internal sealed class AccessWatch(TrustNetwork world)
{
    /// <summary>
    /// The next look comes in half a minute, waits for a place that is silent as long as it does, and is acted on
    /// within a second; and asking takes its time on a network like this.
    /// </summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(30 + 3 + 4);

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(11);

    private readonly NaiveTrust truth = new([]);

    public List<string> Faults { get; } = [];

    /// <summary>How many reads were running when somebody looked.</summary>
    public int Seen { get; private set; }

    /// <summary>Of these, how many that the newest statements of all do not allow any more.</summary>
    public int SeenLate { get; private set; }

    public void Start()
    {
        foreach (var agent in world.Agents) truth.Chains.Add(agent.Id, agent.Chain.Statements);
        world.Loop.Begin(async () =>
        {
            while (true)
            {
                await world.Loop.PauseFor(Every);
                Look();
            }
        });
    }

    private void Look()
    {
        foreach (var agent in world.Agents) truth.Chains[agent.Id] = agent.Chain.Statements;
        foreach (var host in world.HonestAgents)
        {
            if (host.Life is not { Reads.Count: > 0 } life) continue;
            Seen += life.Reads.Count;
            var roots = new List<AgentId> { host.Id };
            roots.AddRange(host.Roots);
            var now = new NaiveTrust(roots, truth).Admitted(TrustScopes.Exchange, VouchBody.MaxDepth, life.Now);
            var late = life.Reads.Where(read => !now.ContainsKey(read.Key)).Select(read => read.Key).ToList();
            SeenLate += late.Count;
            if (late.Count == 0 || world.Loop.Now - life.Began < 2 * Bound) continue;
            var allowed = Allowed(host, life, roots);
            foreach (var reader in late.Where(reader => !allowed.Contains(reader)))
            {
                Faults.Add($"{world.Loop.Now:HH:mm:ss}: agent {world.NodeOf[reader]} still reads at {host.Node}, "
                    + $"{Bound.TotalSeconds} s after all could know that it must not");
            }
        }
    }

    /// <summary>
    /// Whom anything allows that the host may think: of each agent it knows what was there for it all the time since
    /// the bound, and perhaps more; the clock is at any time since then.
    /// </summary>
    private HashSet<AgentId> Allowed(SimulatedAgent host, AgentLife life, List<AgentId> roots)
    {
        var now = world.Loop.Now;
        var since = now - Bound;
        var open = Open(host, since, now);
        var seen = new HashSet<(AgentId Agent, int Depth, long Limit)>();
        var next = new Queue<(AgentId Agent, int Depth, long Limit)>();
        foreach (var root in roots) next.Enqueue((root, VouchBody.MaxDepth + 1, long.MaxValue));
        while (next.TryDequeue(out var state))
        {
            if (!seen.Add(state) || state.Depth == 0) continue;
            foreach (var thought in Thoughts(host, state.Agent, open, since))
            {
                foreach (var at in new[] { life.Now - Bound, life.Now })
                {
                    foreach (var (seq, vouch) in thought.VouchesThatCount(state.Agent, TrustScopes.Exchange, at))
                    {
                        if (seq >= state.Limit) continue;
                        next.Enqueue((vouch.Subject, Math.Min(state.Depth - 1, vouch.Depth),
                            thought.Limit(state.Agent, vouch.Subject)));
                    }
                }
            }
        }

        return [.. seen.Select(state => state.Agent)];
    }

    /// <summary>The honest places of a host that nothing has kept from it since then.</summary>
    private List<ISimulatedPeer> Open(SimulatedAgent host, DateTimeOffset since, DateTimeOffset now) =>
        [.. host.Repositories.Where(r => r != world.Liar).Concat<ISimulatedPeer>(host.Friends)
            .Where(p => !(world.Network.LastTrouble(host.Node, p.Node, now) > since))];

    /// <summary>All beginnings of a chain that the host may hold for the newest.</summary>
    private IEnumerable<NaiveTrust> Thoughts(
        SimulatedAgent host, AgentId id, List<ISimulatedPeer> open, DateTimeOffset since)
    {
        var agent = world.Agents[world.NodeOf[id] - TrustNetwork.RepositoryCount];
        var isContested = agent.SecondHistory is not null;
        var least = isContested ? 1 : agent == host ? agent.Chain.Statements.Count
            : open.Select(place => CountAt(place, agent, since)).DefaultIfEmpty(1).Max();
        for (var count = Math.Max(1, least); count <= agent.Chain.Statements.Count; count++)
            yield return Thought(id, [.. agent.Chain.Statements.Take(count)]);
        if (isContested)
        {
            yield return Thought(id, [.. agent.SecondHistory!.Select(
                item => Statement.Parse(item.Body, item.Signature))]);
        }
    }

    private static NaiveTrust Thought(AgentId agent, IReadOnlyList<Statement> chain)
    {
        var thought = new NaiveTrust([]);
        thought.Chains.Add(agent, chain);
        return thought;
    }

    private static int CountAt(ISimulatedPeer place, SimulatedAgent agent, DateTimeOffset time) => place switch
    {
        SimulatedRepository repository => repository.History.GetValueOrDefault(agent.Id, [])
            .LastOrDefault(item => item.At <= time).Chain?.Statements.Count ?? 0,
        _ => place == agent ? agent.CountAt(time) : 0,
    };
}
