using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Virga.Benchmarks.Transfer;

/// <summary>
/// Whole transfers between two agents as processes, private, disk to disk over loopback TLS, beside other programs
/// that move the same bytes in the same run (benchmarks/peers.py). Rounds alternate, so that what slows the machine
/// slows all.
/// </summary>
public sealed class TransferBenchmark : IBenchmark
{
    private const string Root = "/dev/shm/virga-bench";
    private const int MiB = 1 << 20;
    private const int TouchMiB = 1536;
    private const int WarmUps = 3;
    private const int SmallCount = 10_000;
    private const int SmallBytes = 4096;
    private const double IdleMiBMax = 90;
    private const double StartSecondsMax = 2;
    private const double CpuSecondsPerGiBMax = 2.5;

    private static readonly string[] LargePeers = ["scp", "libtorrent_v1", "libtorrent_v2", "syncthing"];
    private static readonly string[] Cases =
        ["private-1gib", "small-files", "peak-mib-10gib", "s3-to-s3", "provider-side"];
    private static readonly string[] Known = [.. Cases.Union(PeakRounds.Cases)];

    public string Name => "transfer";

    public string Summary =>
        "private transfers between two agents, disk and S3, beside scp, libtorrent, Syncthing, rclone, "
        + "S3's own copy; memory; "
        + "[--rounds N] [CASE ...]";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var (rounds, cases) = Parse(arguments);
        if (Directory.Exists(Root)) Directory.Delete(Root, recursive: true);
        Directory.CreateDirectory(Root);
        try
        {
            if (cases.Contains("private-1gib"))
                foreach (var line in await LargeAsync(rounds, token)) yield return line;
            if (cases.Contains("small-files")) yield return await SmallAsync(rounds, token);
            foreach (var peak in PeakRounds.Cases.Where(cases.Contains))
                yield return await new PeakRounds(Name, $"{Root}/{peak}").RunAsync(peak, token);
            if (cases.Contains("s3-to-s3")) yield return await S3Async(rounds, token);
            if (cases.Contains("provider-side")) yield return await ProviderAsync(rounds, token);
        }
        finally
        {
            Directory.Delete(Root, recursive: true);
        }
    }

    private static (int Rounds, string[] Cases) Parse(IReadOnlyList<string> arguments)
    {
        var culture = CultureInfo.InvariantCulture;
        var known = string.Join(", ", Known);
        var rounds = 3;
        var cases = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (argument == "--rounds" && int.TryParse(arguments.ElementAtOrDefault(i + 1), culture, out rounds)) i++;
            else if (Known.Contains(argument)) cases.Add(argument);
            else throw new UsageException($"transfer knows no '{argument}'; it takes --rounds N and of {known}");
        }
        return (rounds, cases.Count > 0 ? [.. cases] : Cases);
    }

    private async Task<List<BenchLine>> LargeAsync(int rounds, CancellationToken token)
    {
        var file = Directory.CreateDirectory($"{Root}/from/one").FullName + "/data.bin";
        await WriteRandomAsync(file, 1024, token);
        await using var pair = await Pair.StartAsync(token);
        var link = await pair.A.ShareAsync("disk", "one", token);
        var start = pair.A.StartSeconds;
        // It comes to rest some seconds after its start: what that needed is given back then.
        await Task.Delay(TimeSpan.FromSeconds(12), token);
        var idle = pair.B.MiB("VmRSS");

        // The first transfers meet code that is not compiled yet; agents run for weeks.
        for (var i = 0; i < WarmUps; i++)
        {
            await pair.GetAsync(link, "warm-up", token);
            Directory.Delete($"{Root}/to/warm-up", recursive: true);
        }
        var rates = new List<double>();
        var cpus = new List<double>();
        var scpCpus = new List<double>();
        var peers = LargePeers.ToDictionary(p => p, _ => new List<double>(), StringComparer.Ordinal);
        for (var round = 0; round < rounds; round++)
        {
            await HostMemory.TouchAsync($"{Root}/touch", TouchMiB, token);
            var (seconds, cpu) = await pair.GetAsync(link, $"round-{round}", token);
            await CheckSameAsync(file, $"{Root}/to/round-{round}/data.bin", token);
            Directory.Delete($"{Root}/to/round-{round}", recursive: true);
            rates.Add(1024 / seconds);
            cpus.Add(cpu);
            foreach (var peer in LargePeers)
            {
                await HostMemory.TouchAsync($"{Root}/touch", TouchMiB, token);
                var (theirRate, theirCpu) = await PeerAsync(peer, token);
                peers[peer].Add(theirRate);
                if (peer == "scp") scpCpus.Add(theirCpu);
            }
            var theirs = string.Join(", ", peers.Select(p => $"{p.Key} {p.Value[^1]:f0}"));
            await Console.Error.WriteLineAsync(
                $"round {round}: virga {rates[^1]:f0} MiB/s, {cpu:f2} CPU s/GiB (scp {scpCpus[^1]:f2}); {theirs}");
        }
        var rate = Duel.Median(rates);
        double Against(string peer) => Duel.Median(peers[peer].Zip(rates, (their, our) => our / their));
        var cpuSeconds = Duel.Median(cpus);
        var againstLibtorrent = Math.Min(Against("libtorrent_v1"), Against("libtorrent_v2"));
        return
        [
            new BenchLine(Name, "private-1gib", rate, "MiB/s", "scp", Against("scp")),
            new BenchLine(Name, "private-1gib", rate, "MiB/s", "libtorrent", againstLibtorrent),
            new BenchLine(Name, "private-1gib", rate, "MiB/s", "syncthing", Against("syncthing")),
            new BenchLine(Name, "cpu-seconds-per-gib", cpuSeconds, "s/GiB", "bar", cpuSeconds / CpuSecondsPerGiBMax),
            // A machine that shares its cores with others' makes fewer steps a second: a peer's figure tells how many.
            new BenchLine(
                Name, "cpu-seconds-per-gib", cpuSeconds, "s/GiB", "scp",
                Duel.Median(cpus.Zip(scpCpus, (our, their) => our / their))),
            new BenchLine(Name, "idle-mib", idle, "MiB", "bar", idle / IdleMiBMax),
            new BenchLine(Name, "start-seconds", start, "s", "bar", start / StartSecondsMax),
        ];
    }

    private async Task<BenchLine> SmallAsync(int rounds, CancellationToken token)
    {
        var folder = Directory.CreateDirectory($"{Root}/from/small").FullName;
        var bytes = new byte[SmallBytes];
        for (var i = 0; i < SmallCount; i++)
        {
            RandomNumberGenerator.Fill(bytes);
            await File.WriteAllBytesAsync($"{folder}/{i:d5}", bytes, token);
        }
        await using var pair = await Pair.StartAsync(token);
        var link = await pair.A.ShareAsync("disk", "small", token);
        await pair.GetAsync(link, "warm-up", token);
        Directory.Delete($"{Root}/to/warm-up", recursive: true);
        var rates = new List<double>();
        var ratios = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var (seconds, _) = await pair.GetAsync(link, $"round-{round}", token);
            if (Directory.GetFiles($"{Root}/to/round-{round}").Length != SmallCount)
                throw new InvalidOperationException("files are missing");
            Directory.Delete($"{Root}/to/round-{round}", recursive: true);
            var theirs = (await PeerAsync("rclone_sftp_small", token)).Rate * MiB / SmallBytes;
            rates.Add(SmallCount / seconds);
            ratios.Add(rates[^1] / theirs);
            await Console.Error.WriteLineAsync($"round {round}: virga {rates[^1]:f0} files/s, rclone {theirs:f0}");
        }
        return new BenchLine(Name, "small-files", Duel.Median(rates), "files/s", "rclone-sftp", Duel.Median(ratios));
    }

    /// <summary>
    /// A sparse source, so that only the receiver's account takes room; the highest resident set of either side.
    /// </summary>
    private async Task<BenchLine> S3Async(int rounds, CancellationToken token)
    {
        await using var s3 = new S3Rounds(Name, $"{Root}/s3");
        return await s3.RunAsync(rounds, token);
    }

    private async Task<BenchLine> ProviderAsync(int rounds, CancellationToken token)
    {
        await using var provider = new ProviderRounds(Name, $"{Root}/provider");
        return await provider.RunAsync(rounds, token);
    }

    /// <summary>MiB/s, and CPU seconds of both sides a GiB.</summary>
    private static async Task<(double Rate, double Cpu)> PeerAsync(string peer, CancellationToken token)
    {
        string[] arguments = [Script(), "--rounds", "1", "--json", "--dir", Root + "/peers", peer];
        var info = new ProcessStartInfo("/usr/bin/python3", arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(info)!;
        var error = process.StandardError.ReadToEndAsync(token);
        var output = await process.StandardOutput.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        if (process.ExitCode != 0) throw new UsageException($"peer {peer} could not be measured: {await error}");
        using var json = JsonDocument.Parse(output);
        return (json.RootElement.GetProperty("mibs").GetDouble(), json.RootElement.GetProperty("cpu_gib").GetDouble());
    }

    private static string Script()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var script = Path.Combine(folder.FullName, "benchmarks", "peers.py");
            if (File.Exists(script)) return script;
        }
        throw new UsageException("benchmarks/peers.py is not there");
    }

    private static async Task WriteRandomAsync(string path, int mib, CancellationToken token)
    {
        await using var file = new FileStream(path, FileMode.CreateNew);
        var buffer = new byte[MiB];
        for (var i = 0; i < mib; i++)
        {
            RandomNumberGenerator.Fill(buffer);
            await file.WriteAsync(buffer, token);
        }
    }

    private static async Task CheckSameAsync(string left, string right, CancellationToken token)
    {
        await using var a = File.OpenRead(left);
        await using var b = File.OpenRead(right);
        var hashes = await Task.WhenAll(
            SHA256.HashDataAsync(a, token).AsTask(), SHA256.HashDataAsync(b, token).AsTask());
        if (!hashes[0].AsSpan().SequenceEqual(hashes[1]))
            throw new InvalidOperationException("the file that arrived differs");
    }

    /// <summary>A sender and a receiver.</summary>
    private sealed class Pair(AgentProcess a, AgentProcess b) : IAsyncDisposable
    {
        public AgentProcess A { get; } = a;

        public AgentProcess B { get; } = b;

        public static async Task<Pair> StartAsync(CancellationToken token)
        {
            Directory.CreateDirectory($"{Root}/to");
            var tag = Guid.NewGuid().ToString("n")[..8];
            var pair = new Pair(
                await AgentProcess.StartAsync($"{Root}/agent-a-{tag}", token),
                await AgentProcess.StartAsync($"{Root}/agent-b-{tag}", token));
            await pair.A.AddAccountAsync("disk", $"{Root}/from", token);
            await pair.B.AddAccountAsync("disk", $"{Root}/to", token);
            return pair;
        }

        /// <summary>Wall seconds, and CPU seconds of both sides.</summary>
        public async Task<(double Seconds, double Cpu)> GetAsync(string link, string path, CancellationToken token)
        {
            var before = A.CpuSeconds() + B.CpuSeconds();
            var seconds = await B.GetAsync(link, "disk", path, token);
            return (seconds, A.CpuSeconds() + B.CpuSeconds() - before);
        }

        public async ValueTask DisposeAsync()
        {
            await A.DisposeAsync();
            await B.DisposeAsync();
        }
    }
}
