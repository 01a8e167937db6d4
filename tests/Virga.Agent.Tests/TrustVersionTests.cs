using Virga.Agent.Control;

namespace Virga.Agent.Tests;

/// <summary>Who shows trust asks for one number, and for the rest only when that has changed.</summary>
public sealed class TrustVersionTests
{
    [Fact]
    public async Task The_number_changes_with_what_is_shown_and_with_nothing_else()
    {
        await using var network = await Network.StartAsync();
        var alice = await network.AgentAsync("alice");
        var bob = await network.AgentAsync("bob");
        using var client = alice.Client;
        var seen = new HashSet<long> { await NumberAsync() };
        await ChangesAsync(() => client.VouchAsync(new VouchRequest(bob.Address, ["exchange"], 1, 30, "bob"), default));
        await ChangesAsync(() => client.SetNameAsync(new NameRequest(bob.Id, "robert"), default));
        await ChangesAsync(() => bob.AskAsync(alice.Address, 0, "let me in"));
        var request = Assert.Single(await alice.RequestsAsync());
        // What only looks leaves it as it is.
        var before = await NumberAsync();
        await client.TrustAsync(default);
        await client.GraphAsync("", "exchange", 3, 10, 0, 0, default);
        await client.GraphAsync(bob.Id, "exchange", 1, 10, 0, 0, default);
        await client.FindAdmittedAsync("exchange", "b", 10, default);
        await client.AdmittedAsync("exchange", default);
        await alice.WhatIfRevokedAsync(bob.Id);
        Assert.Equal(before, await NumberAsync());
        await ChangesAsync(() => client.AnswerAsync(request.Id, new AnswerRequest(false, [], 0, 0), default));
        await ChangesAsync(() => alice.RevokeAsync(bob.Id));
        await ChangesAsync(() => alice.SetAsync("refused", bob.Id, true));
        await ChangesAsync(() => alice.SetAsync("refused", bob.Id, false));
        await ChangesAsync(() => alice.SetAsync("roots", bob.Id, true));

        async Task<long> NumberAsync() => (await client.TrustVersionAsync(default)).Number;

        async Task ChangesAsync(Func<Task> change)
        {
            await change();
            Assert.True(seen.Add(await NumberAsync()));
        }
    }
}
