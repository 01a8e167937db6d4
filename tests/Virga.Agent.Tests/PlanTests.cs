using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Virga.Agent.Control;
using Virga.Agent.Planning;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing;
using Virga.Transfers.Planning;
using Virga.Transfers.Sources;

namespace Virga.Agent.Tests;

/// <summary>Plans of a running agent: what it asks, what it keeps, and that transfers do as they say.</summary>
public sealed class PlanTests
{
    private const int Bytes = 4_000_000;

    [Fact]
    public async Task A_plan_looks_at_the_link_and_moves_nothing()
    {
        await using var world = await World.StartAsync();
        var plan = await world.Bob.PlanAsync(new PlanRequest(world.Link, "disk", "got"));
        Assert.Equal((2, Bytes + 5L, (long)Bytes, "agent"), (plan.Files, plan.Bytes, plan.LargestBytes, plan.Chosen));
        Assert.Equal("agent", plan.Routes[0].Route);
        Assert.Equal(6, plan.Routes.Count);
        Assert.Equal(plan.Bytes, plan.Routes[0].OwnerAgentBytes);
        Assert.Equal(0m, plan.Routes[0].Cost);
        Assert.Contains("doesn't tell where it keeps this", plan.Routes[0].Unknown, StringComparison.Ordinal);
        var direct = plan.Routes.Single(r => r.Route == "direct");
        Assert.False(direct.Possible);
        Assert.Contains("does not share its storage", direct.Reason, StringComparison.Ordinal);
        Assert.Contains("only one agent", plan.Routes.Single(r => r.Route == "swarm").Reason, StringComparison.Ordinal);
        Assert.Equal("no relay is known", plan.Routes.Single(r => r.Route == "relay").Reason);
        Assert.False(Directory.Exists(world.Network.PathOf("to/got")));
    }

    [Fact]
    public async Task A_transfer_keeps_its_plan_tells_what_it_spent_and_leaves_its_rate()
    {
        await using var world = await World.StartAsync();
        var before = await world.Bob.PlanAsync(new PlanRequest(world.Link, "disk", "got"));
        Assert.False(before.Routes[0].Measured);
        var got = await world.Bob.GetAsync(new TransferRequest(world.Link, "disk", "got", MaxCost: "0"));
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        Assert.Equal(("agent", "0"), (got.Plan!.Chosen, got.Plan.MaxCost));
        Assert.Equal((0m, 0m, "USD"), (got.Spent!.Spent, got.Spent.Saved, got.Spent.Currency));
        Assert.InRange(got.Spent.Bytes["agent"], Bytes, Bytes + 10_000);
        world.Bob = await world.Network.RestartAsync(world.Bob, "bob");
        var again = await world.Bob.TransferAsync(got.Id);
        Assert.Equal("agent", again.Plan!.Chosen);
        Assert.Equal(got.Spent.Bytes["agent"], again.Spent!.Bytes["agent"]);
        var after = await world.Bob.PlanAsync(new PlanRequest(world.Link, "disk", "other"));
        Assert.True(after.Routes[0].Measured);
    }

    [Fact]
    public async Task What_is_too_dear_is_not_begun_and_goes_on_when_the_price_falls()
    {
        await using var world = await World.StartAsync();
        world.Bob.Prices("""{ "ownerAgentPerGB": 10 }""");
        var plan = await world.Bob.PlanAsync(new PlanRequest(world.Link, "disk", "got", "cheap", "0.01"));
        // 4,000,005 bytes are 0.004000005 GB, at 10 a GB.
        Assert.Equal((null, 0.04000005m), (plan.Chosen, plan.Routes.Single(r => r.Route == "agent").Cost));
        Assert.Equal("TooExpensive", plan.Problem!.Kind);
        var got = await world.Bob.GetAsync(new TransferRequest(world.Link, "disk", "got", MaxCost: "0.01"));
        Assert.Equal((TransferState.Failed, "TooExpensive"), (got.State, got.Error?.Kind));
        Assert.Contains(
            "no way costs at most 0.01 USD: the cheapest is agent at 0.0401 USD", got.Error!.Message,
            StringComparison.Ordinal);
        Assert.Equal(0, got.BytesFetched);
        Assert.Empty(Directory.EnumerateFileSystemEntries(world.Network.PathOf("to")));
        world.Bob.Prices(null);
        var resumed = await world.Bob.ResumeAsync(got.Id);
        Assert.Equal((TransferState.Completed, "0.01"), (resumed.State, resumed.Plan!.MaxCost));
    }

    [Fact]
    public async Task Prices_that_are_wrong_are_named_and_a_change_counts_at_once()
    {
        await using var world = await World.StartAsync();
        world.Bob.Prices("""{ "services": { "disk": { "egres": 1 } } }""");
        var e = await world.Bob.WhyRefusedAsync(
            "/control/plan", new PlanRequest(world.Link, "disk", "got"), ControlJson.Default.PlanRequest);
        Assert.Contains(
            "prices.json: services.disk has the unknown field 'egres'", e.Message, StringComparison.Ordinal);
        world.Bob.Prices("""{ "accounts": { "disk": "cloudflare-r2" }, "yourAgentPerGB": 0.5 }""");
        var prices = await world.Bob.PricesAsync();
        Assert.True(prices.HasFile);
        Assert.Equal(["disk"], prices.Services.Single(s => s.Service == "cloudflare-r2").Accounts);
        Assert.Equal(0.5m, prices.Figures.Single(f => f.Name == "yourAgentPerGB").Amount);
        Assert.All(prices.Services.SelectMany(s => s.Figures), f => Assert.NotEqual("", f.Source));
        var plan = await world.Bob.PlanAsync(new PlanRequest(world.Link, "disk", "got"));
        Assert.True(plan.Routes[0].Cost > 0);
    }

    [Theory]
    [InlineData("quick", null, "'quick' can't be preferred")]
    [InlineData("cheap", "1,5", "'1,5' is no amount of money in USD")]
    public async Task Wishes_that_mean_nothing_are_refused_before_anything_begins(
        string prefer, string? maxCost, string says)
    {
        await using var world = await World.StartAsync();
        var e = await world.Bob.WhyRefusedAsync(
            "/control/transfers", new TransferRequest(world.Link, "disk", "got", Prefer: prefer, MaxCost: maxCost),
            ControlJson.Default.TransferRequest);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Empty(await world.Bob.GetAsync("/control/transfers", ControlJson.Default.ListTransferInfo));
    }

    [Theory]
    [InlineData("direct", RouteKind.Direct, RouteKind.Swarm, RouteKind.Agent)]
    [InlineData("agent", RouteKind.Swarm, RouteKind.Agent)]
    [InlineData("swarm", RouteKind.Swarm, RouteKind.Agent)]
    public void Storage_is_a_source_only_where_the_plan_says_so(string chosen, params RouteKind[] allowed)
    {
        var routes = new[] { "direct", "swarm", "agent", "relay" }.Select(name => new RouteInfo(
            name, name != "relay", "", 1, false, 0, null, [], 0, 0, 0, [], [])).ToList();
        var plan = new PlanInfo("", "disk", "", 1, 1, 1, "fast", null, false, "USD", chosen, null, routes);
        Assert.Equal(allowed.Order(), PlanService.Allowed(plan).Order());
    }

    [Fact]
    public async Task A_way_that_is_barred_is_said_to_be_instead_of_waited_for()
    {
        var nobody = new PlannedSources(new Fixed([]), new HashSet<RouteKind> { RouteKind.Direct });
        Assert.Empty(await nobody.FindAsync(CancellationToken.None));
        var agents = new Fixed([new NamedSource("https://a.example"), new NamedSource("https://b.example")]);
        var open = new PlannedSources(agents, new HashSet<RouteKind> { RouteKind.Agent });
        Assert.Equal(2, (await open.FindAsync(CancellationToken.None)).Count);
        var barred = new PlannedSources(agents, new HashSet<RouteKind> { RouteKind.ProviderCopy });
        var e = await Assert.ThrowsAsync<VirgaException>(() => barred.FindAsync(CancellationToken.None));
        Assert.Equal(FailureKind.TooExpensive, e.Kind);
    }

    [Fact]
    public void What_several_agents_sent_is_a_swarm_and_what_one_sent_is_not()
    {
        var planned = new PlannedSources(new Fixed([]), new HashSet<RouteKind>());
        SourceReport[] one = [new("a", 1000, null), new("b", 0, null)];
        Assert.Equal([new("agent", 1000L)], planned.Moved(one));
        Assert.Equal(new RateKey(RouteKind.Agent, "a", "nas"), planned.Measured(one, null, "nas"));
        SourceReport[] two = [new("a", 1000, null), new("b", 500, "it lied")];
        Assert.Equal([new("swarm", 1500L)], planned.Moved(two));
        Assert.Equal(new RateKey(RouteKind.Swarm, "swarm", "nas"), planned.Measured(two, null, "nas"));
        Assert.Null(planned.Measured([], null, "nas"));
    }

    [Fact]
    public async Task Whoever_holds_a_share_as_well_is_planned_with_and_the_owner_sends_half()
    {
        await using var world = await World.StartAsync();
        var held = await world.Bob.GetAsync(new TransferRequest(world.Link, "disk", "got", Serve: "always"));
        Assert.Equal((TransferState.Completed, null), (held.State, held.Error?.Message));
        var carol = await world.Network.AgentAsync("carol");
        await carol.AddAccountAsync("disk", world.Network.Folder("carols"));
        PlanInfo plan;
        for (var looks = 0; ; looks++)
        {
            plan = await carol.PlanAsync(new PlanRequest(world.Link, "disk", "got"));
            if (plan.Chosen == "swarm" || looks == 100) break;
            await Task.Delay(100);
        }
        Assert.Equal("swarm", plan.Chosen);
        Assert.Equal(2, plan.Routes[0].Sources.Count);
        Assert.Equal((plan.Bytes / 2, plan.Bytes - (plan.Bytes / 2)),
            (plan.Routes[0].OwnerAgentBytes, plan.Routes[0].OtherAgentsBytes));
        Assert.Contains("others don't tell", plan.Routes[0].Unknown, StringComparison.Ordinal);
        var got = await carol.GetAsync(new TransferRequest(world.Link, "disk", "got"));
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        Assert.InRange(got.Spent!.Bytes.Values.Sum(), Bytes, Bytes + 10_000);
    }

    [Fact]
    public async Task An_address_that_never_answers_does_not_hold_up_a_plan()
    {
        await using var world = await World.StartAsync();
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var link = ShareLink.Parse(world.Link);
        var dead = new Endpoint(new Uri($"https://{silent.LocalEndpoint}"), link.Endpoints[0].Certificate);
        var began = Stopwatch.GetTimestamp();
        var plan = await world.Bob.PlanAsync(new PlanRequest(
            (link with { Endpoints = [.. link.Endpoints, dead] }).ToText(), "disk", "got"));
        Assert.Equal("agent", plan.Chosen);
        // Three seconds are what the others get; a whole timeout would be thirty.
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 20);
    }

    [Fact]
    public void What_a_transfer_spent_before_it_was_planned_anew_still_counts()
    {
        var routes = new[] { ("direct", 2m), ("agent", 5m) }.Select(r => new RouteInfo(
            r.Item1, true, "", 1, false, r.Item2, null, [], 0, 0, 0, [], [])).ToList();
        var info = new PlanInfo("", "disk", "", 1, 1000, 1000, "cheap", "3", false, "USD", "direct", null, routes);
        var plan = TransferPlan.None with { MaxCost = "3", Plan = info };
        // 400 of 1,000 bytes of a way that costs 2, and 100 of one that costs 5: 0.8 + 0.5, and 2.5 by the agent alone.
        var moved = new Dictionary<string, long> { ["direct"] = 400, ["agent"] = 100 };
        var spent = plan.Spent(moved)!;
        Assert.Equal((1.3m, 1.2m), (spent.Spent, spent.Saved));
        var anew = plan.Plus(moved).Anew();
        Assert.Null(anew.Plan);
        Assert.Equal((1.3m, 1.2m, 400L), (anew.Before!.Spent, anew.Before.Saved, anew.Total("direct")));
        var rest = anew with { Plan = info with { Bytes = 500 } };
        // 250 of the 500 that are left, at 2 for all of these: another 1, and 2.5 by the agent.
        spent = rest.Spent(new Dictionary<string, long> { ["direct"] = 250 })!;
        Assert.Equal((2.3m, 2.7m, 650L), (spent.Spent, spent.Saved, spent.Bytes["direct"]));
    }

    private sealed class Fixed(IReadOnlyList<ISource> sources) : ISourceFinder
    {
        public Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken) => Task.FromResult(sources);
    }

    private sealed class NamedSource(string name) : ISource
    {
        public string Name => name;

        public Task ReadAsync(
            Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
            Task.CompletedTask;

        public Task ReadManyAsync(
            IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken) =>
            Task.CompletedTask;
    }

    private sealed class World : IAsyncDisposable
    {
        public required Network Network { get; init; }

        public required TestAgent Bob { get; set; }

        public required string Link { get; init; }

        public static async Task<World> StartAsync()
        {
            var network = await Network.StartAsync();
            var ann = await network.AgentAsync("ann");
            var bob = await network.AgentAsync("bob");
            var from = network.Folder("from");
            File.WriteAllBytes(Path.Combine(from, "large.bin"), Seeded.Bytes(Bytes, 1));
            File.WriteAllText(Path.Combine(from, "small.txt"), "small");
            await ann.AddAccountAsync("disk", from);
            await bob.AddAccountAsync("disk", network.Folder("to"));
            var share = await ann.ShareAsync("disk", "", "link");
            return new World { Network = network, Bob = bob, Link = share.Link };
        }

        public ValueTask DisposeAsync() => Network.DisposeAsync();
    }
}
