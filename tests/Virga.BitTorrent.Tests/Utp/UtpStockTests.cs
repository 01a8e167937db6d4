using System.Net;
using Virga.BitTorrent.Tests.Downloads;
using Virga.BitTorrent.Tests.Seeding;
using Virga.BitTorrent.Tests.Stock;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Utp;

/// <summary>Stock libtorrent 2.0, which is told to use no TCP, takes from us and gives to us.</summary>
[Trait("Needs", "server")]
public sealed class UtpStockTests : IDisposable
{
    /// <summary>Settings of libtorrent.</summary>
    private static readonly object UtpAlone = new
    {
        enable_outgoing_tcp = false, enable_incoming_tcp = false, enable_outgoing_utp = true,
        enable_incoming_utp = true,
    };

    private readonly string folder = Directory.CreateTempSubdirectory("virga-utp").FullName;

    /// <param name="encryption">2: in plain; 0: obfuscated handshakes alone.</param>
    [Theory]
    [InlineData(2)]
    [InlineData(0)]
    public async Task It_takes_from_us(int encryption)
    {
        var files = new Dictionary<string, byte[]> { ["film"] = Seeded.Bytes(20_000_001, 4) };
        await using var share = await SeededShare.CreateAsync(files, isFile: true);
        var result = await StockClient.LibtorrentAsync(
            $"magnet:?xt=urn:btmh:1220{share.Index.InfoHash}", folder,
            new { peers = new[] { share.Peer }, encryption, settings = UtpAlone });

        Assert.Equal(0, result.GetProperty("failed").GetInt64());
        ServingTests.Compare(files, folder);
        Assert.Empty(share.Log);
    }

    [Theory]
    [InlineData("v1", true)]
    [InlineData("v2", false)]
    public async Task It_gives_to_us(string kind, bool isMagnet)
    {
        using var seeder = await StockSeeder.StartAsync(
            new { kind, piece = 256 << 10, settings = UtpAlone }, ("single.bin", 20_000_001));
        await using var utp = UtpPlace.Open(new IPEndPoint(IPAddress.Loopback, 0));

        await Download.RunAsync([seeder], isMagnet, isInSequence: false, utp: utp.Node);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
