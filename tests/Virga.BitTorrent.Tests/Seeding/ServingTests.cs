using Virga.Accounts;
using Virga.BitTorrent.Tests.Stock;
using Virga.Content.Torrents;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Seeding;

/// <summary>Stock libtorrent 2.0 takes our public shares from us.</summary>
[Trait("Needs", "server")]
public sealed class ServingTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("virga-serving").FullName;

    public static readonly IReadOnlyDictionary<string, byte[]> Files = new Dictionary<string, byte[]>
    {
        ["large.bin"] = Seeded.Bytes((3 << 20) + 12_345, 1),
        ["empty"] = [],
        ["folder/one byte"] = [7],
        ["folder/a piece"] = Seeded.Bytes(64 << 10, 2),
        ["folder/below/odd"] = Seeded.Bytes(100_001, 3),
    };

    [Theory]
    [InlineData(PinStrength.Strong)]
    [InlineData(PinStrength.Weak)]
    public async Task With_nothing_but_the_magnet_link_it_gets_every_file(PinStrength pin)
    {
        await using var share = await SeededShare.CreateAsync(Files, pin: pin);
        var result = await StockClient.LibtorrentAsync(
            $"magnet:?xt=urn:btmh:1220{share.Index.InfoHash}", folder, new { peers = new[] { share.Peer } });
        Assert.Equal(0, result.GetProperty("failed").GetInt64());
        Compare(Files, Path.Combine(folder, "data"));
        Assert.Empty(share.Log);
    }

    [Fact]
    public async Task With_the_torrent_it_gets_a_single_file()
    {
        var files = new Dictionary<string, byte[]> { ["film"] = Seeded.Bytes(5_000_000, 4) };
        await using var share = await SeededShare.CreateAsync(files, isFile: true);
        var torrent = Path.Combine(folder, "film.torrent");
        await File.WriteAllBytesAsync(torrent, Torrent.Write(share.Index.Info, share.Index.Layers, []));
        await StockClient.LibtorrentAsync(torrent, folder, new { peers = new[] { share.Peer } });
        Compare(files, folder);
    }

    /// <param name="encryption">pe_forced: nothing is tried in plain.</param>
    /// <param name="level">What it goes on with: plain text behind the handshake, RC4, either.</param>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(0, 3)]
    public async Task A_client_that_speaks_obfuscated_alone_is_understood(int encryption, int level)
    {
        var files = new Dictionary<string, byte[]> { ["film"] = Seeded.Bytes(3_000_000, 4) };
        await using var share = await SeededShare.CreateAsync(files, isFile: true);
        await StockClient.LibtorrentAsync(
            $"magnet:?xt=urn:btmh:1220{share.Index.InfoHash}", folder,
            new { peers = new[] { share.Peer }, encryption, level });
        Compare(files, folder);
        Assert.Empty(share.Log);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    internal static void Compare(IReadOnlyDictionary<string, byte[]> files, string folder)
    {
        foreach (var (path, content) in files)
            Assert.True(content.AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(folder, path))), path);
    }
}
