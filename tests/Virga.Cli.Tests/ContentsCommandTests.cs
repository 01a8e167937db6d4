using System.Text.Json;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Tests;

/// <summary>Looking into a link, and choosing from what is in it.</summary>
public sealed class ContentsCommandTests : IAsyncLifetime
{
    private const string Magnet = "magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    private static readonly string Link = new ShareLink(
        new Hash256(new byte[32]), [], [new Endpoint(new Uri("https://127.0.0.1:8471"), null)], [], null).ToText();

    private FakeAgent agent = null!;

    public async Task InitializeAsync() => agent = await FakeAgent.StartAsync();

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Fact]
    public async Task Files_are_listed_with_their_sizes()
    {
        agent.Stream(
            "POST /control/contents", ControlJson.Default.ContentsEvent,
            new ContentsEvent("looking for what the link names: no peers were found", null, null),
            new ContentsEvent(null, new ContentsInfo(
                "ab", "talks", 3_000, [new ContentFile(0, "talks/a\nb", 1_000), new ContentFile(2, "talks/c", 2_000)]),
                null));
        var run = await Run.OfAsync("contents", Magnet, "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Contains("talks/a\\nb\n", run.Out, StringComparison.Ordinal);
        Assert.Contains("talks/c\n", run.Out, StringComparison.Ordinal);
        Assert.Contains("talks: 2 files, ", run.Error, StringComparison.Ordinal);
        var json = await Run.OfAsync("contents", Magnet, "--json", "--data", agent.DataFolder);
        Assert.Equal(
            2, JsonSerializer.Deserialize(json.Out, ControlJson.Default.ContentsInfo)!.Files[1].Index);
    }

    [Fact]
    public async Task What_goes_wrong_ends_with_its_kind_and_nonsense_needs_no_agent()
    {
        agent.Stream(
            "POST /control/contents", ControlJson.Default.ContentsEvent,
            new ContentsEvent(null, null, new ControlError("NotFound", "there is no share", null)));
        Assert.Equal(ExitCode.NotFound, (await Run.OfAsync("contents", Link, "--data", agent.DataFolder)).Exit);
        Assert.Equal(ExitCode.Usage, (await Run.OfAsync("contents", "virga:1:x", "--data", "/nowhere")).Exit);
        Assert.Equal(ExitCode.NotFound, (await Run.OfAsync("contents", "no.torrent", "--data", "/nowhere")).Exit);
    }

    [Fact]
    public async Task Get_and_plan_bring_over_what_is_selected()
    {
        TransferRequest? asked = null;
        agent.Routes["POST /control/transfers"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.TransferRequest);
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                Samples.Transfer("7f3a", TransferState.Waiting), ControlJson.Default.TransferInfo));
        };
        var run = await Run.OfAsync(
            "get", Link, "nas", "--select", "*.flac", "--select", "covers/*", "--detach", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Equal(["*.flac", "covers/*"], asked!.Select!);
        await Run.OfAsync("get", Link, "nas", "--detach", "--data", agent.DataFolder);
        Assert.Null(asked.Select);
        PlanRequest? planned = null;
        agent.Routes["POST /control/plan"] = async http =>
        {
            planned = await FakeAgent.BodyAsync(http, ControlJson.Default.PlanRequest);
            http.Response.StatusCode = 404;
        };
        await Run.OfAsync("plan", Link, "--to", "nas", "--select", "a", "--data", agent.DataFolder);
        Assert.Equal(["a"], planned!.Select!);
    }

    [Theory]
    [InlineData(true, "DISPLAY=:0")]
    [InlineData(true, "WAYLAND_DISPLAY=wayland-0")]
    [InlineData(false)]
    [InlineData(false, "DISPLAY=:0", "SSH_CONNECTION=192.0.2.1 5 192.0.2.2 22")]
    [InlineData(false, "DISPLAY=:10", "SSH_TTY=/dev/pts/1")]
    [InlineData(false, "WAYLAND_DISPLAY=wayland-0", "INVOCATION_ID=7f3a")]
    public void A_browser_is_opened_only_where_a_person_sits(bool isHere, params string[] variables)
    {
        if (!OperatingSystem.IsLinux()) return;
        var set = variables.ToDictionary(v => v.Split('=')[0], v => v.Split('=')[1]);
        Assert.Equal(isHere, Desktop.IsHere(name => set.GetValueOrDefault(name)));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, true, "--no-open")]
    [InlineData(false, false)]
    [InlineData(true, false, "--open")]
    public async Task Up_opens_the_page_with_its_one_time_link(bool isOpened, bool isTerminal, params string[] options)
    {
        if (!OperatingSystem.IsLinux()) return;
        var opened = new List<string>();
        using var stop = new CancellationTokenSource();
        var setting = new Setting
        {
            IsTerminal = isTerminal, Variables = { ["DISPLAY"] = ":0" }, Cancellation = stop.Token,
            Opened = opened.Add, Printed = text =>
            {
                if (text.Contains("Ctrl-C stops it", StringComparison.Ordinal)) stop.Cancel();
            },
        };
        var run = await Run.OfAsync(
            setting,
            [
                "up", "--no-repository", "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0", "--data",
                Path.Combine(agent.DataFolder, "up"), .. options,
            ]);
        Assert.Contains("/enter/", run.Out, StringComparison.Ordinal);
        Assert.Equal(isOpened ? 1 : 0, opened.Count);
        if (isOpened) Assert.Contains(opened[0], run.Out, StringComparison.Ordinal);
        Assert.Equal(
            isOpened, run.Out.Contains("open in your browser now", StringComparison.Ordinal));
    }
}
