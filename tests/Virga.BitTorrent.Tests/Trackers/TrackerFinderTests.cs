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

        Assert.NotNull(await tiers.AnnounceAsync(Announce(Hash(1), 1, told: AnnounceEvent.None), default));
        Assert.Empty(spare.Announces);
        Assert.Single(good.Announces);
        dead.Announces.Clear();

        // It went to the front of its tier: the dead one is not asked again first.
        time.Advance(TimeSpan.FromHours(1));
        await tiers.AnnounceAsync(Announce(Hash(1), 1, told: AnnounceEvent.None), default);
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
            Assert.Null(await tiers.AnnounceAsync(Announce(Hash(1), 1), default));
            Assert.Equal(TimeSpan.FromSeconds(seconds), tiers.NextIn());
            time.Advance(tiers.NextIn() - TimeSpan.FromTicks(1));
            var before = dead.Announces.Count;
            Assert.Null(await tiers.AnnounceAsync(Announce(Hash(1), 1), default));
            Assert.Equal(before, dead.Announces.Count);
            time.Advance(TimeSpan.FromTicks(1));
        }
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
            while (tracker.Announces.Count < announces || time.TimersWaiting == 0) await Task.Yield();
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

    private TrackerTiers Tiers(params IReadOnlyList<IReadOnlyList<ITracker>> tiers) =>
        new(tiers, time, new Seeded(3).RandomBytes, reports.Add);

    private sealed class Told(string name) : ITracker
    {
        public Uri Address { get; } = new($"http://{name}/announce");

        public List<TrackerAnnounce> Announces { get; } = [];

        public VirgaException? Failure { get; set; }

        public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(30);

        public TimeSpan MinInterval { get; init; }

        public Task<TrackerAnswer> AnnounceAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
        {
            Announces.Add(announce);
            return Failure is { } failure
                ? Task.FromException<TrackerAnswer>(failure)
                : Task.FromResult(new TrackerAnswer(Interval, MinInterval, default, [Local(1)], null));
        }

        public Task<IReadOnlyDictionary<SwarmHash, SwarmCounts>> ScrapeAsync(
            IReadOnlyList<SwarmHash> hashes, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
