namespace Virga.BitTorrent;

/// <summary>
/// How soon one looks for peers again: as usual while something comes; while nothing does, after half a minute, and
/// then after twice as long each time, up to the usual. Not safe for several threads.
/// </summary>
/// <param name="progress">Of the swarm for which peers are looked for.</param>
internal sealed class SearchPace(SwarmProgress progress, TimeProvider time)
{
    /// <summary>Nothing comes: nothing did for so long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(30);

    /// <summary>Longer pauses than any usual one.</summary>
    private const int DoublingsMost = 16;

    private (long Downloaded, long Left) seen = (progress.Downloaded, progress.Left);
    private long since = time.GetTimestamp();

    /// <summary>Whether something is missing, and nothing comes, as far as one has looked in between.</summary>
    public bool IsWaiting()
    {
        var now = (progress.Downloaded, progress.Left);
        if (now != seen) (seen, since) = (now, time.GetTimestamp());
        return now.Left > 0 && time.GetElapsedTime(since) >= Patience;
    }

    /// <param name="times">How often one has looked in vain.</param>
    public static TimeSpan After(int times, TimeSpan usual)
    {
        var pause = Soonest * (1 << Math.Min(times, DoublingsMost));
        return pause < usual ? pause : usual;
    }
}
