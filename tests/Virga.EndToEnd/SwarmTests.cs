using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>One owner and several receivers, processes all, that pass on to each other what they have.</summary>
public sealed class SwarmTests
{
    private const int FileBytes = 40_000_000;
    private const int Receivers = 4;
    private const string OwnerRate = "8MB/s";

    private readonly Scene scene = new(inMemory: true);

    /// <summary>An owner behind a proxy that counts, receivers that each have an empty folder, and a link.</summary>
    private async Task<(PeerProcess Owner, CountingProxy Proxy, List<PeerProcess> Receivers, string Link)> SetUpAsync()
    {
        FileTree.Write(Path.Combine(scene.Folder("from/share"), "large.bin"), FileBytes, 11);
        FileTree.Write(Path.Combine(scene.Folder("from/share"), "small.bin"), 10_000, 12);
        var repository = await scene.RepositoryAsync();
        var proxy = scene.Own(new CountingProxy { TargetPort = FreePort.Take() });
        var owner = await scene.AgentAsync(
            "owner", [repository], "--listen", $"127.0.0.1:{proxy.TargetPort}", "--public-url",
            $"https://127.0.0.1:{proxy.Port}", "--forwarded");
        await Scene.AddDiskAsync(owner, "disk", scene.Folder("from"));
        await RunAsync(owner, "limits", "set", "--send", OwnerRate);
        var link = await RunAsync(owner, "share", "disk:share", "--link");
        var receivers = new List<PeerProcess>();
        for (var i = 0; i < Receivers; i++)
        {
            receivers.Add(await scene.AgentAsync($"receiver-{i}", [repository]));
            await Scene.AddDiskAsync(receivers[i], "disk", scene.Folder($"to-{i}"));
        }
        return (owner, proxy, receivers, link);
    }

    private static async Task<string> RunAsync(PeerProcess peer, params string[] arguments)
    {
        var outcome = await Executable.RunAsync(peer.DataFolder, arguments);
        Assert.True(outcome.Exit == 0, $"{string.Join(' ', arguments)}: {outcome}");
        return outcome.Out.Trim();
    }

    private static async Task<List<string>> BeginAsync(List<PeerProcess> receivers, string link)
    {
        var begun = new List<string>();
        foreach (var receiver in receivers)
        {
            var transfer = await receiver.Control.StartTransferAsync(
                new TransferRequest(link, "disk", "share"), CancellationToken.None);
            begun.Add(transfer.Id);
        }
        return begun;
    }

    private async Task AssertArrivedAsync(List<PeerProcess> receivers, List<string> transfers)
    {
        var ends = await Task.WhenAll(
            receivers.Zip(transfers, (peer, id) => Scene.WatchAsync(peer, id, TimeSpan.FromMinutes(3))));
        var expected = FileTree.Hash(scene.PathOf("from/share"));
        for (var i = 0; i < ends.Length; i++)
        {
            Assert.True(ends[i].State == TransferState.Completed, $"{ends[i].Error?.Message}\n{scene.Logs()}");
            Assert.Equal(expected, FileTree.Hash(scene.PathOf($"to-{i}/share")));
        }
    }

    [Fact]
    public async Task Four_receivers_at_once_cost_the_owner_about_one_copy_and_not_four()
    {
        await using var _ = scene;
        var (_, proxy, receivers, link) = await SetUpAsync();
        var transfers = await BeginAsync(receivers, link);
        await AssertArrivedAsync(receivers, transfers);
        var copies = proxy.Delivered / (double)FileBytes;
        Assert.True(copies < 2.2, $"the owner sent {copies:0.00} copies to {Receivers} receivers\n{scene.Logs()}");
    }

    [Fact]
    public async Task Once_a_receiver_has_everything_the_others_finish_from_it_when_the_owner_dies()
    {
        await using var _ = scene;
        var (owner, _, receivers, link) = await SetUpAsync();
        foreach (var slow in receivers.Skip(1)) await RunAsync(slow, "limits", "set", "--receive", "2MB/s");
        var transfers = await BeginAsync(receivers, link);
        var first = await Scene.WatchAsync(receivers[0], transfers[0], TimeSpan.FromMinutes(3));
        owner.Kill();
        Assert.True(first.State == TransferState.Completed, first.Error?.Message);
        foreach (var slow in receivers.Skip(1))
        {
            var now = Assert.Single(await slow.Control.TransfersAsync(CancellationToken.None));
            Assert.True(now.State == TransferState.Running, $"{now.State} before the owner died");
        }
        await AssertArrivedAsync(receivers, transfers);
    }

    [Fact]
    public async Task An_owner_whose_storage_has_rotted_is_dropped_by_name_and_all_comes_from_who_has_it_whole()
    {
        await using var _ = scene;
        var repository = await scene.RepositoryAsync();
        var place = scene.Own(await S3Place.CreateAsync());
        var front = scene.Own(await place.FrontAsync());
        FileTree.Write(Path.Combine(scene.Folder("from"), "large.bin"), FileBytes, 21);
        await place.RcloneAsync("copy", scene.PathOf("from"), place.Remote + "/share");
        var owner = await scene.AgentAsync("owner", [repository]);
        await place.AddToAsync(owner, "cloud", front);
        var link = await RunAsync(owner, "share", "cloud:share", "--public");
        var keeper = await scene.AgentAsync("keeper", [repository]);
        await Scene.AddDiskAsync(keeper, "disk", scene.Folder("keeper-to"));
        await RunAsync(keeper, "get", link, "disk:share", "--seed");
        var expected = FileTree.Hash(scene.PathOf("from"));
        Assert.Equal(expected, FileTree.Hash(scene.PathOf("keeper-to/share")));
        await keeper.StopAsync();

        front.Rots = true;
        var late = await scene.AgentAsync("late", [repository]);
        await Scene.AddDiskAsync(late, "disk", scene.Folder("late-to"));
        var begun = await late.Control.StartTransferAsync(
            new TransferRequest(link, "disk", "share"), CancellationToken.None);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var seen = begun;
        await foreach (var now in late.Control.WatchAsync(begun.Id, limit.Token))
        {
            seen = now;
            if (OwnerIn(now)?.Dropped is not null) break;
        }
        Assert.True(
            OwnerIn(seen)?.Dropped?.Contains("wrong", StringComparison.Ordinal), $"{seen}\n{scene.Logs()}");
        Assert.Equal(owner.Id, OwnerIn(seen)?.Agent);
        Assert.Equal(TransferState.Running, seen.State);

        await scene.AgentAsync("keeper", [repository]);
        var got = await Scene.WatchAsync(late, begun.Id, TimeSpan.FromMinutes(3));
        Assert.True(got.State == TransferState.Completed, $"{got.Error?.Message}\n{scene.Logs()}");
        Assert.Equal(expected, FileTree.Hash(scene.PathOf("late-to/share")));
        Assert.NotNull(OwnerIn(got)?.Dropped);
        Assert.Null(got.Sources.First(s => !s.IsOwner).Dropped);

        static SourceInfo? OwnerIn(TransferInfo transfer) => transfer.Sources.FirstOrDefault(s => s.IsOwner);
    }
}
