using System.Diagnostics;
using System.Globalization;

namespace Virga.BitTorrent.Tests.Stock;

/// <summary>
/// A network namespace for stock clients, with an address that is not 127.0.0.1, behind which lies a
/// listener of ours, and a tracker that knows it.
/// </summary>
internal sealed class StockIsland : IAsyncDisposable
{
    public const string Tracker = "http://10.77.0.1:6969/announce";

    private const string Peer = "10.77.0.1:6881";

    private readonly DirectoryInfo folder;
    private readonly List<Process> processes = [];

    private StockIsland(DirectoryInfo folder) => this.folder = folder;

    private string Keeper => processes[0].Id.ToString(CultureInfo.InvariantCulture);

    /// <param name="peer">Of ours, on the loopback outside.</param>
    public static async Task<StockIsland> CreateAsync(DirectoryInfo folder, string peer)
    {
        var island = new StockIsland(folder);
        var space = Environment.IsPrivilegedProcess ? "-n" : "-Urn";
        // It ends with this process, whose end closes its input.
        const string life = "ip link set lo up && ip address add 10.77.0.1/24 dev lo && echo up && exec cat";
        await island.BeginAsync("unshare", [space, "sh", "-c", life], isInside: false, "up");
        var socket = Path.Combine(folder.FullName, "peer.sock");
        island.Begin("socat", [$"UNIX-LISTEN:{socket},fork", $"TCP:{peer}"], isInside: false);
        island.Begin(
            "socat", ["TCP-LISTEN:6881,bind=10.77.0.1,reuseaddr,fork", $"UNIX-CONNECT:{socket}"], isInside: true);
        var script = Path.Combine(AppContext.BaseDirectory, "Stock", "torrent_tracker.py");
        await island.BeginAsync("/usr/bin/python3", [script, "10.77.0.1:6969", Peer], isInside: true, "up");
        return island;
    }

    /// <summary>Starts a client; it is ended with the island.</summary>
    public Process Begin(string program, string[] arguments, bool isInside = true, string? home = null)
    {
        string[] words = isInside
            ? ["nsenter", "--target", Keeper, "--net",
                .. Environment.IsPrivilegedProcess ? Array.Empty<string>() : ["--user", "--preserve-credentials"],
                program, .. arguments]
            : [program, .. arguments];
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true, Environment = { ["HOME"] = home ?? folder.FullName, ["TERM"] = "dumb" },
        };
        var process = StockClient.Start(start, "a Debian package");
        processes.Add(process);
        process.BeginErrorReadLine();
        return process;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(processes))
        {
            if (process != processes[0] && !process.HasExited) process.Kill(entireProcessTree: true);
            process.StandardInput.Close();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    private async Task BeginAsync(string program, string[] arguments, bool isInside, string says)
    {
        var process = Begin(program, arguments, isInside);
        Assert.Equal(says, await process.StandardOutput.ReadLineAsync());
    }
}
