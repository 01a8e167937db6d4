using System.Diagnostics;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Virga.Core;
using Virga.Testing;
using Virga.Trust;
using Virga.Trust.Graph;

namespace Virga.Benchmarks;

/// <summary>
/// The graph of vouches at the size of a large network: a million agents, ten million vouches, some of them of other
/// scopes, ended, or still to start; few agents vouch for very many, and few are vouched for by very many.
/// </summary>
public sealed class TrustBenchmark : IBenchmark
{
    private const int Agents = 1_000_000;
    private const int Vouches = 10_000_000;
    private const int Hubs = 200;
    private const double LimitMib = 150e6 / (1 << 20);
    private const double LimitRandomUs = 50;
    private const double LimitHubMs = 150;
    private static readonly DateTimeOffset start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan passed = TimeSpan.FromDays(30);

    public string Name => "trust";

    public string Summary =>
        "one scope of a graph of 10 million vouches: evaluating, opening, cutting; against plain BFS";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        if (arguments.Count > 0) throw new UsageException($"trust takes no arguments, not '{arguments[0]}'");
        var bytesBefore = GC.GetTotalMemory(forceFullCollection: true);
        var (graph, root) = await Task.Run(() => Build(token), token);
        var view = new TrustView(graph, [root], TrustScopes.Exchange);
        Compacted();
        var mib = (GC.GetTotalMemory(forceFullCollection: true) - bytesBefore) / (double)(1 << 20);
        GC.KeepAlive(view);

        var search = new PlainSearch(graph);
        var reached = search.Run(root);
        var admitted = view.Labels.Length - view.Labels.Count((byte)0);
        Console.Error.WriteLine(
            $"trust: {graph.AgentCount} agents, {graph.BaseEdges + graph.Delta.Count} vouches; "
            + $"plain BFS reaches {reached}, the scope admits {admitted}");

        var (rate, ratio) = Duel.Run(view.Evaluate, () => search.Run(root), 1, token);
        yield return new BenchLine(Name, "evaluate", 1e3 / rate, "ms", "plain-bfs", 1 / ratio);
        yield return new BenchLine(Name, "graph-mib", mib, "MiB", "limit-150-MB", mib / LimitMib);

        var bfsMs = 1e3 / rate * ratio;
        var openMs = await OpenAsync(graph, token);
        yield return new BenchLine(Name, "open-ms", openMs, "ms", "plain-bfs", openMs / bfsMs);

        var (randomUs, hubMs) = await Task.Run(() => Prune(graph, view, root, token), token);
        yield return new BenchLine(Name, "prune-random-us", randomUs, "us", "limit-50-us", randomUs / LimitRandomUs);
        yield return new BenchLine(Name, "prune-hub-ms", hubMs, "ms", "limit-150-ms", hubMs / LimitHubMs);
        yield return await LogBenchmark.StatementsAsync(Name, token);
    }

    private static (TrustGraph Graph, int Root) Build(CancellationToken token)
    {
        var (graph, random, change) = (new TrustGraph(start), new Seeded(7), new GraphChange());
        var id = new byte[Hash256.ByteCount];
        for (var i = 0; i < Agents; i++)
        {
            random.RandomBytes(id);
            graph.FindOrAdd(new AgentId(new Hash256(id)));
        }
        graph.Compact();
        var seqs = new ushort[Agents];
        var hour = VouchBody.HourOf(start);
        for (var i = 0; i < Vouches; i++)
        {
            var (issuer, subject) = (Skewed(random), Agents - 1 - Skewed(random));
            var scopes = (TrustScopes)random.Next(32) | (random.Next(10) > 0 ? TrustScopes.Exchange : TrustScopes.Host);
            var depth = (int)Math.Min(VouchBody.MaxDepth, 3 + random.Next(8));
            var begins = random.Next(1_000) > 0 ? hour : hour + (int)random.Next(20_000);
            var ends = begins + 1 + (int)random.Next(VouchBody.HoursMax - 1);
            graph.Vouch(issuer, subject, scopes, depth, begins, ends, ++seqs[issuer], change);
            change.Clear();
            if (!graph.IsCompactionDue) continue;
            token.ThrowIfCancellationRequested();
            // Agents stay where they are: all of them were sorted in before.
            graph.Compact();
        }
        for (var i = 0; i < Agents; i++) graph.SetLastSeq(i, seqs[i]);
        graph.Compact();
        graph.Advance(VouchBody.HourOf(start + passed), change);
        return (graph, 0);
    }

    /// <summary>Few get much: the k-th agent about 1 / sqrt(k) of what the first gets.</summary>
    private static int Skewed(Seeded random)
    {
        var number = random.NextDouble();
        return (int)(Agents * number * number);
    }

    /// <summary>
    /// The least of some: the file is in memory, so what is measured is reading, checking and laying out.
    /// </summary>
    private static async Task<double> OpenAsync(TrustGraph graph, CancellationToken token)
    {
        var path = Path.Combine(Path.GetTempPath(), $"virga-bench-{Environment.ProcessId}.graph");
        try
        {
            await using (var file = File.Create(path)) await graph.ToImage().WriteAsync(file, () => true, token);
            var times = new List<double>();
            for (var i = 0; i < 7; i++)
            {
                Compacted();
                await using var file =
                    new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                var begun = Stopwatch.GetTimestamp();
                var opened = await TrustGraph.OpenAsync(file, file.Length, token);
                times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
                Check(opened.BaseEdges == graph.BaseEdges, "the opened graph");
            }
            return Duel.Median(times);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static (double RandomUs, double HubMs) Prune(
        TrustGraph graph, TrustView view, int root, CancellationToken token)
    {
        var random = new Seeded(8);
        var some = Enumerable.Range(0, 4_000).Select(_ => 1 + (int)random.Next(Agents - 1)).ToList();
        var hubs = Enumerable.Range(1, Agents - 1).OrderByDescending(a => Degree(graph, a)).Take(Hubs).ToList();
        for (var i = 0; i < 500; i++) Cut(graph, view, root, some[i], isChecked: false);
        var times = some.ConvertAll(agent => Cut(graph, view, root, agent, agent % 400 == 0).TotalMicroseconds);
        token.ThrowIfCancellationRequested();
        var worst = hubs.Max(agent => Cut(graph, view, root, agent, agent % 40 == 0).TotalMilliseconds);
        return (Duel.Median(times), worst);
    }

    private static int Degree(TrustGraph graph, int agent) =>
        graph.OutStarts[agent + 1] - graph.OutStarts[agent] + graph.InEnd(agent) - graph.InStart(agent);

    /// <summary>The time of the cut; afterwards the agent is back.</summary>
    private static TimeSpan Cut(TrustGraph graph, TrustView view, int root, int agent, bool isChecked)
    {
        var (change, changes) = (new GraphChange(), new List<LabelChange>());
        var begun = Stopwatch.GetTimestamp();
        graph.Refuse(agent, change);
        view.Update(change, changes);
        var time = Stopwatch.GetElapsedTime(begun);
        if (isChecked)
        {
            var anew = new TrustView(graph, [root], TrustScopes.Exchange);
            Check(anew.Labels.SequenceEqual(view.Labels), $"what is left after agent {agent} was cut");
        }
        change.Clear();
        graph.Accept(agent, change);
        view.Undo(changes);
        return time;
    }

    private static void Compacted()
    {
        GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
        GC.Collect();
    }

    /// <summary>A fast wrong answer is worth nothing.</summary>
    private static void Check(bool isRight, string what)
    {
        if (!isRight) throw new InvalidOperationException($"{what} is wrong");
    }

    /// <summary>Who can be reached at all, and in how many steps: neither scope, depth nor time is looked at.</summary>
    private sealed class PlainSearch(TrustGraph graph)
    {
        private readonly byte[] steps = new byte[graph.AgentCount];
        private readonly int[] queue = new int[graph.AgentCount];

        public int Run(int root)
        {
            Array.Clear(steps);
            ref var starts = ref MemoryMarshal.GetReference(graph.OutStarts);
            ref var words = ref MemoryMarshal.GetReference(graph.Words);
            ref var first = ref MemoryMarshal.GetArrayDataReference(steps);
            ref var next = ref MemoryMarshal.GetArrayDataReference(queue);
            var count = 1;
            (queue[0], steps[root]) = (root, 1);
            for (var at = 0; at < count; at++)
            {
                var agent = Unsafe.Add(ref next, at);
                var step = (byte)(Unsafe.Add(ref first, agent) + 1);
                nint last = Unsafe.Add(ref starts, agent + 1);
                for (nint e = Unsafe.Add(ref starts, agent); e < last; e++)
                {
                    var subject = (int)(Unsafe.Add(ref words, e) & EdgeWord.TargetMask);
                    ref var seen = ref Unsafe.Add(ref first, subject);
                    if (seen != 0) continue;
                    seen = step;
                    Unsafe.Add(ref next, count++) = subject;
                }
            }
            return count;
        }
    }
}
