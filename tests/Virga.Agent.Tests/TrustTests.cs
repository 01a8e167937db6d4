using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent.Tests;

/// <summary>A vouches for B, B for C: who may read what A shares with those it trusts.</summary>
public sealed class TrustTests
{
    [Fact]
    public async Task A_friends_friend_reads_a_share_that_reaches_that_far_and_both_see_the_chain()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = await ThreeAsync(network, fileBytes: 1_000_000);
        var near = await a.ShareAsync("disk", "music", "trusted", 0);
        await VouchAsync(a, b, depth: 1);
        await VouchAsync(b, c, depth: 0);
        var far = await a.ShareAsync("disk", "music", "trusted", 1);

        var got = await c.GetAsync(far.Link, "disk", "far");
        Assert.Equal((TransferState.Completed, null), (got.State, got.Error?.Message));
        Assert.Equal(File.ReadAllBytes(network.PathOf("from/music/song")),
            File.ReadAllBytes(network.PathOf("c/far/song")));
        var refused = await c.GetAsync(near.Link, "disk", "near");
        Assert.Equal((TransferState.Failed, "NotFound"), (refused.State, refused.Error!.Kind));

        var why = await a.WhyAsync(c.Id);
        Assert.Equal("Admitted", why.Standing);
        Assert.Equal([a.Id, b.Id], why.Chain.Select(l => l.Issuer));
        Assert.Equal([b.Id, c.Id], why.Chain.Select(l => l.Subject));
    }

    [Fact]
    public async Task A_cut_ends_a_transfer_under_way_says_why_and_a_direct_vouch_lets_it_go_on()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = await ThreeAsync(network, fileBytes: 1L << 30);
        await VouchAsync(a, b, depth: 1);
        await VouchAsync(b, c, depth: 0);
        var share = await a.ShareAsync("disk", "music", "trusted", 7);
        var begun = await c.BeginAsync(share.Link, "disk", "got");
        for (var now = begun; now.BytesDone == 0; now = await c.TransferAsync(begun.Id))
        {
            Assert.True(now.State is TransferState.Waiting or TransferState.Running, now.Error?.Message);
            await Task.Delay(5);
        }

        var would = await a.WhatIfRevokedAsync(b.Id);
        Assert.Equal(new[] { b.Id, c.Id }.Order(), would.Changes.Select(x => x.Agent).Order());
        var cut = await a.RevokeAsync(b.Id);
        Assert.Equal(would.Changes.Select(x => x.Agent).Order(), cut.Changes.Select(x => x.Agent).Order());
        var ended = await c.WatchAsync(begun.Id);
        Assert.Equal(TransferState.Failed, ended.State);
        Assert.Contains("access was withdrawn", ended.Error!.Message, StringComparison.Ordinal);
        Assert.InRange(ended.BytesDone, 1, (1L << 30) - 1);
        Assert.Equal("NoChain", (await a.WhyAsync(c.Id)).Standing);

        await VouchAsync(a, c, depth: 0);
        var whole = await c.ResumeAsync(begun.Id);
        Assert.Equal((TransferState.Completed, null), (whole.State, whole.Error?.Message));
        Assert.InRange(whole.BytesFetched, 1L << 30, (1L << 30) + (64L << 20));
        Assert.Equal(1L << 30, new FileInfo(network.PathOf("c/got/song")).Length);
    }

    [Fact]
    public async Task Who_rules_an_agent_out_takes_nothing_from_it_any_more_until_it_is_accepted_again()
    {
        await using var network = await Network.StartAsync();
        var (a, _, c) = await ThreeAsync(network, fileBytes: 256 << 20);
        var share = await a.ShareAsync("disk", "music", "link");
        // At this limit the whole would take a minute: it can't be done before the owner is ruled out.
        await c.SetLimitsAsync(new LimitsRequest(4 << 20, null, 3, null, []));
        var begun = await c.BeginAsync(share.Link, "disk", "got");
        for (var now = begun; now.BytesDone == 0; now = await c.TransferAsync(begun.Id))
        {
            Assert.True(now.State is TransferState.Waiting or TransferState.Running, now.Error?.Message);
            await Task.Delay(5);
        }

        await c.SetAsync("refused", a.Id, isOn: true);
        var ended = await c.WatchAsync(begun.Id);
        Assert.Equal(TransferState.Failed, ended.State);
        Assert.Contains("ruled out", ended.Error!.Message, StringComparison.Ordinal);
        Assert.InRange(ended.BytesDone, 1, (256 << 20) - 1);
        await c.SetAsync("refused", a.Id, isOn: false);
        await c.SetLimitsAsync(new LimitsRequest(null, null, 3, null, []));
        var whole = await c.ResumeAsync(begun.Id);
        Assert.Equal((TransferState.Completed, null), (whole.State, whole.Error?.Message));
    }

    [Fact]
    public async Task A_vouch_tells_of_every_scope_that_it_admits_in()
    {
        await using var network = await Network.StartAsync();
        var (a, b, _) = await ThreeAsync(network, fileBytes: 10);
        var result = await a.PostAsync(
            "/control/trust/vouch", new VouchRequest(b.Address, ["exchange", "host"], 0, 30),
            ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);
        Assert.Equal(["exchange", "host"], result.Changes.Where(x => x.Agent == b.Id).Select(x => x.Scope).Order());
    }

    [Fact]
    public async Task What_the_user_decided_outlives_a_restart()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = await ThreeAsync(network, fileBytes: 10);
        await VouchAsync(a, b, depth: 1, "Bob");
        await a.SetAsync("refused", c.Id, true);
        a = await network.RestartAsync(a, "a");
        var trust = await a.TrustAsync();
        Assert.Equal(("Bob", 1), (trust.Vouches.Single().SubjectName, trust.Vouches.Single().Depth));
        Assert.Equal([c.Id], trust.Refused);
        Assert.Equal("Refused", (await a.WhyAsync(c.Id)).Standing);
        Assert.Equal("Admitted", (await a.WhyAsync("Bob")).Standing);
    }

    [Theory]
    [InlineData(8, 30, "exchange", "a depth of 8")]
    [InlineData(0, 0, "exchange", "0 days")]
    [InlineData(0, 30, "everything", "no scope of trust")]
    public async Task A_vouch_that_makes_no_sense_is_refused(int depth, int days, string scope, string says)
    {
        await using var network = await Network.StartAsync();
        var (a, b, _) = await ThreeAsync(network, fileBytes: 10);
        var text = await a.RefusedAsync(
            "/control/trust/vouch", new VouchRequest(b.Address, [scope], depth, days),
            ControlJson.Default.VouchRequest);
        Assert.Contains(says, text, StringComparison.Ordinal);
        Assert.Empty((await a.TrustAsync()).Vouches);
    }

    private static async Task<(TestAgent A, TestAgent B, TestAgent C)> ThreeAsync(Network network, long fileBytes)
    {
        var agents = new List<TestAgent>();
        foreach (var name in new[] { "a", "b", "c" }) agents.Add(await network.AgentAsync(name));
        await using (var song = File.Create(Path.Combine(network.Folder("from/music"), "song")))
            song.SetLength(fileBytes);
        await agents[0].AddAccountAsync("disk", network.Folder("from"));
        await agents[2].AddAccountAsync("disk", network.Folder("c"));
        return (agents[0], agents[1], agents[2]);
    }

    private static async Task VouchAsync(TestAgent issuer, TestAgent subject, int depth, string? name = null)
    {
        var result = await issuer.PostAsync(
            "/control/trust/vouch", new VouchRequest(subject.Address, ["exchange"], depth, 30, name),
            ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);
        Assert.Null(result.Problem);
    }
}
