using Virga.Agent.Control;

namespace Virga.Agent.Tests;

public sealed class MainJobTests
{
    private static void Fill(string folder, int seed)
    {
        var random = new Random(seed);
        foreach (var size in new[] { 0, 1, 16384, 70_000, 1_000_000, 20_000_000 })
        {
            var bytes = new byte[size];
            random.NextBytes(bytes);
            var path = Path.Combine(folder, "sub dir", $"ünïcode {size} #%?.bin");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, bytes);
        }
        Directory.CreateDirectory(Path.Combine(folder, "empty"));
        File.CreateSymbolicLink(Path.Combine(folder, "link"), "sub dir/ünïcode 1 #%?.bin");
        for (var i = 0; i < 100; i++) File.WriteAllText(
            Path.Combine(folder, $"small {i}.txt"), new string((char)('a' + (i % 26)), i * 50));
    }

    private static void AssertSame(string left, string right)
    {
        var names = Directory.EnumerateFileSystemEntries(left, "*", SearchOption.AllDirectories).Select(
            p => Path.GetRelativePath(left, p)).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(names, Directory.EnumerateFileSystemEntries(right, "*", SearchOption.AllDirectories).Select(
            p => Path.GetRelativePath(right, p)).Order(StringComparer.Ordinal));
        foreach (var name in names)
        {
            var (a, b) = (new FileInfo(Path.Combine(left, name)), new FileInfo(Path.Combine(right, name)));
            Assert.Equal(a.LinkTarget, b.LinkTarget);
            if (!a.Exists || a.LinkTarget is not null) continue;
            Assert.True(File.ReadAllBytes(a.FullName).AsSpan().SequenceEqual(File.ReadAllBytes(b.FullName)), name);
            Assert.Equal(a.LastWriteTimeUtc, b.LastWriteTimeUtc);
        }
    }

    [Fact]
    public async Task Two_agents_without_any_repository_need_each_others_address_alone()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a", usesRepository: false);
        var b = await network.AgentAsync("b", usesRepository: false);
        Fill(network.Folder("from/music"), 1);
        await a.AddAccountAsync("disk", network.Folder("from"));
        await b.AddAccountAsync("disk", network.Folder("to"));
        var share = await a.ShareAsync("disk", "music", "agents", [(await b.StatusAsync()).Address]);
        Assert.Equal([b.Id], share.Readers);
        var got = await b.GetAsync(share.Link, "disk", "got");
        Assert.Equal(TransferState.Completed, got.State);
        AssertSame(network.PathOf("from/music"), network.PathOf("to/got"));
    }

    [Theory]
    [InlineData("agents")]
    [InlineData("link")]
    [InlineData("public")]
    public async Task A_folder_goes_from_one_persons_account_to_anothers(string audience)
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a");
        var b = await network.AgentAsync("b");
        Fill(network.Folder("from/music"), 1);
        await a.AddAccountAsync("disk", network.Folder("from"));
        await b.AddAccountAsync("disk", network.Folder("to"));
        // Both announce their chains soon after they start; the reader's must be known before something can be sealed
        // to it.
        var share = await Eventually(() => a.ShareAsync("disk", "music", audience, audience == "agents" ? [b.Id] : []));
        Assert.Null(share.Problem);
        var got = await b.GetAsync(share.Link, "disk", "got");
        Assert.Equal(TransferState.Completed, got.State);
        AssertSame(network.PathOf("from/music"), network.PathOf("to/got"));
    }

    [Fact]
    public async Task The_same_share_twice_stands_side_by_side_where_the_user_wants_that()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a");
        var b = await network.AgentAsync("b");
        await File.WriteAllTextAsync(Path.Combine(network.Folder("from/share"), "a.txt"), "hello");
        await a.AddAccountAsync("disk", network.Folder("from"));
        await b.AddAccountAsync("disk", network.Folder("to"));
        var link = (await a.ShareAsync("disk", "share", "link")).Link;
        Assert.Equal(TransferState.Completed, (await b.GetAsync(link, "disk", "")).State);
        var again = await b.GetAsync(new TransferRequest(link, "disk", "", "rename"));
        Assert.Equal((TransferState.Completed, "a.txt"), (again.State, Assert.Single(again.NotKept).Path));
        Assert.Contains("a (2).txt", again.NotKept[0].Reason, StringComparison.Ordinal);
        foreach (var name in new[] { "a.txt", "a (2).txt" })
            Assert.Equal("hello", await File.ReadAllTextAsync(Path.Combine(network.PathOf("to"), name)));
    }

    [Fact]
    public async Task A_share_for_one_agent_is_not_given_to_another()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a");
        var b = await network.AgentAsync("b");
        var c = await network.AgentAsync("c");
        Fill(network.Folder("from/music"), 2);
        await a.AddAccountAsync("disk", network.Folder("from"));
        await c.AddAccountAsync("disk", network.Folder("to"));
        var share = await Eventually(() => a.ShareAsync("disk", "music", "agents", b.Id));
        var got = await c.GetAsync(share.Link, "disk", "got");
        Assert.Equal(TransferState.Failed, got.State);
        Assert.Equal("NotFound", got.Error!.Kind);
        Assert.Empty(Directory.EnumerateFileSystemEntries(network.PathOf("to")));
    }

    private static async Task<T> Eventually<T>(Func<Task<T>> attempt)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await attempt();
            }
            catch (InvalidOperationException) when (tries < 50)
            {
                await Task.Delay(100);
            }
        }
    }
}
