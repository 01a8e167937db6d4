using System.Text;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Merkle;
using Virga.Testing;

namespace Virga.Content.Tests.Torrents;

public class TorrentTests
{
    public static TheoryData<string> Seeds() =>
        ["libtorrent-torrents/v2_symlinks.torrent", "libtorrent-torrents/empty-files-2.torrent",
            "libtorrent-torrents/symlink2.torrent",
            "libtorrent-torrents/url_seed_multi.torrent", "libtorrent-torrents/duplicate_files.torrent",
            "webtorrent-fixtures/lots-of-numbers.torrent"];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Mutations_end_in_safe_names_or_a_refusal(string file)
    {
        var good = File.ReadAllBytes(VectorFiles.Folder(file));
        // Hashes are most of a long torrent; its start holds what is parsed.
        if (good.Length > 4000) good = Shorter(good);
        Torture.Parse(good, bytes => AssertSafe(Torrent.Parse(bytes).Info), file.Length, 5_000);
    }

    [Theory]
    [InlineData("", "_")]
    [InlineData(".", null)]
    [InlineData("..", null)]
    [InlineData("...", "...")]
    [InlineData("/", null)]
    [InlineData("../..", "....")]
    [InlineData("\\..\\", null)]
    [InlineData("a/b", "ab")]
    [InlineData("a\\b", "ab")]
    [InlineData("a\u0000b", "ab")]
    [InlineData("a\u0007b", "a_b")]
    [InlineData("evil\u202egpj.exe", "evilgpj.exe")]
    [InlineData("caf\u00e9 \U0001f327", "caf\u00e9 \U0001f327")]
    public void Names_become_safe(string name, string? safe) =>
        Assert.Equal(safe, SafeNames.Clean(Encoding.UTF8.GetBytes(name)));

    [Fact]
    public void Bytes_that_are_no_text_become_underscores() =>
        Assert.Equal("a_b", SafeNames.Clean([(byte)'a', 0xff, (byte)'b']));

    [Fact]
    public void Paths_that_collide_are_told_apart()
    {
        TorrentFile File(string path) => new(path.Split('/'), 1, null);
        var files = new List<TorrentFile> { File("a/b.txt"), File("A/B.TXT"), File("a/b.1.txt"), File("a/b.txt"),
            File("a"), File("c/a"), File("c") };
        SafeNames.TellDoublesApart(files);
        Assert.Equal(["a/b.txt", "A/B.1.TXT", "a/b.1.1.txt", "a/b.2.txt", "a.1", "c/a", "c.1"],
            files.Select(file => string.Join('/', file.Path)));
    }

    [Fact]
    public void Paths_far_longer_than_the_torrent_are_refused()
    {
        // 90 nested folders with long names, and very many tiny files in the innermost.
        var text = new StringBuilder("d9:file tree");
        var name = new string('n', 4000);
        for (var i = 0; i < 90; i++) text.Append('d').Append("4000:").Append(name);
        text.Append('d');
        for (var i = 0; i < 20_000; i++) text.Append($"5:{i:d5}d0:d6:lengthi0eee");
        text.Append('e', 91);
        text.Append("12:meta versioni2e4:name1:x12:piece lengthi65536ee");
        var bytes = Encoding.ASCII.GetBytes(text.ToString());
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<VirgaException>(() => TorrentInfo.Parse(bytes));
        Assert.Throws<VirgaException>(() => TorrentInfo.ParseShare(bytes));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 200 << 20);
    }

    [Fact]
    public void What_we_write_we_read()
    {
        var blob = Sample.Array(1, 300_000);
        var hasher = new BlobHasher(65_536);
        hasher.Append(blob);
        var (name, layer) = hasher.Finish();
        var info = TorrentInfo.Create("n", 65_536, [new(["a", "b"], blob.Length, name.Root, IsExecutable: true),
            new(["a.b"], 0, null), new(["a", "c"], 0, null, SymlinkTarget: ["b"])], false);
        Assert.Equal(["a/b", "a/c", "a.b"], info.Files.Select(file => string.Join('/', file.Path)));
        var layers = PieceLayers.Create([new(name.Root, layer)]);
        var torrent = Torrent.Parse(Torrent.Write(info, layers, ["https://seed.example/"]));
        Assert.Equal(info.InfoHashV2, torrent.Info.InfoHashV2);
        Assert.Null(torrent.Info.InfoHashV1);
        Assert.Equal(layer, torrent.Layers[name.Root].ToArray());
        Assert.Equal(["https://seed.example/"], torrent.WebSeeds);
        Assert.True(torrent.Info.Files[0].IsExecutable);
    }

    private static void AssertSafe(TorrentInfo info)
    {
        Assert.DoesNotContain('/', info.Name);
        foreach (var name in info.Files.SelectMany(file => file.Path.Concat(file.SymlinkTarget ?? []))
            .Append(info.Name))
            Assert.True(name.Length > 0 && name is not ("." or "..") && name.AsSpan().IndexOfAny('/', '\\', '\0') < 0,
                name);
        Assert.Equal(info.Files.Count(file => !file.IsPadding), info.Files.Where(file => !file.IsPadding)
            .Select(file => string.Join('/', file.Path)).Distinct().Count());
    }

    private static byte[] Shorter(byte[] torrent)
    {
        var at = torrent.AsSpan().IndexOf("12:piece layers"u8);
        return at < 0 ? torrent : [.. torrent[..at], (byte)'e'];
    }
}
