using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class CommandTests
{
    [Fact]
    public async Task Id_prints_the_agents_address_alone_on_standard_output()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Answer("GET /control/status", Samples.Status, ControlJson.Default.AgentStatus);
        var run = await Run.OfAsync("id", "--data", agent.DataFolder);
        Assert.Equal((0, $"{Samples.Status.Address}\n"), (run.Exit, run.Out));
        Assert.Contains("https://127.0.0.1:8471  reached", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_is_the_agents_own_message()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Answer("GET /control/status", Samples.Status, ControlJson.Default.AgentStatus);
        var run = await Run.OfAsync("id", "--json", "--data", agent.DataFolder);
        Assert.Equal("", run.Error);
        Assert.Equal("virga1example", JsonSerializer.Deserialize(run.Out, ControlJson.Default.AgentStatus)!.Agent);
    }

    [Fact]
    public async Task Without_an_agent_the_message_says_how_to_start_one()
    {
        var run = await Run.OfAsync("shares", "--data", "/nowhere/virga");
        Assert.Equal(
            (ExitCode.NotReachable, "",
                "virga: no agent runs on /nowhere/virga\n       Start one with `virga up --data /nowhere/virga`.\n"),
            (run.Exit, run.Out, run.Error));
    }

    [Fact]
    public async Task With_json_an_error_is_json_too()
    {
        var run = await Run.OfAsync("shares", "--json", "--data", "/nowhere/virga");
        var error = JsonDocument.Parse(run.Out).RootElement.GetProperty("error");
        Assert.Equal("Unavailable", error.GetProperty("kind").GetString());
        Assert.Equal(ExitCode.NotReachable, run.Exit);
    }

    [Theory]
    [InlineData(FailureKind.BadInput, 2)]
    [InlineData(FailureKind.NotFound, 5)]
    [InlineData(FailureKind.Denied, 4)]
    [InlineData(FailureKind.Unauthenticated, 4)]
    [InlineData(FailureKind.ReadOnly, 4)]
    [InlineData(FailureKind.Full, 7)]
    [InlineData(FailureKind.Changed, 6)]
    [InlineData(FailureKind.Corrupt, 6)]
    [InlineData(FailureKind.Conflict, 8)]
    [InlineData(FailureKind.InUse, 8)]
    [InlineData(FailureKind.Throttled, 3)]
    [InlineData(FailureKind.Timeout, 3)]
    [InlineData(FailureKind.Unavailable, 3)]
    [InlineData(FailureKind.Unsupported, 2)]
    [InlineData(FailureKind.ClockSkew, 1)]
    public async Task Each_kind_of_failure_has_its_exit_code(FailureKind kind, int exit)
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Fail("GET /control/shares", kind, "what was wrong", "what to do");
        var run = await Run.OfAsync("shares", "--data", agent.DataFolder);
        Assert.Equal((exit, "virga: what was wrong\n       what to do\n"), (run.Exit, run.Error));
    }

    [Fact]
    public async Task An_answer_that_is_none_of_ours_is_named()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Routes["GET /control/shares"] = http =>
        {
            http.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        var run = await Run.OfAsync("shares", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("the agent answered 500", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Share_prints_the_link_alone_and_is_for_whoever_has_it()
    {
        await using var agent = await FakeAgent.StartAsync();
        ShareRequest? asked = null;
        agent.Routes["POST /control/shares"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.ShareRequest);
            var skipped = Samples.Share with { Skipped = [new SkippedEntry("a\nb", "a socket")] };
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                new ShareEvent(new ShareProgress(3, 2, 0, 100), null, null), ControlJson.Default.ShareEvent));
            await http.Response.Body.WriteAsync("\n"u8.ToArray());
            await http.Response.Body.WriteAsync(
                JsonSerializer.SerializeToUtf8Bytes(
                    new ShareEvent(null, skipped, null), ControlJson.Default.ShareEvent));
        };
        var run = await Run.OfAsync("share", "nas:/photos/", "--data", agent.DataFolder);
        Assert.Equal((0, "virga:1:3f9c#secret\n"), (run.Exit, run.Out));
        Assert.Equal(("nas", "photos", "link"), (asked!.Account, asked.Path, asked.Audience));
        Assert.Contains("left out a\\nb: a socket", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_share_that_fails_half_way_ends_with_its_kind()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Stream(
            "POST /control/shares", ControlJson.Default.ShareEvent,
            new ShareEvent(new ShareProgress(3, 2, 0, 100), null, null),
            new ShareEvent(null, null, new ControlError("NotFound", "there is no folder photos", null)));
        var run = await Run.OfAsync("share", "nas:photos", "--data", agent.DataFolder);
        Assert.Equal((ExitCode.NotFound, ""), (run.Exit, run.Out));
    }

    [Theory]
    [InlineData("--public", "--link")]
    [InlineData("--with", "virga1nonsense")]
    public async Task A_wrong_audience_is_refused_before_anything_is_asked(params string[] audience)
    {
        var run = await Run.OfAsync(["share", "nas", .. audience, "--data", "/nowhere"]);
        Assert.Equal(ExitCode.Usage, run.Exit);
    }

    [Fact]
    public async Task A_share_is_withdrawn_by_the_start_of_its_hash()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Answer("GET /control/shares", [Samples.Share], ControlJson.Default.ListShareInfo);
        agent.Routes[$"DELETE /control/shares/{Samples.InfoHash}"] = http =>
        {
            http.Response.StatusCode = 204;
            return Task.CompletedTask;
        };
        Assert.Equal(0, (await Run.OfAsync("unshare", "3f9c", "--data", agent.DataFolder)).Exit);
        Assert.Equal(ExitCode.NotFound, (await Run.OfAsync("unshare", "4444", "--data", agent.DataFolder)).Exit);
    }

    [Fact]
    public async Task Names_in_lists_are_harmless_and_json_keeps_them()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Answer(
            "GET /control/accounts/nas/entries?path=a%20b",
            [new EntryInfo("a b/\e[2J", "file", 1000, Samples.Start, null),
                new EntryInfo("a b/l", "symlink", 0, null, "x\ny")],
            ControlJson.Default.ListEntryInfo);
        var run = await Run.OfAsync("ls", "nas:a b", "--data", agent.DataFolder);
        Assert.Equal("    1000 B  2026-01-31 12:00  \\e[2J\n                              l -> x\\ny\n", run.Out);
        var json = await Run.OfAsync("ls", "nas:a b", "--json", "--data", agent.DataFolder);
        Assert.Equal("a b/\e[2J", JsonSerializer.Deserialize(json.Out, ControlJson.Default.ListEntryInfo)![0].Path);
        Assert.DoesNotContain("\e", json.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, ExitCode.ContentDiffers)]
    public async Task Verify_tells_equal_from_different(bool equal, int exit)
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Stream(
            "POST /control/verify", ControlJson.Default.VerifyEvent,
            new VerifyEvent(new VerifyProgress(1, 2, 10, 20), null, null),
            new VerifyEvent(null, new VerifyInfo(equal, 2, 20, equal ? [] : ["gone\n.txt"], [], ["more.txt"]), null));
        var run = await Run.OfAsync("verify", Samples.InfoHash, "nas:in", "--data", agent.DataFolder);
        Assert.Equal(exit, run.Exit);
        Assert.Equal(!equal, run.Out.Contains("missing  gone\\n.txt", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("gte", "Did you mean `virga get`?")]
    [InlineData("wachtel", "See `virga --help`")]
    public async Task A_mistyped_command_is_understood(string typed, string hint)
    {
        var run = await Run.OfAsync(typed);
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains(hint, run.Error, StringComparison.Ordinal);
        Assert.Equal(2, run.Error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("get")]
    [InlineData("get", "virga:1:abc", "nas:in")]
    [InlineData("get", "link", "nas", "--on-collision", "perhaps")]
    [InlineData("ls", "NAS:x")]
    [InlineData("ls", "nas:../x")]
    [InlineData("ls", "--data", "", "nas")]
    [InlineData("account", "add", "Nas!", "disk:/tmp")]
    [InlineData("account", "add", "nas", "ftp:/tmp")]
    [InlineData("account", "add", "nas", "disk:/tmp", "--set", "colour=red")]
    [InlineData("account", "add", "nas", "disk:/tmp", "--set", "novalue")]
    public async Task Wrong_usage_is_told_in_two_lines_with_exit_code_2(params string[] arguments)
    {
        var run = await Run.OfAsync(arguments);
        Assert.Equal((ExitCode.Usage, ""), (run.Exit, run.Out));
        Assert.InRange(run.Error.Count(c => c == '\n'), 1, 2);
        Assert.StartsWith("virga: ", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_can_come_on_standard_input()
    {
        var run = await Run.OfAsync(new Setting { Input = "virga:1:abc\n" }, "get", "-", "nas");
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("link", run.Error, StringComparison.Ordinal);
        var empty = await Run.OfAsync("get", "-", "nas");
        Assert.Contains("no link came on standard input", empty.Error, StringComparison.Ordinal);
    }
}
