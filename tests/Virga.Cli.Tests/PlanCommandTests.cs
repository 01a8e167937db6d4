using Virga.Agent.Control;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Tests;

public sealed class PlanCommandTests : IAsyncLifetime
{
    private static readonly string Link = new ShareLink(
        new Hash256(new byte[32]), [], [new Endpoint(new Uri("https://127.0.0.1:8471"), null)], [], null).ToText();

    private static readonly RouteInfo Direct = new(
        "direct", true, "the fastest, and no other is cheaper", 100.4, false, 0.901908m, null,
        [
            new CostInfo("egress", "owner", 0.9m, "10 GB out of the storage x 0.09 a GB at Alpha"),
            new CostInfo("reads", "owner", 0.001908m, "4,770 reads x 0.0004 a 1,000 at Alpha"),
            new CostInfo("writes", "you", 0, "no writes"),
        ],
        0, 10_000_000_000, 0, ["s3.alpha.example"], [new NeedInfo("signed URLs of the owner's storage", true, null)]);

    private static readonly RouteInfo ByAgent = new(
        "agent", true, "2 min slower", 201, true, 0.901908m, "the owner doesn't tell where it keeps this", [],
        10_000_000_000, 10_000_000_000, 0, ["https://owner.example"], []);

    private static readonly RouteInfo Relay = new(
        "relay", false, "no relay is known", null, false, null, null, [], 0, 0, 0, [],
        [new NeedInfo("a relay", false, "no relay is known")]);

    private static readonly PlanInfo Plan = new(
        Samples.InfoHash, "nas", "in", 10, 10_000_000_000, 1_000_000_000, "balanced", null, false, "USD", "direct",
        null, [Direct, ByAgent, Relay]);

    private FakeAgent agent = null!;

    public async Task InitializeAsync() => agent = await FakeAgent.StartAsync();

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Fact]
    public async Task A_plan_reads_like_a_table_with_the_chosen_way_on_top()
    {
        PlanRequest? asked = null;
        agent.Routes["POST /control/plan"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.PlanRequest);
            await System.Text.Json.JsonSerializer.SerializeAsync(
                http.Response.Body, Plan, ControlJson.Default.PlanInfo);
        };
        var run = await Run.OfAsync(
            "plan", Link, "--to", "nas:in", "--prefer", "fast", "--max-cost", "1.50", "--no-relay", "--data",
            agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Equal(new PlanRequest(Link, "nas", "in", "fast", "1.50", true), asked);
        var lines = run.Out.Split('\n');
        Assert.Equal("10 files, 9.3 GiB into nas:in", lines[0]);
        Assert.Matches(@"^ROUTE +TIME +COST +OWNER'S AGENT +YOUR AGENT", lines[1]);
        Assert.Matches(@"^> direct +1 min 41 s +0.9020 USD +0 B +9.3 GiB +chosen: the fastest, and", lines[2]);
        Assert.Matches(@"^  agent +3 min 21 s +0.9020 USD \+ \? +9.3 GiB +9.3 GiB +2 min slower$", lines[3]);
        Assert.Matches(@"^  relay +no: no relay is known$", lines[4]);
        Assert.Equal("  0.90 USD (owner): 10 GB out of the storage x 0.09 a GB at Alpha", lines[5]);
        Assert.Equal("  0.0020 USD (owner): 4,770 reads x 0.0004 a 1,000 at Alpha", lines[6]);
        Assert.Equal("", lines[7]);
    }

    [Theory]
    [InlineData("get", null)]
    [InlineData("plan", null)]
    [InlineData("torrent add", "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567")]
    public async Task Where_it_goes_is_named_after_it_or_by_an_option(string command, string? magnet)
    {
        var asked = new List<(string Account, string Path)>();
        agent.Routes["POST /control/plan"] = async http =>
        {
            var plan = await FakeAgent.BodyAsync(http, ControlJson.Default.PlanRequest);
            asked.Add((plan.Account, plan.Path));
            await System.Text.Json.JsonSerializer.SerializeAsync(
                http.Response.Body, Plan, ControlJson.Default.PlanInfo);
        };
        agent.Routes["POST /control/transfers"] = async http =>
        {
            var get = await FakeAgent.BodyAsync(http, ControlJson.Default.TransferRequest);
            await TakeAsync(http, get.Account, get.Path);
        };
        agent.Routes["POST /control/torrents"] = async http =>
        {
            var torrent = await FakeAgent.BodyAsync(http, ControlJson.Default.TorrentRequest);
            await TakeAsync(http, torrent.Account, torrent.Path);
        };
        string[] words = [.. command.Split(' '), magnet ?? Link];
        string[] rest = [.. command == "plan" ? [] : (string[])["--detach"], "--data", agent.DataFolder];
        foreach (var place in (string[][])[["nas:in"], ["--to", "nas:in"]])
        {
            var run = await Run.OfAsync([.. words, .. place, .. rest]);
            Assert.True(run.Exit == ExitCode.Ok, run.Error);
        }
        Assert.Equal([("nas", "in"), ("nas", "in")], asked);

        var none = await Run.OfAsync([.. words, .. rest]);
        Assert.Equal(ExitCode.Usage, none.Exit);
        Assert.Contains("not said which account it is to go to", none.Error, StringComparison.Ordinal);
        Assert.Contains("--to nas:photos", none.Error, StringComparison.Ordinal);
        var two = await Run.OfAsync([.. words, "nas:in", "--to", "cloud", .. rest]);
        Assert.Equal(ExitCode.Usage, two.Exit);
        Assert.Contains("nas:in and cloud", two.Error, StringComparison.Ordinal);
        Assert.Equal(2, asked.Count);

        async Task TakeAsync(Microsoft.AspNetCore.Http.HttpContext http, string account, string path)
        {
            asked.Add((account, path));
            await System.Text.Json.JsonSerializer.SerializeAsync(
                http.Response.Body, Samples.Transfer("7f3a", TransferState.Waiting), ControlJson.Default.TransferInfo);
        }
    }

    [Fact]
    public async Task A_plan_is_json_where_that_is_asked_for()
    {
        agent.Answer("POST /control/plan", Plan, ControlJson.Default.PlanInfo);
        var run = await Run.OfAsync("plan", Link, "--to", "nas", "--json", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        var json = System.Text.Json.JsonDocument.Parse(run.Out).RootElement;
        Assert.Equal("direct", json.GetProperty("chosen").GetString());
        Assert.Equal(0.901908m, json.GetProperty("routes")[0].GetProperty("cost").GetDecimal());
        Assert.False(json.GetProperty("routes")[2].TryGetProperty("cost", out _));
    }

    [Fact]
    public async Task A_bound_that_no_way_keeps_has_its_exit_code_and_the_table_still()
    {
        var problem = new ControlError("TooExpensive", "no way costs at most 0.10 USD", "Allow more with --max-cost.");
        agent.Answer(
            "POST /control/plan", Plan with { Chosen = null, Problem = problem }, ControlJson.Default.PlanInfo);
        var run = await Run.OfAsync(
            "plan", Link, "--to", "nas", "--max-cost", "0.10", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.TooExpensive, run.Exit);
        Assert.Contains("  relay", run.Out, StringComparison.Ordinal);
        Assert.Contains("virga: no way costs at most 0.10 USD", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_says_in_one_line_which_way_it_takes_and_at_the_end_what_it_cost()
    {
        TransferRequest? asked = null;
        agent.Routes["POST /control/transfers"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.TransferRequest);
            await System.Text.Json.JsonSerializer.SerializeAsync(
                http.Response.Body, Samples.Transfer("7f3a", TransferState.Waiting), ControlJson.Default.TransferInfo);
        };
        var spent = new SpentInfo("USD", 0.9m, 0.25m, new Dictionary<string, long> { ["direct"] = 1000L << 20 });
        agent.Stream(
            "GET /control/transfers/7f3a/watch", ControlJson.Default.TransferInfo,
            Samples.Transfer("7f3a", TransferState.Running, 100) with { Plan = Plan },
            Samples.Transfer("7f3a", TransferState.Running, 500) with { Plan = Plan },
            Samples.Transfer("7f3a", TransferState.Completed, 1000) with { Plan = Plan, Spent = spent });
        var run = await Run.OfAsync(
            "get", Link, "nas:in", "--prefer", "cheap", "--max-cost", "2", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Equal(("cheap", "2", false), (asked!.Prefer, asked.MaxCost, asked.NoRelay));
        const string plan = "plan: direct, the fastest, and no other is cheaper: about 1 min 41 s, 0.9020 USD";
        Assert.Equal(2, run.Error.Split(plan).Length);
        Assert.Contains(
            "it cost 0.90 USD (1.0 GiB by direct), 0.25 USD less than through the owner's agent",
            string.Join(' ', run.Error.Split('\n', StringSplitOptions.TrimEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prices_are_shown_with_date_and_page_and_what_is_not_known()
    {
        agent.Answer(
            "GET /control/prices",
            new PricesInfo(
                "USD", "/data/prices.json", false,
                [new FigureInfo("hourIsWorth", 1, "hour", new DateOnly(2026, 1, 31), "docs", null)],
                [
                    new ServiceInfo(
                        "alpha", "Alpha", [], ["nas", "cloud"],
                        [
                            new FigureInfo(
                                "egressPerGB", 0.09m, "GB", new DateOnly(2026, 6, 1), "https://a.example", null),
                        ],
                        ["copyPerGB"]),
                    new ServiceInfo("unknown", "nobody knows", [], ["dav"], [], ["egressPerGB"]),
                ]),
            ControlJson.Default.PricesInfo);
        var run = await Run.OfAsync("prices", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Matches(@"alpha +egressPerGB +0.09 +GB +2026-06-01 +https://a.example", run.Out);
        Assert.Matches(@"alpha +copyPerGB +\? +not known", run.Out);
        Assert.Matches(@"unknown +all +\? +not known", run.Out);
        Assert.Contains("nas, cloud: alpha, Alpha", run.Out, StringComparison.Ordinal);
        Assert.Contains("would go into /data/prices.json", run.Error, StringComparison.Ordinal);
    }
}
