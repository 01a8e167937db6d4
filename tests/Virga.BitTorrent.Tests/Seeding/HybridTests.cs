using System.Security.Cryptography;
using Virga.BitTorrent.Tests.Stock;
using Virga.Content.Torrents;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Seeding;

/// <summary>Hybrid torrents of our shares, for clients that know no v2.</summary>
[Trait("Needs", "server")]
public sealed class HybridTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("virga-hybrid").FullName;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_is_byte_for_byte_the_one_that_libtorrent_makes(bool isFile)
    {
        var files = isFile ? new Dictionary<string, byte[]> { ["film"] = Seeded.Bytes(200_001, 4) }
            : ServingTests.Files;
        await using var share = await SeededShare.CreateAsync(files, isFile, hasV1: true);
        var top = Path.Combine(folder, isFile ? "" : "data");
        foreach (var (path, content) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(top, path))!);
            await File.WriteAllBytesAsync(Path.Combine(top, path), content);
        }
        var info = HybridTorrent.Create(share.Index);
        var theirs = await StockClient.LibtorrentMakeAsync(
            isFile ? Path.Combine(top, "film") : top, info.PieceBytes);
        Assert.Equal(theirs, Convert.ToHexStringLower(SHA256.HashData(info.Raw.Span)));
        Assert.NotEqual(share.Index.InfoHash, info.InfoHashV2);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task A_client_gets_it_by_either_hash(bool v1, bool v2)
    {
        await using var share = await SeededShare.CreateAsync(ServingTests.Files, hasV1: true);
        var info = HybridTorrent.Create(share.Index);
        share.Serve(info);
        var hashes = new List<string>();
        if (v1) hashes.Add($"xt=urn:btih:{Convert.ToHexStringLower(info.InfoHashV1!)}");
        if (v2) hashes.Add($"xt=urn:btmh:1220{info.InfoHashV2}");
        await StockClient.LibtorrentAsync(
            $"magnet:?{string.Join('&', hashes)}", folder, new { peers = new[] { share.Peer } });
        ServingTests.Compare(ServingTests.Files, Path.Combine(folder, "data"));
        Assert.Empty(share.Log);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
