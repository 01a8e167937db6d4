using System.Diagnostics;
using System.Globalization;

namespace Virga.Benchmarks.Swarm;

/// <summary>
/// Network namespaces on one bridge, each with so much out of it (shaped at its own end) and into it (shaped at the
/// bridge's end). Everything is taken away again, also after a failure.
/// </summary>
internal sealed class Nodes : IAsyncDisposable
{
    public const int Most = 60;

    private readonly string name = $"vg{Environment.ProcessId % 100_000}";
    private readonly int count;

    private Nodes(int count) => this.count = count;

    /// <summary>Refuses plainly where namespaces can't be made here.</summary>
    public static void Require()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            throw new UsageException("swarm makes network namespaces: run it as root, on Linux");
        foreach (var tool in new[] { "ip", "tc" })
        {
            if (!Array.Exists(["/usr/sbin", "/sbin", "/usr/bin", "/bin"], f => File.Exists($"{f}/{tool}")))
                throw new UsageException($"swarm needs {tool}: apt-get install iproute2");
        }
    }

    public static async Task<Nodes> CreateAsync(int count, CancellationToken token)
    {
        var nodes = new Nodes(count);
        try
        {
            await nodes.MakeAsync(token);
            return nodes;
        }
        catch
        {
            await nodes.DisposeAsync();
            throw;
        }
    }

    public string Address(int node) => string.Create(CultureInfo.InvariantCulture, $"10.213.7.{node + 1}");

    /// <summary>What to put before a command that runs on a node.</summary>
    public string[] Prefix(int node) => ["ip", "netns", "exec", Name(node)];

    /// <summary>Bytes that a node has sent so far, with headers.</summary>
    public long SentBytes(int node) => long.Parse(
        File.ReadAllText($"/sys/class/net/{Outside(node)}/statistics/rx_bytes"), CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        for (var node = 0; node < count; node++)
        {
            await TryAsync("ip", "link", "del", Outside(node));
            await TryAsync("ip", "netns", "del", Name(node));
        }
        await TryAsync("ip", "link", "del", name);
    }

    private string Name(int node) => string.Create(CultureInfo.InvariantCulture, $"{name}-{node}");

    private string Outside(int node) => string.Create(CultureInfo.InvariantCulture, $"{name}v{node}");

    private async Task MakeAsync(CancellationToken token)
    {
        await RunAsync(token, "ip", "link", "add", name, "type", "bridge");
        await RunAsync(token, "ip", "link", "set", name, "up");
        for (var node = 0; node < count; node++)
        {
            var (inside, outside) = (Name(node), Outside(node));
            await RunAsync(token, "ip", "netns", "add", inside);
            await RunAsync(
                token, "ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", inside);
            await RunAsync(token, "ip", "link", "set", outside, "master", name, "up");
            await RunAsync(token, "ip", "-n", inside, "link", "set", "lo", "up");
            await RunAsync(token, "ip", "-n", inside, "link", "set", "eth0", "up");
            await RunAsync(token, "ip", "-n", inside, "addr", "add", Address(node) + "/24", "dev", "eth0");
        }
    }

    /// <summary>From now on no node has more than its rate.</summary>
    public async Task ShapeAsync(int megabit, CancellationToken token)
    {
        // Big enough for what the kernel hands over at once, small enough that no queue grows without end.
        var rate = string.Create(CultureInfo.InvariantCulture, $"{megabit}mbit");
        string[] shape = ["root", "tbf", "rate", rate, "burst", "256kb", "latency", "100ms"];
        for (var node = 0; node < count; node++)
        {
            await RunAsync(token, ["tc", "qdisc", "add", "dev", Outside(node), .. shape]);
            await RunAsync(token, ["ip", "netns", "exec", Name(node), "tc", "qdisc", "add", "dev", "eth0", .. shape]);
        }
    }

    private static async Task TryAsync(params string[] command)
    {
        try
        {
            await RunAsync(CancellationToken.None, command);
        }
        catch (UsageException)
        {
            // It was not made, or is gone already.
        }
    }

    private static async Task RunAsync(CancellationToken token, params string[] command)
    {
        var info = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        using var process = Process.Start(info)!;
        var error = await process.StandardError.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        if (process.ExitCode != 0)
            throw new UsageException($"`{string.Join(' ', command)}` failed here: {error.Trim()}");
    }
}
