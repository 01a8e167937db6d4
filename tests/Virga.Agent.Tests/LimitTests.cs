using System.Diagnostics;
using Virga.Agent.Control;

namespace Virga.Agent.Tests;

/// <summary>Limits, priorities and pauses of real agents.</summary>
public sealed class LimitTests
{
    private static readonly LimitsRequest Unlimited = new(null, null, 3, "UTC", []);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Neither_side_moves_more_than_it_is_allowed_to(bool receiver)
    {
        const int rate = 1 << 20;
        await using var network = await Network.StartAsync();
        var (a, b, link) = await SharedAsync(network, 3 << 20, files: 2);
        var limits = Unlimited with { Receive = receiver ? rate : null, Send = receiver ? null : rate };
        await (receiver ? b : a).SetLimitsAsync(limits);
        var watch = Stopwatch.StartNew();
        var got = await b.GetAsync(link, "disk", "got");
        Assert.True(got.State == TransferState.Completed, got.Status);
        // 6 MiB at 1 MiB/s, of which a quarter of a second may come as a burst.
        Assert.InRange(watch.Elapsed.TotalSeconds, 5.5, 120);
        AssertSame(network);
    }

    [Fact]
    public async Task A_limit_that_is_lifted_holds_no_longer_for_what_runs()
    {
        await using var network = await Network.StartAsync();
        var (_, b, link) = await SharedAsync(network, 40 << 20);
        // It would take ten minutes.
        await b.SetLimitsAsync(Unlimited with { Receive = 64 << 10 });
        var begun = await b.BeginAsync(link, "disk", "got");
        await b.UntilAsync(begun.Id, t => t.BytesFetched > 0 || t.BytesTotal > 0);
        await b.SetLimitsAsync(Unlimited);
        Assert.Equal(TransferState.Completed, (await b.WatchAsync(begun.Id)).State);
    }

    [Fact]
    public async Task One_transfer_has_a_limit_of_its_own_that_outlives_a_restart_and_changes_while_it_runs()
    {
        await using var network = await Network.StartAsync();
        var (_, b, link) = await SharedAsync(network, 40 << 20);
        // It would take ten minutes.
        var slow = await b.BeginAsync(link, "disk", "slow", receive: 64 << 10);
        await b.UntilAsync(slow.Id, t => t.State == TransferState.Running);
        Assert.Equal(TransferState.Completed, (await b.GetAsync(link, "disk", "free")).State);
        b = await network.RestartAsync(b, "b");
        var still = await b.TransferAsync(slow.Id);
        Assert.Equal((TransferState.Running, 64L << 10), (still.State, still.Receive));
        Assert.True(still.BytesDone < still.BytesTotal || still.BytesTotal == 0, $"{still.BytesDone}");
        Assert.Null((await b.LimitAsync(slow.Id, null)).Receive);
        Assert.Equal(TransferState.Completed, (await b.WatchAsync(slow.Id)).State);
        Assert.Contains("too few", await b.LimitRefusalAsync(slow.Id, 1000), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_window_that_holds_stops_transfers_and_they_go_on_after_it()
    {
        await using var network = await Network.StartAsync();
        var (_, b, link) = await SharedAsync(network, 8 << 20);
        await b.SetLimitsAsync(Unlimited with { Receive = 512 << 10 });
        var begun = await b.BeginAsync(link, "disk", "got");
        await b.UntilAsync(begun.Id, t => t.State == TransferState.Running);
        var set = await b.SetLimitsAsync(
            Unlimited with { Windows = [new LimitWindow("mon-sun 0:00-24:00", null, null, IsHeld: true)] });
        Assert.Equal(("00:00-24:00", true), (set.NowWindow, set.IsHeldNow));
        var held = await b.UntilAsync(begun.Id, t => t.State == TransferState.Waiting);
        Assert.Contains("held by the limits (00:00-24:00)", held.Status, StringComparison.Ordinal);
        b = await network.RestartAsync(b, "b");
        Assert.Equal(TransferState.Waiting, (await b.TransferAsync(begun.Id)).State);
        await b.SetLimitsAsync(Unlimited);
        Assert.Equal(TransferState.Completed, (await b.WatchAsync(begun.Id)).State);
    }

    [Fact]
    public async Task A_paused_transfer_stays_so_over_a_restart_and_goes_on_from_what_it_has()
    {
        await using var network = await Network.StartAsync();
        var (_, b, link) = await SharedAsync(network, 600 << 10, files: 20);
        await b.SetLimitsAsync(Unlimited with { Receive = 512 << 10 });
        var begun = await b.BeginAsync(link, "disk", "got");
        await b.UntilAsync(begun.Id, t => t.FilesDone > 2);
        var paused = await b.PauseAsync(begun.Id);
        Assert.Equal(TransferState.Paused, paused.State);
        Assert.Equal(TransferState.Paused, (await b.WatchAsync(begun.Id)).State);
        b = await network.RestartAsync(b, "b");
        Assert.Equal(TransferState.Paused, (await b.TransferAsync(begun.Id)).State);
        await b.SetLimitsAsync(Unlimited);
        var done = await b.ResumeAsync(begun.Id);
        Assert.Equal(TransferState.Completed, done.State);
        Assert.True(done.BytesFetched < 2 * done.BytesTotal, $"{done.BytesFetched} of {done.BytesTotal}");
        AssertSame(network);
    }

    [Fact]
    public async Task One_of_high_priority_goes_first_and_the_other_goes_on_after_it()
    {
        await using var network = await Network.StartAsync();
        var (_, b, link) = await SharedAsync(network, 8 << 20);
        await b.SetLimitsAsync(Unlimited with { Receive = 128 << 10, AtOnce = 1 });
        var first = await b.BeginAsync(link, "disk", "first");
        await b.UntilAsync(first.Id, t => t.State == TransferState.Running);
        var second = await b.BeginAsync(link, "disk", "second");
        Assert.Equal(
            "waiting for its turn", (await b.UntilAsync(second.Id, t => t.State == TransferState.Waiting)).Status);
        var high = await b.BeginAsync(link, "disk", "high", TransferPriority.High);
        await b.UntilAsync(high.Id, t => t.State == TransferState.Running);
        Assert.Equal(TransferState.Waiting, (await b.TransferAsync(first.Id)).State);
        await b.SetLimitsAsync(Unlimited with { AtOnce = 1 });
        foreach (var transfer in new[] { high, first, second })
            Assert.Equal(TransferState.Completed, (await b.WatchAsync(transfer.Id)).State);
        var ends = (await b.TransferAsync(high.Id)).Ended;
        Assert.True(ends <= (await b.TransferAsync(first.Id)).Ended);
    }

    [Fact]
    public async Task Limits_that_can_not_be_are_refused_and_those_there_stay()
    {
        await using var network = await Network.StartAsync();
        var b = await network.AgentAsync("b");
        var good = Unlimited with { Receive = 1 << 20, AtOnce = 2 };
        await b.SetLimitsAsync(good);
        foreach (var (bad, says) in new[]
        {
            (Unlimited with { Receive = 1_000 }, "too few"), (Unlimited with { Send = 0 }, "too few"),
            (Unlimited with { AtOnce = 0 }, "run at once"), (Unlimited with { AtOnce = 17 }, "run at once"),
            (Unlimited with { Zone = "Mars/Base" }, "no time zone"),
            (Unlimited with { Windows = [new LimitWindow("sometimes", null, null, true)] }, "no window of time"),
        })
        {
            using var answer = await b.SendAsync(
                HttpMethod.Put, "/control/limits",
                new StringContent(System.Text.Json.JsonSerializer.Serialize(
                    bad, ControlJson.Default.LimitsRequest)));
            Assert.False(answer.IsSuccessStatusCode);
            Assert.Contains(says, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        b = await network.RestartAsync(b, "b");
        var now = await b.GetAsync("/control/limits", ControlJson.Default.LimitsInfo);
        Assert.Equal((1 << 20, 2), (now.NowReceive, now.Limits.AtOnce));
    }

    private static async Task<(TestAgent A, TestAgent B, string Link)> SharedAsync(
        Network network, int bytes, int files = 1)
    {
        var a = await network.AgentAsync("a");
        var b = await network.AgentAsync("b");
        var folder = network.Folder("from/share");
        for (var i = 0; i < files; i++)
        {
            var content = new byte[bytes];
            new Random(i).NextBytes(content);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"file {i}"), content);
        }
        await a.AddAccountAsync("disk", network.Folder("from"));
        await b.AddAccountAsync("disk", network.Folder("to"));
        return (a, b, (await a.ShareAsync("disk", "share", "link")).Link);
    }

    private static void AssertSame(Network network)
    {
        foreach (var path in Directory.GetFiles(network.PathOf("from/share")))
        {
            var there = Path.Combine(network.PathOf("to/got"), Path.GetFileName(path));
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(there)), path);
        }
    }
}
