using System.Buffers.Binary;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>
/// The trackers of one swarm, in tiers (BEP 12): each tier is shuffled once, the first tracker that answers is moved to
/// the front of its tier, and the next tier is asked only where none of the one before answers. Whoever fails is left
/// alone for 15 * 2^n seconds (BEP 15). Not safe for several threads.
/// </summary>
internal sealed class TrackerTiers
{
    /// <summary>15 * 2^8 s, a bit more than an hour (BEP 15).</summary>
    private const int BackOffStepsMax = 8;

    private static readonly TimeSpan BackOffFirst = TimeSpan.FromSeconds(15);

    private readonly List<List<Place>> tiers;
    private readonly TimeProvider time;
    private readonly long origin;
    private readonly Action<TrackerReport>? report;

    public TrackerTiers(
        IReadOnlyList<IReadOnlyList<ITracker>> tiers, TimeProvider time, RandomBytes random,
        Action<TrackerReport>? report)
    {
        this.tiers = [.. tiers.Select(tier => Shuffled([.. tier.Select(tracker => new Place(tracker))], random))];
        this.time = time;
        this.report = report;
        origin = time.GetTimestamp();
    }

    /// <summary>
    /// When somebody may be asked again: the end of the interval of who answered last, or of the shortest back-off.
    /// </summary>
    public TimeSpan NextIn()
    {
        var all = tiers.SelectMany(tier => tier).ToList();
        var current = all.Find(place => place.HasStarted && place.Failures == 0);
        var next = current?.NextAt ?? all.Min(place => place.NextAt);
        return next > Now ? next - Now : TimeSpan.Zero;
    }

    /// <summary>Asks until one answers; null when none does.</summary>
    public async Task<TrackerAnswer?> AnnounceAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        foreach (var tier in tiers)
        {
            foreach (var place in tier.ToArray())
            {
                // Only something new to tell may come before its time, and not to who failed.
                var isNews = announce.Event != AnnounceEvent.None && place.Failures == 0;
                if (place.NextAt > Now && !(isNews && place.HasStarted)) continue;
                if (await TryAsync(place, announce, cancellationToken) is not { } answer) continue;
                tier.Remove(place);
                tier.Insert(0, place);
                return answer;
            }
        }

        return null;
    }

    /// <summary>Says goodbye to all who know us.</summary>
    public async Task StopAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        var known = tiers.SelectMany(tier => tier).Where(place => place.HasStarted).ToList();
        await Task.WhenAll(known.Select(async place =>
        {
            try
            {
                await place.Tracker.AnnounceAsync(
                    announce with { Event = AnnounceEvent.Stopped, Wanted = 0 }, cancellationToken);
            }
            catch (Exception e) when (e is VirgaException or OperationCanceledException)
            {
                // It forgets us by itself in time.
            }
        }));
    }

    private TimeSpan Now => time.GetElapsedTime(origin);

    private async Task<TrackerAnswer?> TryAsync(
        Place place, TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        var told = place.HasStarted ? announce.Event : AnnounceEvent.Started;
        try
        {
            var answer = await place.Tracker.AnnounceAsync(announce with { Event = told }, cancellationToken);
            place.HasStarted = true;
            place.Failures = 0;
            place.NextAt = Now + (answer.MinInterval > answer.Interval ? answer.MinInterval : answer.Interval);
            report?.Invoke(new TrackerReport(place.Tracker.Address, answer, null));
            return answer;
        }
        catch (VirgaException e)
        {
            var wait = BackOffFirst * (1 << Math.Min(place.Failures, BackOffStepsMax));
            place.Failures++;
            if (e.RetryAfter is { } asked && asked > wait)
                wait = asked < TrackerLimits.IntervalMax ? asked : TrackerLimits.IntervalMax;
            place.NextAt = Now + wait;
            report?.Invoke(new TrackerReport(place.Tracker.Address, null, e));
            return null;
        }
    }

    private static List<Place> Shuffled(List<Place> places, RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[4];
        for (var i = places.Count - 1; i > 0; i--)
        {
            random(bytes);
            var j = (int)(BinaryPrimitives.ReadUInt32LittleEndian(bytes) % (uint)(i + 1));
            (places[i], places[j]) = (places[j], places[i]);
        }

        return places;
    }

    private sealed class Place(ITracker tracker)
    {
        public ITracker Tracker { get; } = tracker;

        public bool HasStarted { get; set; }

        public int Failures { get; set; }

        public TimeSpan NextAt { get; set; }
    }
}
