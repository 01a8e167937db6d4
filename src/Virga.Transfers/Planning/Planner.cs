using System.Globalization;
using Virga.Core;

namespace Virga.Transfers.Planning;

/// <summary>
/// Finds the best route. Pure: no clock, no network, the same answer to the same question. What it assumes is in
/// docs/guides/plans.md.
/// </summary>
public static class Planner
{
    internal const string WithinCost = "costs no more than allowed";

    private const double StartSeconds = 1;

    public static Plan Make(PlanQuestion question)
    {
        var money = new RouteMoney(question);
        var time = new RouteTime(question);
        var routes = new RouteNeeds(question).All
            .Select(r => Measure(question, money, time, r.Kind, r.Needs)).ToList();
        var possible = routes.Where(r => r.IsPossible).ToList();
        possible.Sort((a, b) => Compare(a, b, question));
        var chosen = possible.FirstOrDefault();
        var others = routes.Where(r => !r.IsPossible).OrderBy(r => r.Kind);
        return new Plan(
            chosen is null ? null : chosen with { Reason = WhyChosen(chosen, possible, question.Wish) },
            [
                .. possible.Select(r => r with
                {
                    Reason = r == chosen ? WhyChosen(r, possible, question.Wish) : WhyNot(r, chosen!),
                }),
                .. others.Select(r => r with
                {
                    Reason = string.Join("; ", r.Needs.Select(n => n.WhyNot).OfType<string>().Distinct()),
                }),
            ],
            question.Wish);
    }

    /// <summary>How good a route is where money and time are both weighed; less is better.</summary>
    public static decimal Score(Route route, PriceBook prices) =>
        route.Cost!.Known.Amount + ((decimal)route.Seconds!.Value / 3600 * prices.HourIsWorth.Amount);

    private static Route Measure(
        PlanQuestion question, RouteMoney money, RouteTime time, RouteKind kind, List<RouteNeed> needs)
    {
        var cost = money.Of(kind);
        var took = time.Of(kind);
        if (question.Wish.MaxCost is { } max && cost is not null)
            needs.Add(new RouteNeed(WithinCost, WhyTooDear(cost, max)));
        // Of what nobody offers yet, nothing is said.
        var (owner, others) = cost is null ? (0, 0) : question.SharesOf(kind);
        var yours = cost is null ? 0
            : kind is RouteKind.ProviderCopy ? RouteMoney.ReadBackBytes(question)
            : question.Content.Bytes;
        return new Route(
            kind, took is { } t ? StartSeconds + t.Seconds : null, cost, took?.IsMeasured ?? false, owner, yours,
            others, question.SourcesOf(kind), needs, "");
    }

    private static string? WhyTooDear(RouteCost cost, Money max) =>
        cost.Items.FirstOrDefault(i => i.Gap == CostGap.NotPriced) is { } gap ? gap.How
        : cost.Known > max ? $"costs {cost.Known}, more than {max}"
        : null;

    private static int Compare(Route a, Route b, PlanQuestion question)
    {
        var (x, y) = (a.Cost!, b.Cost!);
        var unknown = x.NotPriced.CompareTo(y.NotPriced);
        var price = x.Known.CompareTo(y.Known);
        var time = a.Seconds!.Value.CompareTo(b.Seconds!.Value);
        var order = question.Wish.Prefer switch
        {
            Preference.Cheap => FirstOf(unknown, price, time),
            Preference.Fast => FirstOf(time, unknown, price),
            _ => FirstOf(unknown, Score(a, question.Prices).CompareTo(Score(b, question.Prices)), price),
        };
        return FirstOf(order, a.Kind.CompareTo(b.Kind), 0);
    }

    private static int FirstOf(int a, int b, int c) => a != 0 ? a : b != 0 ? b : c;

    private static string WhyChosen(Route route, List<Route> possible, PlanWish wish)
    {
        if (possible.Count == 1) return "the only way that is possible";
        var cheapest = possible.All(r => Cheaper(r, route) >= 0);
        var fastest = possible.All(r => r.Seconds >= route.Seconds);
        return (cheapest, fastest) switch
        {
            (true, true) when possible.Skip(1).All(r => r.Cost!.Known == route.Cost!.Known) =>
                "the fastest, and no other is cheaper",
            (true, true) => "the cheapest and the fastest",
            (true, _) => "the cheapest",
            (_, true) when wish.MaxCost is { } max => $"the fastest for at most {max}",
            (_, true) => "the fastest",
            _ => "the best of time and money together",
        };
    }

    private static int Cheaper(Route a, Route b)
    {
        var unknown = a.Cost!.NotPriced.CompareTo(b.Cost!.NotPriced);
        return unknown != 0 ? unknown : a.Cost.Known.CompareTo(b.Cost.Known);
    }

    private static string WhyNot(Route route, Route chosen)
    {
        var clauses = new List<string>();
        if (route.Cost!.NotPriced > chosen.Cost!.NotPriced) clauses.Add("its price is not known");
        var more = route.Cost.Known - chosen.Cost.Known;
        if (more.Amount != 0)
        {
            clauses.Add(more.Amount > 0
                ? $"costs {more} more"
                : $"costs {chosen.Cost.Known - route.Cost.Known} less");
        }
        var slower = route.Seconds!.Value - chosen.Seconds!.Value;
        if (Math.Abs(slower) >= 0.5) clauses.Add(slower > 0 ? $"{Span(slower)} slower" : $"{Span(-slower)} faster");
        return clauses.Count > 0 ? string.Join(", ", clauses) : "as good, but more passes through agents";
    }

    internal static string Span(double seconds) => seconds switch
    {
        < 90 => seconds.ToString("0", CultureInfo.InvariantCulture) + " s",
        < 90 * 60 => (seconds / 60).ToString("0", CultureInfo.InvariantCulture) + " min",
        < 48 * 3600 => (seconds / 3600).ToString("0.#", CultureInfo.InvariantCulture) + " h",
        _ => (seconds / 86400).ToString("0.#", CultureInfo.InvariantCulture) + " days",
    };
}

/// <summary>How content is spread over agents.</summary>
internal static class PlanShares
{
    /// <summary>The agent that streams alone: the owner's where it answers.</summary>
    public static HoldingAgent? LeadOf(this PlanQuestion question) =>
        question.Source.Agents.FirstOrDefault(a => a.IsOwner)
        ?? (question.Source.Agents.Count > 0 ? question.Source.Agents[0] : null);

    public static StoragePlace? CopiedFrom(this PlanQuestion question) =>
        question.Source.CopiedFrom ?? question.Source.Storage;

    /// <summary>By which the rate of copies inside a service is kept.</summary>
    public static string CopyName(this PlanQuestion question) =>
        question.CopiedFrom() is { Region.Length: > 0 } from ? from.Region : question.Target.Place.Service.Id;

    public static IReadOnlyList<string> SourcesOf(this PlanQuestion question, RouteKind kind) => kind switch
    {
        RouteKind.Swarm => [.. question.Source.Agents.Select(a => a.Name)],
        RouteKind.Agent or RouteKind.Relay => question.LeadOf() is { } lead ? [lead.Name] : [],
        RouteKind.ProviderCopy => question.CopiedFrom() is null ? [] : [question.CopyName()],
        _ => question.Source.StorageName is { } storage ? [storage] : [],
    };

    /// <summary>Content bytes that the owner's agent and all others send: in a swarm, each the same.</summary>
    public static (long Owner, long Others) SharesOf(this PlanQuestion question, RouteKind kind)
    {
        var bytes = question.Content.Bytes;
        var agents = question.Source.Agents;
        if (kind is RouteKind.Agent or RouteKind.Relay)
            return question.LeadOf() is { IsOwner: false } ? (0, bytes) : (bytes, 0);
        if (kind != RouteKind.Swarm || agents.Count == 0) return (0, 0);
        var owners = agents.Count(a => a.IsOwner);
        var owner = (long)((Int128)bytes * owners / agents.Count);
        return (owner, bytes - owner);
    }
}
