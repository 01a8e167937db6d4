using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Virga.Benchmarks;

/// <summary>
/// Two ways to do the same computing, timed in turns on one thread. Whatever slows this machine down for a while
/// slows both sides of a round, so the median of the rounds' ratios is steady where single rates are not. On Linux
/// the clock is the thread's own CPU time, so other processes on the same cores count for little. For work that waits
/// (disk, network, other processes) take a Stopwatch.
/// </summary>
internal static unsafe partial class Duel
{
    private const int RoundCount = 31;
    private const int WarmUpCount = 5;
    private static readonly TimeSpan TurnTime = TimeSpan.FromMilliseconds(20);

    /// <param name="ours">Does the work once.</param>
    /// <param name="workUnits">How much work that is, e.g. MiB.</param>
    /// <returns>Median of our rates in units a second; median of the ratios of our rate to theirs.</returns>
    public static (double Rate, double Ratio) Run(Action ours, Action theirs, double workUnits, CancellationToken token)
    {
        var (ourTimes, theirTimes) = (Calibrate(ours), Calibrate(theirs));
        var rates = new List<double>();
        var ratios = new List<double>();
        for (var round = -WarmUpCount; round < RoundCount; round++)
        {
            token.ThrowIfCancellationRequested();
            double our, their;
            if (round % 2 == 0)
            {
                our = SecondsEach(ours, ourTimes);
                their = SecondsEach(theirs, theirTimes);
            }
            else
            {
                their = SecondsEach(theirs, theirTimes);
                our = SecondsEach(ours, ourTimes);
            }
            if (round < 0) continue;
            rates.Add(workUnits / our);
            ratios.Add(their / our);
        }
        return (Median(rates), Median(ratios));
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>
    /// How often the work fits into one turn. The time before counts as warm-up: the JIT is at work.
    /// </summary>
    private static int Calibrate(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < 10 * TurnTime) work();
        return Math.Max(1, (int)(TurnTime.TotalSeconds / SecondsEach(work, 3)));
    }

    private static double SecondsEach(Action work, int times)
    {
        var start = Now();
        for (var i = 0; i < times; i++) work();
        return (Now() - start) / times;
    }

    /// <summary>Seconds of this thread's clock.</summary>
    private static double Now()
    {
        const int ThreadCpuTime = 3; // CLOCK_THREAD_CPUTIME_ID of Linux
        var time = stackalloc long[2];
        if (OperatingSystem.IsLinux() && Environment.Is64BitProcess && ClockGetTime(ThreadCpuTime, time) == 0)
            return time[0] + (time[1] / 1e9);
        return Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, long* time);
}
