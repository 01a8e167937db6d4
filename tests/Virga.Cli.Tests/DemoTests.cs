using System.Diagnostics;
using System.Text.Json;
using Virga.Cli.Demo;

namespace Virga.Cli.Tests;

/// <summary>The demo and its children, as real processes.</summary>
public sealed class DemoTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task The_demo_proves_the_main_job()
    {
        using var demo = Start("demo", "--exit", "--json");
        var error = demo.StandardError.ReadToEndAsync();
        var output = await demo.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
        await demo.WaitForExitAsync().WaitAsync(Patience);
        Assert.True(demo.ExitCode == 0, output + await error);
        var result = JsonSerializer.Deserialize(output, CliJson.Default.DemoResult)!;
        Assert.True(result is { Holds: true, ArrivedWhole: true, StrangerRefused: true, PiecesFound: 0 }, output);
        Assert.InRange(result.Files, 300, 400);
        Assert.True(result.RecordedBytes > result.Bytes, output);
    }

    [Fact]
    public async Task A_peer_ends_with_what_started_it()
    {
        var folder = Directory.CreateTempSubdirectory("virga-orphan-");
        try
        {
            using var peer = Start("up", "--json", "--until-input-ends", "--data", folder.FullName);
            var line = await peer.StandardOutput.ReadLineAsync().WaitAsync(Patience);
            var up = JsonSerializer.Deserialize(line!, CliJson.Default.PeerUp)!;
            Assert.Equal(("agent", folder.FullName, peer.Id), (up.Kind, up.DataFolder, up.Process));
            Assert.Single(up.Repositories);
            Assert.Equal(0, (await Run.OfAsync("id", "--data", folder.FullName)).Exit);

            // As when the parent is killed: the system closes its end of the pipe.
            peer.StandardInput.Close();
            await peer.WaitForExitAsync().WaitAsync(Patience);
            Assert.Equal(0, peer.ExitCode);
            Assert.Equal(ExitCode.NotReachable, (await Run.OfAsync("id", "--data", folder.FullName)).Exit);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_second_agent_on_a_data_folder_is_refused_and_the_first_keeps_running()
    {
        var folder = Directory.CreateTempSubdirectory("virga-second-");
        try
        {
            using var first = Start("up", "--json", "--until-input-ends", "--no-repository", "--data", folder.FullName);
            await first.StandardOutput.ReadLineAsync().WaitAsync(Patience);
            using var second = Start("up", "--no-repository", "--data", folder.FullName);
            var error = await second.StandardError.ReadToEndAsync().WaitAsync(Patience);
            await second.WaitForExitAsync().WaitAsync(Patience);
            Assert.Equal(ExitCode.InTheWay, second.ExitCode);
            Assert.Contains(folder.FullName, error, StringComparison.Ordinal);
            Assert.Equal(0, (await Run.OfAsync("id", "--data", folder.FullName)).Exit);
            first.StandardInput.Close();
            await first.WaitForExitAsync().WaitAsync(Patience);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task What_is_sought_is_found_where_it_is_and_nowhere_else()
    {
        var folder = Directory.CreateTempSubdirectory("virga-search-");
        try
        {
            var content = new string('x', 5000) + "sixteen bytes ok";
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "a name of a file"), content);
            var tree = await TreeDigest.OfAsync(folder.FullName, default);
            var search = PlaintextSearch.For(folder.FullName, tree);
            Assert.Equal((1, 1), (search.Names, search.Samples));
            Assert.Equal(2, search.CountInFolder(folder.FullName));
            Assert.Equal(1, search.CountIn("...a name of a file..."u8));
            Assert.Equal(0, search.CountIn("...a name of a fil"u8));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "virga"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment.TryAdd("DOTNET_ROOT", CompletionTests.RuntimeRoot);
        return Process.Start(start)!;
    }
}
