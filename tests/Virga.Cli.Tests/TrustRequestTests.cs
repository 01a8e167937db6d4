using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

/// <summary>Asking for a vouch, and answering.</summary>
public sealed class TrustRequestTests : IAsyncLifetime
{
    private static readonly string me = Id(1);
    private static readonly string bob = Id(2);
    private static readonly string eve = Id(3);
    private static readonly DateTimeOffset asked = new(2026, 11, 1, 9, 30, 0, TimeSpan.Zero);
    private static readonly TrustLinkInfo forBob =
        new(me, null, bob, "bob", 3, ["exchange"], 1, asked.AddDays(100));

    private static readonly RequestInfo ofEve = new(
        7, eve, null, FingerprintWords.Of(AgentId.Parse(eve)), ["exchange", "host"], 2, 90, "it's \e[2Jme", asked,
        asked.AddDays(30), "Waiting", null, [], []);

    private static readonly RequestInfo ofBob = ofEve with
    {
        Id = 9, Agent = bob, Name = "bob", Note = null, Depth = 0, Scopes = ["host"], AdmittedFor = ["exchange"],
        Chain = [forBob],
    };

    private static readonly AskedInfo waiting = new(
        bob, "bob", ["exchange"], 0, 90, null, asked, asked.AddDays(30), "Waiting", null, null, null);

    private FakeAgent agent = null!;
    private string body = "";

    public async Task InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        agent.Answer(
            "GET /control/trust",
            new TrustInfo(me, [me], [], [], new Dictionary<string, string> { [bob] = "bob" }, 2),
            ControlJson.Default.TrustInfo);
        agent.Answer(
            "GET /control/trust/requests",
            [ofEve, ofBob, ofBob with { Id = 3, State = "Refused", Reason = "later" }],
            ControlJson.Default.ListRequestInfo);
        foreach (var id in new[] { 7, 9 }) Take($"POST /control/trust/requests/{id}");
        Take($"DELETE /control/trust/asked/{bob}");
        Take("POST /control/trust/names");
        agent.Routes["DELETE /control/trust/requests/7"] = http =>
        {
            http.Response.StatusCode = 204;
            return Task.CompletedTask;
        };
        agent.Routes["POST /control/trust/asked"] = async http =>
        {
            using var reader = new StreamReader(http.Request.Body);
            body = await reader.ReadToEndAsync();
            await http.Response.WriteAsJsonAsync(waiting, ControlJson.Default.AskedInfo);
        };
    }

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Fact]
    public async Task Requests_show_who_asks_for_what_and_what_is_known_of_them()
    {
        var run = await TrustAsync("requests");
        Assert.Equal(
            $$"""
            7  {{eve[..14]}}..  2026-11-01 09:30
               asks   exchange, host, for 90 days, passed on for 2 links
               note   "it's \e[2Jme"
               code   {{string.Join(' ', ofEve.Code)}}
               known  no: nobody whom you trust vouches for it
            9  bob ({{bob[..14]}}..)  2026-11-01 09:30
               asks   host, for 90 days, not passed on
               code   {{string.Join(' ', ofBob.Code)}}
               known  admitted for exchange: you > bob

            """,
            run.Out);
        Assert.Contains("virga trust answer 7", run.Error, StringComparison.Ordinal);
        var all = await TrustAsync("requests", "--all");
        Assert.Contains("you said no: \"later\"", all.Out, StringComparison.Ordinal);
        var json = await TrustAsync("requests", "--json");
        Assert.Equal(2, JsonSerializer.Deserialize(json.Out, ControlJson.Default.ListRequestInfo)!.Count);
        agent.Answer("GET /control/trust/requests", [], ControlJson.Default.ListRequestInfo);
        var none = await TrustAsync("requests");
        Assert.Equal((0, ""), (none.Exit, none.Out));
        Assert.Contains("nobody waits", none.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_says_that_somebody_asks()
    {
        agent.Answer("GET /control/trust/agents?scope=exchange", [], ControlJson.Default.ListAdmittedInfo);
        var run = await TrustAsync("list");
        Assert.Contains("2 agents ask you for a vouch: `virga trust requests`", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_yes_gives_what_was_shown_and_is_never_silent()
    {
        var silent = await TrustAsync("answer", "7");
        Assert.Equal(ExitCode.Usage, silent.Exit);
        var no = await TrustAsync(Answering("no\n"), "answer", "7");
        Assert.Equal(ExitCode.Failed, no.Exit);
        Assert.Contains("goes on waiting", no.Error, StringComparison.Ordinal);
        Assert.Equal("", body);
        foreach (var words in new[]
        {
            eve, "read what you share", "[host]", "90 days, until ", "up to 2 links behind it", "it's \\e[2Jme",
            string.Join(' ', ofEve.Code),
        })
        {
            Assert.Contains(words, no.Error, StringComparison.Ordinal);
        }
        Assert.Equal(0, (await TrustAsync(Answering("yes\n"), "answer", "7")).Exit);
        Assert.Equal("""{"isYes":true,"scopes":["exchange","host"],"depth":2,"days":90}""", body);
        var less = await TrustAsync(
            "answer", "7", "--yes", "--scope", "host", "--depth", "0", "--days", "7", "--name", "eve");
        Assert.Equal(0, less.Exit);
        Assert.Equal("""{"isYes":true,"scopes":["host"],"depth":0,"days":7,"name":"eve"}""", body);
        Assert.Contains("this agent alone", less.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCode.NotFound, "8", "--yes")]
    [InlineData(ExitCode.NotFound, "3", "--yes")]
    [InlineData(ExitCode.Usage, "7", "--yes", "--depth", "3")]
    [InlineData(ExitCode.Usage, "7", "--yes", "--days", "91")]
    [InlineData(ExitCode.Usage, "7", "--yes", "--scope", "relay")]
    public async Task More_than_was_asked_for_or_nobodys_request_is_refused(int exit, params string[] arguments)
    {
        var run = await TrustAsync(["answer", .. arguments]);
        Assert.Equal((exit, ""), (run.Exit, run.Out));
        Assert.Equal("", body);
    }

    [Fact]
    public async Task A_no_and_no_answer_need_no_question()
    {
        var no = await TrustAsync("answer", "7", "--no", "--reason", "call me");
        Assert.Equal(0, no.Exit);
        Assert.Equal("""{"isYes":false,"scopes":[],"depth":0,"days":0,"reason":"call me"}""", body);
        Assert.Equal(0, (await TrustAsync("answer", "7", "--drop")).Exit);
        Assert.Contains("DELETE /control/trust/requests/7", agent.Requests);
    }

    [Fact]
    public async Task To_ask_says_what_happens_next()
    {
        var run = await TrustAsync(
            "ask", $"{bob}@https://127.0.0.1:1", "--note", "Ann", "--name", "bob", "--days", "90");
        Assert.Equal(0, run.Exit);
        Assert.Equal(
            $$"""
            {"agent":"{{bob}}@https://127.0.0.1:1","scopes":["exchange"],"depth":0,"days":90,"note":"Ann"}
            """,
            body);
        Assert.StartsWith("asked bob (", run.Out, StringComparison.Ordinal);
        Assert.Contains("virga trust asked", run.Error, StringComparison.Ordinal);
        Assert.Contains(
            string.Join(' ', FingerprintWords.Of(AgentId.Parse(me))), run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await TrustAsync("ask", me)).Exit);
        Assert.Equal(ExitCode.Usage, (await TrustAsync("ask", "bob", "--note", new string('x', 281))).Exit);
        Assert.Equal(0, (await TrustAsync("ask", "bob", "--take-back")).Exit);
        Assert.Contains($"DELETE /control/trust/asked/{bob}", agent.Requests);
    }

    [Fact]
    public async Task What_was_asked_shows_each_outcome()
    {
        agent.Answer(
            "GET /control/trust/asked",
            [
                waiting with { Problem = "it did not answer in time", Note = "hi" },
                waiting with { State = "Vouched", Vouch = forBob },
                waiting with { State = "Vouched" }, waiting with { State = "Refused", Reason = "who?" },
                waiting with { State = "Refused" }, waiting with { State = "Expired" },
            ],
            ControlJson.Default.ListAskedInfo);
        var run = await TrustAsync("asked");
        foreach (var words in new[]
        {
            "waiting until 2026-12-01", "but   it did not answer in time", "note  \"hi\"",
            "vouches for you: exchange, until 2027-02-09, passed on for 1 link  #3", "it was taken back, or has ended",
            "said no: \"who?\"", "said no, and gave no reason", "never answered",
            "asked 2026-11-01 09:30 for exchange, for 90 days, not passed on",
        })
        {
            Assert.Contains(words, run.Out, StringComparison.Ordinal);
        }
        var json = await TrustAsync("asked", "--json");
        Assert.Equal(6, JsonSerializer.Deserialize(json.Out, ControlJson.Default.ListAskedInfo)!.Count);
    }

    [Fact]
    public async Task Numbers_of_requests_are_completed()
    {
        var run = await Run.OfAsync(
            new Setting { Variables = { ["VIRGA_DATA"] = agent.DataFolder } }, "__complete", "virga trust answer ");
        Assert.Equal(["7", "9"], run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static string Id(byte seed) =>
        new AgentId(new Hash256([.. Enumerable.Range(seed, 32).Select(i => (byte)(i * 7))])).ToString();

    private static Setting Answering(string input) => new() { Typed = "", Input = input };

    private void Take(string route) => agent.Routes[route] = async http =>
    {
        using var reader = new StreamReader(http.Request.Body);
        if (route.Contains("requests", StringComparison.Ordinal)) body = await reader.ReadToEndAsync();
        await http.Response.WriteAsJsonAsync(new TrustResult(eve, [], null), ControlJson.Default.TrustResult);
    };

    private Task<Run> TrustAsync(params string[] arguments) => TrustAsync(new Setting(), arguments);

    private Task<Run> TrustAsync(Setting setting, params string[] arguments) =>
        Run.OfAsync(setting, ["trust", .. arguments, "--data", agent.DataFolder]);
}
