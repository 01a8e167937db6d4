using System.Net;
using Virga.Accounts;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Seeding;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Accounts;
using Virga.Testing.Transfers;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.BitTorrent.Tests.Downloads;

/// <summary>Torrents as transfers of the engine, from peers of our own.</summary>
public sealed class TorrentTransferTests
{
    private const int PieceBytes = 64 << 10;

    private static readonly int[] Lengths = [700_001, 3_000_000, 5, 2_000_000, 0, 123_456];

    public static TheoryData<bool, PartOrder> Ways => new()
    {
        { true, PartOrder.Any }, { true, PartOrder.Sequence }, { false, PartOrder.Any }, { false, PartOrder.Sequence },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_a_crash_left_unrecorded_is_recognised_and_not_fetched_again(bool isV1, PartOrder order)
    {
        var torrent = isV1 ? MadeTorrent.V1(PieceBytes, Lengths) : MadeTorrent.V2(PieceBytes, Lengths);
        await using var peers = new WirePeers();
        peers.Add(torrent);
        var target = Account(order);
        var journal = new MemoryJournal();
        var crashed = 0;
        journal.Before = step =>
        {
            if (step == "completed" && Interlocked.Increment(ref crashed) == 4)
                throw new InvalidOperationException("crash");
        };
        await using (var first = peers.Download(torrent, torrent.Info))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(torrent, first, target, journal, null));
        }
        journal.Before = null;

        await using var second = peers.Download(torrent, torrent.Info);
        await RunAsync(torrent, second, target, journal, null);

        await AssertArrivedAsync(torrent, target);
        Assert.True(second.Swarm.Progress.Downloaded < torrent.Row.Length,
            $"{second.Swarm.Progress.Downloaded} bytes were fetched again");
    }

    [Fact]
    public async Task What_arrived_is_given_to_others_while_the_rest_is_still_missing()
    {
        var torrent = MadeTorrent.V1(PieceBytes, Lengths);
        await using var peers = new WirePeers();
        // Pieces from the middle on are with nobody at first.
        var half = peers.Add(torrent, has: static piece => piece < 40);
        await using var giver = peers.Download(torrent, torrent.Info);
        var given = Account(PartOrder.Any);
        using var holdings = new TorrentHoldings(
            torrent.Layout, torrent.Layers, given, new SeedCache(1 << 20), true, giver.Swarm.Have, static _ => { });
        giver.Swarm.Upload = holdings;
        giver.Swarm.Choker = new Choker(giver.Swarm, TimeProvider.System, new Seeded(3).RandomBytes);
        await using var listener = WirePeers.Listen(giver.Swarm, 77);
        var giving = RunAsync(torrent, giver, given, new MemoryJournal(), holdings);

        await using var taker = new TorrentDownload(
            WirePeers.LinkOf(torrent), torrent.Info, WirePeers.Settings(78), AddressRules.PublicOnly,
            new Seeded(2).RandomBytes);
        taker.Start([], [listener.LocalEndPoint]);
        taker.Begin(torrent.Layers, static _ => true, 1 << 20);
        var first = new byte[Lengths[0]];
        await taker.Scheduler!.ReadAsync(0, first, CancellationToken.None);

        Assert.Equal(torrent.Files[0], first);
        Assert.False(giving.IsCompleted);
        Assert.True(holdings.HeldPieces < torrent.Layout.PieceCount);
        Assert.Equal(half, peers.Places[0]);
        peers.Add(torrent);
        giver.Trust(peers.Places[^1]);
        await giving;
        await AssertArrivedAsync(torrent, given);
        Assert.Equal(torrent.Layout.PieceCount, holdings.HeldPieces);
    }

    private static InMemoryAccount Account(PartOrder order) => new(traits: InMemoryAccount.DefaultTraits with
    {
        PartOrder = order, SingleWriteBytesMax = 300_000, PartBytesMax = 512 << 10,
    });

    private static async Task RunAsync(
        MadeTorrent torrent, TorrentDownload download, IAccount target, MemoryJournal journal,
        TorrentHoldings? holdings)
    {
        var source = new TorrentSource(torrent.Layout, download.Scheduler!, 1 << 20);
        var checker = new PieceChecker(torrent.Layout, torrent.Layers);
        var job = new TransferJob(
            TorrentContent.Open(torrent.Info, torrent.Layers),
            new SourceSet(new TorrentSourceFinder(source), TimeProvider.System), target, EntryPath.Root,
            CollisionPolicy.Fail, journal, new TransferStatus())
        {
            UnitBytes = PieceBytes,
            Received = holdings,
            Scarcity = (file, range) => source.Availability(file.Blob!.Value.Root, range),
            IsSame = (file, entry, token) =>
                TorrentCheck.IsSameAsync(target, entry, file, torrent.Layout, checker, source, token),
        };
        var result = await new TransferEngine(EngineLimits.Default with { SmallFileBytes = 64 << 10 })
            .RunAsync(job, CancellationToken.None);
        Assert.Empty(result.Failed);
    }

    private static async Task AssertArrivedAsync(MadeTorrent torrent, InMemoryAccount target)
    {
        for (var i = 0; i < torrent.Files.Length; i++)
        {
            await using var reader = await target.ReadAsync(
                EntryPath.Parse($"made/file{i}"), new ByteRange(0, Lengths[i]), null, CancellationToken.None);
            var there = new byte[Lengths[i]];
            await reader.Content.ReadExactlyAsync(there);
            Assert.Equal(torrent.Files[i], there);
        }
    }
}
