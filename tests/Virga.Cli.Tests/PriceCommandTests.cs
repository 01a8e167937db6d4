using System.Security.Cryptography;
using Virga.Accounts.Adapters.Disk;
using Virga.Agent;
using Virga.Core;

namespace Virga.Cli.Tests;

/// <summary><c>virga prices set</c> and <c>unset</c>, on a real agent, with what goes wrong.</summary>
public sealed class PriceCommandTests : IAsyncLifetime
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-prices-");
    private AgentHost agent = null!;

    private string File => Path.Combine(folder.FullName, "prices.json");

    public async Task InitializeAsync() => agent = await AgentHost.StartAsync(
        new AgentOptions
        {
            DataFolder = folder.FullName, Adapters = [new DiskAdapter(RandomNumberGenerator.Fill)],
            Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
        },
        CancellationToken.None);

    public async Task DisposeAsync()
    {
        await agent.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_figure_is_set_shown_and_taken_away()
    {
        var shipped = (await PricesAsync()).Out;
        var set = await PricesAsync("set", "aws-s3.egressPerGB", "0.0123");
        Assert.True(set.Exit == ExitCode.Ok, set.Error);
        Assert.Contains("it counts from the next plan on", set.Error, StringComparison.Ordinal);
        Assert.Contains("0.0123", (await PricesAsync()).Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await PricesAsync("set", "hourIsWorth", "2")).Exit);
        Assert.Equal(ExitCode.Ok, (await PricesAsync("set", "aws-s3.copyPerGB", "unknown")).Exit);
        Assert.Contains("0.0123", await System.IO.File.ReadAllTextAsync(File), StringComparison.Ordinal);
        foreach (var figure in new[] { "aws-s3.egressPerGB", "hourIsWorth", "aws-s3.copyPerGB" })
            Assert.Equal(ExitCode.Ok, (await PricesAsync("unset", figure)).Exit);
        Assert.Equal(shipped, (await PricesAsync()).Out);
        var json = await PricesAsync("unset", "hourIsWorth", "--json");
        Assert.Contains("\"services\"", json.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aws-s3.egressPerGB", "cheap", "is no amount")]
    [InlineData("aws-s3.egressPerGB", "1e5", "is no amount")]
    [InlineData("aws-s3.egressPerGB", "0,05", "is no amount")]
    [InlineData("no-such-service.egressPerGB", "1", "no-such-service")]
    [InlineData("aws-s3.noSuchFigure", "1", "noSuchFigure")]
    [InlineData("noSuchFigure", "1", "noSuchFigure")]
    [InlineData("aws-s3.egressPerGB", "99999999", "")]
    public async Task A_mistake_is_said_and_changes_nothing(string figure, string amount, string words)
    {
        var said = await PricesAsync("set", figure, amount);
        Assert.True(said.Exit is ExitCode.Usage or ExitCode.NotFound, said.Error);
        Assert.Contains(words, said.Error, StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists(File));
    }

    [Fact]
    public async Task What_the_file_can_not_take_is_said()
    {
        // A file that is broken is not written over.
        await System.IO.File.WriteAllTextAsync(File, "{ broken");
        var said = await PricesAsync("set", "hourIsWorth", "2");
        Assert.NotEqual(ExitCode.Ok, said.Exit);
        Assert.Contains("prices.json", said.Error, StringComparison.Ordinal);
        Assert.Equal("{ broken", await System.IO.File.ReadAllTextAsync(File));
    }

    private Task<Run> PricesAsync(params string[] words) =>
        Run.OfAsync(new Setting(), ["prices", .. words, "--data", folder.FullName]);
}
