using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class TrustCommandTests : IAsyncLifetime
{
    private static readonly string me = Id(1);
    private static readonly string bob = Id(2);
    private static readonly string carol = Id(3);
    private static readonly string mallory = Id(4);
    private static readonly string laptop = Id(5);
    private static readonly DateTimeOffset expires = new(2027, 1, 31, 12, 0, 0, TimeSpan.Zero);

    private static readonly TrustLinkInfo forBob = new(me, null, bob, "bob", 3, ["exchange", "relay"], 1, expires);
    private static readonly TrustLinkInfo forCarol = new(bob, "bob", carol, null, 12, ["exchange"], 0, expires);

    private static readonly TrustInfo info = new(
        me, [me, laptop], [forBob], [mallory],
        new Dictionary<string, string> { [bob] = "bob", [mallory] = "mal\nlory" });

    private static readonly TrustWhy forCarolWhy = new(
        carol, null, "exchange", "Admitted", 0, expires, [forBob, forCarol], []);

    private static readonly TrustWhy carolOfMe = new(
        me, null, "exchange", "NoChain", 0, null, [],
        [new TrustHintInfo(
            new TrustLinkInfo(carol, null, me, null, 5, ["exchange"], 0, expires), "Revoked", null,
            new TrustCutInfo(carol, null, 6, Samples.Start))]);

    private static readonly TrustResult carolFalls = new(
        bob, [new TrustChangeInfo(bob, "bob", "exchange", 1, null),
            new TrustChangeInfo(carol, null, "exchange", 0, null)], null);

    private readonly Dictionary<string, string> bodies = new(StringComparer.Ordinal);
    private FakeAgent agent = null!;

    public async Task InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        agent.Answer("GET /control/trust", info, ControlJson.Default.TrustInfo);
        agent.Answer(
            "GET /control/trust/agents?scope=exchange",
            [new AdmittedInfo(me, null, 8), new AdmittedInfo(bob, "bob", 1), new AdmittedInfo(carol, null, 0)],
            ControlJson.Default.ListAdmittedInfo);
        agent.Answer(
            $"GET /control/trust/agents/{me}?scope=exchange",
            new TrustWhy(me, null, "exchange", "Root", 8, null, [], []), ControlJson.Default.TrustWhy);
        agent.Answer(
            $"GET /control/trust/agents/{bob}?scope=exchange",
            new TrustWhy(bob, "bob", "exchange", "Admitted", 1, expires, [forBob], []), ControlJson.Default.TrustWhy);
        agent.Answer(
            $"GET /control/trust/agents/{carol}?scope=exchange", forCarolWhy, ControlJson.Default.TrustWhy);
        agent.Answer(
            $"GET /control/trust/sides?who={carol}&scope=exchange", forCarolWhy with { Theirs = carolOfMe },
            ControlJson.Default.TrustWhy);
        foreach (var route in new[] { "vouch", "revoke", "disown", "what-if", "roots", "refused", "names" })
        {
            var answer = route is "revoke" or "disown" or "what-if" ? carolFalls : new TrustResult(bob, [], null);
            agent.Routes[$"POST /control/trust/{route}"] = async http =>
            {
                using var reader = new StreamReader(http.Request.Body);
                bodies[route] = await reader.ReadToEndAsync();
                await http.Response.WriteAsJsonAsync(answer, ControlJson.Default.TrustResult);
            };
        }
    }

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Fact]
    public async Task List_shows_vouches_roots_refusals_and_who_is_admitted()
    {
        var run = await TrustAsync("list");
        Assert.Equal(0, run.Exit);
        Assert.Equal(
            $"""
            Roots: their word counts without a vouch
              WHO  AGENT
              you  {me[..14]}..
                   {laptop[..14]}..
            You vouch for
              WHO  FOR              PASSES ON  UNTIL (UTC)       #  AGENT
              bob  exchange, relay  1 link     2027-01-31 12:00  3  {bob[..14]}..
            Refused
              WHO        AGENT
              mal\nlory  {mallory[..14]}..
            Admitted for exchange: 2 agents
              WHO  PASSES ON  AGENT
              bob  1 link     {bob[..14]}..
                   to nobody  {carol[..14]}..

            """,
            run.Out);
        Assert.Contains(carol, (await TrustAsync("list", "--full")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_as_json_holds_all_of_it()
    {
        var run = await TrustAsync("list", "--json");
        var listing = JsonSerializer.Deserialize(run.Out, CliJson.Default.TrustListing)!;
        Assert.Equal((me, "exchange", 3), (listing.Agent, listing.Scope, listing.Admitted.Count));
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task A_vouch_says_what_it_means_and_is_done_on_yes_alone()
    {
        string[] line =
            ["vouch", carol, "--scope", "relay,exchange", "--scope", "relay", "--depth", "2", "--days", "90"];
        var no = await TrustAsync(Answering("no\n"), line);
        Assert.Equal(ExitCode.Failed, no.Exit);
        Assert.Empty(bodies);
        Assert.Contains("nothing was changed", no.Error, StringComparison.Ordinal);
        foreach (var words in new[]
        {
            carol, string.Join(' ', FingerprintWords.Of(AgentId.Parse(carol))), "read what you share", "[exchange]",
            "pass on your sealed traffic [relay]", "90 days, until ", "up to 2 links behind it",
            "without your being asked", "everybody can read that you vouch",
        })
        {
            Assert.Contains(words, no.Error, StringComparison.Ordinal);
        }
        var nothing = await TrustAsync(Answering(""), line);
        Assert.Equal(ExitCode.Failed, nothing.Exit);
        Assert.Empty(bodies);
        var yes = await TrustAsync(Answering(" YES \n"), line);
        Assert.Equal(0, yes.Exit);
        var asked = JsonSerializer.Deserialize(bodies["vouch"], ControlJson.Default.VouchRequest)!;
        Assert.Equal((carol, 2, 90, null), (asked.Agent, asked.Depth, asked.Days, asked.Name));
        Assert.Equal(["exchange", "relay"], asked.Scopes);
    }

    [Theory]
    [InlineData("vouch")]
    [InlineData("add")]
    [InlineData("revoke")]
    [InlineData("refuse")]
    [InlineData("disown", "--from", "3")]
    public async Task Without_a_terminal_and_without_yes_it_is_refused_with_what_to_do(
        string command, params string[] more)
    {
        var run = await TrustAsync([command, bob, .. more]);
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("--yes", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(bodies.Keys, k => k != "what-if");
    }

    [Fact]
    public async Task Add_vouches_for_the_agent_alone_to_exchange_with()
    {
        var run = await TrustAsync("add", $"{carol}@https://127.0.0.1:8470", "--name", "carol", "--yes");
        Assert.Equal(0, run.Exit);
        Assert.Equal(
            $$"""
            {"agent":"{{carol}}@https://127.0.0.1:8470","scopes":["exchange"],"depth":0,"days":365,"name":"carol"}
            """,
            bodies["vouch"]);
        Assert.Contains("this agent alone", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_vouch_names_the_one_it_takes_the_place_of()
    {
        var run = await TrustAsync("vouch", "bob", "--yes");
        Assert.Contains("in place of  your vouch #3: exchange, relay, until 2027-01-31", run.Error,
            StringComparison.Ordinal);
        var refused = await TrustAsync("vouch", mallory, "--yes");
        Assert.Contains("refused, and stays so", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vouch", "nobody")]
    [InlineData("why", "nobody")]
    [InlineData("code", "nobody")]
    public async Task A_name_that_is_nobodys_is_not_found(params string[] arguments)
    {
        var run = await TrustAsync([.. arguments, .. arguments[0] == "vouch" ? ["--yes"] : Array.Empty<string>()]);
        Assert.Equal(ExitCode.NotFound, run.Exit);
        Assert.Contains("you call nobody 'nobody'", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vouch", "virga1mistyped")]
    [InlineData("vouch", "bob", "--depth", "8")]
    [InlineData("vouch", "bob", "--depth", "-1")]
    [InlineData("vouch", "bob", "--days", "0")]
    [InlineData("vouch", "bob", "--days", "1831")]
    [InlineData("vouch", "bob", "--scope", "everything")]
    [InlineData("disown", "bob")]
    [InlineData("disown", "bob", "--from", "0")]
    [InlineData("disown", "bob", "--from", "65536")]
    [InlineData("what-if")]
    [InlineData("what-if", "--revoke", "bob", "--refuse", "bob")]
    [InlineData("what-if", "--disown", "bob")]
    [InlineData("ask", "bob", "--depth", "8")]
    [InlineData("ask", "bob", "--days", "0")]
    [InlineData("ask", "bob", "--scope", "everything")]
    [InlineData("answer", "x")]
    [InlineData("answer", "1", "--yes", "--no")]
    [InlineData("name", "bob", "virga1x")]
    [InlineData("code", "--check")]
    public async Task Wrong_input_is_refused_before_anything_is_asked_of_the_agent(params string[] arguments)
    {
        var run = await TrustAsync(arguments);
        Assert.Equal((ExitCode.Usage, ""), (run.Exit, run.Out));
        Assert.Empty(bodies);
    }

    [Fact]
    public async Task Nobody_vouches_for_themselves()
    {
        var run = await TrustAsync("vouch", me, "--yes");
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("you yourself", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Revoke_shows_first_who_would_fall_and_then_who_fell()
    {
        var run = await TrustAsync(Answering("yes\n"), "revoke", "bob");
        Assert.Equal(0, run.Exit);
        Assert.Contains("your vouch #3: exchange, relay", run.Error, StringComparison.Ordinal);
        Assert.Contains("2 agents would fall\n", run.Error, StringComparison.Ordinal);
        Assert.Contains($"{carol[..14]}.., exchange: would no longer be admitted", run.Error, StringComparison.Ordinal);
        Assert.Equal(
            $"2 agents fell\n  bob ({bob[..14]}..), exchange: no longer admitted\n"
            + $"  {carol[..14]}.., exchange: no longer admitted\n", run.Out);
        Assert.Equal(
            ["GET /control/trust", "POST /control/trust/what-if", "POST /control/trust/revoke"], agent.Requests);
        Assert.Equal($$"""{"action":"revoke","agent":"{{bob}}","scopes":[],"from":0}""", bodies["what-if"]);
    }

    [Fact]
    public async Task Nothing_is_revoked_where_the_answer_is_no_or_nothing_was_vouched()
    {
        Assert.Equal(ExitCode.Failed, (await TrustAsync(Answering("n\n"), "revoke", "bob")).Exit);
        Assert.Equal(ExitCode.NotFound, (await TrustAsync("revoke", carol, "--yes")).Exit);
        Assert.Equal(ExitCode.NotFound, (await TrustAsync("revoke", "bob", "--scope", "host", "--yes")).Exit);
        Assert.DoesNotContain("revoke", bodies.Keys);
    }

    [Fact]
    public async Task Disown_and_refuse_show_first_who_would_fall()
    {
        var disown = await TrustAsync(Answering("y\n"), "disown", "bob", "--from", "12");
        Assert.Contains("from statement #12 on\n2 agents would fall", disown.Error, StringComparison.Ordinal);
        Assert.Equal($$"""{"agent":"{{bob}}","from":12}""", bodies["disown"]);
        Assert.Contains("\"from\":12", bodies["what-if"], StringComparison.Ordinal);
        var refuse = await TrustAsync("refuse", "bob", "--yes");
        Assert.Equal(0, refuse.Exit);
        Assert.Contains("2 agents would fall", refuse.Error, StringComparison.Ordinal);
        Assert.Equal($$"""{"agent":"{{bob}}","isOn":true}""", bodies["refused"]);
    }

    [Theory]
    [InlineData("--revoke", "bob")]
    [InlineData("--refuse", "bob")]
    [InlineData("--disown", "bob", "--from", "4")]
    [InlineData("--remove-root", "bob")]
    public async Task What_if_changes_nothing(params string[] arguments)
    {
        var run = await TrustAsync(["what-if", .. arguments]);
        Assert.Equal(0, run.Exit);
        Assert.StartsWith("2 agents would fall\n", run.Out, StringComparison.Ordinal);
        Assert.Equal(["what-if"], bodies.Keys);
    }

    [Fact]
    public async Task What_could_not_be_published_is_said()
    {
        agent.Answer(
            "POST /control/trust/vouch",
            new TrustResult(carol, [new TrustChangeInfo(carol, null, "exchange", null, 0),
                new TrustChangeInfo(bob, "bob", "exchange", 1, 3)], "repo.example does not answer"),
            ControlJson.Default.TrustResult);
        var run = await TrustAsync("vouch", carol, "--yes");
        Assert.Equal(0, run.Exit);
        Assert.Contains("not everybody knows yet: repo.example does not answer", run.Error, StringComparison.Ordinal);
        Assert.StartsWith("1 agent admitted\n", run.Out, StringComparison.Ordinal);
        Assert.Contains("exchange: now admitted", run.Out, StringComparison.Ordinal);
        Assert.Contains("passes trust on 3 links, instead of 1 link", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Why_shows_the_chain_as_a_tree()
    {
        var mine = await TrustAsync("why", carol, "--mine");
        var tree =
            $"""
            yes: {carol[..14]}.. is admitted for exchange until 2027-01-31; it may pass trust on to nobody
            you ({me[..14]}..)
            └─ bob ({bob[..14]}..): exchange, relay, until 2027-01-31, passed on for 1 link  #3
               └─ {carol[..14]}..: exchange, until 2027-01-31, not passed on  #12

            """;
        Assert.Equal(tree, mine.Out);
        var both = await TrustAsync("why", carol);
        Assert.Equal(
            tree +
            $"""

            The other way round, as far as public chains tell
            no: no chain of vouches leads from {carol[..14]}.. to you for exchange
              {carol[..14]}.. vouched for you (#5: exchange, until 2027-01-31, not passed on)
                but {carol[..14]}.. revoked that on 2026-01-31 (#6)

            """,
            both.Out);
        Assert.Contains("other roots, and refusals", both.Error, StringComparison.Ordinal);
        var json = await TrustAsync("why", carol, "--json");
        Assert.Equal(2, JsonSerializer.Deserialize(json.Out, ControlJson.Default.TrustWhy)!.Chain.Count);
    }

    [Theory]
    [InlineData("NoDepthLeft", "is trusted, but may not pass trust on any further")]
    [InlineData("Disowned", "is disowned, and this vouch came after it")]
    [InlineData("Ended", "this vouch ended on 2027-01-31")]
    [InlineData("NotStarted", "this vouch only begins on 2026-01-31")]
    [InlineData("OtherScope", "this vouch is for exchange, not for host")]
    [InlineData("IssuerNotAdmitted", "is not trusted for host here")]
    [InlineData("IssuerRefused", "is refused")]
    [InlineData("Revoked", "that was revoked")]
    [InlineData("Revoked", "but you revoked that on 2026-01-31 (#7)", true)]
    [InlineData("Disowned", "disowned on 2026-01-31 (#7) what bob", true)]
    public async Task Why_not_is_said_in_plain_words(string fault, string words, bool isDated = false)
    {
        var cut = isDated ? new TrustCutInfo(me, null, 7, Samples.Start) : null;
        agent.Answer(
            $"GET /control/trust/agents/{carol}?scope=host",
            new TrustWhy(carol, null, "host", "NoChain", 0, null, [],
                [new TrustHintInfo(forCarol, fault, Samples.Start, cut)]),
            ControlJson.Default.TrustWhy);
        var run = await TrustAsync("why", $"{carol}@https://127.0.0.1:1", "--scope", "host", "--mine");
        Assert.Equal(0, run.Exit);
        Assert.StartsWith("no: no chain of vouches leads from your roots to", run.Out, StringComparison.Ordinal);
        Assert.Contains(words, run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_graph_is_a_tree_or_dot()
    {
        var tree = await TrustAsync("graph");
        Assert.Equal(
            $"""
            you ({me[..14]}..)
            └─ bob ({bob[..14]}..): exchange, relay, until 2027-01-31, passed on for 1 link  #3
               └─ {carol[..14]}..: exchange, until 2027-01-31, not passed on  #12
            {laptop[..14]}..

            """,
            tree.Out);
        var dot = (await TrustAsync("graph", "--dot")).Out;
        Assert.Contains($"\"{me}\" -> \"{bob}\" [label=\"until 2027-01-31, +1\"];", dot, StringComparison.Ordinal);
        Assert.Contains($"\"{bob}\" [label=\"bob ({bob[..14]}..)\"];", dot, StringComparison.Ordinal);
        Assert.Contains("peripheries=2", dot, StringComparison.Ordinal);
        var first = await TrustAsync("graph", "--most", "1");
        Assert.Contains("and 2 more", first.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Roots_are_listed_added_and_removed()
    {
        Assert.Equal($"you ({me})\n{laptop}\n", (await TrustAsync("roots")).Out);
        var add = await TrustAsync(Answering("yes\n"), "roots", "add", "bob");
        Assert.Equal(0, add.Exit);
        Assert.Contains("as if you had done so yourself", add.Error, StringComparison.Ordinal);
        Assert.Equal($$"""{"agent":"{{bob}}","isOn":true}""", bodies["roots"]);
        Assert.Equal(0, (await TrustAsync("roots", "remove", laptop, "--yes")).Exit);
        Assert.Equal($$"""{"agent":"{{laptop}}","isOn":false}""", bodies["roots"]);
        Assert.Contains("remove-root", bodies["what-if"], StringComparison.Ordinal);
        Assert.Equal(ExitCode.NotFound, (await TrustAsync("roots", "remove", "bob", "--yes")).Exit);
        Assert.Equal(ExitCode.Usage, (await TrustAsync("roots", "remove", me, "--yes")).Exit);
    }

    [Fact]
    public async Task Accept_and_name_are_told_to_the_agent()
    {
        Assert.Equal(0, (await TrustAsync("accept", mallory, "--yes")).Exit);
        Assert.Equal($$"""{"agent":"{{mallory}}","isOn":false}""", bodies["refused"]);
        Assert.Equal(ExitCode.NotFound, (await TrustAsync("accept", "bob", "--yes")).Exit);
        Assert.Equal(0, (await TrustAsync("name", carol, "carol")).Exit);
        Assert.Equal($$"""{"agent":"{{carol}}","name":"carol"}""", bodies["names"]);
        Assert.Equal(0, (await TrustAsync("name", "bob", "")).Exit);
        Assert.Equal($$"""{"agent":"{{bob}}"}""", bodies["names"]);
    }

    [Fact]
    public async Task A_code_is_six_words_and_needs_no_agent_for_an_id()
    {
        var words = string.Join(' ', FingerprintWords.Of(AgentId.Parse(bob)));
        var run = await Run.OfAsync("trust", "code", bob, "--data", "/nowhere/virga");
        Assert.Equal((0, words + "\n"), (run.Exit, run.Out));
        Assert.Equal(words + "\n", (await TrustAsync("code", "BOB")).Out);
        Assert.Equal(
            string.Join(' ', FingerprintWords.Of(AgentId.Parse(me))) + "\n", (await TrustAsync("code")).Out);
    }

    [Fact]
    public async Task A_code_that_is_read_aloud_is_compared()
    {
        var words = string.Join("  ", FingerprintWords.Of(AgentId.Parse(bob))).ToUpperInvariant();
        var yes = await TrustAsync(Answering($" {words}\n"), "code", "--check", "bob");
        Assert.Equal(0, yes.Exit);
        Assert.StartsWith("YES: that is the code of bob", yes.Out, StringComparison.Ordinal);
        var other = string.Join(' ', FingerprintWords.Of(AgentId.Parse(carol)));
        var no = await TrustAsync(Answering(other + "\n"), "code", "--check", "bob");
        Assert.Equal(ExitCode.ContentDiffers, no.Exit);
        Assert.StartsWith("NO: that is not the code of bob", no.Out, StringComparison.Ordinal);
        Assert.Contains("Do not vouch", no.Error, StringComparison.Ordinal);
        var five = await TrustAsync(Answering("one two zoo zoo zoo\n"), "code", "--check", "bob");
        Assert.Contains("these are 5", five.Error, StringComparison.Ordinal);
        var strange = await TrustAsync(Answering("zoo zoo zoo zoo zoo virga\n"), "code", "--check", "bob");
        Assert.Equal(ExitCode.Usage, strange.Exit);
        Assert.Contains("'virga' is no word", strange.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_exported_can_be_imported_elsewhere()
    {
        var file = Path.Combine(agent.DataFolder, "trust.json");
        Assert.Equal(0, (await TrustAsync("export", file)).Exit);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(await File.ReadAllTextAsync(file), (await TrustAsync("export")).Out);
        Assert.Equal(ExitCode.InTheWay, (await TrustAsync("export", file)).Exit);
        Assert.Contains("nothing to change", (await TrustAsync("import", file)).Error, StringComparison.Ordinal);

        agent.Answer(
            "GET /control/trust",
            new TrustInfo(carol, [carol], [], [], new Dictionary<string, string> { [laptop] = "Bob" }),
            ControlJson.Default.TrustInfo);
        var no = await TrustAsync(Answering("no\n"), "import", file);
        Assert.Equal(ExitCode.Failed, no.Exit);
        Assert.Empty(bodies);
        Assert.Contains($"new root: Bob ({laptop})", no.Error, StringComparison.Ordinal);
        Assert.Contains($"refused from now on: {mallory}", no.Error, StringComparison.Ordinal);
        Assert.Contains("left as it is: bob", no.Error, StringComparison.Ordinal);
        var yes = await TrustAsync("import", file, "--yes", "--json");
        var plan = JsonSerializer.Deserialize(yes.Out, CliJson.Default.TrustImport)!;
        Assert.Equal([laptop], plan.Roots);
        Assert.Equal([bob], plan.NamesLeft.Keys);
        Assert.Equal(["names", "refused", "roots"], bodies.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"version":2,"agent":"a","roots":[],"refused":[],"names":{}}""")]
    [InlineData("""{"version":1,"agent":"a","roots":["virga1x"],"refused":[],"names":{}}""")]
    [InlineData("""{"version":1,"agent":"a","roots":[],"refused":[],"names":{"ID":null}}""")]
    [InlineData("""{"version":1,"agent":"a","roots":[null],"refused":[],"names":{}}""")]
    public async Task A_file_that_is_no_export_is_refused(string content)
    {
        var file = Path.Combine(agent.DataFolder, "bad.json");
        await File.WriteAllTextAsync(file, content.Replace("ID", bob, StringComparison.Ordinal));
        Assert.Equal(ExitCode.Usage, (await TrustAsync("import", file, "--yes")).Exit);
        Assert.Equal(ExitCode.NotFound, (await TrustAsync("import", file + "x", "--yes")).Exit);
        Assert.Empty(bodies);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2, "--reach", "2")]
    public async Task A_share_for_those_whom_one_trusts_says_how_far_it_reaches(int reach, params string[] more)
    {
        ShareRequest? asked = null;
        agent.Routes["POST /control/shares"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.ShareRequest);
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                new ShareEvent(null, Samples.Share with { Audience = "trusted" }, null),
                ControlJson.Default.ShareEvent));
        };
        var run = await Run.OfAsync(["share", "nas:photos", "--trusted", .. more, "--data", agent.DataFolder]);
        Assert.Equal(0, run.Exit);
        Assert.Equal(("trusted", reach), (asked!.Audience, asked.Reach));
        Assert.Contains("for whom you trust", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--reach", "1")]
    [InlineData("--trusted", "--reach", "8")]
    [InlineData("--trusted", "--public")]
    public async Task A_reach_that_makes_no_sense_is_refused(params string[] more) =>
        Assert.Equal(ExitCode.Usage, (await Run.OfAsync(["share", "nas", .. more, "--data", "/nowhere"])).Exit);

    [Theory]
    [InlineData("virga trust wh", "what-if why")]
    [InlineData("virga trust why b", "bob")]
    [InlineData("virga trust what-if --revoke b", "bob")]
    [InlineData("virga trust list --scope re", "relay repository")]
    [InlineData("virga trust vouch bob --scope ex", "exchange")]
    [InlineData("virga trust code --check b", "bob")]
    [InlineData("virga trust roots re", "remove")]
    public async Task Commands_and_agents_are_completed(string line, string expected)
    {
        var run = await Run.OfAsync(
            new Setting { Variables = { ["VIRGA_DATA"] = agent.DataFolder } }, "__complete", line);
        Assert.Equal(expected, string.Join(' ', run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    private static string Id(byte seed) =>
        new AgentId(new Hash256([.. Enumerable.Range(seed, 32).Select(i => (byte)(i * 7))])).ToString();

    private static Setting Answering(string input) => new() { Typed = "", Input = input };

    private Task<Run> TrustAsync(params string[] arguments) => TrustAsync(new Setting(), arguments);

    private Task<Run> TrustAsync(Setting setting, params string[] arguments) =>
        Run.OfAsync(setting, ["trust", .. arguments, "--data", agent.DataFolder]);
}
