using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>One announce over IPv4 and IPv6 at once, where a tracker has both (BEP 7).</summary>
internal static class EachFamily
{
    /// <summary>What the slower family gets once the other has answered: it may have no way out of here.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>The answers together; the first one's failure where there is none.</summary>
    public static async Task<TrackerAnswer> AskAsync<T>(
        IReadOnlyList<T> families, Func<T, CancellationToken, Task<TrackerAnswer>> ask, TimeProvider time,
        CancellationToken cancellationToken)
    {
        if (families.Count == 1) return await ask(families[0], cancellationToken);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var answers = new List<TrackerAnswer>();
        VirgaException? failure = null;
        var asked = families.Select(family => ask(family, stop.Token)).ToList();
        while (asked.Count > 0)
        {
            var done = await Task.WhenAny(asked);
            asked.Remove(done);
            try
            {
                answers.Add(await done);
                if (asked.Count > 0) await Task.WhenAny(Task.WhenAll(asked), Task.Delay(Grace, time, stop.Token));
                await stop.CancelAsync();
            }
            catch (VirgaException e)
            {
                failure ??= e;
            }
            catch (OperationCanceledException) when (answers.Count > 0)
            {
                // Too slow; the other family has answered.
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (answers.Count == 0) throw failure!;
        return answers[0] with { Peers = [.. answers.SelectMany(answer => answer.Peers).Distinct()] };
    }
}
