using Virga.Core;
using Virga.Testing;
using Virga.Testing.Simulation;

namespace Virga.Trust.Tests.Simulation;

/// <summary>
/// Five repositories, of which one lies, and two hundred agents, of which one is a fraud and one had its key stolen, on
/// a bad network. All of it follows from one seed.
/// </summary>
internal sealed class TrustNetwork
{
    public const int RepositoryCount = 5;
    public const int AgentCount = 200;

    /// <summary>Between two whole hours, so that one of them is in the storm.</summary>
    private static readonly DateTimeOffset Start = TrustWorld.Start.AddHours(12).AddMinutes(56);

    public static readonly TimeSpan StormLasts = TimeSpan.FromMinutes(7);
    public static readonly TimeSpan CalmLasts = TimeSpan.FromMinutes(3);

    private readonly List<string> notes = [];
    private readonly bool isNoted;

    public TrustNetwork(ulong seed, bool isNoted = false)
    {
        (Seed, this.isNoted) = (seed, isNoted);
        Random = new Seeded(Seeded.Hash(seed, "scenario"));
        Loop = new SimulationLoop(Start);
        Network = new SimulatedNetwork(Loop, new Seeded(Seeded.Hash(seed, "network")));
        LiarNode = (int)Random.Next(RepositoryCount);
        Lie = (Lie)Random.Next(Enum.GetValues<Lie>().Length);
        Repositories = [.. Enumerable.Range(0, RepositoryCount).Select(NewRepository)];
        Agents = [.. Enumerable.Range(RepositoryCount, AgentCount).Select(NewAgent)];
        NodeOf = Agents.ToDictionary(agent => agent.Id, agent => agent.Node);
        foreach (var agent in Agents) Befriend(agent);
        Storm = new TrustStorm(this);
        Access = new AccessWatch(this);
    }

    public ulong Seed { get; }

    public Seeded Random { get; }

    public SimulationLoop Loop { get; }

    public SimulatedNetwork Network { get; }

    public int LiarNode { get; }

    public Lie Lie { get; }

    public LyingRepository Liar => (LyingRepository)Repositories[LiarNode];

    public IReadOnlyList<SimulatedRepository> Repositories { get; }

    public IReadOnlyList<SimulatedAgent> Agents { get; }

    public IReadOnlyDictionary<AgentId, int> NodeOf { get; }

    public TrustStorm Storm { get; }

    public AccessWatch Access { get; }

    public IReadOnlyList<string> Notes => notes;

    public IEnumerable<SimulatedAgent> HonestAgents => Agents.Where(agent => agent != Storm.Fraud);

    /// <summary>Everything, from the first statement to some minutes of calm at the end.</summary>
    public void Run()
    {
        Loop.Begin(() =>
        {
            foreach (var repository in Repositories)
                repository.Start(Repositories, () => Within(TimeSpan.FromSeconds(15)));
            foreach (var agent in Agents) agent.Start();
            return Task.CompletedTask;
        });
        Storm.Plan();
        Access.Start();
        Loop.RunUntil(Start + StormLasts + CalmLasts);
    }

    /// <summary>How long the storm still lasts.</summary>
    public TimeSpan UntilCalm => Start + StormLasts - Loop.Now;

    public bool IsCalm => UntilCalm <= TimeSpan.Zero;

    public DateTimeOffset At(TimeSpan sinceStart) => Start + sinceStart;

    public TimeSpan Within(TimeSpan most) => TimeSpan.FromMilliseconds(Random.Next((long)most.TotalMilliseconds));

    public bool IsDown(int node) => Network.IsDown(node);

    public Action<string> Note(int node) =>
        message =>
        {
            if (isNoted) notes.Add($"{Loop.Now:HH:mm:ss.fff} {node}: {message}");
        };

    private SimulatedRepository NewRepository(int node)
    {
        var (key, ahead) = (SimulatedKeys.First(Seed, node), Skew());
        return node == LiarNode
            ? new LyingRepository(this, node, key, ahead, Lie)
            : new SimulatedRepository(this, node, key, ahead);
    }

    private SimulatedAgent NewAgent(int node)
    {
        var used = new List<SimulatedRepository>();
        var count = 2 + Random.Next(2);
        while (used.Count < count)
        {
            var one = Repositories[(int)Random.Next(RepositoryCount)];
            if (!used.Contains(one)) used.Add(one);
        }

        return new SimulatedAgent(this, node, used, Skew());
    }

    private void Befriend(SimulatedAgent agent)
    {
        for (var i = Random.Next(3); i > 0; i--)
            agent.Friends.Add(Agents[(int)Random.Next(AgentCount)]);
        for (var i = Math.Max(0, Random.Next(6) - 3); i > 0; i--)
            agent.Roots.Add(Agents[(int)Random.Next(AgentCount)].Id);
    }

    /// <summary>Clocks differ by half of what the protocol allows at most, so that any two agree.</summary>
    private TimeSpan Skew() => TimeSpan.FromMilliseconds(Random.Next(300_000) - 150_000);
}
