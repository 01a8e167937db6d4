using System.Diagnostics;
using System.Globalization;
using System.Text;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd.StockClients;

/// <summary>
/// A network that leads nowhere, in which every process has public addresses of its own: each lies in a network
/// namespace, all of them on one bridge. Needs no root where user namespaces are allowed.
/// </summary>
internal sealed class StockNetwork : IAsyncDisposable
{
    /// <summary>
    /// $0 is the process in whose namespace the bridge is, $1 the name of a cable, $2 addresses; then the program.
    /// </summary>
    private const string Join = """
        set -e
        ip link set lo up
        ip link add wire type veth peer name "$1" netns "$0"
        for address in $2; do ip address add "$address/8" dev wire; done
        ip link set wire up
        nsenter --target "$0" --net ip link set "$1" master hub up
        shift 2
        exec "$@"
        """;

    /// <summary>A program that ends, with all that it began, when our end of its standard input does.</summary>
    private const string Live = """
        exec 3<&0
        setsid "$@" <&3 & it=$!
        (cat <&3 >/dev/null; kill -9 -$it 2>/dev/null) &
        wait $it
        """;

    private readonly Process keeper;
    private readonly List<StockProcess> processes = [];
    private int cables;

    private StockNetwork(Process keeper) => this.keeper = keeper;

    public static async Task<StockNetwork> CreateAsync()
    {
        var space = Environment.IsPrivilegedProcess ? "-n" : "-Urn";
        // It ends with this process, whose end closes its input.
        const string life = "ip link set lo up && ip link add hub type bridge && ip link set hub up && echo up "
            + "&& exec cat";
        var network = new StockNetwork(Executable.Begin(new ProcessStartInfo("unshare", [space, "sh", "-c", life])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        }));
        Assert.Equal("up", await network.keeper.StandardOutput.ReadLineAsync());
        return network;
    }

    /// <summary>What a command line begins with to run at these addresses of 45.0.0.0/8.</summary>
    public IReadOnlyList<string> At(params string[] addresses)
    {
        var id = keeper.Id.ToString(CultureInfo.InvariantCulture);
        var cable = $"v{Interlocked.Increment(ref cables)}";
        return ["nsenter", "--target", id, "--net",
            .. Environment.IsPrivilegedProcess ? Array.Empty<string>() : ["--user", "--preserve-credentials"],
            "unshare", "--net", "sh", "-c", Join, id, cable, string.Join(' ', addresses)];
    }

    /// <summary>Starts a program; it is ended with the network.</summary>
    /// <param name="says">What the first line that it prints must be; null where it need not print any.</param>
    public async Task<StockProcess> StartAsync(
        string[] addresses, string[] command, string home, string? says = null)
    {
        var process = Begin([.. At(addresses), "sh", "-c", Live, "sh", .. command], home);
        lock (processes) processes.Add(process);
        if (says is null)
        {
            process.Ignore();
            return process;
        }
        var line = await process.ReadLineAsync();
        Assert.True(line == says, $"{string.Join(' ', command)} said: {line}\n{process.Errors}");
        return process;
    }

    /// <summary>Starts a program in the network of this process.</summary>
    public static StockProcess StartOutside(string[] command, string home)
    {
        var process = Begin(["sh", "-c", Live, "sh", .. command], home);
        process.Ignore();
        return process;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in processes) await process.DisposeAsync();
        keeper.StandardInput.Close();
        await keeper.WaitForExitAsync();
        keeper.Dispose();
    }

    private static StockProcess Begin(string[] words, string home)
    {
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true, Environment = { ["HOME"] = home, ["TERM"] = "dumb" },
        };
        // Where it is set, Transmission looks at certificates, which it else does not.
        start.Environment.Remove("CURL_CA_BUNDLE");
        return new StockProcess(Executable.Begin(start));
    }
}

/// <summary>A program, with the end of what it says.</summary>
internal sealed class StockProcess : IAsyncDisposable
{
    private const int LinesMost = 60;

    private readonly Process process;
    private readonly Queue<string> said = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool isOver;

    public StockProcess(Process process)
    {
        this.process = process;
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => ended.TrySetResult();
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.BeginErrorReadLine();
    }

    /// <summary>It has ended, by itself or because it was disposed.</summary>
    public Task Ended => ended.Task;

    public string Errors
    {
        get
        {
            lock (said) return new StringBuilder().AppendJoin('\n', said).ToString();
        }
    }

    public Task<string?> ReadLineAsync() => process.StandardOutput.ReadLineAsync();

    /// <summary>Its output is read, and its end kept.</summary>
    public void Ignore() => process.BeginOutputReadLine();

    public async ValueTask DisposeAsync()
    {
        if (isOver) return;
        isOver = true;
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (said)
        {
            said.Enqueue(line.Length > 300 ? line[..300] : line);
            if (said.Count > LinesMost) said.Dequeue();
        }
    }
}
