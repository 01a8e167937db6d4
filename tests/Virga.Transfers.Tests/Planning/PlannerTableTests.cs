using Virga.Transfers.Planning;
using static Virga.Transfers.Tests.Planning.Situations;

namespace Virga.Transfers.Tests.Planning;

/// <summary>
/// Situations with the route and the price that they must lead to. Prices were reckoned by hand from the test prices:
/// 10 GB in ten files are 4,770 reads, 1,220 writes (120 parts, begin, complete; each) and 10 copies.
/// </summary>
public sealed class PlannerTableTests
{
    private const string A = "s3.near.alpha.example";
    private const string Far = "s3.far.alpha.example";
    private const string B = "s3.beta.example";
    private const string G = "s3.gamma.example";
    private const string D = "s3.delta.example";

    /// <param name="Route">Null: none is possible.</param>
    /// <param name="Price">Of the chosen route; of the cheapest that is too dear where none is.</param>
    /// <param name="Hand">How the price was reckoned.</param>
    private sealed record Row(string Name, PlanQuestion Question, RouteKind? Route, decimal Price, string Hand);

    private static PriceBook MeteredAgents { get; } = With("""{ "yourAgentPerGB": 0.02, "ownerAgentPerGB": 0.05 }""");

    private static PriceBook DearHours { get; } = With("""{ "hourIsWorth": 100 }""");

    private static readonly Row[] Table =
    [
        new("disk to disk", Ask(null, "disk"), RouteKind.Agent, 0m, "nothing is charged"),
        new("disk to disk for nothing", Ask(null, "disk", wish: AtMost(0)), RouteKind.Agent, 0m,
            "what the owner doesn't tell is its own business"),
        new("disk to an object store", Ask(null, A), RouteKind.Agent, 0.0061m, "1,220 writes x 0.005/1,000"),
        new("disk to one that charges ingress", Ask(null, D), RouteKind.Agent, 0.3122m,
            "10 GB x 0.03 + 1,220 writes x 0.01/1,000 = 0.3 + 0.0122"),
        new("direct out of a dear service", Ask(A, "disk", urls: true), RouteKind.Direct, 0.901908m,
            "10 x 0.09 + 4,770 x 0.0004/1,000 = 0.9 + 0.001908"),
        new("the same, direct not allowed", Ask(A, "disk"), RouteKind.Agent, 0.901908m,
            "the agent reads the same storage: 0.901908"),
        new("direct out of a free service", Ask(G, "disk", urls: true), RouteKind.Direct, 0.0017172m,
            "4,770 x 0.00036/1,000"),
        new("direct between two services", Ask(B, A, urls: true), RouteKind.Direct, 0.108008m,
            "10 x 0.01 + 0.001908 + 1,220 x 0.005/1,000 = 0.1 + 0.001908 + 0.0061"),
        new("copy in a region, hash trusted", Ask(A, A, copy: true, urls: true, readBack: 0), RouteKind.ProviderCopy,
            0.00005m, "10 copies x 0.005/1,000"),
        new("copy in a region, read back: the cheap way", Ask(A, A, copy: true, urls: true, wish: Cheap),
            RouteKind.ProviderCopy, 0.901958m,
            "0.00005 + read back 0.901908; direct: 0.901908 + 0.0061 = 0.908008"),
        new("copy to another region, hash trusted", Ask(A, Far, copy: true, urls: true, readBack: 0),
            RouteKind.ProviderCopy, 0.20005m, "10 x 0.02 + 0.00005; direct: 0.908008"),
        new("copy to another region, read back", Ask(A, Far, copy: true, urls: true, wish: Cheap), RouteKind.Direct,
            0.908008m, "copy: 0.2 + 0.00005 + 0.901908 = 1.101958; direct: 0.901908 + 0.0061"),
        new("copy, a tenth read back", Ask(A, A, copy: true, urls: true, readBack: 0.1m), RouteKind.ProviderCopy,
            0.0902408m, "0.00005 + 1 GB x 0.09 + 477 x 0.0004/1,000 = 0.00005 + 0.09 + 0.0001908"),
        new("a free service reads back for calls only", Ask(G, G, copy: true, urls: true, wish: Cheap),
            RouteKind.ProviderCopy,
            0.0017622m, "10 x 0.0045/1,000 + 4,770 x 0.00036/1,000 = 0.000045 + 0.0017172"),
        new("a copy that isn't offered", Ask(G, G, urls: true), RouteKind.Direct, 0.0072072m,
            "0.0017172 + 1,220 x 0.0045/1,000 = 0.0017172 + 0.00549"),
        new("a copy between two services is none", Ask(G, A, copy: true, urls: true), RouteKind.Direct, 0.0078172m,
            "0.0017172 + 0.0061"),
        new("a copy whose price to another region isn't known", Ask(B, "s3.other.beta.example", copy: true, urls: true),
            RouteKind.Direct, 0.101908m, "0.1 + 0.001908 + writes at 0; an unknown price comes last"),
        new("the same, fast: an unknown price doesn't stop it",
            Ask(B, "s3.other.beta.example", copy: true, urls: true, readBack: 0, wish: Fast),
            RouteKind.ProviderCopy, 0.00004m, "10 x 0.004/1,000, and what isn't known"),
        new("the same, with a bound: it does",
            Ask(B, "s3.other.beta.example", copy: true, urls: true, readBack: 0, wish: AtMost(5, Preference.Fast)),
            RouteKind.Direct, 0.101908m, "0.1 + 0.001908"),
        new("a swarm is faster and as cheap", Ask(null, "disk", others: 3), RouteKind.Swarm, 0m, "nothing is charged"),
        new("a swarm takes load off a dear owner", Ask(A, "disk", others: 3, wish: Cheap), RouteKind.Swarm, 0.2254772m,
            "a quarter: 2.5 x 0.09 + 1,193 x 0.0004/1,000 = 0.225 + 0.0004772 (4,770 / 4 rounded up)"),
        new("direct is faster than a swarm of two, and dearer",
            Ask(A, "disk", others: 1, urls: true, wish: Fast,
                rates: Rates((RouteKind.Direct, A, 150e6), (RouteKind.Agent, Owner, 50e6))),
            RouteKind.Direct, 0.901908m, "0.9 + 0.001908"),
        new("a swarm of two halves a dear egress", Ask(A, "disk", others: 1, urls: true, wish: Cheap),
            RouteKind.Swarm, 0.450954m, "half: 5 x 0.09 + 2,385 x 0.0004/1,000 = 0.45 + 0.000954"),
        new("without the owner, others alone", Ask(null, "disk", owner: false, others: 2), RouteKind.Swarm, 0m,
            "nothing that is known"),
        new("without the owner, one other", Ask(null, A, owner: false, others: 1), RouteKind.Agent, 0.0061m,
            "1,220 x 0.005/1,000"),
        new("nobody answers", Ask(null, "disk", owner: false), null, 0m, "none"),
        new("metered agents make direct cheaper", Ask(A, A, urls: true, wish: Cheap, prices: MeteredAgents),
            RouteKind.Direct, 1.108008m, "0.908008 + your agent sends 10 x 0.02; the owner's would add 10 x 0.05"),
        new("metered agents, no URLs", Ask(A, A, wish: Cheap, prices: MeteredAgents), RouteKind.Agent, 1.608008m,
            "1.108008 + 0.5"),
        new("your agent sends nothing into its own disk", Ask(A, "disk", wish: Cheap, prices: MeteredAgents),
            RouteKind.Agent, 1.401908m, "0.901908 + 0.5"),
        new("a slow storage against a quick agent, fast",
            Ask(A, "disk", urls: true, wish: Fast,
                rates: Rates((RouteKind.Direct, A, 5e6), (RouteKind.Agent, Owner, 40e6))),
            RouteKind.Agent, 0.901908m, "the same storage is read"),
        new("the same, cheap: as cheap, so the faster",
            Ask(A, "disk", urls: true, wish: Cheap,
                rates: Rates((RouteKind.Direct, A, 5e6), (RouteKind.Agent, Owner, 40e6))),
            RouteKind.Agent, 0.901908m, "the same storage is read"),
        new("time against money: an hour is worth 1 USD",
            Ask(A, A, urls: true, copy: true, readBack: 0,
                rates: Rates((RouteKind.ProviderCopy, "near", 1e6), (RouteKind.Direct, A, 100e6))),
            RouteKind.Direct, 0.908008m, "copying takes 2.78 h for 0.00005: 2.78 > 0.908008 + 0.028"),
        new("ways that were never measured are not taken to be quicker than the copy was",
            Ask(A, A, urls: true, copy: true, readBack: 0, rates: Rates((RouteKind.ProviderCopy, "near", 1e6))),
            RouteKind.ProviderCopy, 0.00005m, "10 x 0.005/1,000"),
        new("a slow copy, cheap",
            Ask(A, A, urls: true, copy: true, readBack: 0, wish: Cheap,
                rates: Rates((RouteKind.ProviderCopy, "near", 1e6))),
            RouteKind.ProviderCopy, 0.00005m, "10 x 0.005/1,000"),
        new("an hour that is worth 100 USD", Ask(A, A, urls: true, copy: true, prices: DearHours, readBack: 0,
                rates: Rates((RouteKind.ProviderCopy, "near", 50e6), (RouteKind.Direct, A, 100e6))),
            RouteKind.Direct, 0.908008m, "100 s saved are worth 2.78"),
        new("a bound that a way keeps", Ask(A, A, urls: true, copy: true, readBack: 0, wish: AtMost(0.01m)),
            RouteKind.ProviderCopy, 0.00005m, "10 x 0.005/1,000"),
        new("a bound that none keeps", Ask(A, "disk", urls: true, wish: AtMost(0.5m)), null, 0.901908m,
            "0.9 + 0.001908"),
        new("a bound to the last digit", Ask(A, "disk", urls: true, wish: AtMost(0.901908m)), RouteKind.Direct,
            0.901908m, "just it"),
        new("many small files: calls cost more than bytes", Ask(A, A, ManySmall, urls: true), RouteKind.Direct, 0.063m,
            "0.1 x 0.09 + 10,000 x 0.0004/1,000 + 10,000 x 0.005/1,000 = 0.009 + 0.004 + 0.05"),
        new("many small files, copied", Ask(A, A, ManySmall, copy: true, urls: true, readBack: 0, wish: Cheap),
            RouteKind.ProviderCopy, 0.05m, "10,000 x 0.005/1,000"),
        new("a large file is copied in parts", Ask(A, A, [10_000_000_000], copy: true, readBack: 0),
            RouteKind.ProviderCopy, 0.005975m, "1,193 parts of 8 MiB, begin and complete: 1,195 x 0.005/1,000"),
        new("many small files, a piece of each read back",
            Ask(A, A, ManySmall, copy: true, readBack: 0.015625m, readBackMin: 1 << 20, wish: Cheap),
            RouteKind.Agent, 0.063m,
            "copy: 0.05 + all of them 0.1 x 0.09 + 10,000 x 0.0004/1,000 = 0.063; the agent: as much, and sooner"),
        new("a service of which only the name is told", Ask(null, A, copiedFrom: A, copy: true, readBack: 0),
            RouteKind.ProviderCopy, 0.00005m, "10 x 0.005/1,000"),
        new("a service of one's own whose prices nobody knows", Ask(null, "who.example", copiedFrom: "who.example",
                copy: true, readBack: 0),
            RouteKind.ProviderCopy, 0m, "what is known; the agent would be as unknown"),
        new("a copy that is charged by the byte", Ask(D, D, copy: true, readBack: 0), RouteKind.ProviderCopy, 0.0101m,
            "10 x 0.001 + 10 x 0.01/1,000"),
        new("an empty share", Ask(null, A, []), RouteKind.Agent, 0m, "nothing"),
        new("a relay that isn't known", Ask(null, "disk", wish: new PlanWish(NoRelay: true)), RouteKind.Agent, 0m,
            "nothing is charged"),
        new("self-hosted is free", Ask("127.0.0.1", "127.0.0.1", urls: true), RouteKind.Direct, 0m, "all at 0"),
        new("a target of which nothing is known", Ask(null, "who.example"), RouteKind.Agent, 0m,
            "what is known; the rest is said"),
        new("the same, with a bound", Ask(null, "who.example", wish: AtMost(100)), null, 0m, "it can't be kept"),
        new("a hundred GB out of a dear service", Ask(A, "disk", HundredOfOneGB, urls: true), RouteKind.Direct,
            9.01908m, "100 x 0.09 + 47,700 x 0.0004/1,000"),
    ];

    public static TheoryData<string> Names => [.. Table.Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_situation_leads_to_the_route_and_the_price_that_were_reckoned_by_hand(string name)
    {
        var row = Table.Single(r => r.Name == name);
        var plan = Planner.Make(row.Question);
        var shown = string.Join("; ", plan.Routes.Select(r => $"{r.Name} {r.Cost?.Known} {r.Seconds:0} s: {r.Reason}"));
        Assert.True(plan.Chosen?.Kind == row.Route, $"{row.Name}: {shown}");
        var route = plan.Chosen ?? plan.Routes.Where(IsTooDearAlone).MinBy(r => r.Cost!.Known.Amount);
        Assert.True(
            (route?.Cost?.Known.Amount ?? 0) == row.Price, $"{row.Name}: {route?.Cost?.Known.Amount}, not {row.Hand}");
    }

    private static bool IsTooDearAlone(Route route) =>
        route.Cost is not null && route.Needs.Count(n => n.WhyNot is not null) == 1;

    [Fact]
    public void The_table_has_at_least_thirty_situations() => Assert.InRange(Table.Length, 30, 200);

    [Fact]
    public void Every_route_is_shown_with_a_reason_and_the_chosen_one_stands_on_top()
    {
        foreach (var row in Table)
        {
            var plan = Planner.Make(row.Question);
            Assert.Equal(6, plan.Routes.Select(r => r.Kind).Distinct().Count());
            Assert.All(plan.Routes, r => Assert.NotEqual("", r.Reason));
            if (plan.Chosen is { } chosen) Assert.Equal(chosen, plan.Routes[0]);
        }
    }
}
