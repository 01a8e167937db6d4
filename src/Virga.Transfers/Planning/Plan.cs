using Virga.Core;

namespace Virga.Transfers.Planning;

/// <summary>Ways to move content, in the order in which equals are chosen.</summary>
public enum RouteKind
{
    /// <summary>The service that both accounts are at copies inside itself.</summary>
    ProviderCopy,
    /// <summary>The target's service pulls from a URL.</summary>
    PullFromUrl,
    /// <summary>This agent reads the owner's storage by signed URLs.</summary>
    Direct,
    /// <summary>Several agents that hold it send parts.</summary>
    Swarm,
    /// <summary>The owner's agent sends it.</summary>
    Agent,
    /// <summary>A relay carries what an agent sends.</summary>
    Relay,
}

/// <summary>Names of routes, as people and files see them.</summary>
public static class RouteNames
{
    private static readonly (RouteKind Kind, string Name)[] All =
    [
        (RouteKind.ProviderCopy, "provider-copy"), (RouteKind.PullFromUrl, "pull-from-url"),
        (RouteKind.Direct, "direct"), (RouteKind.Swarm, "swarm"), (RouteKind.Agent, "agent"),
        (RouteKind.Relay, "relay"),
    ];

    public static string NameOf(RouteKind kind) => All[(int)kind].Name;

    public static RouteKind? Find(string name) => All.Where(r => r.Name == name).Select(r => (RouteKind?)r.Kind)
        .FirstOrDefault();
}

/// <summary>Why the amount of a <see cref="CostItem"/> isn't known.</summary>
public enum CostGap
{
    None,
    /// <summary>The other side doesn't tell where it keeps its data: its own business, weighed as nothing.</summary>
    NotTold,
    /// <summary>No price is known of the service: a bound on cost can't be kept.</summary>
    NotPriced,
}

/// <summary>One thing that costs money.</summary>
/// <param name="What">egress, ingress, reads, writes, copies, copied, agent.</param>
/// <param name="Payer">owner, you, others.</param>
/// <param name="Amount">Null with a <paramref name="Gap"/>.</param>
/// <param name="How">How it was reckoned, for people.</param>
public sealed record CostItem(string What, string Payer, Money? Amount, CostGap Gap, string How);

/// <summary>What a route costs everybody together.</summary>
public sealed record RouteCost(Money Known, IReadOnlyList<CostItem> Items)
{
    public int NotPriced => Items.Count(i => i.Gap == CostGap.NotPriced);

    public bool IsNotTold => Items.Any(i => i.Gap == CostGap.NotTold);
}

/// <param name="WhyNot">Null: it is met.</param>
public sealed record RouteNeed(string Need, string? WhyNot);

/// <summary>One way, what it would take, and why it was chosen or not.</summary>
/// <param name="Seconds">Null where nobody can say.</param>
/// <param name="Cost">Null where nobody can say.</param>
/// <param name="IsMeasured">Whether <paramref name="Seconds"/> come from earlier transfers on this very way.</param>
/// <param name="OwnerAgentBytes">Content that passes through the owner's agent.</param>
/// <param name="YourAgentBytes">Content that passes through this agent.</param>
/// <param name="OtherAgentsBytes">Content that passes through other agents.</param>
/// <param name="Sources">Agents or storage that it reads from, by their names.</param>
/// <param name="Reason">One clause.</param>
public sealed record Route(
    RouteKind Kind, double? Seconds, RouteCost? Cost, bool IsMeasured, long OwnerAgentBytes, long YourAgentBytes,
    long OtherAgentsBytes, IReadOnlyList<string> Sources, IReadOnlyList<RouteNeed> Needs, string Reason)
{
    public bool IsPossible => Needs.All(n => n.WhyNot is null);

    public string Name => RouteNames.NameOf(Kind);
}

/// <summary>The answer: the chosen route first, then those that would do, in order of merit, then the rest.</summary>
/// <param name="Chosen">Null when none is possible.</param>
public sealed record Plan(Route? Chosen, IReadOnlyList<Route> Routes, PlanWish Wish)
{
    public Route? Find(RouteKind kind) => Routes.FirstOrDefault(r => r.Kind == kind);

    /// <summary>The chosen route.</summary>
    /// <exception cref="VirgaException">
    /// TooExpensive when money alone stands in the way; Unavailable when something else does.
    /// </exception>
    public Route Require()
    {
        if (Chosen is not null) return Chosen;
        var tooDear = Routes.Where(r => r.Needs.Where(n => n.WhyNot is not null).All(n => n.Need == Planner.WithinCost))
            .OrderBy(r => r.Cost!.NotPriced).ThenBy(r => r.Cost!.Known.Amount).FirstOrDefault();
        if (tooDear is null)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                "there is no way to move this now: " + string.Join("; ", Routes.Select(r => $"{r.Name} {r.Reason}")),
                "Try again when the owner's agent runs.");
        }
        var allowed = Wish.MaxCost!.Value;
        if (tooDear.Cost!.Items.FirstOrDefault(i => i.Gap == CostGap.NotPriced) is { } gap)
        {
            throw new VirgaException(
                FailureKind.TooExpensive,
                $"whether it costs at most {allowed} can't be said: {gap.How}",
                $"Give the price in {PriceFile.FileName} in the data folder (`virga prices` shows what is known), "
                    + "or leave --max-cost out.");
        }
        throw new VirgaException(
            FailureKind.TooExpensive,
            $"no way costs at most {allowed}: the cheapest is {tooDear.Name} at {tooDear.Cost.Known}",
            "Allow more with --max-cost; `virga plan` shows where the money goes.");
    }
}
