using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent.Tests;

/// <summary>Transfers that move from agent to agent of one user.</summary>
public sealed class HandoverTests
{
    private const int LargeBytes = 40 << 20, SmallBytes = 100_000, SmallFiles = 10;

    [Fact]
    public async Task A_transfer_goes_on_at_another_agent_from_what_is_verified_and_at_the_first_no_more()
    {
        await using var network = await Network.StartAsync();
        var (first, link) = await SharedAsync(network);
        var second = await network.AgentAsync("second");
        await second.AddAccountAsync("nas", network.Folder("to"));
        using var here = first.Client;
        using var there = second.Client;
        var begun = await first.BeginAsync(link, "disk", "got", receive: 20 << 20);
        await first.UntilAsync(begun.Id, t => t.BytesDone > LargeBytes / 3);

        var key = (await there.HandoverKeyAsync(default)).Key;
        var handed = await here.HandOverAsync(begun.Id, key, default);
        var left = await first.TransferAsync(begun.Id);
        Assert.Equal(TransferState.HandedOver, left.State);
        await RefusedAsync("another agent goes on with it", here.ResumeAsync(begun.Id, default));
        await RefusedAsync("another agent goes on with it", here.CancelAsync(begun.Id, default));

        var taken = await there.TakeOverAsync(new TakeoverRequest(handed.File, "nas"), default);
        Assert.Equal(begun.Id, taken.Id);
        await there.LimitAsync(begun.Id, null, default);
        var done = await second.WatchAsync(begun.Id);
        Assert.True(done.State == TransferState.Completed, done.Error?.Message);
        // What was in flight may come again, and no more.
        Assert.InRange(done.BytesFetched, done.BytesTotal, done.BytesTotal + (16 << 20));
        Assert.True(left.BytesFetched > LargeBytes / 3, $"{left.BytesFetched}");
        AssertSame(network);

        await RefusedAsync(
            "is here already", there.TakeOverAsync(new TakeoverRequest(handed.File, "nas"), default));
        first = await network.RestartAsync(first, "first");
        Assert.Equal(TransferState.HandedOver, (await first.TransferAsync(begun.Id)).State);
    }

    [Fact]
    public async Task What_is_handed_over_is_for_one_agent_at_the_account_it_was_writing_to_and_can_come_back()
    {
        await using var network = await Network.StartAsync();
        var (first, link) = await SharedAsync(network);
        var second = await network.AgentAsync("second");
        await second.AddAccountAsync("disk", network.Folder("elsewhere"));
        using var here = first.Client;
        using var there = second.Client;
        var begun = await first.BeginAsync(link, "disk", "got", receive: 1 << 20);
        await first.UntilAsync(begun.Id, t => t.FilesDone > 1);
        await RefusedAsync("no key of an agent", here.HandOverAsync(begun.Id, "age1nobody", default));
        Assert.Equal(TransferState.Running, (await first.TransferAsync(begun.Id)).State);

        var own = await here.HandOverAsync(begun.Id, (await here.HandoverKeyAsync(default)).Key, default);
        await RefusedAsync("to another agent", there.TakeOverAsync(new TakeoverRequest(own.File, null), default));
        // Its file got lost: it is handed over again, to whom it is for now.
        var again = await here.HandOverAsync(begun.Id, (await there.HandoverKeyAsync(default)).Key, default);
        await RefusedAsync(
            "is not the one that it writes to", there.TakeOverAsync(new TakeoverRequest(again.File, null), default));
        again.File[^1] ^= 1;
        await RefusedAsync("handed over", there.TakeOverAsync(new TakeoverRequest(again.File, null), default));

        await here.TakeOverAsync(new TakeoverRequest(own.File, null), default);
        await here.LimitAsync(begun.Id, null, default);
        var done = await first.WatchAsync(begun.Id);
        Assert.True(done.State == TransferState.Completed, done.Error?.Message);
        AssertSame(network);
        await RefusedAsync("is complete", here.HandOverAsync(begun.Id, "age1" + new string('q', 58), default), "age1");
    }

    [Fact]
    public async Task Two_agents_that_write_one_target_both_come_to_a_clear_end_and_it_is_whole()
    {
        await using var network = await Network.StartAsync();
        var (first, link) = await SharedAsync(network);
        var second = await network.AgentAsync("second");
        await second.AddAccountAsync("disk", network.Folder("to"));
        var both = new[] { first, second };
        var begun = await Task.WhenAll(both.Select(a => a.BeginAsync(link, "disk", "got", receive: 30 << 20)));
        var ended = await Task.WhenAll(both.Zip(begun, (agent, transfer) => agent.WatchAsync(transfer.Id)));
        Assert.Contains(ended, t => t.State == TransferState.Completed);
        Assert.All(ended.Where(t => t.State != TransferState.Completed), t =>
        {
            Assert.Equal(TransferState.Failed, t.State);
            Assert.NotNull(t.Error!.Advice);
        });
        AssertSame(network);
    }

    private static async Task<(TestAgent First, string Link)> SharedAsync(Network network)
    {
        var owner = await network.AgentAsync("owner");
        var folder = network.Folder("from/share");
        for (var i = 0; i <= SmallFiles; i++)
        {
            var content = new byte[i == 0 ? LargeBytes : SmallBytes];
            new Random(i).NextBytes(content);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"file {i}"), content);
        }
        await owner.AddAccountAsync("disk", network.Folder("from"));
        var first = await network.AgentAsync("first");
        await first.AddAccountAsync("disk", network.Folder("to"));
        return (first, (await owner.ShareAsync("disk", "share", "link")).Link);
    }

    private static async Task RefusedAsync(string says, Task call, string? or = null)
    {
        var e = await Assert.ThrowsAsync<VirgaException>(() => call);
        Assert.True(
            e.Message.Contains(says, StringComparison.Ordinal)
            || (or is not null && e.Message.Contains(or, StringComparison.Ordinal)), e.Message);
    }

    /// <summary>Nothing but the share's files, each as it was shared.</summary>
    private static void AssertSame(Network network)
    {
        var folder = network.PathOf("from/share");
        var names = Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal).ToList();
        var got = network.PathOf("to/got");
        Assert.Equal(
            names, Directory.GetFileSystemEntries(got).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var name in names)
            Assert.True(
                File.ReadAllBytes(Path.Combine(folder, name!)).AsSpan().SequenceEqual(
                    File.ReadAllBytes(Path.Combine(got, name!))), name);
    }
}
