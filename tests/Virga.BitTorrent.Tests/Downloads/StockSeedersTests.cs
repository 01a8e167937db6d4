using Virga.Accounts;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Tests.Stock;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing;
using Virga.Testing.Accounts;
using Virga.Testing.Transfers;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.BitTorrent.Tests.Downloads;

/// <summary>libtorrent seeds, and everything lands in an account as it was.</summary>
[Trait("Needs", "server")]
public sealed class StockSeedersTests
{
    private static readonly (string, int)[] Many =
    [
        ("many/a/odd", 3_333_333), ("many/empty", 0), ("many/b", 1), ("many/c", 40_000), ("many/d/e/f", 700_001),
        ("many/g", 16 << 10), ("many/h", 5 << 20),
    ];

    public static TheoryData<string, bool, bool> Ways()
    {
        var ways = new TheoryData<string, bool, bool>();
        foreach (var kind in new[] { "v1", "hybrid", "v2" })
        {
            ways.Add(kind, true, true);
            ways.Add(kind, false, false);
        }
        return ways;
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Many_files_land_as_they_were(string kind, bool isMagnet, bool isInSequence)
    {
        using var seeder = await StockSeeder.StartAsync(new { kind, piece = 128 << 10 }, Many);

        await Download.RunAsync([seeder], isMagnet, isInSequence);
    }

    [Theory]
    [InlineData("v1", true, false)]
    [InlineData("hybrid", true, false)]
    [InlineData("v2", false, true)]
    public async Task A_single_file_lands_as_it_was(string kind, bool isMagnet, bool isInSequence)
    {
        using var seeder = await StockSeeder.StartAsync(new { kind, piece = 1 << 20 }, ("single.bin", 20_000_001));

        await Download.RunAsync([seeder], isMagnet, isInSequence);
    }

    [Fact]
    public async Task A_v2_magnet_with_more_piece_hashes_than_fit_one_message_is_taken()
    {
        using var seeder = await StockSeeder.StartAsync(
            new { kind = "v2", piece = 16 << 10 }, ("single.bin", 20_000_001));

        await Download.RunAsync([seeder], isMagnet: true, isInSequence: false);
    }

    [Fact]
    public async Task Only_selected_files_are_fetched()
    {
        using var seeder = await StockSeeder.StartAsync(new { kind = "v1", piece = 64 << 10 }, Many);

        var download = await Download.RunAsync(
            [seeder], isMagnet: true, isInSequence: false, path => path is "many/b" or "many/g");

        Assert.True(download.Fetched < 1 << 20, $"{download.Fetched} bytes were fetched");
    }
}

/// <summary>A transfer of a torrent into an account in memory.</summary>
internal sealed record Download(IReadOnlyList<string> Bans, long Fetched)
{
    private const int RangeBytes = 2 << 20;

    public static async Task<Download> RunAsync(
        StockSeeder[] seeders, bool isMagnet, bool isInSequence, Func<string, bool>? isWanted = null,
        UtpNode? utp = null)
    {
        var target = new InMemoryAccount(traits: InMemoryAccount.DefaultTraits with
        {
            PartOrder = isInSequence ? PartOrder.Sequence : PartOrder.Any, SingleWriteBytesMax = 300_000,
            PartMultipleBytes = isInSequence ? 256 << 10 : 1, PartBytesMax = 1 << 20,
        });
        var settings = new PeerSettings(TimeProvider.System, new PeerId(new Seeded(5).RandomBytes),
            new Pace(TimeProvider.System)) { Utp = utp };
        var torrent = seeders[0].Torrent;
        await using var download = new TorrentDownload(
            seeders[0].Link, isMagnet ? null : torrent.Info, settings, AddressRules.LocalToo,
            new Seeded(6).RandomBytes);
        download.Start([], [.. seeders.Select(s => s.Place)]);
        var info = await download.GetInfoAsync(CancellationToken.None);
        var isFileWanted = (int file) => isWanted?.Invoke(TorrentContent.PathOf(info, file)) ?? true;
        var layers = await download.GetLayersAsync(
            info, isMagnet ? PieceLayers.Empty : torrent.Layers, isFileWanted, CancellationToken.None);
        var source = download.Begin(layers, isFileWanted, RangeBytes);
        var content = TorrentContent.Open(info, layers, isFileWanted);
        var job = new TransferJob(
            content, new SourceSet(new TorrentSourceFinder(source), TimeProvider.System), target, EntryPath.Root,
            CollisionPolicy.Fail, new MemoryJournal(), new TransferStatus())
        {
            UnitBytes = 64 << 10,
            Scarcity = (file, range) => source.Availability(file.Blob!.Value.Root, range),
        };

        var result = await new TransferEngine(EngineLimits.Default with { SmallFileBytes = 64 << 10 })
            .RunAsync(job, CancellationToken.None);

        Assert.Empty(result.Failed);
        var wanted = seeders[0].Files.Where(f => isWanted?.Invoke(f.Key) ?? true).ToList();
        Assert.Equal(wanted.Count, content.Files.Count);
        foreach (var (path, bytes) in wanted)
        {
            await using var reader = await target.ReadAsync(
                EntryPath.Parse(path), new ByteRange(0, bytes.Length), null, CancellationToken.None);
            var there = new byte[bytes.Length];
            await reader.Content.ReadExactlyAsync(there);
            Assert.True(there.AsSpan().SequenceEqual(bytes), $"{path} differs");
        }
        return new Download(download.Bans, download.Swarm.Progress.Downloaded);
    }
}
