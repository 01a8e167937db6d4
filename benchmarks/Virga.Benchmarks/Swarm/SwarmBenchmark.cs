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
    private const int FileBytes = 200_000_000;
    private const int WarmBytes = 64_000_000;
    private const string Unit = "s";
    private static readonly int[] all = [1, 5, 10, 20];

    public string Name => "swarm";

    public string Summary => "one source, 1, 5, 10 and 20 receivers at 100 Mbit/s each (root; or --receivers N)";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var counts = Counts(arguments);
        Nodes.Require();
        var root = Directory.CreateDirectory(
            Directory.Exists("/dev/shm") ? $"/dev/shm/virga-swarm-{Environment.ProcessId}"
                : Path.Combine(Path.GetTempPath(), $"virga-swarm-{Environment.ProcessId}"));
        try
        {
            MakeFile(Directory.CreateDirectory(Path.Combine(root.FullName, "source/one")).FullName, FileBytes);
            MakeFile(Directory.CreateDirectory(Path.Combine(root.FullName, "source/warm")).FullName, WarmBytes);
            double? alone = null;
            foreach (var count in counts)
            {
                var seconds = await MeasureAsync(root.FullName, count, token);
                alone ??= count == 1 ? seconds : await MeasureAsync(root.FullName, 1, token);
                yield return new BenchLine(
                    Name, $"swarm-{count.ToString(CultureInfo.InvariantCulture)}", seconds, Unit, "one-receiver",
                    seconds / alone.Value);
            }
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static int[] Counts(IReadOnlyList<string> arguments) => arguments switch
    {
        [] => all,
        ["--receivers", var text] when int.TryParse(text, CultureInfo.InvariantCulture, out var count)
            && count is > 0 and <= Nodes.Most - 2 => [count],
        _ => throw new UsageException($"swarm takes --receivers N, N from 1 to {Nodes.Most - 2}"),
    };

    private static void MakeFile(string folder, int bytes)
    {
        using var file = File.Create(Path.Combine(folder, "data.bin"));
        var block = new byte[1 << 20];
        for (var left = bytes; left > 0; left -= block.Length)
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
    private static async Task<double> MeasureAsync(string root, int count, CancellationToken token)
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
            // Agents run for weeks: what their first transfer costs is not what is measured.
            await Task.WhenAll(receivers.Select(r => r.GetAsync(warm, "disk", "warm", token)));
            await Task.WhenAll(receivers.Select(r => r.GetAsync(warm, "disk", "warm again", token)));
            await CalmAsync(agents, token);
            await nodes.ShapeAsync(token);
            var before = agents.Sum(a => a.CpuSeconds());
            var sentBefore = nodes.SentBytes(1);
            var times = await Task.WhenAll(receivers.Select(r => r.GetAsync(link, "disk", "one", token)));
            var cpu = agents.Sum(a => a.CpuSeconds()) - before;
            await Console.Error.WriteLineAsync(
                $"swarm-{count}: first {times.Min():0.0} s, last {times.Max():0.0} s; the source sent "
                + $"{(nodes.SentBytes(1) - sentBefore) / (double)FileBytes:0.00} times the file; "
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
