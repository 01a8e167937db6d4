using System.Diagnostics;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// Everything that goes over loopback, or from or to some ports there, whole packets, into a file in memory.
/// </summary>
internal sealed class PacketCapture : IAsyncDisposable
{
    private readonly Process process;
    private readonly Task<string> errors;
    private bool stopped;

    private PacketCapture(Process process, string path, Task<string> errors)
    {
        this.process = process;
        this.errors = errors;
        Path = path;
    }

    public string Path { get; }

    /// <param name="ports">Of TCP.</param>
    public static Task<PacketCapture> StartAsync(string path, IEnumerable<int> ports) =>
        StartAsync(path, string.Join(" or ", ports.Select(p => $"tcp port {p}")), []);

    /// <summary>All packets of another network.</summary>
    public static Task<PacketCapture> StartAsync(string path, Island island) =>
        StartAsync(path, "", island.Prefix);

    private static async Task<PacketCapture> StartAsync(string path, string filter, IReadOnlyList<string> prefix)
    {
        string[] command =
            [.. prefix, "tcpdump", "-i", "lo", "-s", "0", "-B", "262144", "-U", "-Z", "root", "-w", path, filter];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardError = true,
        };
        var process = Executable.Begin(start);
        // It says that it listens, then how much it got.
        while (await process.StandardError.ReadLineAsync() is { } line)
            if (line.Contains("listening on", StringComparison.Ordinal)) return new(
                process, path, process.StandardError.ReadToEndAsync());
        throw new InvalidOperationException("tcpdump did not start: run the tests as root");
    }

    /// <summary>Ends it, with everything written; returns how many packets the kernel had to drop.</summary>
    public async Task<long> StopAsync()
    {
        stopped = true;
        await Executable.ToolAsync(
            "kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();
        var line = (await errors).Split('\n').Single(l => l.Contains("dropped by kernel", StringComparison.Ordinal));
        return long.Parse(line.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        if (!stopped) await StopAsync();
        process.Dispose();
        File.Delete(Path);
    }
}
