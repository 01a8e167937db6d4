using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Tests;

public sealed class TransferCommandTests : IAsyncLifetime
{
    private static readonly string Link = new ShareLink(
        new Hash256(new byte[32]), [], [new Endpoint(new Uri("https://127.0.0.1:8471"), null)], [], null).ToText();

    private FakeAgent agent = null!;

    public async Task InitializeAsync() => agent = await FakeAgent.StartAsync();

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Theory]
    [InlineData(3, 0, 0, 1000, "copied inside the service, not compared with the share", "3 files: the same bytes as")]
    [InlineData(0, 3, 0, 1000, "service, compared with the share in samples", "3 files: compared with the share in")]
    [InlineData(0, 0, 3, 1000, "every byte that came verified", "3 files: every byte read back and verified")]
    [InlineData(1, 1, 0, 500, "every byte that came through the agent verified", "1 file: the same bytes as the")]
    public async Task Copies_are_never_called_more_than_they_were_checked(
        int byService, int bySample, int inFull, long bytes, string said, string sentence)
    {
        var copied = new CopiedInfo(byService, bySample, inFull, bytes, 0);
        var done = Samples.Transfer("7f3a", TransferState.Completed, 1000) with
        {
            FilesTotal = 3, FilesDone = 3, BytesTotal = 1000, BytesDone = 1000, Copied = copied,
        };
        TransferRequest? asked = null;
        agent.Routes["POST /control/transfers"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.TransferRequest);
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                done, ControlJson.Default.TransferInfo));
        };
        agent.Stream("GET /control/transfers/7f3a/watch", ControlJson.Default.TransferInfo, done);
        var run = await Run.OfAsync(
            "get", Link, "nas:in", "--check", "sample", "--no-copy", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Equal(("sample", false), (asked!.Check, asked.Copy));
        Assert.Contains(said, run.Out, StringComparison.Ordinal);
        Assert.Contains(sentence, run.Error, StringComparison.Ordinal);
        if (inFull < 3) Assert.DoesNotContain("every byte that came verified", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_follows_the_transfer_to_its_end()
    {
        TransferRequest? asked = null;
        agent.Routes["POST /control/transfers"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.TransferRequest);
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                Samples.Transfer("7f3a", TransferState.Waiting), ControlJson.Default.TransferInfo));
        };
        var done = Samples.Transfer("7f3a", TransferState.Completed, 1000) with
        {
            NotKept = [new SkippedEntry("link", "this account keeps no symlinks")],
            Sources = [new SourceInfo("virga1liar", 5, "it sent a wrong leaf")],
        };
        agent.Stream(
            "GET /control/transfers/7f3a/watch", ControlJson.Default.TransferInfo, Samples.Transfer(
                "7f3a", TransferState.Running, 500), done);
        var run = await Run.OfAsync("get", Link, "nas:in", "--on-collision", "skip", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Equal((Link, "nas", "in", "skip"), (asked!.Link, asked.Account, asked.Path, asked.Collision));
        Assert.Equal(
            "done: 2,000 files, 1.0 GiB into nas:in in 10 s (100 MiB/s), every byte that came verified\n", run.Out);
        Assert.Contains("50 %", run.Error, StringComparison.Ordinal);
        Assert.Contains("dropped the source virga1liar: it sent a wrong leaf", run.Error, StringComparison.Ordinal);
        Assert.Contains("not kept link: this account keeps no symlinks", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_detached_prints_the_id_alone()
    {
        agent.Answer("POST /control/transfers", Samples.Transfer("7f3a", TransferState.Waiting),
            ControlJson.Default.TransferInfo);
        var run = await Run.OfAsync("get", Link, "nas:in", "-d", "--data", agent.DataFolder);
        Assert.Equal((0, "7f3a\n"), (run.Exit, run.Out));
        Assert.Contains("virga watch 7f3a", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_transfer_ends_with_its_kind_and_says_how_to_go_on()
    {
        agent.Answer("POST /control/transfers", Samples.Transfer("7f3a", TransferState.Waiting),
            ControlJson.Default.TransferInfo);
        agent.Stream("GET /control/transfers/7f3a/watch", ControlJson.Default.TransferInfo,
            Samples.Transfer("7f3a", TransferState.Failed, 500));
        var run = await Run.OfAsync("get", Link, "nas:in", "--data", agent.DataFolder);
        Assert.Equal((ExitCode.Full, ""), (run.Exit, run.Out));
        Assert.EndsWith(
            "virga: the transfer into nas:in failed: the account nas has no room left\n"
            + "       Free some room. Go on with `virga resume 7f3a`.\n", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_leaves_the_transfer_to_the_agent_and_says_so()
    {
        using var interrupt = new CancellationTokenSource();
        agent.Answer("POST /control/transfers", Samples.Transfer("7f3a", TransferState.Waiting),
            ControlJson.Default.TransferInfo);
        agent.StreamWithoutEnd(
            "GET /control/transfers/7f3a/watch", ControlJson.Default.TransferInfo, interrupt.Cancel,
            Samples.Transfer("7f3a", TransferState.Running, 500));
        var run = await Run.OfAsync(
            new Setting { Cancellation = interrupt.Token }, "get", Link, "nas:in", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Interrupted, run.Exit);
        Assert.Contains("goes on in the agent: `virga watch 7f3a` shows it, `virga cancel 7f3a` ends it", run.Error,
            StringComparison.Ordinal);
        Assert.DoesNotContain(agent.Requests, r => r.Contains("cancel", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_agent_that_dies_on_the_way_is_named()
    {
        agent.Answer("POST /control/transfers", Samples.Transfer("7f3a", TransferState.Waiting),
            ControlJson.Default.TransferInfo);
        agent.Routes["GET /control/transfers/7f3a/watch"] = async http =>
        {
            await http.Response.Body.WriteAsync("{\"id\":"u8.ToArray());
            await http.Response.Body.FlushAsync();
            http.Abort();
        };
        var run = await Run.OfAsync("get", Link, "nas:in", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.NotReachable, run.Exit);
        Assert.Contains("stopped answering", run.Error, StringComparison.Ordinal);
        Assert.Contains("virga up", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_without_an_id_follows_all_that_run()
    {
        agent.Answer(
            "GET /control/transfers",
            [
                Samples.Transfer("aaaa", TransferState.Running, 100), Samples.Transfer(
                    "bbbb", TransferState.Completed, 1000),
                Samples.Transfer("cccc", TransferState.Waiting),
            ],
            ControlJson.Default.ListTransferInfo);
        agent.Stream("GET /control/transfers/aaaa/watch", ControlJson.Default.TransferInfo,
            Samples.Transfer("aaaa", TransferState.Completed, 1000));
        agent.Stream("GET /control/transfers/cccc/watch", ControlJson.Default.TransferInfo,
            Samples.Transfer("cccc", TransferState.Failed, 3));
        var run = await Run.OfAsync("watch", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Full, run.Exit);
        Assert.Contains("done: 2,000 files", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("GET /control/transfers/bbbb/watch", agent.Requests);
    }

    [Fact]
    public async Task A_transfer_is_meant_by_the_start_of_its_id()
    {
        agent.Answer(
            "GET /control/transfers",
            [Samples.Transfer("aaaa1", TransferState.Running),
                Samples.Transfer("aaaa2", TransferState.Running)], ControlJson.Default.ListTransferInfo);
        agent.Answer("POST /control/transfers/aaaa2/cancel", Samples.Transfer("aaaa2", TransferState.Cancelled, 3),
            ControlJson.Default.TransferInfo);
        Assert.Equal(0, (await Run.OfAsync("cancel", "aaaa2", "--data", agent.DataFolder)).Exit);
        Assert.Equal(ExitCode.Usage, (await Run.OfAsync("cancel", "aaaa", "--data", agent.DataFolder)).Exit);
        Assert.Equal(ExitCode.NotFound, (await Run.OfAsync("cancel", "bbbb", "--data", agent.DataFolder)).Exit);
    }

    [Fact]
    public async Task Watching_as_json_gives_a_line_for_every_change()
    {
        agent.Answer("GET /control/transfers", [Samples.Transfer("aaaa", TransferState.Running, 100)],
            ControlJson.Default.ListTransferInfo);
        agent.Stream(
            "GET /control/transfers/aaaa/watch", ControlJson.Default.TransferInfo,
            Samples.Transfer("aaaa", TransferState.Running, 500), Samples.Transfer(
                "aaaa", TransferState.Completed, 1000));
        var run = await Run.OfAsync("watch", "aaaa", "--json", "--data", agent.DataFolder);
        var lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal(
            TransferState.Completed, JsonSerializer.Deserialize(lines[1], ControlJson.Default.TransferInfo)!.State);
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task The_list_of_transfers_is_a_table()
    {
        agent.Answer(
            "GET /control/transfers",
            [Samples.Transfer("aaaa", TransferState.Running, 250), Samples.Transfer("bbbb", TransferState.Failed, 10)],
            ControlJson.Default.ListTransferInfo);
        var run = await Run.OfAsync("transfers", "--data", agent.DataFolder);
        Assert.Equal(
            """
            ID    STATE    DONE     SIZE       RATE  INTO
            aaaa  running  25 %  1.0 GiB  100 MiB/s  nas:in  fetching from virga1example
            bbbb  failed    1 %  1.0 GiB             nas:in  the account nas has no room left

            """,
            run.Out);
    }

    [Fact]
    public async Task The_list_names_the_torrent_that_a_transfer_brings_over()
    {
        agent.Answer(
            "GET /control/transfers",
            [Samples.Transfer("aaaa", TransferState.Running, 250) with { Name = "films\u202e" }],
            ControlJson.Default.ListTransferInfo);
        var run = await Run.OfAsync("transfers", "--data", agent.DataFolder);
        Assert.Matches(@"films\S+ → nas:in  fetching", run.Out);
        Assert.DoesNotContain("\u202e", run.Out, StringComparison.Ordinal);
    }
}
