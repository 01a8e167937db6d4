using Virga.Core;
using Virga.Testing;
using Virga.Testing.Simulation;

namespace Virga.Trust.Tests.Simulation;

/// <summary>What happens in a simulation, when and to whom: statements, faults, lies.</summary>
internal sealed class TrustStorm
{
    private const int JoinVouchesInHundred = 70;
    private const int SplitCount = 3;
    private const int LossCount = 5;
    private const int RestartCount = 40;
    private const int WordCount = 350;
    private const int AskCount = 250;
    private const int CutCount = 90;

    private static readonly TimeSpan Growth = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan LieAt = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan FraudAt = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan TheftAt = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan RotationAfter = TimeSpan.FromMinutes(2);

    private readonly TrustNetwork world;
    private readonly Seeded random;
    private readonly Dictionary<SimulatedAgent, List<AgentId>> vouchedFor = [];

    public TrustStorm(TrustNetwork world)
    {
        (this.world, random) = (world, world.Random);
        Fraud = OneOf(world.Agents);
        do Robbed = OneOf(world.Agents);
        while (Robbed == Fraud);
    }

    /// <summary>Signs two different statements with one number.</summary>
    public SimulatedAgent Fraud { get; }

    /// <summary>Its key is stolen, and it rotates to the one that it kept apart.</summary>
    public SimulatedAgent Robbed { get; }

    public void Plan()
    {
        PlanJoins();
        for (var i = 0; i < WordCount; i++) Later(world.Within(TrustNetwork.StormLasts), SaySomething);
        for (var i = 0; i < CutCount; i++) Later(world.Within(TrustNetwork.StormLasts), Cut);
        for (var i = 0; i < AskCount; i++) Later(world.Within(TrustNetwork.StormLasts), Ask);
        Later(LieAt + world.Within(TimeSpan.FromMinutes(2)), Lie);
        Later(FraudAt + world.Within(TimeSpan.FromMinutes(3)), TellTwoHistories);
        Later(TheftAt + world.Within(TimeSpan.FromMinutes(2)), Rob);
        PlanFaults();
    }

    private static void Vouch(
        SimulatedAgent issuer, AgentId subject, TrustScopes scopes, int depth, int from, int until)
    {
        var hour = TrustWorld.Start.AddHours(12);
        issuer.Say(StatementType.Vouch,
            new VouchBody(subject, scopes, depth, hour.AddHours(from), hour.AddHours(until)).Encode());
    }

    /// <summary>Each agent but the first is vouched for by one before it, and mostly vouches back.</summary>
    private void PlanJoins()
    {
        for (var i = 1; i < world.Agents.Count; i++)
        {
            var joins = world.Agents[i];
            var near = world.Agents[(int)Math.Max(0, i - 1 - random.Next(12))];
            Later(TimeSpan.FromTicks(Growth.Ticks * i / world.Agents.Count), () =>
            {
                VouchFor(near, joins.Id);
                if (random.Next(100) < JoinVouchesInHundred) VouchFor(joins, near.Id);
            });
        }
    }

    private void SaySomething()
    {
        var issuer = OneOf(world.Agents);
        if (issuer.Life is null || (issuer == Fraud && Fraud.SecondHistory is not null)) return;
        var said = vouchedFor.GetValueOrDefault(issuer, []);
        var dice = random.Next(100);
        if (dice < 45) VouchFor(issuer, Near(issuer).Id);
        else if (dice < 65 && said.Count > 0)
            issuer.Say(StatementType.Revoke, new RevokeBody(OneOf(said), Scopes()).Encode());
        else if (dice < 78 && said.Count > 0) Disown(issuer, OneOf(said));
        else if (dice < 82 && issuer.Chain.Head.Seq > 1) Disown(issuer, issuer.Id);
        else if (dice < 86) issuer.Rotate();
        else issuer.Say(StatementType.Profile, StatementWriter.ProfileBody("x"));
    }

    private void VouchFor(SimulatedAgent issuer, AgentId subject)
    {
        if (issuer.Life is null || issuer.Id == subject || (issuer == Fraud && Fraud.SecondHistory is not null)) return;
        var dice = random.Next(100);
        var depth = dice < 45 ? 0 : dice < 75 ? 1 : dice < 90 ? 2 : (int)random.Next(8);
        var from = random.Next(12) == 0 ? 1 : -(int)random.Next(9);
        var until = random.Next(6) == 0 ? 1 : random.Next(8) == 0 ? 2 : 1_000;
        if (until <= from) until = from + 1;
        Vouch(issuer, subject, Scopes(), depth, from, until);
        if (!vouchedFor.TryGetValue(issuer, out var said)) vouchedFor.Add(issuer, said = []);
        said.Add(subject);
    }

    private void Disown(SimulatedAgent issuer, AgentId subject)
    {
        var most = subject == issuer.Id ? issuer.Chain.Head.Seq : 6;
        issuer.Say(StatementType.Disown, new DisownBody(subject, 1 + (int)random.Next(most)).Encode());
    }

    private void Ask()
    {
        var (host, asker) = (OneOf(world.Agents), OneOf(world.Agents));
        if (host.Life is not { } life || host == asker) return;
        var admitted = life.Store.Admitted(TrustScopes.Exchange);
        // Mostly somebody who is let in.
        var who = admitted.Count == 0 || random.Next(8) == 0 ? asker.Id : OneOf(admitted).Agent;
        if (who == host.Id) return;
        var takes = world.Within(TimeSpan.FromMinutes(4));
        world.Loop.Begin(() => life.AskAsync(who, takes));
    }

    /// <summary>Somebody on whose word a running read hangs takes that back.</summary>
    private void Cut()
    {
        var host = OneOf(world.Agents);
        for (var i = 0; i < world.Agents.Count && host.Life is not { Reads.Count: > 0 }; i++)
            host = world.Agents[(host.Node - TrustNetwork.RepositoryCount + 1) % world.Agents.Count];
        if (host.Life is not { Reads.Count: > 0 } life) return;
        var links = life.Store.Decide(life.Reads.Keys.First(), TrustScopes.Exchange).Chain;
        if (links.Count == 0) return;
        var link = links[^1];
        var issuer = world.Agents[world.NodeOf[link.Issuer] - TrustNetwork.RepositoryCount];
        if (issuer.Life is null || (issuer == Fraud && Fraud.SecondHistory is not null)) return;
        if (random.Next(3) == 0 && links.Count > 1) Disown(issuer, link.Subject);
        issuer.Say(StatementType.Revoke, new RevokeBody(link.Subject, TrustScopes.All).Encode());
    }

    private void Lie() => world.Liar.BeginToLie(
        [.. world.Agents.Where(agent => agent.Node % 3 != 0).Select(agent => agent.Id)]);

    /// <summary>One history goes to the first repository that it uses, and the other to another one.</summary>
    private void TellTwoHistories()
    {
        if (Fraud.Life is not { } life)
        {
            Later(world.Loop.Now - world.At(TimeSpan.Zero) + TimeSpan.FromMinutes(1), TellTwoHistories);
            return;
        }

        var other = Fraud.SayOtherwise(StatementType.Profile, StatementWriter.ProfileBody("another"));
        foreach (var repository in Fraud.Repositories) life.SetPosted(repository, int.MaxValue);
        var honest = Fraud.Repositories.Where(r => r != world.Liar).ToList();
        life.SetPosted(honest[0], 0);
        Fraud.Say(StatementType.Vouch, new VouchBody(
            Near(Fraud).Id, TrustScopes.All, 3, TrustWorld.Start, TrustWorld.Start.AddHours(1_000)).Encode());
        var receiver = OneOf(world.Repositories.Where(r => r != world.Liar && r != honest[0]).ToList());
        PostOtherwise(Fraud, receiver, other);
    }

    private void Rob()
    {
        var other = Robbed.SayOtherwise(StatementType.Vouch, new VouchBody(
            Near(Robbed).Id, TrustScopes.All, 7, TrustWorld.Start, TrustWorld.Start.AddHours(1_000)).Encode());
        PostOtherwise(Robbed, OneOf(world.Repositories), other);
        Later(world.Loop.Now - world.At(TimeSpan.Zero) + world.Within(RotationAfter), Rotate);
    }

    private void Rotate()
    {
        if (Robbed.Life is null) Later(world.Loop.Now - world.At(TimeSpan.Zero) + TimeSpan.FromMinutes(1), Rotate);
        else Robbed.Rotate();
    }

    /// <summary>Somebody else's network brings it there, until the repository has answered.</summary>
    private void PostOtherwise(
        SimulatedAgent agent, SimulatedRepository to, List<(byte[] Body, byte[] Signature)> history) =>
        world.Loop.Begin(async () =>
        {
            var place = new SimulatedPlace(world.Network, agent.Node, to, () => true);
            for (var isDone = false; !isDone;)
            {
                try
                {
                    isDone = await place.AskAsync(() =>
                    {
                        to.Post(agent.Id, history);
                        return true;
                    });
                }
                catch (VirgaException e)
                {
                    isDone = !e.IsTransient;
                    await world.Loop.PauseFor(TimeSpan.FromSeconds(5));
                }
            }
        });

    private void PlanFaults()
    {
        for (var i = 0; i < SplitCount; i++) PlanTrouble(TroubleKind.Split, 20 + (int)random.Next(90), 2);
        for (var i = 0; i < LossCount; i++) PlanTrouble(TroubleKind.Loss, 10 + (int)random.Next(60), 2);
        for (var i = 0; i < RepositoryCountDown; i++)
            PlanTrouble(TroubleKind.Down, [(int)random.Next(TrustNetwork.RepositoryCount)], 2);
        for (var i = 0; i < RestartCount; i++)
        {
            var agent = OneOf(world.Agents);
            var (start, end) = PlanTrouble(TroubleKind.Down, [agent.Node], 2);
            Later(start, agent.Stop);
            Later(end, () =>
            {
                if (agent.Life is null && !world.IsDown(agent.Node)) agent.Start();
            });
        }
    }

    private static int RepositoryCountDown => 3;

    private (TimeSpan Start, TimeSpan End) PlanTrouble(TroubleKind kind, int nodes, int minutes)
    {
        var those = new HashSet<int>();
        while (those.Count < nodes)
            those.Add((int)random.Next(TrustNetwork.RepositoryCount + TrustNetwork.AgentCount));
        return PlanTrouble(kind, those, minutes);
    }

    private (TimeSpan Start, TimeSpan End) PlanTrouble(TroubleKind kind, HashSet<int> nodes, int minutes)
    {
        var lasts = TimeSpan.FromSeconds(5) + world.Within(TimeSpan.FromMinutes(minutes));
        var start = TimeSpan.FromSeconds(1) + world.Within(TrustNetwork.StormLasts - lasts - TimeSpan.FromSeconds(2));
        world.Network.Plan(new NetworkTrouble(
            kind, world.At(start), world.At(start + lasts), nodes, 0.1 + (0.8 * random.NextDouble())));
        return (start, start + lasts);
    }

    private SimulatedAgent Near(SimulatedAgent agent)
    {
        var at = agent.Node - TrustNetwork.RepositoryCount;
        var by = 1 + (int)random.Next(12);
        var near = random.Next(2) == 0 ? at + by : at + world.Agents.Count - by;
        return random.Next(10) == 0 ? OneOf(world.Agents) : world.Agents[near % world.Agents.Count];
    }

    private TrustScopes Scopes() => random.Next(5) switch
    {
        0 => TrustScopes.Host,
        1 => TrustScopes.Exchange | TrustScopes.Relay,
        2 => TrustScopes.All,
        _ => TrustScopes.Exchange | TrustScopes.Host,
    };

    private T OneOf<T>(IReadOnlyList<T> list) => list[(int)random.Next(list.Count)];

    /// <param name="sinceStart">When, from the beginning of the simulation on.</param>
    private void Later(TimeSpan sinceStart, Action action) =>
        world.Loop.After(world.At(sinceStart) - world.Loop.Now, action);
}
