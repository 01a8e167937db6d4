using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Virga.Agent.Control;
using Virga.Protocol;

namespace Virga.Agent.Tests;

/// <summary>Shares that end by themselves.</summary>
public sealed class ShareEndTests
{
    /// <summary>Less than what clocks of agents may differ by, and longer than anything here takes.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(200);

    private readonly AheadTime clock = new();

    [Theory]
    [InlineData("link")]
    [InlineData("public")]
    [InlineData("agents")]
    public async Task A_share_ends_by_itself_and_who_could_read_it_is_told_so(string audience)
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network);
        var ends = DateTimeOffset.UtcNow + Length;
        var share = await alice.ShareAsync(new ShareRequest(
            "disk", "f", audience, audience == "agents" ? [bob.Address] : [], Ends: ends));
        Assert.Equal(ends.ToUnixTimeSeconds(), share.Ends!.Value.ToUnixTimeSeconds());
        Assert.Equal(share.Ends, Assert.Single(await alice.SharesAsync()).Ends);
        Assert.Equal(TransferState.Completed, (await bob.GetAsync(share.Link, "disk", "got")).State);
        clock.Ahead = Length;
        Assert.Empty(await alice.SharesAsync());

        var late = await bob.GetAsync(share.Link, "disk", "late");
        Assert.Equal((TransferState.Failed, "NotFound"), (late.State, late.Error!.Kind));
        Assert.Contains(
            $"this share ended at {ends:yyyy-MM-dd HH:mm} UTC", late.Error.Message, StringComparison.Ordinal);
        Assert.Contains("share it again", late.Error.Advice, StringComparison.Ordinal);
        // Whom it was not for learns nothing, now as before.
        if (audience == "public") return;
        var carol = await network.AgentAsync("carol");
        await carol.AddAccountAsync("disk", network.Folder("carol"));
        var other = await carol.GetAsync(LinkTo(alice, share, hasSecret: false), "disk", "late");
        Assert.Contains("there is no share", other.Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_end_survives_a_restart_and_comes_while_the_agent_is_down()
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network);
        var soon = await alice.ShareAsync(new ShareRequest(
            "disk", "f", "link", [], Ends: DateTimeOffset.UtcNow + Length));
        var later = await alice.ShareAsync(new ShareRequest(
            "disk", "f", "public", [], Ends: DateTimeOffset.UtcNow.AddDays(400)));
        await network.StopAsync(alice);
        clock.Ahead = Length;
        alice = await AliceAsync(network);
        Assert.Equal(later.Ends, Assert.Single(await alice.SharesAsync()).Ends);
        await network.StopAsync(alice);
        alice = await AliceAsync(network);
        Assert.Equal(later.Ends, Assert.Single(await alice.SharesAsync()).Ends);
        var late = await bob.GetAsync(LinkTo(alice, soon, hasSecret: true), "disk", "late");
        Assert.Contains("this share ended at", late.Error!.Message, StringComparison.Ordinal);
        Assert.Equal(TransferState.Completed, (await bob.GetAsync(later.Link, "disk", "got")).State);
    }

    [Fact]
    public async Task Sharing_again_gives_the_same_share_another_end()
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network);
        var first = await alice.ShareAsync(new ShareRequest(
            "disk", "f", "public", [], Ends: DateTimeOffset.UtcNow.AddDays(1)));
        var longer = await alice.ShareAsync(new ShareRequest(
            "disk", "f", "public", [], Ends: DateTimeOffset.UtcNow.AddDays(7)));
        Assert.Equal(first.InfoHash, longer.InfoHash);
        Assert.True(longer.Ends > first.Ends);
        var brief = await alice.ShareAsync(new ShareRequest(
            "disk", "f", "public", [], Ends: DateTimeOffset.UtcNow + Length));
        clock.Ahead = Length;
        var late = await bob.GetAsync(brief.Link, "disk", "late");
        Assert.Contains("ended", late.Error!.Message, StringComparison.Ordinal);
        var again = await alice.ShareAsync(new ShareRequest("disk", "f", "public", []));
        Assert.Equal((first.InfoHash, null), (again.InfoHash, again.Ends));
        Assert.Equal(TransferState.Completed, (await bob.GetAsync(again.Link, "disk", "got")).State);
    }

    [Fact]
    public async Task What_is_public_and_what_repositories_are_told_ends_with_the_share()
    {
        await using var network = await Network.StartAsync();
        var (alice, _) = await PairAsync(network);
        var share = await alice.ShareAsync(new ShareRequest(
            "disk", "f", "public", [], Ends: DateTimeOffset.UtcNow + Length));
        Assert.Equal(HttpStatusCode.OK, await alice.WebSeedAsync(share.InfoHash, "f/a.txt"));
        Assert.InRange((await AnnouncedUntilAsync(network, share))!.Value, DateTimeOffset.UtcNow, share.Ends!.Value);
        clock.Ahead = Length;
        Assert.Equal(HttpStatusCode.NotFound, await alice.WebSeedAsync(share.InfoHash, "f/a.txt"));
        await network.StopAsync(alice);
        alice = await AliceAsync(network);
        // The start takes it back, also where the agent was down when it ended.
        while (await AnnouncedUntilAsync(network, share) is not null) await Task.Delay(100);
    }

    [Fact]
    public async Task A_time_that_is_over_is_refused()
    {
        await using var network = await Network.StartAsync();
        var (alice, _) = await PairAsync(network);
        Assert.Contains("which is over", await alice.RefusedShareAsync(new ShareRequest(
            "disk", "f", "link", [], Ends: DateTimeOffset.UtcNow.AddMinutes(-1))), StringComparison.Ordinal);
        Assert.Empty(await alice.SharesAsync());
    }

    /// <summary>To where the agent is now, with what opens the share or without.</summary>
    private static string LinkTo(TestAgent agent, ShareInfo share, bool hasSecret)
    {
        var link = ShareLink.Parse(share.Link);
        return new ShareLink(
            link.InfoHash, link.Agents, link.Repositories, [agent.Host.Endpoint], hasSecret ? link.Secret : null)
            .ToText();
    }

    /// <summary>Until when a repository tells others of the share; null where it doesn't.</summary>
    private static async Task<DateTimeOffset?> AnnouncedUntilAsync(Network network, ShareInfo share)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });
        var text = Encoding.Latin1.GetString(await http.GetByteArrayAsync(
            $"{network.Repository!.Endpoint.Origin}/v1/announces/{share.InfoHash}"));
        var found = Regex.Matches(text, "7:expiresi([0-9]+)e");
        return found.Count == 0 ? null : found.Max(m => DateTimeOffset.FromUnixTimeSeconds(
            long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)));
    }

    private async Task<(TestAgent Alice, TestAgent Bob)> PairAsync(Network network)
    {
        var alice = await AliceAsync(network);
        var bob = await network.AgentAsync("bob");
        await File.WriteAllTextAsync(Path.Combine(network.Folder("from/f"), "a.txt"), "for a while");
        await alice.AddAccountAsync("disk", network.Folder("from"));
        await bob.AddAccountAsync("disk", network.Folder("to"));
        return (alice, bob);
    }

    private Task<TestAgent> AliceAsync(Network network) =>
        network.AgentAsync("alice", options => options with { Time = clock });

    /// <summary>The machine's time, that may be set forward.</summary>
    private sealed class AheadTime : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
    }
}
