using System.Globalization;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Xunit.Abstractions;

namespace Virga.EndToEnd;

/// <summary>
/// A vouches for B, B for C, each a process: C reads what A shares from a real S3 account with those it trusts; A cuts
/// B off while C is in the middle of it.
/// </summary>
[Trait("Needs", "server")]
public sealed class TrustTests(ITestOutputHelper output)
{
    private const long Bytes = 1L << 30;

    [Fact]
    public async Task A_cut_stops_a_friends_friend_at_once_and_a_vouch_lets_it_go_on()
    {
        await using var scene = new Scene(inMemory: true);
        var s3 = scene.Own(await S3Place.CreateAsync());
        FileTree.Write(Path.Combine(scene.Folder("source"), "film.mkv"), Bytes, 7);
        await s3.RcloneAsync("copy", "--s3-upload-concurrency", "4", scene.PathOf("source"), $"{s3.Remote}/films");
        var repository = await scene.RepositoryAsync();
        var a = await scene.AgentAsync("a", [repository]);
        var b = await scene.AgentAsync("b", [repository]);
        var c = await scene.AgentAsync("c", [repository]);
        await s3.AddToAsync(a, "s3");
        await Scene.AddDiskAsync(c, "disk", scene.Folder("c-disk"));

        await RunAsync(a, "trust", "vouch", await AddressAsync(b), "--depth", "1", "--days", "30", "--yes");
        await RunAsync(b, "trust", "vouch", await AddressAsync(c), "--days", "30", "--yes");
        var link = await ShareAsync(a, "s3", "films");
        var id = (await c.Control.StartTransferAsync(new TransferRequest(link, "disk", "in"), default)).Id;
        await UntilAsync(c, id, t => t.BytesDone > Bytes / 10);
        Assert.Equal(("Admitted", "Admitted"), (await StandingAsync(a, c), await TheirStandingAsync(c, a)));

        await RunAsync(a, "trust", "revoke", b.Id, "--yes");
        var atCut = (await c.Control.TransfersAsync(default))[0];
        var cut = DateTimeOffset.UtcNow;
        var ended = await Scene.WatchAsync(c, id, TimeSpan.FromMinutes(1));
        var after = (ended.Ended!.Value - cut).TotalSeconds;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"cut at {100.0 * atCut.BytesDone / Bytes:0} %; it ended {after:0.000} s after the command"));
        Assert.Equal(TransferState.Failed, ended.State);
        Assert.Contains("access was withdrawn", ended.Error!.Message, StringComparison.Ordinal);
        Assert.True(ended.BytesDone < Bytes, "the transfer was through before it could be cut");
        // A second at the rate that it had is far more than this: what was under way, and no more.
        Assert.True(ended.BytesFetched - atCut.BytesFetched <= 64 << 20, $"{ended.BytesFetched - atCut.BytesFetched}");
        Assert.Equal(("NoChain", "NoChain"), (await StandingAsync(a, c), await TheirStandingAsync(c, a)));

        await RunAsync(a, "trust", "vouch", await AddressAsync(c), "--days", "30", "--yes");
        await c.Control.ResumeAsync(id, default);
        var whole = await Scene.WatchAsync(c, id);
        Assert.True(whole.State == TransferState.Completed, whole.Error?.Message);
        Assert.True(whole.BytesFetched <= Bytes + (64 << 20), $"{whole.BytesFetched:N0} bytes were fetched in all");
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(scene.PathOf("source")), FileTree.Hash(scene.PathOf("c-disk/in"))));
    }

    [Fact]
    public async Task A_request_for_a_vouch_outlives_its_owner_and_becomes_a_vouch_by_a_yes_alone()
    {
        await using var scene = new Scene(inMemory: true);
        var a = await scene.AgentAsync("a", []);
        var b = await scene.AgentAsync("b", []);
        await RunAsync(b, "trust", "ask", await AddressAsync(a), "--name", "ann", "--depth", "1", "--note", "It's Bob");
        a.Kill();
        await a.WaitEndedAsync();
        a = await scene.AgentAsync("a", []);
        Assert.Contains("It's Bob", await RunAsync(a, "trust", "requests"), StringComparison.Ordinal);
        Assert.Contains("waiting", await RunAsync(b, "trust", "asked"), StringComparison.Ordinal);
        var silent = await Executable.RunAsync(a.DataFolder, ["trust", "answer", "1"]);
        Assert.Equal(2, silent.Exit);
        Assert.Equal("NotKnown", await StandingAsync(a, b));

        await RunAsync(a, "trust", "answer", "1", "--yes", "--depth", "0", "--days", "7");
        Assert.Equal("Admitted", await StandingAsync(a, b));
        Assert.Contains("vouches for you", await RunAsync(b, "trust", "asked"), StringComparison.Ordinal);
        Assert.Equal("Admitted", await TheirStandingAsync(b, a));
    }

    private static async Task<string> ShareAsync(PeerProcess agent, string account, string path)
    {
        var request = new ShareRequest(account, path, "trusted", [], Reach: 7);
        ShareEvent? last = null;
        await foreach (var line in agent.Control.ShareAsync(request, default)) last = line;
        return last!.Result?.Link ?? throw new InvalidOperationException(last.Error?.Message);
    }

    private static async Task<string> AddressAsync(PeerProcess agent) =>
        (await agent.Control.StatusAsync(default)).Address;

    private static async Task<string> StandingAsync(PeerProcess agent, PeerProcess other)
    {
        using var why = JsonDocument.Parse(await RunAsync(agent, "trust", "why", other.Id, "--json"));
        return why.RootElement.GetProperty("standing").GetString()!;
    }

    private static async Task<string> TheirStandingAsync(PeerProcess agent, PeerProcess other)
    {
        using var why = JsonDocument.Parse(
            await RunAsync(agent, "trust", "why", await AddressAsync(other), "--json"));
        return why.RootElement.GetProperty("theirs").GetProperty("standing").GetString()!;
    }

    private static async Task<string> RunAsync(PeerProcess agent, params string[] arguments)
    {
        var outcome = await Executable.RunAsync(agent.DataFolder, arguments);
        Assert.True(outcome.Exit == 0, $"virga {string.Join(' ', arguments)}: {outcome}");
        return outcome.Out;
    }

    private static async Task UntilAsync(PeerProcess agent, string id, Func<TransferInfo, bool> isReached)
    {
        using var end = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await foreach (var info in agent.Control.WatchAsync(id, end.Token))
            if (isReached(info)) return;
        Assert.Fail("the transfer ended too early");
    }
}
