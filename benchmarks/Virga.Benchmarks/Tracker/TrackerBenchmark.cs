using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Virga.BitTorrent.Trackers.Server;
using Virga.Hosting;
using Virga.Repository;
using Virga.Repository.Tracker;
using Virga.Testing.Servers;

namespace Virga.Benchmarks.Tracker;

/// <summary>
/// A repository's tracker against opentracker: the same load, each alone on the first core while the load is made on
/// the others, in turns. Both hold a million peers in 100,000 swarms, announced over UDP before anything is measured.
/// </summary>
public sealed class TrackerBenchmark : IBenchmark
{
    private const int Rounds = 3;
    private const double MibMax = 400;
    private const string Serve = "--serve";

    private static readonly TimeSpan TurnTime = TimeSpan.FromSeconds(1);
    private static readonly string[] OnFirstCore = Environment.ProcessorCount > 1 ? ["taskset", "-c", "0"] : [];

    public string Name => "tracker";

    public string Summary => "announces over UDP and HTTP, and memory for a million peers, against opentracker";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        if (arguments is [Serve])
        {
            await ServeAsync(token);
            yield break;
        }

        if (arguments.Count > 0) throw new UsageException($"tracker takes no arguments, not '{arguments[0]}'");
        await LeaveFirstCoreAsync(token);
        var load = new TrackerLoad();
        await using var theirs = await OpenTracker.StartAsync(
            load.Hashes.Select(hash => hash.ToString()), prefix: OnFirstCore, cancellationToken: token);
        using var ours = StartOurs();
        try
        {
            var place = IPEndPoint.Parse((await ours.StandardOutput.ReadLineAsync(token))!);
            load.Fill(theirs.Place, token);
            load.Fill(place, token);
            var mib = ResidentMib(ours.Id);
            Console.Error.WriteLine($"tracker: {mib:F0} MiB, opentracker {ResidentMib(theirs.ProcessId):F0} MiB");
            yield return new BenchLine(Name, "tracker-mib", mib, "MiB", "limit-400", mib / MibMax);
            yield return Measure("udp-announce", load.Udp, place, ours.Id, theirs, token);
            yield return Measure("http-announce", load.Http, place, ours.Id, theirs, token);
        }
        finally
        {
            ours.StandardInput.Close();
            await ours.WaitForExitAsync(CancellationToken.None);
        }
    }

    private BenchLine Measure(
        string name, Func<IPEndPoint, TimeSpan, CancellationToken, double> load, IPEndPoint place, int process,
        OpenTracker theirs, CancellationToken token)
    {
        var (rates, ratios) = (new List<double>(), new List<double>());
        // The first round is for the JIT, of the load and of ours.
        for (var round = -1; round < Rounds; round++)
        {
            var (their, theirCpu) = Turn(load, theirs.Place, theirs.ProcessId, token);
            var (our, ourCpu) = Turn(load, place, process, token);
            Console.Error.WriteLine(
                $"{name}: {our:F0} a second on {ourCpu:P0} of a core, opentracker {their:F0} on {theirCpu:P0}");
            if (round < 0) continue;
            rates.Add(our);
            ratios.Add(our / their);
        }

        return new BenchLine(Name, name, Duel.Median(rates), "1/s", "opentracker", Duel.Median(ratios));
    }

    private static (double Rate, double Cpu) Turn(
        Func<IPEndPoint, TimeSpan, CancellationToken, double> load, IPEndPoint place, int process,
        CancellationToken token)
    {
        using var watched = Process.GetProcessById(process);
        var (before, begun) = (watched.TotalProcessorTime, Stopwatch.GetTimestamp());
        var rate = load(place, TurnTime, token);
        watched.Refresh();
        return (rate, (watched.TotalProcessorTime - before) / Stopwatch.GetElapsedTime(begun));
    }

    private static double ResidentMib(int process)
    {
        using var watched = Process.GetProcessById(process);
        return watched.WorkingSet64 / (double)(1 << 20);
    }

    /// <summary>The load is made where the trackers are not.</summary>
    private static async Task LeaveFirstCoreAsync(CancellationToken token)
    {
        if (Environment.ProcessorCount == 1) return;
        var cores = $"1-{Environment.ProcessorCount - 1}";
        var own = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        using var done = Process.Start(new ProcessStartInfo("taskset", ["-acp", cores, own])
        {
            UseShellExecute = false, RedirectStandardOutput = true,
        })!;
        await done.StandardOutput.ReadToEndAsync(token);
        await done.WaitForExitAsync(token);
        if (done.ExitCode != 0) throw new UsageException("taskset can't choose the cores");
    }

    /// <summary>This program again, as a repository, until its input ends.</summary>
    private static Process StartOurs()
    {
        var own = typeof(TrackerBenchmark).Assembly.Location;
        string[] line = [.. OnFirstCore, Environment.ProcessPath!, own, "tracker", Serve];
        return Process.Start(new ProcessStartInfo(line[0], line[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
    }

    private static async Task ServeAsync(CancellationToken token)
    {
        var folder = Directory.CreateTempSubdirectory("virga-bench-").FullName;
        try
        {
            const int endless = 1_000_000_000;
            await using var host = await RepositoryHost.StartAsync(new RepositoryOptions
            {
                DataFolder = folder,
                Time = TimeProvider.System,
                Random = RandomNumberGenerator.Fill,
                // All peers come from one address here; opentracker has no limits.
                Tracker = new TrackerOptions
                {
                    Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
                    Limits = new TrackerServerLimits
                    {
                        RequestsPerSecond = 1e7, RequestsBurst = endless, NewPeersPerSecond = 1e7,
                        NewPeersBurst = endless,
                    },
                },
            }, token);
            Console.WriteLine(host.Tracker!.Places[0]);
            await Console.In.ReadToEndAsync(token);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
