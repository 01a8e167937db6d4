using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>What a browser is driven through beside the whole way.</summary>
public sealed partial class PageTests
{
    /// <summary>
    /// Somebody vouches for Anna and Dora, Anna for two more, one of these for another. Dora's name is markup.
    /// </summary>
    [Fact]
    public async Task A_person_walks_the_graph_of_vouches()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var me = await scene.AgentAsync("me", [repository]);
        var peers = new List<PeerProcess>();
        foreach (var name in new[] { "anna", "bob", "carl", "dora" })
            peers.Add(await scene.AgentAsync(name, [repository]));
        var (anna, bob, carl, dora) = (peers[0], peers[1], peers[2], peers[3]);
        await VouchAsync(me, anna, 2, "anna");
        await VouchAsync(me, dora, 0, "<b>dora</b>\u202e<img src=x onerror=hacked=1>");
        await VouchAsync(anna, bob, 1, null);
        await VouchAsync(bob, carl, 0, null);
        await VouchAsync(anna, me, 0, "the first");
        // Anna and those behind her, Dora, and this agent itself.
        while ((await me.Control.AdmittedAsync("exchange", default)).Count < 5) await Task.Delay(100);
        await DriveAsync(scene, "people.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(me), password = Password }, ["carl"] = carl.Id,
        });
        var left = await me.Control.AdmittedAsync("exchange", default);
        Assert.Equal(
            new[] { me.Id, dora.Id, carl.Id }.Order(StringComparer.Ordinal),
            left.Select(a => a.Agent).Order(StringComparer.Ordinal));
        Assert.Equal("carl", left.Single(a => a.Agent == carl.Id).Name);
        Assert.DoesNotContain("error Microsoft", me.ReadLog(), StringComparison.Ordinal);

        static async Task VouchAsync(PeerProcess by, PeerProcess subject, int depth, string? name)
        {
            var address = (await subject.Control.StatusAsync(default)).Address;
            await by.Control.VouchAsync(new VouchRequest(address, ["exchange"], depth, 30, name), default);
        }
    }
}
