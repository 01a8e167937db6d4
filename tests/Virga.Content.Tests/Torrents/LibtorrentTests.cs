using System.Text;
using Virga.Accounts;
using Virga.Content.Snapshots;
using Virga.Content.Tests.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Testing;

namespace Virga.Content.Tests.Torrents;

/// <summary>
/// The same content in others' eyes: info-hashes and piece layers of our shares are those that libtorrent 2.0 computes.
/// </summary>
[Trait("Needs", "server")]
public class LibtorrentTests
{
    private const int Piece = 65_536;

    [Fact]
    public async Task Public_folders_have_the_info_dict_and_the_layers_that_libtorrent_makes()
    {
        using var folder = new TemporaryFolder();
        var top = Path.Combine(folder.Path, "the folder");
        foreach (var length in Lengths) Write(top, $"sizes/{length}", Sample.Array(length, length));
        foreach (var name in OddNames) Write(top, $"odd/{name}", Encoding.UTF8.GetBytes(name));
        foreach (var path in OrderedNames) Write(top, path, Encoding.UTF8.GetBytes(path));
        Write(top, "run.sh", [1, 2]);
        File.SetUnixFileMode(Path.Combine(top, "run.sh"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Directory.CreateDirectory(Path.Combine(top, "hollow", "inner"));
        foreach (var (path, target) in ((string, string)[])[
            ("link", "run.sh"), ("sizes/up", "../run.sh"), ("sizes/sibling", "1"), ("dots", "././run.sh"),
                ("slashes", "order//a/"), ("dangling", "nothing"), ("to-folder", "order"),
            ("self", "."), ("loop", "loop"), ("odd/\u00e9-link", "\U0001f327")])
            File.CreateSymbolicLink(Path.Combine(top, path), target);

        var index = await ShareAsync(folder.Path, "the folder");
        await AssertEqualAsync(top, index);
    }

    [Theory]
    [InlineData("file.bin", 1)]
    [InlineData("file.bin", 300_000)]
    [InlineData("\u00fcmlaut \U0001f327", 65_537)]
    public async Task Public_files_have_the_info_dict_and_the_layers_that_libtorrent_makes(string name, int length)
    {
        using var folder = new TemporaryFolder();
        Write(folder.Path, name, Sample.Array(7, length));
        await AssertEqualAsync(Path.Combine(folder.Path, name), await ShareAsync(folder.Path, name));
    }

    [Fact]
    public async Task A_longer_piece_length_gives_the_same_layers()
    {
        using var folder = new TemporaryFolder();
        var top = Path.Combine(folder.Path, "long");
        Write(top, "other", Sample.Array(3, 1_000_000));
        await using (var file = File.Create(Path.Combine(top, "hole")))
        {
            file.SetLength((256L << 20) + (5 << 16) + 3);
            file.Seek(-5, SeekOrigin.End);
            file.Write([1, 2, 3, 4, 5]);
        }
        var index = await ShareAsync(folder.Path, "long");
        Assert.Equal(2 * Piece, index.Info.PieceBytes);
        await AssertEqualAsync(top, index);
    }

    [Fact]
    public async Task Private_shares_are_torrents_of_their_sealed_blobs()
    {
        using var folder = new TemporaryFolder();
        foreach (var length in (int[])[0, 1, 65_503, 65_504, 65_505, 65_536, 65_537, 400_000])
            Write(folder.Path, $"in/{length}", Sample.Array(length, length));
        await using var disk = await Scene.DiskAsync(folder.Path);
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var index = (await snapshotter.CreateAsync(disk, EntryPath.Parse("in"), Scene.Options(true), null, default))
            .Index;
        var reader = new ShareReader(index, disk);
        foreach (var file in index.Info.Files)
            Write(Path.Combine(folder.Path, "virga"), Assert.Single(file.Path),
                await Scene.ReadAsync(reader, file.Root!.Value, 0, file.Length));
        await AssertEqualAsync(Path.Combine(folder.Path, "virga"), index);
    }

    [Fact]
    public async Task The_deepest_folders_that_we_write_are_taken()
    {
        using var folder = new TemporaryFolder();
        var deepest = string.Join('/', Enumerable.Repeat("d", ShareInfoFormat.NamesMax - 1));
        Write(folder.Path, $"top/{deepest}/file", [1]);
        File.CreateSymbolicLink(Path.Combine(folder.Path, "top", deepest, "link"), "file");
        Write(folder.Path, $"top/{deepest}/d/too-deep", [1]);
        await using var disk = await Scene.DiskAsync(folder.Path);
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var result = await snapshotter.CreateAsync(disk, EntryPath.Parse("top"), Scene.Options(false), null, default);
        Assert.Contains("too-deep",
            Assert.Single(result.Skipped, skipped => skipped.Path.EndsWith("deep", StringComparison.Ordinal)).Path,
            StringComparison.Ordinal);
        await AssertLoadsAsync(folder.Path, result.Index);
    }

    private static readonly int[] Lengths =
    [
        0, 1, 16_383, 16_384, 16_385, Piece - 1, Piece, Piece + 1, 2 * Piece, (3 * Piece) - 1, (5 * Piece) + 17,
        40 * Piece,
    ];

    /// <summary>Whose order by whole paths is not that by names.</summary>
    private static readonly string[] OrderedNames =
    [
        "order/a", "order/a-b", "order/a.txt", "order/a!/x", "order/aa/x", "order/B", "order/b/x", "order/b-/x",
        "order/b.x", ".hidden", "order/.x/y",
    ];

    private static readonly string[] OddNames =
    [
        "\u0001", " lead", "trail ", "dot.", "-rf", "a\nb", "back\\slash", "\u00e9", "e\u0301", "\U0001f327", "\uffee",
        "\u202eright", "%41", "\"'", "*?:|<>", new string('n', 250),
        string.Concat(Enumerable.Repeat("\u20ac", 85)), "~", "...", "CON", "x.torrent",
    ];

    private static async Task AssertEqualAsync(string path, OwnerIndex index)
    {
        var answer = (await Libtorrent.AskAsync($"make\t{path}\t{index.Info.PieceBytes}"))[0].Split(' ');
        Assert.Equal(Encoding.Latin1.GetString(Convert.FromHexString(answer[0])),
            Encoding.Latin1.GetString(index.Info.Raw.Span));
        Assert.Equal(answer[1], Convert.ToHexStringLower(index.Layers.Encode()));
        await AssertLoadsAsync(Path.GetDirectoryName(path)!, index);
    }

    /// <summary>libtorrent takes the torrent, and so does our own parser for others' torrents.</summary>
    private static async Task AssertLoadsAsync(string folder, OwnerIndex index)
    {
        var file = Path.Combine(folder, "share.torrent");
        await File.WriteAllBytesAsync(file, Torrent.Write(index.Info, index.Layers, []));
        Assert.Equal($"{index.InfoHash} {index.Info.Files.Count}",
            Assert.Single(await Libtorrent.AskAsync($"load\t{file}")));
        var torrent = Torrent.Parse(await File.ReadAllBytesAsync(file));
        Assert.Equal(index.InfoHash, torrent.Info.InfoHashV2);
        Assert.Equal(index.Layers.Encode(), torrent.Layers.Encode());
    }

    private static async Task<OwnerIndex> ShareAsync(string folder, string name)
    {
        await using var disk = await Scene.DiskAsync(folder);
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var result = await snapshotter.CreateAsync(disk, EntryPath.Parse(name), Scene.Options(false), null, default);
        Assert.Empty(result.Skipped);
        return result.Index;
    }

    private static void Write(string folder, string path, byte[] content)
    {
        var file = Path.Combine(folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, content);
    }
}
