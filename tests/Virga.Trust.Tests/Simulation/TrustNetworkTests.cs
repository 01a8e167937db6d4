using System.Collections.Concurrent;
using System.Globalization;
using Virga.Core;

namespace Virga.Trust.Tests.Simulation;

/// <summary>
/// Whole networks in one test: whatever a seed brings, everybody honest ends with what the rules say of all statements.
/// </summary>
public sealed class TrustNetworkTests
{
    private const int SeedsInCi = 200;

    [Fact]
    public void After_any_storm_everyone_honest_decides_as_the_rules_say()
    {
        var failed = new ConcurrentDictionary<ulong, string>();
        // One at a time to whoever is free: in chunks, one core would run the last of them alone.
        Parallel.ForEach(
            Partitioner.Create(Seeds(), EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            seed =>
            {
                if (Fault(seed) is { } fault) failed[seed] = fault;
            });
        var said = failed.OrderBy(f => f.Key).Select(f => $"seed {f.Key} (again: VIRGA_SEED={f.Key}): {f.Value}");
        Assert.True(failed.IsEmpty, string.Join("\n", said.Prepend($"{failed.Count} seeds failed").Take(20)));
    }

    [Fact]
    public void One_seed_is_one_course_of_events()
    {
        var (first, second, other) = (TraceOf(77), TraceOf(77), TraceOf(78));
        Assert.Equal(first, second);
        Assert.NotEqual(first, other);
    }

    private static IEnumerable<ulong> Seeds()
    {
        if (Number("VIRGA_SEED") is { } one) return [(ulong)one];
        return Enumerable.Range(0, (int)(Number("VIRGA_SEEDS") ?? SeedsInCi)).Select(i => (ulong)i);
    }

    private static long? Number(string name) =>
        long.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number)
            ? number : null;

    private static (ulong Trace, long Steps, long Calls) TraceOf(ulong seed)
    {
        SimulationMemo.Remember(true);
        var world = new TrustNetwork(seed);
        world.Run();
        SimulationMemo.Remember(false);
        return (world.Loop.TraceHash, world.Loop.Steps, world.Network.Calls);
    }

    private static string? Fault(ulong seed)
    {
        SimulationMemo.Remember(true);
        try
        {
            var world = new TrustNetwork(seed);
            world.Run();
            return TrustVerdict.Of(world);
        }
        catch (Exception e)
        {
            return e.ToString();
        }
        finally
        {
            SimulationMemo.Remember(false);
        }
    }
}
