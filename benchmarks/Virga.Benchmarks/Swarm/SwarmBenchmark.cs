using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Virga.Benchmarks.Transfer;

namespace Virga.Benchmarks.Swarm;

/// <summary>
/// One source and 1, 5, 10 and 20 receivers of one private file, each an agent of its own on a node of its own with
/// 100 Mbit/s both ways: how much longer than one receiver alone the last of them takes.
/// </summary>
internal sealed class SwarmBenchmark : IBenchmark
{
    private const int Megabyte = 1_000_000;
    private const int WarmMegabytes = 48;
    private const string Unit = "s";
    private static readonly int[] all = [1, 5, 10, 20];

    /// <param name="Megabit">Of each node's line, a second, each way.</param>
    private sealed record Wish(int[] Receivers, int Megabit = 100, int Megabytes = 200)
    {
        public bool IsAsNamed => this is { Megabit: 100, Megabytes: 200 };
    }

    public string Name => "swarm";

    public string Summary => "one source, 1, 5, 10 and 20 receivers at 100 Mbit/s each (root); "
        + "[--receivers N] [--mbit N] [--mb N]";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var wish = Parse(arguments);
        Nodes.Require();
        var root = Directory.CreateDirectory(
            Directory.Exists("/dev/shm") ? $"/dev/shm/virga-swarm-{Environment.ProcessId}"
                : Path.Combine(Path.GetTempPath(), $"virga-swarm-{Environment.ProcessId}"));
        try
        {
            MakeFile(Directory.CreateDirectory(Path.Combine(root.FullName, "source/one")).FullName, wish.Megabytes);
            MakeFile(Directory.CreateDirectory(Path.Combine(root.FullName, "source/warm")).FullName, WarmMegabytes);
            double? alone = null;
            foreach (var count in wish.Receivers)
            {
                var seconds = await MeasureAsync(root.FullName, count, wish, token);
                alone ??= count == 1 ? seconds : await MeasureAsync(root.FullName, 1, wish, token);
                yield return new BenchLine(
                    Name, NameOf(count, wish), seconds, Unit, "one-receiver",
                    seconds / alone.Value);
            }
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static Wish Parse(IReadOnlyList<string> arguments)
    {
        var wish = new Wish(all);
        for (var i = 0; i < arguments.Count; i += 2)
        {
            var isNumber = int.TryParse(
                arguments.ElementAtOrDefault(i + 1), CultureInfo.InvariantCulture, out var number) && number > 0;
            wish = arguments[i] switch
            {
                "--receivers" when isNumber && number <= Nodes.Most - 2 => wish with { Receivers = [number] },
                "--mbit" when isNumber && number <= 1000 => wish with { Megabit = number },
                "--mb" when isNumber && number <= 2000 => wish with { Megabytes = number },
                _ => throw new UsageException(
                    $"swarm takes --receivers N, N from 1 to {Nodes.Most - 2}, --mbit N to 1000 and --mb N to 2000"),
            };
        }
        return wish;
    }

    private static string NameOf(int count, Wish wish) => string.Create(
        CultureInfo.InvariantCulture,
        $"swarm-{count}{(wish.IsAsNamed ? "" : $"-{wish.Megabytes}mb-{wish.Megabit}mbit")}");

    private static void MakeFile(string folder, int megabytes)
    {
        using var file = File.Create(Path.Combine(folder, "data.bin"));
        var block = new byte[1 << 20];
        for (var left = megabytes * Megabyte; left > 0; left -= block.Length)
        {
            RandomNumberGenerator.Fill(block);
            file.Write(block.AsSpan(0, Math.Min(left, block.Length)));
        }
    }

    /// <summary>Waits until nothing is compiled any more.</summary>
    private static async Task CalmAsync(List<AgentProcess> agents, CancellationToken token)
    {
        for (var tries = 0; tries < 60; tries++)
        {
            var before = agents.Sum(a => a.CpuSeconds());
            await Task.Delay(TimeSpan.FromSeconds(1), token);
            if (agents.Sum(a => a.CpuSeconds()) - before < 0.15) return;
        }
    }

    /// <summary>Wall seconds until the last of so many receivers has all.</summary>
    private static async Task<double> MeasureAsync(string root, int count, Wish wish, CancellationToken token)
    {
        await using var nodes = await Nodes.CreateAsync(count + 2, token);
        var agents = new List<AgentProcess>();
        var folders = new List<string>();
        try
        {
            var folder = Folder("repository");
            var repository = await AgentProcess.StartRepositoryAsync(
                folder, nodes.Prefix(0), $"{nodes.Address(0)}:7001", token);
            agents.Add(repository.Process);
            var source = await StartAsync(1, "source");
            await source.AddAccountAsync("disk", Path.Combine(root, "source"), token);
            var warm = await source.ShareAsync("disk", "warm", token);
            var link = await source.ShareAsync("disk", "one", token);
            var receivers = new List<AgentProcess>();
            for (var i = 0; i < count; i++)
            {
                var receiver = await StartAsync(i + 2, $"receiver-{i}");
                await receiver.AddAccountAsync("disk", Folder($"to-{i}"), token);
                receivers.Add(receiver);
            }
            // Agents run for weeks: what their first transfers cost, over fast lines and slow ones, is not measured.
            await Task.WhenAll(receivers.Select(r => r.GetAsync(warm, "disk", "warm", token)));
            await nodes.ShapeAsync(wish.Megabit, token);
            await Task.WhenAll(receivers.Select(r => r.GetAsync(warm, "disk", "warm again", token)));
            foreach (var to in receivers.Select((_, i) => Path.Combine(root, $"{count}-to-{i}")))
            {
                Directory.Delete(Path.Combine(to, "warm"), recursive: true);
                Directory.Delete(Path.Combine(to, "warm again"), recursive: true);
            }
            await HostMemory.TouchAsync(
                Path.Combine(root, "touch"), count * wish.Megabytes, token);
            await CalmAsync(agents, token);
            await Console.Error.WriteLineAsync($"measuring {count}");
            var before = agents.Sum(a => a.CpuSeconds());
            var sentBefore = nodes.SentBytes(1);
            var times = await Task.WhenAll(receivers.Select(r => r.GetAsync(link, "disk", "one", token)));
            var cpu = agents.Sum(a => a.CpuSeconds()) - before;
            await Console.Error.WriteLineAsync(
                $"swarm-{count}: first {times.Min():0.0} s, last {times.Max():0.0} s; the source sent "
                + $"{(nodes.SentBytes(1) - sentBefore) / ((double)wish.Megabytes * Megabyte):0.00} times the file; "
                + $"{cpu:0.0} CPU seconds; at most {receivers.Max(r => r.MiB("VmHWM")):0} MiB a receiver, "
                + $"{source.MiB("VmHWM"):0} MiB the source");
            return times.Max();

            async Task<AgentProcess> StartAsync(int node, string name)
            {
                var agent = await AgentProcess.StartAsync(
                    Folder(name), token, nodes.Prefix(node),
                    ["--listen", $"{nodes.Address(node)}:7000", "--repository", repository.Address]);
                agents.Add(agent);
                return agent;
            }
        }
        finally
        {
            foreach (var agent in agents) await agent.DisposeAsync();
            foreach (var folder in folders) Directory.Delete(folder, recursive: true);
        }

        string Folder(string name)
        {
            var folder = Directory.CreateDirectory(Path.Combine(root, $"{count}-{name}")).FullName;
            folders.Add(folder);
            return folder;
        }
    }
}
