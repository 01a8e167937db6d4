using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>
/// The trackers of one swarm, in tiers (BEP 12): each tier is shuffled once, a tracker that answers is moved to the
/// front of its tier, and the next one is asked only where those before don't answer. Who gets nothing asks all of
/// them, sooner than they say, though never before a tracker's least interval: one that answers and knows nobody would
/// else stand before those that do. Whoever fails is left alone for 15 * 2^n seconds (BEP 15). Safe for many threads.
/// </summary>
internal sealed class TrackerTiers
{
    /// <summary>15 * 2^8 s, a bit more than an hour (BEP 15).</summary>
    private const int BackOffStepsMax = 8;

    private static readonly TimeSpan BackOffFirst = TimeSpan.FromSeconds(15);

    /// <summary>Who has not answered by then does not hold up the next one.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
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

    /// <summary>When <see cref="TryBegin"/> may have more to do, if nobody answers before.</summary>
    /// <param name="isWaiting">Nothing comes from anybody: all are asked, and sooner.</param>
    public TimeSpan NextIn(bool isWaiting)
    {
        lock (gate)
        {
            var (resting, now) = (All.Where(place => place.AskedAt is null).ToList(), Now);
            if (resting.Count == 0) return TimeSpan.MaxValue;
            var next = isWaiting ? resting.Min(place => place.SoonAt)
                : resting.Find(place => place.IsGood)?.NextAt ?? resting.Min(place => place.NextAt);
            if (!isWaiting && Youngest is { } asked && asked + Patience > next) next = asked + Patience;
            return next > now ? next - now : TimeSpan.Zero;
        }
    }

    /// <summary>Asks one whose turn it is; false where it is nobody's.</summary>
    /// <param name="announce">
    /// Its event is made what the tracker has not heard yet: Completed for those who know us, Started for others.
    /// </param>
    /// <param name="isWaiting">Nothing comes from anybody: all are asked, and sooner.</param>
    /// <param name="begun">Ends without an answer where there is none.</param>
    public bool TryBegin(
        TrackerAnnounce announce, bool isWaiting, [NotNullWhen(true)] out Task<TrackerAnswer?>? begun,
        CancellationToken cancellationToken)
    {
        List<Place>? tier;
        Place? place = null;
        lock (gate)
        {
            tier = tiers.Find(some => (place = some.Find(it => IsDue(it, announce, isWaiting))) is not null);
            if (place is not null) place.AskedAt = Now;
        }

        begun = place is null ? null : AskAsync(tier!, place, announce, isWaiting, cancellationToken);
        return begun is not null;
    }

    /// <summary>Says goodbye to all who know us.</summary>
    public async Task StopAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        List<Place> known;
        lock (gate) known = [.. All.Where(place => place.HasStarted)];
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

    private IEnumerable<Place> All => tiers.SelectMany(tier => tier);

    /// <summary>When the last of those that have not answered yet was asked.</summary>
    private TimeSpan? Youngest => All.Max(place => place.AskedAt);

    private bool IsDue(Place place, TrackerAnnounce announce, bool isWaiting)
    {
        // Only something new to tell may come before its time, and not to who failed.
        if (place.AskedAt is not null) return false;
        if (announce.Event == AnnounceEvent.Completed && place is { IsGood: true, KnowsAll: false }) return true;
        if (isWaiting) return place.SoonAt <= Now;
        return place.NextAt <= Now && !(Youngest + Patience > Now)
            && !All.Any(other => other.IsGood && other.AskedAt is null && other.NextAt > Now);
    }

    private async Task<TrackerAnswer?> AskAsync(
        List<Place> tier, Place place, TrackerAnnounce announce, bool isWaiting, CancellationToken cancellationToken)
    {
        var told = !place.HasStarted ? AnnounceEvent.Started : place.KnowsAll ? AnnounceEvent.None : announce.Event;
        try
        {
            var answer = await place.Tracker.AnnounceAsync(announce with { Event = told }, cancellationToken);
            lock (gate)
            {
                place.Answered(answer, announce.Part.Left == 0, isWaiting, Now);
                tier.Remove(place);
                tier.Insert(0, place);
            }

            report?.Invoke(new TrackerReport(place.Tracker.Address, answer, null));
            return answer;
        }
        catch (VirgaException e)
        {
            lock (gate) place.Failed(e.RetryAfter, Now);
            report?.Invoke(new TrackerReport(place.Tracker.Address, null, e));
            return null;
        }
        finally
        {
            lock (gate) place.AskedAt = null;
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

        public bool HasStarted { get; private set; }

        /// <summary>It was told that we have everything.</summary>
        public bool KnowsAll { get; private set; }

        public int Failures { get; private set; }

        /// <summary>It answered the last time.</summary>
        public bool IsGood => HasStarted && Failures == 0;

        /// <summary>Times that it was asked before its time, for want of peers.</summary>
        public int InVain { get; private set; }

        /// <summary>Null where it is not being asked.</summary>
        public TimeSpan? AskedAt { get; set; }

        public TimeSpan NextAt { get; private set; }

        /// <summary>The same while nothing comes from anybody.</summary>
        public TimeSpan SoonAt { get; private set; }

        public void Answered(TrackerAnswer answer, bool hasAll, bool isWaiting, TimeSpan now)
        {
            HasStarted = true;
            KnowsAll |= hasAll;
            Failures = 0;
            InVain = isWaiting ? InVain + 1 : 0;
            var (least, soon) = (answer.MinInterval, SearchPace.After(InVain, answer.Interval));
            NextAt = now + (least > answer.Interval ? least : answer.Interval);
            SoonAt = now + (least > soon ? least : soon);
        }

        public void Failed(TimeSpan? retryAfter, TimeSpan now)
        {
            var wait = BackOffFirst * (1 << Math.Min(Failures, BackOffStepsMax));
            Failures++;
            if (retryAfter is { } asked && asked > wait)
                wait = asked < TrackerLimits.IntervalMax ? asked : TrackerLimits.IntervalMax;
            NextAt = SoonAt = now + wait;
        }
    }
}
