using System.Diagnostics;
using System.Globalization;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// A network in which a service's real names lead to its fake, and which outlives the programs that run in it.
/// </summary>
internal sealed class CloudNetwork : IAsyncDisposable
{
    private readonly Process keeper;

    private CloudNetwork(Process keeper) => this.keeper = keeper;

    /// <summary>What a command line begins with to run here; the process is the command's own.</summary>
    public IReadOnlyList<string> Prefix =>
    [
        "nsenter", "--target", keeper.Id.ToString(CultureInfo.InvariantCulture), "--net", "--mount", "--wd=/",
        .. Environment.IsPrivilegedProcess ? Array.Empty<string>() : ["--user", "--preserve-credentials"],
    ];

    /// <param name="names">What a command line begins with that makes such a network for itself.</param>
    public static async Task<CloudNetwork> StartAsync(IReadOnlyList<string> names)
    {
        string[] line = [.. names, "sh", "-c", "echo up && exec cat"];
        var network = new CloudNetwork(Executable.Begin(new ProcessStartInfo(line[0], line[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        }));
        Assert.Equal("up", await network.keeper.StandardOutput.ReadLineAsync());
        return network;
    }

    public async ValueTask DisposeAsync()
    {
        keeper.StandardInput.Close();
        await keeper.WaitForExitAsync();
        keeper.Dispose();
    }
}
