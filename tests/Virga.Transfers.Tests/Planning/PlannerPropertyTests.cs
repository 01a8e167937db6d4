using Virga.Core;
using Virga.Testing;
using Virga.Transfers.Planning;

namespace Virga.Transfers.Tests.Planning;

/// <summary>What holds of every plan; questions follow from a seed, which a failure prints.</summary>
public sealed class PlannerPropertyTests
{
    private const int Questions = 3000;

    private static readonly string[] Hosts =
        ["disk", "s3.near.alpha.example", "s3.far.alpha.example", "s3.beta.example", "s3.gamma.example",
            "s3.delta.example", "127.0.0.1", "who.example"];

    [Fact]
    public void Who_prefers_cheap_never_pays_more_than_by_an_agent() => ForEach((question, seed) =>
    {
        var plan = Planner.Make(question with { Wish = question.Wish with { Prefer = Preference.Cheap } });
        foreach (var kind in new[] { RouteKind.Agent, RouteKind.Relay })
        {
            if (plan.Find(kind) is not { IsPossible: true, Cost: { } other }) continue;
            var cost = plan.Chosen!.Cost!;
            Assert.True(
                cost.NotPriced < other.NotPriced || (cost.NotPriced == other.NotPriced && cost.Known <= other.Known),
                $"seed {seed}: {plan.Chosen.Name} at {cost.Known}, {kind} at {other.Known}");
        }
    });

    [Fact]
    public void A_route_whose_need_is_unmet_is_never_chosen() => ForEach((question, seed) =>
    {
        var plan = Planner.Make(question);
        if (plan.Chosen is { } chosen)
            Assert.True(chosen.Needs.All(n => n.WhyNot is null), $"seed {seed}: {chosen.Name}: {chosen.Reason}");
        else
            Assert.True(plan.Routes.All(r => r.Needs.Any(n => n.WhyNot is not null)), $"seed {seed}");
        // Not by its own account alone.
        if (plan.Chosen?.Kind == RouteKind.Direct) Assert.True(question.Source.WhyNoUrls is null, $"seed {seed}");
        if (plan.Chosen?.Kind == RouteKind.ProviderCopy) Assert.True(question.Source.WhyNoCopy is null, $"seed {seed}");
        if (plan.Chosen?.Kind == RouteKind.Swarm) Assert.True(question.Source.Agents.Count > 1, $"seed {seed}");
        Assert.False(plan.Chosen?.Kind is RouteKind.Relay or RouteKind.PullFromUrl, $"seed {seed}");
    });

    [Fact]
    public void What_may_be_spent_is_never_exceeded_and_a_bound_needs_known_prices() => ForEach((question, seed) =>
    {
        var max = new Money((decimal)new Seeded(seed).NextDouble(), "USD");
        var plan = Planner.Make(question with { Wish = question.Wish with { MaxCost = max } });
        if (plan.Chosen is not { } chosen) return;
        Assert.True(chosen.Cost!.Known <= max, $"seed {seed}: {chosen.Cost.Known} of {max}");
        Assert.True(chosen.Cost.NotPriced == 0, $"seed {seed}: a price isn't known");
    });

    [Fact]
    public void A_bound_that_the_best_route_keeps_changes_nothing() => ForEach((question, seed) =>
    {
        var free = Planner.Make(question);
        if (free.Chosen is not { Cost.NotPriced: 0 } chosen) return;
        var bound = Planner.Make(question with { Wish = question.Wish with { MaxCost = chosen.Cost.Known } });
        Assert.True(bound.Chosen?.Kind == chosen.Kind, $"seed {seed}: {bound.Chosen?.Name}, before {chosen.Name}");
    });

    [Fact]
    public void Raising_a_price_never_brings_a_route_forward_that_pays_more_of_it() => ForEach((question, seed) =>
    {
        var plan = Planner.Make(question);
        var (dearer, raised) = Raise(question, new Seeded(seed ^ 0xABCDEF));
        var then = Planner.Make(dearer);
        if (plan.Chosen is not { } before || then.Chosen is not { } after || after.Kind == before.Kind) return;
        if (then.Find(before.Kind)!.IsPossible)
        {
            Assert.True(
                Rise(after.Kind) < Rise(before.Kind),
                $"seed {seed}: {raised} raised {after.Name} by {Rise(after.Kind)} and {before.Name} by "
                    + $"{Rise(before.Kind)}, and yet {after.Name} was chosen");
        }
        Assert.True(Rise(before.Kind) > 0, $"seed {seed}: {raised} changed the route without costing it anything");

        decimal Rise(RouteKind kind) => then.Find(kind)!.Cost!.Known.Amount - plan.Find(kind)!.Cost!.Known.Amount;
    });

    [Fact]
    public void Raising_a_price_never_makes_the_cheapest_plan_cheaper_nor_the_balanced_one_better() =>
        ForEach((question, seed) =>
    {
        var cheap = question with { Wish = question.Wish with { Prefer = Preference.Cheap } };
        var (dearer, raised) = Raise(cheap, new Seeded(seed ^ 0x123456));
        var (before, after) = (Planner.Make(cheap).Chosen, Planner.Make(dearer).Chosen);
        if (before is not null && after is not null && before.Cost!.NotPriced == after.Cost!.NotPriced)
            Assert.True(after.Cost.Known >= before.Cost.Known, $"seed {seed}: {raised}: {after.Name}");
        var balanced = question with { Wish = PlanWish.Default };
        (dearer, raised) = Raise(balanced, new Seeded(seed ^ 0x123456));
        (before, after) = (Planner.Make(balanced).Chosen, Planner.Make(dearer).Chosen);
        if (before is null || after is null || before.Cost!.NotPriced != after.Cost!.NotPriced) return;
        Assert.True(
            Planner.Score(after, dearer.Prices) >= Planner.Score(before, balanced.Prices), $"seed {seed}: {raised}");
    });

    [Fact]
    public void Who_prefers_fast_gets_the_fastest_that_is_possible() => ForEach((question, seed) =>
    {
        var plan = Planner.Make(question with { Wish = question.Wish with { Prefer = Preference.Fast } });
        var possible = plan.Routes.Where(r => r.IsPossible).ToList();
        if (possible.Count > 0) Assert.True(plan.Chosen!.Seconds == possible.Min(r => r.Seconds), $"seed {seed}");
    });

    [Fact]
    public void The_same_question_has_the_same_answer() => ForEach((question, seed) =>
    {
        var (a, b) = (Planner.Make(question), Planner.Make(question));
        Assert.True(
            a.Routes.Select(r => (r.Kind, r.Reason)).SequenceEqual(b.Routes.Select(r => (r.Kind, r.Reason))),
            $"seed {seed}");
    });

    [Fact]
    public void Every_byte_leaves_exactly_one_place() => ForEach((question, seed) =>
    {
        foreach (var route in Planner.Make(question).Routes)
        {
            if (route.Kind is not (RouteKind.Swarm or RouteKind.Agent) || route.Cost is null) continue;
            Assert.True(
                route.OwnerAgentBytes + route.OtherAgentsBytes == question.Content.Bytes, $"seed {seed}: {route.Name}");
        }
    });

    [Fact]
    public void A_target_that_takes_no_file_so_long_is_refused_with_the_reason()
    {
        var small = Situations.ObjectTraits with { PartBytesMax = 5 << 20, PartsMax = 10 };
        var plan = Planner.Make(Situations.Ask(null, "s3.beta.example", traits: small));
        Assert.Null(plan.Chosen);
        var e = Assert.Throws<VirgaException>(plan.Require);
        Assert.Equal(FailureKind.Unavailable, e.Kind);
        Assert.Contains("files of at most 52,428,800 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_too_dear_is_refused_with_what_the_cheapest_would_cost()
    {
        var plan = Planner.Make(Situations.Ask(
            "s3.near.alpha.example", "disk", urls: true, wish: Situations.AtMost(0.5m)));
        var e = Assert.Throws<VirgaException>(plan.Require);
        Assert.Equal(FailureKind.TooExpensive, e.Kind);
        Assert.Contains("at most 0.50 USD: the cheapest is direct at 0.9020 USD", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bound_over_unknown_prices_is_refused_with_the_advice_to_give_them()
    {
        var plan = Planner.Make(Situations.Ask(null, "who.example", wish: Situations.AtMost(5)));
        var e = Assert.Throws<VirgaException>(plan.Require);
        Assert.Equal(FailureKind.TooExpensive, e.Kind);
        Assert.Contains("the prices of your account are not known", e.Message, StringComparison.Ordinal);
        Assert.Contains("prices.json", e.Advice, StringComparison.Ordinal);
    }

    private static void ForEach(Action<PlanQuestion, ulong> check)
    {
        for (ulong seed = 1; seed <= Questions; seed++) check(Question(new Seeded(seed)), seed);
    }

    private static PlanQuestion Question(Seeded random)
    {
        var sizes = new long[1 + random.Next(40)];
        for (var i = 0; i < sizes.Length; i++) sizes[i] = random.Next(1L << (int)random.Next(35));
        var from = random.Next(4) == 0 ? null : Pick(random, Hosts);
        var to = Pick(random, Hosts);
        var wish = new PlanWish(
            (Preference)random.Next(3),
            random.Next(3) == 0 ? new Money((decimal)random.NextDouble() * 3, "USD") : null, random.Next(2) == 0);
        var rates = new List<(RouteKind, string, double)>();
        if (from is not null && random.Next(2) == 0) rates.Add((RouteKind.Direct, from, Rate(random)));
        if (from is not null && random.Next(2) == 0) rates.Add((RouteKind.ProviderCopy, from, Rate(random)));
        if (random.Next(2) == 0) rates.Add((RouteKind.Agent, Situations.Owner, Rate(random)));
        var prices = random.Next(2) == 0
            ? Situations.Prices
            : Situations.Prices with
            {
                YourAgentPerGB = Figure(random), OwnerAgentPerGB = Figure(random), HourIsWorth = Figure(random),
            };
        return Situations.Ask(
            from, to, sizes, random.Next(2) == 0, random.Next(2) == 0, (int)random.Next(4), random.Next(5) > 0, wish,
            Situations.Rates([.. rates]), random.Next(3) / 2m, prices);
    }

    private static double Rate(Seeded random) => 1e5 + (random.NextDouble() * 3e8);

    private static PriceFigure Figure(Seeded random) => new((decimal)random.NextDouble() * 0.2m, null, "the test");

    private static string Pick(Seeded random, string[] from) => from[random.Next(from.Length)];

    /// <summary>One price a little or a lot higher, everywhere in the question.</summary>
    private static (PlanQuestion Question, string What) Raise(PlanQuestion question, Seeded random)
    {
        var by = (decimal)random.NextDouble() * (random.Next(2) == 0 ? 0.001m : 1m);
        var which = random.Next(9);
        if (which == 0)
        {
            var yours = question.Prices.YourAgentPerGB;
            return (question with { Prices = question.Prices with { YourAgentPerGB = Up(yours)! } }, "yourAgentPerGB");
        }
        if (which == 1)
        {
            var owners = question.Prices.OwnerAgentPerGB;
            return (
                question with { Prices = question.Prices with { OwnerAgentPerGB = Up(owners)! } }, "ownerAgentPerGB");
        }
        var atSource = random.Next(2) == 0 && question.Source.Storage is not null;
        var service = (atSource ? question.Source.Storage! : question.Target.Place).Service;
        var (what, raised) = which switch
        {
            2 => ("egress", service with { EgressPerGB = Up(service.EgressPerGB) }),
            3 => ("ingress", service with { IngressPerGB = Up(service.IngressPerGB) }),
            4 => ("reads", service with { ReadsPer1000 = Up(service.ReadsPer1000) }),
            5 => ("writes", service with { WritesPer1000 = Up(service.WritesPer1000) }),
            6 => ("copies", service with { CopiesPer1000 = Up(service.CopiesPer1000) }),
            7 => ("copied", service with { CopyPerGB = Up(service.CopyPerGB) }),
            _ => ("copied far", service with { CopyFarPerGB = Up(service.CopyFarPerGB) }),
        };
        var source = question.Source.Storage is { } place && place.Service.Id == service.Id
            ? place with { Service = raised }
            : question.Source.Storage;
        var target = question.Target.Place.Service.Id == service.Id
            ? question.Target.Place with { Service = raised }
            : question.Target.Place;
        return (question with
        {
            Source = question.Source with { Storage = source }, Target = question.Target with { Place = target },
        }, $"{what} of {service.Id} by {by}");

        PriceFigure? Up(PriceFigure? figure) => figure is null ? null : figure with { Amount = figure.Amount + by };
    }
}
