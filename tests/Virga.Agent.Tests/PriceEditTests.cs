using System.Text;
using Virga.Agent.Control;
using Virga.Agent.Planning;
using Virga.Core;

namespace Virga.Agent.Tests;

/// <summary>Prices of one's own, changed figure by figure.</summary>
public sealed class PriceEditTests
{
    [Fact]
    public async Task A_figure_is_set_counts_at_once_and_is_taken_away()
    {
        await using var network = await Network.StartAsync();
        var agent = await network.AgentAsync("agent");
        using var client = agent.Client;
        var shipped = await client.PricesAsync(default);
        var set = await client.SetPricesAsync(
            new PricesRequest([
                new PriceChange("aws-s3", "egressPerGB", 0.05m), new PriceChange(null, "hourIsWorth", 3),
                new PriceChange("aws-s3", "readsPer1000", null, IsUnknown: true),
            ]),
            default);
        Assert.True(set.HasFile);
        Assert.Equal((0.05m, true), Figure(set, "aws-s3", "egressPerGB"));
        Assert.Contains("readsPer1000", set.Services.Single(s => s.Service == "aws-s3").Unknown);
        Assert.Equal(3, set.Figures.Single(f => f.Name == "hourIsWorth").Amount);
        var reset = await client.SetPricesAsync(
            new PricesRequest([
                new PriceChange("aws-s3", "egressPerGB", null), new PriceChange(null, "hourIsWorth", null),
                new PriceChange("aws-s3", "readsPer1000", null),
            ]),
            default);
        Assert.Equal(Figure(shipped, "aws-s3", "egressPerGB"), Figure(reset, "aws-s3", "egressPerGB"));
        Assert.False(reset.HasFile);
    }

    [Fact]
    public async Task What_is_wrong_changes_nothing_and_a_broken_file_is_not_written_over()
    {
        await using var network = await Network.StartAsync();
        var agent = await network.AgentAsync("agent");
        using var client = agent.Client;
        foreach (var wrong in new[]
            {
                new PriceChange("aws-s3", "egress", 1), new PriceChange("nowhere", "egressPerGB", 1),
                new PriceChange(null, "hourIsWorth", -1), new PriceChange(null, "hourIsWorth", null, IsUnknown: true),
                new PriceChange(null, "egressPerGB", 1),
            })
        {
            await Assert.ThrowsAsync<VirgaException>(() => client.SetPricesAsync(
                new PricesRequest([new PriceChange(null, "yourAgentPerGB", 1), wrong]), default));
            Assert.False((await client.PricesAsync(default)).HasFile);
        }
        agent.Prices("{ broken");
        var refused = await Assert.ThrowsAsync<VirgaException>(
            () => client.SetPricesAsync(new PricesRequest([new PriceChange(null, "hourIsWorth", 2)]), default));
        Assert.Contains("is no JSON", refused.Message, StringComparison.Ordinal);
        Assert.Equal("{ broken", await File.ReadAllTextAsync(network.PathOf("agent-agent/prices.json")));
    }

    [Fact]
    public void What_else_stands_in_the_file_stays()
    {
        var file = Encoding.UTF8.GetBytes("""
            { // mine
              "services": { "mine": { "name": "My NAS", "hosts": ["nas.example"], "egressPerGB": 0.01, }, },
              "accounts": { "a": "mine" }
            }
            """);
        var changed = Encoding.UTF8.GetString(PriceEdits.Apply(
            file, [new PriceChange("mine", "ingressPerGB", 0.5m)], "prices.json", ["mine"])!);
        foreach (var kept in new[] { "\"My NAS\"", "nas.example", "0.01", "0.5", "\"a\": \"mine\"" })
            Assert.Contains(kept, changed, StringComparison.Ordinal);
    }

    private static (decimal, bool) Figure(PricesInfo prices, string service, string name)
    {
        var figure = prices.Services.Single(s => s.Service == service).Figures.Single(f => f.Name == name);
        return (figure.Amount, figure.IsOwn);
    }
}
