using Virga.Core;

namespace Virga.Transfers.Engine;

/// <summary>
/// The order in which missing parts of a file are fetched from a swarm: begins with the scarcest, goes on with some
/// that follow, since neighbours may share a piece, and chooses anew. Among equals the first choice is another for each
/// file and receiver, so that receivers have something for each other. For one task.
/// </summary>
internal sealed class ScarceParts
{
    /// <summary>Parts in a row: a piece that lies across their border is fetched once.</summary>
    private const int RunParts = 4;

    /// <summary>Parts that are looked at for one choice: files have up to a hundred thousand.</summary>
    private const int LookedAtMax = 1024;

    private readonly Func<ByteRange, int> scarcity;
    private readonly long length;
    private readonly long partBytes;
    private readonly SortedSet<long> missing = [];
    private long next;
    private int runLeft;

    /// <param name="scarcity">How many can deliver a range of the file.</param>
    /// <param name="length">Of the file.</param>
    /// <param name="runs">Missing parts.</param>
    /// <param name="chance">Where to begin among equals.</param>
    public ScarceParts(
        Func<ByteRange, int> scarcity, long length, long partBytes, List<(long First, long Count)> runs, ulong chance)
    {
        this.scarcity = scarcity;
        this.length = length;
        this.partBytes = partBytes;
        foreach (var (first, count) in runs)
            for (var part = first; part < first + count; part++) missing.Add(part);
        next = (long)(chance % (ulong)Math.Max(1, (length + partBytes - 1) / partBytes));
    }

    /// <summary>Null when none is left.</summary>
    public long? Next()
    {
        if (missing.Count == 0) return null;
        if (runLeft == 0 || !missing.Contains(next))
        {
            next = Scarcest();
            runLeft = RunParts;
        }
        var part = next++;
        runLeft--;
        missing.Remove(part);
        return part;
    }

    private long Scarcest()
    {
        long? best = null;
        var fewest = int.MaxValue;
        var looked = 0;
        foreach (var part in missing.GetViewBetween(next, long.MaxValue).Concat(missing))
        {
            if (looked++ == LookedAtMax) break;
            var start = part * partBytes;
            var have = scarcity(new ByteRange(start, Math.Min(partBytes, length - start)));
            // Nobody has it yet: then those that somebody has come first.
            if (have == 0) have = int.MaxValue - 1;
            if (have >= fewest) continue;
            (best, fewest) = (part, have);
        }
        return best!.Value;
    }
}
