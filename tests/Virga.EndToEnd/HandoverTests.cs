using Virga.Agent.Control;
using Virga.Core;
using Virga.EndToEnd.Harness;
using Virga.Testing;

namespace Virga.EndToEnd;

/// <summary>A transfer moves to another agent while either of the two is killed.</summary>
[Trait("Needs", "server")]
public sealed class HandoverTests
{
    private const int LargeBytes = 48 << 20, SmallBytes = 30_000, SmallFiles = 40;

    /// <summary>So slow that the first agent is not done before it is asked.</summary>
    private const long BytesPerSecond = 1 << 20;

    /// <summary>What was on its way when the first was stopped may come again.</summary>
    private const long InFlightMax = 16 << 20;

    private static readonly TimeSpan KilledWithin = TimeSpan.FromMilliseconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_transfer_is_handed_over_though_both_agents_are_killed_meanwhile(int seed)
    {
        var random = new Seeded((ulong)seed);
        await using var scene = new Scene(inMemory: true);
        var source = scene.Folder("from/share");
        FileTree.Write(Path.Combine(source, "large"), LargeBytes, (ulong)seed);
        for (var i = 0; i < SmallFiles; i++)
            FileTree.Write(Path.Combine(source, $"small/{i}"), SmallBytes + i, (ulong)i);
        var owner = await scene.AgentAsync("owner", []);
        await Scene.AddDiskAsync(owner, "disk", scene.PathOf("from"));
        var first = await scene.AgentAsync("first", []);
        var second = await scene.AgentAsync("second", []);
        foreach (var agent in new[] { first, second }) await Scene.AddDiskAsync(agent, "disk", scene.Folder("to"));
        await first.Control.SetLimitsAsync(new LimitsRequest(BytesPerSecond, null, 3, null, []), default);
        string? link = null;
        await foreach (var told in owner.Control.ShareAsync(new ShareRequest("disk", "share", "link", []), default))
            link = told.Result?.Link ?? link;

        var id = (await first.Control.StartTransferAsync(new TransferRequest(link!, "disk", "got"), default)).Id;
        await foreach (var info in first.Control.WatchAsync(id, default))
            if (info.BytesDone > 0) break;
        var key = (await second.Control.HandoverKeyAsync(default)).Key;
        var handed = await KilledAsync(first, random, () => first.Control.HandOverAsync(id, key, default));
        first = await scene.AgentAsync("first", []);
        // Whether the file got lost on its way or never came about: it is written again.
        handed ??= await first.Control.HandOverAsync(id, key, default);

        var request = new TakeoverRequest(handed.File, null);
        await KilledAsync(second, random, () => second.Control.TakeOverAsync(request, default));
        second = await scene.AgentAsync("second", []);
        if ((await second.Control.TransfersAsync(default)).All(t => t.Id != id))
            await second.Control.TakeOverAsync(request, default);
        var ended = await Scene.WatchAsync(second, id);

        Assert.True(ended.State == TransferState.Completed, $"{ended.Status}\n{scene.Logs()}");
        // Nothing half done is left: that has names of its own.
        Assert.Empty(FileTree.Differences(FileTree.Hash(source), FileTree.Hash(scene.PathOf("to/got"))));
        Assert.InRange(ended.BytesFetched, 0, ended.BytesTotal + InFlightMax);
        var left = Assert.Single(await first.Control.TransfersAsync(default));
        Assert.Equal((id, TransferState.HandedOver), (left.Id, left.State));
        var again = await Assert.ThrowsAsync<VirgaException>(() => first.Control.ResumeAsync(id, default));
        Assert.Contains("another agent goes on with it", again.Message, StringComparison.Ordinal);
    }

    /// <summary>Kills the agent while it does something; what it answered, if it came to that.</summary>
    private static async Task<T?> KilledAsync<T>(PeerProcess agent, Seeded random, Func<Task<T>> call) where T : class
    {
        var asked = call();
        await Task.Delay(TimeSpan.FromMilliseconds(random.NextDouble() * KilledWithin.TotalMilliseconds));
        agent.Kill();
        await agent.WaitEndedAsync();
        try
        {
            return await asked;
        }
        catch (VirgaException)
        {
            return null;
        }
    }
}
