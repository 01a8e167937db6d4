using Virga.Accounts;
using Virga.Content.Snapshots;
using Virga.Content.Tests.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Merkle;
using Virga.Testing;

namespace Virga.Content.Tests;

public class ShareContentTests
{
    [Fact]
    public async Task A_private_share_opens_for_its_readers_alone()
    {
        var index = await ShareAsync(isPrivate: true);
        var content = Scene.Open(index);
        Assert.True(content.IsPrivate);
        Assert.Equal(index.InfoHash, content.InfoHash);
        Assert.Equal(["a", "b", "empty"], content.Files.Select(file => file.Entry.Path.Value));
        Assert.Equal([0, 1, 2], content.Files.Select(file => file.Index));
        Assert.Null(content.Files[2].Blob);
        Assert.Equal(index.Blobs.Select(blob => blob.FileKey), content.Files.Take(2).Select(file => file.FileKey));
        var stranger = new AgeIdentity(Sample.Array(5, 32));
        var failure = Assert.Throws<VirgaException>(() => ShareContent.OpenPrivate(index.Info, index.Layers,
            index.SealedManifest!.Value, [stranger]));
        Assert.Equal(FailureKind.Denied, failure.Kind);
    }

    [Fact]
    public async Task A_public_share_opens_with_and_without_extras()
    {
        var index = await ShareAsync(isPrivate: false);
        var content = ShareContent.OpenPublic(index.Info, index.Layers, null);
        Assert.False(content.IsPrivate);
        Assert.Equal(["a", "b", "empty", "l"], content.Manifest.Entries.Select(entry => entry.Path.Value));
        Assert.All(content.Manifest.Entries, entry => Assert.Null(entry.ModifiedNs));
        Assert.All(content.Files, file => Assert.Null(file.FileKey));

        var agent = new AgentId(Sample.Hash(3));
        var body = ShareExtras.Encode(agent, index.InfoHash, index.Manifest);
        var (by, extras) = ShareExtras.Parse(body, index.InfoHash);
        Assert.Equal(agent, by);
        var full = ShareContent.OpenPublic(index.Info, index.Layers, extras);
        Assert.Equal(["a", "b", "empty", "hollow", "l"], full.Manifest.Entries.Select(entry => entry.Path.Value));
        Assert.NotNull(full.Manifest.Entries[0].ModifiedNs);
        Assert.Throws<VirgaException>(() => ShareExtras.Parse(body, Sample.Hash(1)));
        Assert.True(Torture.Parse(body, bytes => ShareExtras.Parse(bytes, index.InfoHash), 8) > 500);
    }

    [Fact]
    public async Task Extras_that_contradict_the_torrent_are_refused()
    {
        var index = await ShareAsync(isPrivate: false);
        var entries = index.Manifest.Entries;
        var contradictions = new List<IEnumerable<ManifestEntry>>
        {
            entries.Skip(1),
            entries.Take(2),
            entries.Append(new ManifestEntry(EntryPath.Parse("z"), EntryKind.File, 0, null, false, null, null, null)),
            entries.Select(entry => entry.Path.Value == "a" ? entry with { IsExecutable = true } : entry),
            entries.Select(entry => entry.Path.Value == "a" ? entry with { Size = entry.Size + 1 } : entry),
            entries.Select(entry => entry.Path.Value == "a" ? entry with { Root = Sample.Hash(8) } : entry),
            entries.Select(entry => entry.Path.Value == "a" ? entry with { Path = EntryPath.Parse("Z") } : entry)
            .OrderBy(entry => entry.Path),
            entries.Select(entry => entry.Kind == EntryKind.Symlink ? entry with { LinkTarget = "b" } : entry),
        };
        foreach (var extras in contradictions)
        {
            var failure = Assert.Throws<VirgaException>(() =>
                ShareContent.OpenPublic(index.Info, index.Layers, new Manifest(null, extras.ToList())));
            Assert.Equal(FailureKind.BadInput, failure.Kind);
        }
        // The same target, written in another way.
        var same = entries.Select(entry => entry.Kind == EntryKind.Symlink ? entry with { LinkTarget = "a//" } : entry)
            .ToList();
        _ = ShareContent.OpenPublic(index.Info, index.Layers, new Manifest(null, same));
    }

    [Fact]
    public async Task A_manifest_whose_blobs_are_not_those_of_the_torrent_is_refused()
    {
        var index = await ShareAsync(isPrivate: true);
        var entries = index.Manifest.Entries.ToList();
        var at = entries.FindIndex(entry => entry.Path.Value == "a");
        foreach (var wrong in (List<ManifestEntry>[])
        [
            With(entries, at, entries[at] with { Root = Sample.Hash(1) }),
            With(entries, at, entries[at] with { Size = entries[at].Size + 1 }),
            With(entries, at, entries[at] with { Size = 0, Root = null, Header = null, Nonce = null }),
            [.. entries, entries[at] with { Path = EntryPath.Parse("z"), Root = Sample.Hash(2) }],
        ])
        {
            var failure = Assert.Throws<VirgaException>(() =>
                Reopen(index, new Manifest(index.Manifest.ShareIdentity, wrong)));
            Assert.Equal(FailureKind.BadInput, failure.Kind);
        }
        // Two entries may be one blob.
        var twice = Reopen(index, new Manifest(index.Manifest.ShareIdentity,
            [.. entries, entries[at] with { Path = EntryPath.Parse("z") }]));
        Assert.Equal(4, twice.Files.Count);
        Assert.Throws<VirgaException>(() => Reopen(index, new Manifest(null, [])));
    }

    [Fact]
    public async Task Only_the_one_form_of_an_info_dict_is_a_share()
    {
        var index = await ShareAsync(isPrivate: false);
        var good = System.Text.Encoding.Latin1.GetString(index.Info.Raw.Span);
        Assert.Equal(index.Info.Raw.ToArray(), TorrentInfo.ParseShare(index.Info.Raw).Raw.ToArray());
        foreach (var (from, to) in ((string, string)[])[
            ("12:meta version", "7:comment1:x12:meta version"), ("12:meta versioni2e", "12:meta versioni1e"),
                ("12:meta versioni2e", ""),
            ("12:piece lengthi65536e", "12:piece lengthi16384e"),
            ("12:piece lengthi65536e", "12:piece lengthi16777216e"),
            ("12:piece lengthi65536e", "12:piece lengthi65537e"), ("4:name1:f", "4:name2:.."),
            ("4:name1:f", "4:name3:a/b"),
            ("4:attr2:xl", "4:attr1:l"), ("4:attr2:xl", "4:attr2:lx"), ("4:attr2:xl", ""),
            ("5:emptyd0:d6:lengthi0eee", "5:emptyd0:d5:mtimei1e6:lengthi0eee"),
            ("5:emptyd0:d6:lengthi0eee", "5:emptyde"), ("5:emptyd0:d6:lengthi0eee", "5:emptyd0:d6:lengthi1eee"),
            ("5:empty", "2:.."), ("5:empty", "3:a/b"),
            ("5:emptyd0:d6:lengthi0eee", "5:emptyd0:d6:lengthi0ee1:xd0:d6:lengthi0eeee")])
        {
            Assert.Contains(from, good, StringComparison.Ordinal);
            var bytes = System.Text.Encoding.Latin1.GetBytes(good.Replace(from, to, StringComparison.Ordinal));
            var failure = Assert.Throws<VirgaException>(() => TorrentInfo.ParseShare(bytes));
            Assert.Equal(FailureKind.BadInput, failure.Kind);
        }
        Assert.True(Torture.Parse(index.Info.Raw.ToArray(), bytes => TorrentInfo.ParseShare(bytes), 12) > 1000);
    }

    [Fact]
    public async Task Piece_layers_must_be_those_of_the_info()
    {
        var index = await ShareAsync(isPrivate: true);
        var encoded = index.Layers.Encode();
        var root = index.Blobs.Single(blob => blob.Path.Value == "f/a").Blob.Root;
        Assert.NotEqual(0, index.Layers[root].Length);
        Assert.Equal(encoded, PieceLayers.Parse(encoded, index.Info).Encode());
        foreach (var wrong in (IEnumerable<KeyValuePair<Hash256, byte[]>>[])
        [
            [],
            [new(root, index.Layers[root].ToArray()[32..])],
            [new(root, [.. index.Layers[root].Span, .. new byte[32]])],
            [new(root, Sample.Array(1, index.Layers[root].Length))],
            [new(root, index.Layers[root].ToArray()), new(Sample.Hash(2), new byte[64])],
        ])
        {
            var failure = Assert.Throws<VirgaException>(() =>
                PieceLayers.Parse(PieceLayers.Create(wrong).Encode(), index.Info));
            Assert.Equal(FailureKind.Corrupt, failure.Kind);
        }
        Assert.True(Torture.Parse(encoded, bytes => PieceLayers.Parse(bytes, index.Info), 3) > 1000);
    }

    [Fact]
    public async Task The_owners_index_is_read_as_it_was_written()
    {
        (bool, bool)[] cases = [(true, false), (true, true), (false, false), (false, true)];
        foreach (var (isPrivate, isServed) in cases)
        {
            var index = await ShareAsync(isPrivate);
            var bytes = index.Encode();
            Func<ReadOnlyMemory<byte>, OwnerIndex> parse = isServed ? OwnerIndex.ParseToServe : OwnerIndex.Parse;
            var read = parse(bytes);
            Assert.Equal(bytes, read.Encode());
            Assert.Equal(index.Manifest.Entries.Count, read.Manifest.Entries.Count);
            Assert.Equal(index.Blobs.Count, read.Blobs.Count);
            Assert.All(read.Blobs, blob => Assert.Equal(blob.Path, read.Find(blob.Blob.Root)!.Path));
            Assert.Null(read.Find(default));
            Assert.Equal(index.InfoHash, read.InfoHash);
            Assert.Equal(isPrivate, read.IsPrivate);
            Assert.Equal("f", read.SharedPath.Value);
            foreach (var (before, after) in index.Blobs.Zip(read.Blobs))
            {
                Assert.Equal(before with { Nonce = null, Tags = [] }, after with { Nonce = null, Tags = [] },
                    EqualityComparer<OwnedBlob>.Create(
                    (a, b) => a! with { Tags = b!.Tags } == b));
                Assert.Equal(before.Nonce, after.Nonce);
                Assert.Equal(before.Tags, after.Tags);
            }
            Assert.True(Torture.Parse(bytes, damaged => parse(damaged), 6, 500) > 100);
            Assert.Equal(FailureKind.Corrupt, Assert.Throws<VirgaException>(() => parse(bytes[..^1])).Kind);
        }
    }

    [Fact]
    public async Task What_is_known_of_a_large_file_is_read_from_the_index_once()
    {
        var scene = new Scene();
        await scene.WriteAsync("f/large", 10 << 20, 1);
        await scene.WriteAsync("f/small", 1000, 2);
        var read = OwnerIndex.ParseToServe((await scene.ShareAsync("f", isPrivate: true)).Index.Encode());
        foreach (var blob in read.Blobs)
            Assert.Equal(blob.Path.Name == "large", ReferenceEquals(blob, read.Find(blob.Blob.Root)));
    }

    [Fact]
    public async Task No_key_shows_in_a_text()
    {
        var index = await ShareAsync(isPrivate: true);
        var content = Scene.Open(index);
        var key = content.Files[0].FileKey!.Value.Value.ToString();
        foreach (
            var text in (string[])[content.Files[0].ToString(), index.Blobs[0].ToString(),
            content.Files[0].FileKey.ToString()!, content.Manifest.ShareIdentity!.ToString()!])
            Assert.DoesNotContain(key, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1, 64 << 10)]
    [InlineData(1, 1, 64 << 10)]
    [InlineData(256L << 20, 1, 64 << 10)]
    [InlineData((256L << 20) + 1, 1, 128 << 10)]
    [InlineData(1L << 30, 1, 256 << 10)]
    [InlineData(10L << 30, 1, 4 << 20)]
    [InlineData(1L << 40, 1, 8 << 20)]
    [InlineData(256L << 20, 512, 64 << 10)]
    [InlineData(256L << 20, 513, 128 << 10)]
    public void The_piece_length_follows_the_longest_blob_and_the_sum(long length, int count, int pieceBytes) =>
        Assert.Equal(pieceBytes, ContentLimits.PieceBytesFor(Enumerable.Repeat(length, count).ToList()));

    private static List<ManifestEntry> With(List<ManifestEntry> entries, int at, ManifestEntry entry) =>
        [.. entries[..at], entry, .. entries[(at + 1)..]];

    /// <summary>The share with another manifest in it, as a lying owner would make it.</summary>
    private static ShareContent Reopen(OwnerIndex index, Manifest manifest)
    {
        var sealedManifest = AgeFile.Seal(manifest.Encode(), [Scene.Reader.Recipient], Sample.Random(4));
        var first = new TorrentFile(["00000000"], sealedManifest.Length, MerkleTree.Root(sealedManifest));
        var info = TorrentInfo.Create("virga", index.Info.PieceBytes, [first, .. index.Info.Files.Skip(1)], false);
        return ShareContent.OpenPrivate(info, index.Layers, sealedManifest, [Scene.Reader]);
    }

    private static async Task<OwnerIndex> ShareAsync(bool isPrivate)
    {
        var scene = new Scene();
        await scene.WriteAsync("f/a", 200_000, 1);
        await scene.WriteAsync("f/b", 100, 2);
        await scene.WriteAsync("f/empty", []);
        if (!isPrivate) await scene.LinkAsync("f/l", "a");
        await scene.Direct.CreateFolderAsync(EntryPath.Parse(isPrivate ? "f" : "f/hollow"), default);
        return (await scene.ShareAsync("f", isPrivate)).Index;
    }
}
