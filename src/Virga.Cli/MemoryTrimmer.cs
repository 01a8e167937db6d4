using System.Runtime;

namespace Virga.Cli;

/// <summary>
/// Gives memory back to the system once an agent has come to rest: the collector alone keeps what a transfer needed
/// until next one, since nothing is allocated that would make it look.
/// </summary>
internal sealed class MemoryTrimmer(TimeProvider time, Func<long> allocatedBytes, Action trim)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);
    private const long QuietBytes = 2 << 20;
    private const long WorthBytes = 4 << 20;

    /// <summary>Pools of buffers let go of what was not used between two collections that lie so far apart.</summary>
    private const int LooksBetweenTrims = 8;
    private const int TrimsAfterWork = 4;

    private long lastSeen;
    private long lastTrimmed;
    private int trimsLeft;
    private int looksToWait;
    private volatile bool isExpected;

    public static MemoryTrimmer OfProcess() => new(TimeProvider.System, () => GC.GetTotalAllocatedBytes(), static () =>
    {
        GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    });

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(cancellationToken)) Look();
    }

    /// <summary>Something was let go of that is worth a trim, once it is quiet. From any thread.</summary>
    public void Expect() => isExpected = true;

    /// <summary>Trims when little was allocated since the last look, and much before; then a few times more.</summary>
    public void Look()
    {
        var now = allocatedBytes();
        var isQuiet = now - lastSeen < QuietBytes;
        lastSeen = now;
        if (!isQuiet) return;
        if (now - lastTrimmed >= WorthBytes || isExpected)
        {
            isExpected = false;
            (trimsLeft, looksToWait) = (TrimsAfterWork, 0);
        }
        if (trimsLeft == 0 || looksToWait-- > 0) return;
        trim();
        lastTrimmed = now;
        (trimsLeft, looksToWait) = (trimsLeft - 1, LooksBetweenTrims);
    }
}
