using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class LinkCommandTests : IAsyncLifetime
{
    private static readonly LinkInvitationInfo Invitation = new(
        "0011", "Cloudy", "browser", "https://cloudy.example/authorize?client_id=abc&state=xyz", null, null,
        [new LinkScopeInfo("files", "change all files"), new LinkScopeInfo("about", "see your name")]);

    private static readonly AccountInfo Linked = new("photos", "cloudy", "cloudy:");

    private FakeAgent agent = null!;
    private LinkRequest? asked;
    private string? code;

    public async Task InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        agent.Routes["POST /control/links/0011/code"] = async http =>
        {
            code = (await FakeAgent.BodyAsync(http, ControlJson.Default.LinkCode)).Text;
            http.Response.StatusCode = 204;
        };
        agent.Answer(
            "POST /control/accounts/photos/check",
            new CheckResult(true, [new CheckStep("list", true, null, null, 12)], null),
            ControlJson.Default.CheckResult);
    }

    public async Task DisposeAsync() => await agent.DisposeAsync();

    private void Answer(params LinkEvent[] lines)
    {
        agent.Stream("POST /control/links", ControlJson.Default.LinkEvent, lines);
        var stream = agent.Routes["POST /control/links"];
        agent.Routes["POST /control/links"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.LinkRequest);
            await stream(http);
        };
    }

    private Task<Run> LinkAsync(Setting setting, params string[] more) =>
        Run.OfAsync(setting, ["account", "link", "photos", .. more, "--data", agent.DataFolder]);

    [Fact]
    public async Task What_is_asked_for_is_named_before_the_address_to_open()
    {
        Answer(new LinkEvent(Invitation, null, null), new LinkEvent(null, Linked, null));
        var run = await LinkAsync(new Setting(), "--read-only", "--client-id", "abc");
        Assert.Equal(0, run.Exit);
        Assert.Equal(
            ("photos", "browser", "read-only", "abc"),
            (asked!.Name, asked.Way, asked.Settings["access"], asked.Settings["clientId"]));
        var scope = run.Error.IndexOf("change all files", StringComparison.Ordinal);
        var url = run.Error.IndexOf(Invitation.Url, StringComparison.Ordinal);
        Assert.InRange(scope, 0, url);
        Assert.Contains("linked photos", run.Error, StringComparison.Ordinal);
        Assert.Contains("ok       list", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_account_needs_a_client_and_its_secret_comes_as_every_secret_does()
    {
        Answer(new LinkEvent(null, Linked, null));
        var without = await LinkAsync(new Setting(), "dropbox");
        Assert.Equal(ExitCode.Usage, without.Exit);
        Assert.Contains("Virga has none of its own there", without.Error, StringComparison.Ordinal);
        Assert.Contains("http://localhost:8479/", without.Error, StringComparison.Ordinal);
        Assert.Null(asked);
        var setting = new Setting { Variables = { ["VIRGA_SECRET_CLIENTSECRET"] = "planted" } };
        var run = await LinkAsync(setting, "dropbox", "--client-id", "abc");
        Assert.Equal((0, "dropbox:", "planted"), (run.Exit, asked!.Address, asked.Secrets["clientSecret"]));
        Assert.DoesNotContain("planted", run.Out + run.Error, StringComparison.Ordinal);
        var open = await LinkAsync(new Setting(), "dropbox:photos", "--client-id", "abc");
        Assert.Equal((0, "dropbox:photos"), (open.Exit, asked.Address));
        Assert.Empty(asked.Secrets);
    }

    [Fact]
    public async Task A_code_for_another_device_is_shown()
    {
        Answer(
            new LinkEvent(Invitation with { Way = "device", UserCode = "ABCD-EFGH" }, null, null),
            new LinkEvent(null, Linked, null));
        var run = await LinkAsync(new Setting(), "--device");
        Assert.Equal((0, "device"), (run.Exit, asked!.Way));
        Assert.Contains("ABCD-EFGH", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_pasted_is_sent_and_not_shown()
    {
        Answer(new LinkEvent(Invitation with { Way = "paste" }, null, null), new LinkEvent(null, Linked, null));
        const string address = "http://127.0.0.1:50000/?code=planted-code&state=xyz";
        var run = await LinkAsync(new Setting { Input = address + "\n" }, "--paste");
        Assert.Equal((0, address), (run.Exit, code));
        Assert.DoesNotContain("planted-code", run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_anybody_to_paste_it_ends()
    {
        Answer(new LinkEvent(Invitation with { Way = "paste" }, null, null), new LinkEvent(null, Linked, null));
        var run = await LinkAsync(new Setting(), "--paste");
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Null(code);
    }

    [Fact]
    public async Task An_error_at_the_end_is_told_with_its_advice()
    {
        Answer(new LinkEvent(
            null, null, new ControlError(nameof(FailureKind.Denied), "access was refused", "Run it again to agree.")));
        var run = await LinkAsync(new Setting());
        Assert.Equal(ExitCode.Of(FailureKind.Denied), run.Exit);
        Assert.Contains("access was refused", run.Error, StringComparison.Ordinal);
        Assert.Contains("Run it again to agree.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_shows_the_invitation_and_the_end_as_lines()
    {
        Answer(new LinkEvent(Invitation, null, null), new LinkEvent(null, Linked, null));
        var run = await LinkAsync(new Setting(), "--json");
        var lines = run.Out.TrimEnd().Split('\n');
        Assert.Equal(
            Invitation.Url,
            JsonSerializer.Deserialize(lines[0], ControlJson.Default.LinkEvent)!.Invitation!.Url);
        Assert.Equal("", run.Error);
    }

    [Theory]
    [InlineData("is not linked, but added", "disk")]
    [InlineData("is no service that is linked", "drivel")]
    [InlineData("contradict each other", "--paste", "--device")]
    [InlineData("contradict each other", "--read-only", "--own-files")]
    public async Task What_can_not_be_linked_is_told_without_asking_the_agent(string holds, params string[] more)
    {
        var run = await LinkAsync(new Setting(), more);
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains(holds, run.Error, StringComparison.Ordinal);
        Assert.Null(asked);
    }

    [Theory]
    [InlineData("revoked", "its permission was ended")]
    [InlineData("by-hand", "https://cloudy.example/consents")]
    [InlineData("none", "its content is untouched")]
    public async Task Unlinking_tells_what_became_of_the_permission(string tokens, string holds)
    {
        agent.Answer(
            "DELETE /control/accounts/photos",
            new AccountRemoved("photos", tokens, "https://cloudy.example/consents", null),
            ControlJson.Default.AccountRemoved);
        var run = await Run.OfAsync("account", "unlink", "photos", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Contains(holds, run.Error, StringComparison.Ordinal);
    }
}
