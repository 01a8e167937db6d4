using Virga.Agent.Control;

namespace Virga.Agent.Tests;

/// <summary>What an agent says of another, why not, and what the other's side says.</summary>
public sealed class TrustSidesTests
{
    [Fact]
    public async Task Both_sides_are_told_with_their_chains_and_a_cut_with_its_date()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = (
            await network.AgentAsync("a"), await network.AgentAsync("b"), await network.AgentAsync("c"));
        await VouchAsync(b, c, depth: 0);
        await VouchAsync(a, b, depth: 1);

        var why = await c.SidesAsync(a.Address);
        Assert.Equal(("NotKnown", "Admitted", null), (why.Standing, why.Theirs!.Standing, why.TheirsProblem));
        Assert.Equal((c.Id, 0), (why.Theirs.Agent, why.Theirs.Depth));
        Assert.Equal([a.Id, b.Id], why.Theirs.Chain.Select(link => link.Issuer));
        var other = await a.SidesAsync(c.Address);
        Assert.Equal(("Admitted", "NotKnown"), (other.Standing, other.Theirs!.Standing));
        var self = await a.SidesAsync(a.Id);
        Assert.Equal(("Root", null, null), (self.Standing, self.Theirs, self.TheirsProblem));

        await a.RevokeAsync(b.Id);
        var gone = await a.WhyAsync(b.Id);
        Assert.Equal(("NoChain", "Revoked", a.Id), (gone.Standing, gone.Hints[0].Fault, gone.Hints[0].Cut!.By));
        Assert.Equal(gone.Hints[0].Vouch.Seq + 1, gone.Hints[0].Cut!.Seq);
        Assert.InRange(DateTimeOffset.UtcNow - gone.Hints[0].Cut!.At, TimeSpan.Zero, TimeSpan.FromMinutes(5));
        why = await c.SidesAsync(a.Address);
        Assert.Equal("NoChain", why.Theirs!.Standing);
        Assert.Equal(
            [(b.Id, c.Id, "IssuerNotAdmitted"), (a.Id, b.Id, "Revoked")],
            why.Theirs.Hints.Select(hint => (hint.Vouch.Issuer, hint.Vouch.Subject, hint.Fault)));
    }

    [Fact]
    public async Task A_side_that_cannot_be_had_is_said_so()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a", usesRepository: false);
        string gone;
        await using (var elsewhere = await Network.StartAsync())
            gone = (await elsewhere.AgentAsync("gone", usesRepository: false)).Address;
        var why = await a.SidesAsync(gone);
        Assert.Equal(("NotKnown", null), (why.Standing, why.Theirs));
        Assert.Contains("nobody knows agent", why.TheirsProblem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_if_a_root_were_removed_tells_who_would_fall_and_changes_nothing()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = (
            await network.AgentAsync("a"), await network.AgentAsync("b"), await network.AgentAsync("c"));
        await VouchAsync(b, c, depth: 0);
        await a.SetAsync("roots", b.Address, true);
        Assert.Equal("Admitted", (await a.WhyAsync(c.Id)).Standing);
        var request = new WhatIfRequest("remove-root", b.Id, []);
        var would = await a.PostAsync(
            "/control/trust/what-if", request, ControlJson.Default.WhatIfRequest, ControlJson.Default.TrustResult);
        Assert.Equal(
            new[] { b.Id, c.Id }.Order(),
            would.Changes.Where(x => x.Scope == "exchange" && x.After is null).Select(x => x.Agent).Order());
        Assert.Equal("Admitted", (await a.WhyAsync(c.Id)).Standing);
        var done = await a.SetAsync("roots", b.Id, false);
        Assert.Equal(
            would.Changes.OrderBy(x => (x.Agent, x.Scope)), done.Changes.OrderBy(x => (x.Agent, x.Scope)));
        var text = await a.RefusedAsync("/control/trust/what-if", request, ControlJson.Default.WhatIfRequest);
        Assert.Contains("no root", text, StringComparison.Ordinal);
    }

    private static Task<TrustResult> VouchAsync(TestAgent issuer, TestAgent subject, int depth) => issuer.PostAsync(
        "/control/trust/vouch", new VouchRequest(subject.Address, ["exchange"], depth, 30),
        ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);
}
