using System.Net;
using Virga.BitTorrent.Trackers;
using Virga.Core;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Trackers;

public sealed class TrackerFinderTests
{
    private readonly FakeTimeProvider time = new();
    private readonly List<TrackerReport> reports = [];

    [Fact]
    public async Task The_next_tier_is_asked_only_where_none_of_the_one_before_answers()
    {
        var (dead, good, spare) = (new Told("a"), new Told("b"), new Told("c"));
        dead.Failure = new VirgaException(FailureKind.Unavailable, "away");
        var tiers = Tiers([dead, good], [spare]);

        var answers = await AskAsync(tiers);
        Assert.Equal(1, answers.Count(answer => answer is not null));
        Assert.Empty(spare.Announces);
        Assert.Single(good.Announces);
        dead.Announces.Clear();

        // It went to the front of its tier: the dead one is not asked again first.
        time.Advance(TimeSpan.FromHours(1));
        await AskAsync(tiers);
        Assert.Equal([AnnounceEvent.Started, AnnounceEvent.None], good.Announces.Select(told => told.Event));
        Assert.Empty(dead.Announces);
    }

    [Fact]
    public async Task Who_fails_is_left_alone_for_longer_and_longer()
    {
        var dead = new Told("a") { Failure = new VirgaException(FailureKind.Timeout, "away") };
        var tiers = Tiers([dead]);

        foreach (var seconds in new[] { 15, 30, 60, 120, 240, 480, 960, 1920, 3840, 3840 })
        {
            Assert.Equal([null], await AskAsync(tiers));
            Assert.Equal(TimeSpan.FromSeconds(seconds), tiers.NextIn(false));
            Assert.Equal(TimeSpan.FromSeconds(seconds), tiers.NextIn(true));
            time.Advance(tiers.NextIn(false) - TimeSpan.FromTicks(1));
            Assert.Empty(await AskAsync(tiers));
            Assert.Empty(await AskAsync(tiers, isWaiting: true));
            time.Advance(TimeSpan.FromTicks(1));
        }
    }

    [Fact]
    public async Task Who_is_silent_holds_up_nobody_and_is_not_asked_twice()
    {
        var (silent, next) = (new Told("a") { Answer = new() }, new Told("b"));
        var tiers = Tiers([silent], [next]);

        Assert.True(TryBegin(tiers, out var first));
        Assert.False(TryBegin(tiers, out _));
        Assert.Equal(TimeSpan.FromSeconds(5), tiers.NextIn(false));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(TryBegin(tiers, out var second));
        Assert.NotNull(await second!);
        Assert.False(TryBegin(tiers, out _));
        Assert.False(TryBegin(tiers, out _, isWaiting: true));

        silent.Answer.SetResult();
        Assert.NotNull(await first!);
        Assert.Single(silent.Announces);
    }

    [Fact]
    public async Task While_nothing_comes_all_are_asked_sooner_but_not_before_their_least_interval()
    {
        var (quiet, strict) = (new Told("a"), new Told("b") { MinInterval = TimeSpan.FromMinutes(20) });
        var tiers = Tiers([quiet], [strict]);
        Assert.Single(await AskAsync(tiers));
        Assert.Single(await AskAsync(tiers, isWaiting: true));
        Assert.Single(strict.Announces);

        var before = time.GetUtcNow();
        var asked = new List<int>();
        while (time.GetUtcNow() - before < TimeSpan.FromMinutes(35))
        {
            time.Advance(tiers.NextIn(true));
            asked.Add((int)(time.GetUtcNow() - before).TotalSeconds);
            Assert.NotEmpty(await AskAsync(tiers, isWaiting: true));
        }

        Assert.Equal([30, 90, 210, 450, 930, 1200, 1890, 2400], asked);
        Assert.Equal(2 + 1, strict.Announces.Count);
    }

    [Fact]
    public async Task A_tracker_that_knows_nobody_does_not_stand_before_those_that_do()
    {
        var (empty, silent, full) = (
            new Told("a") { Peers = [] }, new Told("b") { Answer = new() }, new Told("c"));
        using var stop = new CancellationTokenSource();
        var finder = new TrackerFinder(
            [[empty], [silent], [full]], new PeerId(new Seeded(1).RandomBytes), time, new Seeded(2).RandomBytes,
            reports.Add);

        // The clock stands still.
        await foreach (var peer in finder.FindAsync(Hash(1), new SwarmProgress { Left = 1 }, 6881, stop.Token))
        {
            Assert.Equal(Local(1), peer);
            break;
        }

        Assert.Single(silent.Announces);
        Assert.Equal(AnnounceEvent.Stopped, full.Announces[^1].Event);
        Assert.Equal(AnnounceEvent.Stopped, empty.Announces[^1].Event);
    }

    [Fact]
    public async Task It_announces_when_due_tells_of_the_end_and_says_goodbye()
    {
        var tracker = new Told("a") { Interval = TimeSpan.FromMinutes(30), MinInterval = TimeSpan.FromMinutes(31) };
        var progress = new SwarmProgress { Left = 10 };
        using var stop = new CancellationTokenSource();
        var finder = new TrackerFinder(
            [[tracker]], new PeerId(new Seeded(1).RandomBytes), time, new Seeded(2).RandomBytes, reports.Add);
        var found = new List<IPEndPoint>();
        var running = Task.Run(async () =>
        {
            await foreach (var peer in finder.FindAsync(Hash(1), progress, 6881, stop.Token)) found.Add(peer);
        });

        await WaitAsync(1);
        time.Advance(TimeSpan.FromMinutes(31) - TimeSpan.FromTicks(1));
        Assert.Single(tracker.Announces);
        await PassAsync(TimeSpan.FromTicks(1), 2);
        progress.Left = 0;
        await PassAsync(TimeSpan.FromSeconds(30), 3);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(
            [AnnounceEvent.Started, AnnounceEvent.None, AnnounceEvent.Completed, AnnounceEvent.Stopped],
            tracker.Announces.Select(told => told.Event));
        Assert.All(tracker.Announces, told => Assert.Equal(6881, told.Part.Port));
        Assert.Equal([Local(1), Local(1), Local(1)], found);
        Assert.Equal(3, reports.Count);

        async Task WaitAsync(int announces)
        {
            while (tracker.Announces.Count < announces || found.Count < announces || time.TimersWaiting == 0)
                await Task.Yield();
        }

        // The loop wakes several times before it is due; each time it waits again.
        async Task PassAsync(TimeSpan by, int announces)
        {
            time.Advance(by);
            while (tracker.Announces.Count < announces)
            {
                if (time.TimersWaiting > 0) time.Advance(TimeSpan.FromSeconds(1));
                await Task.Yield();
            }

            await WaitAsync(announces);
        }
    }

    [Fact]
    public async Task A_torrent_without_trackers_that_can_be_asked_finds_nobody()
    {
        using var clients = Clients();

        var finder = clients.Finder([["wss://a/", "x"]]);

        await foreach (var peer in finder.FindAsync(Hash(1), new SwarmProgress(), 1, default))
            Assert.Fail($"found {peer}");
    }

    [Fact]
    public void A_torrent_names_no_more_trackers_than_are_used()
    {
        using var clients = Clients();
        var many = Enumerable.Range(0, 500).Select(i => new[] { $"http://a{i}/announce", $"http://a{i}/announce" });

        Assert.Equal(TrackerClients.TrackersMax, clients.Finder(many).Trackers.Count());
    }

    private static async Task<List<TrackerAnswer?>> AskAsync(TrackerTiers tiers, bool isWaiting = false)
    {
        var answers = new List<TrackerAnswer?>();
        while (TryBegin(tiers, out var begun, isWaiting)) answers.Add(await begun!);
        return answers;
    }

    private static bool TryBegin(TrackerTiers tiers, out Task<TrackerAnswer?>? begun, bool isWaiting = false) =>
        tiers.TryBegin(
            Announce(Hash(1), 1, left: 1, told: AnnounceEvent.None), isWaiting, out begun, CancellationToken.None);

    private TrackerTiers Tiers(params IReadOnlyList<IReadOnlyList<ITracker>> tiers) =>
        new(tiers, time, new Seeded(3).RandomBytes, reports.Add);

    private sealed class Told(string name) : ITracker
    {
        public Uri Address { get; } = new($"http://{name}/announce");

        public List<TrackerAnnounce> Announces { get; } = [];

        public VirgaException? Failure { get; set; }

        public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(30);

        public TimeSpan MinInterval { get; init; }

        /// <summary>Where it is set, it answers once this is done.</summary>
        public TaskCompletionSource? Answer { get; init; }

        public IReadOnlyList<IPEndPoint> Peers { get; init; } = [Local(1)];

        public async Task<TrackerAnswer> AnnounceAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
        {
            lock (Announces) Announces.Add(announce);
            if (Answer is { } answer && announce.Event != AnnounceEvent.Stopped)
                await answer.Task.WaitAsync(cancellationToken);
            return Failure is { } failure ? throw failure
                : new TrackerAnswer(Interval, MinInterval, default, Peers, null);
        }

        public Task<IReadOnlyDictionary<SwarmHash, SwarmCounts>> ScrapeAsync(
            IReadOnlyList<SwarmHash> hashes, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
