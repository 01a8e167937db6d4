using Virga.Accounts;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Merkle;
using Virga.Testing;

namespace Virga.Content.Tests.Snapshots;

public class SnapshotTests
{
    private static readonly int[] Lengths = [1, 65_519, 65_520, 65_521, 65_535, 65_536, 65_537, 131_072, 200_000,
        1 << 20, (1 << 20) + 1, 3_000_000];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_blob_is_what_hashing_its_whole_form_gives(bool isPrivate)
    {
        var scene = new Scene();
        foreach (var length in Lengths) await scene.WriteAsync($"f/{length}", length, length);
        var index = (await scene.ShareAsync("f", isPrivate)).Index;
        var content = Scene.Open(index);
        Assert.Equal(Lengths.Length, content.Files.Count);
        foreach (var file in content.Files)
        {
            var plain = Sample.Array((int)file.Entry.Size, (int)file.Entry.Size);
            var form = isPrivate ? Seal(plain, file.FileKey!.Value, file.Nonce!.Value.Span) : plain;
            Assert.Equal(new BlobName(MerkleTree.Root(form), form.Length), file.Blob);
            var hasher = new BlobHasher(content.PieceBytes);
            hasher.Append(form);
            Assert.Equal(hasher.Finish().PieceLayer, file.PieceLayer.ToArray());
        }
    }

    [Fact]
    public async Task Sharing_reads_each_byte_once()
    {
        var scene = new Scene();
        foreach (var length in Lengths) await scene.WriteAsync($"f/{length}", length, length);
        await scene.WriteAsync("f/empty", []);
        var result = await scene.ShareAsync("f");
        Assert.Equal(Lengths.Sum(length => (long)length), scene.Account.TotalRead);
        Assert.Equal(new SnapshotProgress(Lengths.Length + 1, Lengths.Length + 1, 0, scene.Account.TotalRead),
            result.Totals);
    }

    [Fact]
    public async Task Everything_of_a_folder_is_kept()
    {
        var scene = new Scene();
        var modified = new DateTimeOffset(2001, 2, 3, 4, 5, 6, TimeSpan.Zero).AddTicks(1234567);
        await scene.WriteAsync("f/a", [1], isExecutable: true, modified);
        await scene.WriteAsync("f/a.txt", [2]);
        await scene.WriteAsync("f/sub/a", [3]);
        await scene.WriteAsync("f/sub/empty", [], modified: modified);
        string[] odd = ["\u0001", " lead", "trail ", "dot.", "-rf", "a\nb", "back\\slash", "\u00e9", "e\u0301",
            "\U0001f327", "\uffee", "\u202eright", "%41", "\"'", "*?", new string('n', 250)];
        foreach (var name in odd) await scene.WriteAsync($"f/odd/{name}", System.Text.Encoding.UTF8.GetBytes(name));
        await scene.Direct.CreateFolderAsync(EntryPath.Parse("f/hollow/inner"), default);
        foreach (var (path, target) in Links) await scene.LinkAsync($"f/{path}", target);

        var result = await scene.ShareAsync("f");
        Assert.Empty(result.Skipped);
        var entries = Scene.Open(result.Index).Manifest.Entries.ToDictionary(entry => entry.Path.Value);
        Assert.Equal(
            entries.Keys.OrderBy(path =>
            Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(path)), StringComparer.Ordinal),
            result.Index.Manifest.Entries.Select(entry => entry.Path.Value));
        Assert.True(entries["a"].IsExecutable);
        Assert.Equal(981173106_123456700, entries["a"].ModifiedNs);
        Assert.False(entries["a.txt"].IsExecutable);
        Assert.Null(entries["sub/empty"].Root);
        Assert.Equal(981173106_123456700, entries["sub/empty"].ModifiedNs);
        Assert.All(odd, name => Assert.Equal(EntryKind.File, entries[$"odd/{name}"].Kind));
        Assert.Equal(EntryKind.Folder, entries["hollow/inner"].Kind);
        Assert.All(Links, link => Assert.Equal(link.Target, entries[link.Path].LinkTarget));
        Assert.Equal(odd.Length + 4, Scene.Open(result.Index).Files.Count);
    }

    private static readonly (string Path, string Target)[] Links =
        [("in", "sub/a"), ("sub/up", "../a"), ("out", "../../etc/passwd"), ("abs", "/etc/passwd"),
            ("dangling", "nothing"), ("loop", "loop"), ("self", "."), ("folder", "sub")];

    [Fact]
    public async Task A_public_share_leaves_out_links_that_lead_outside_and_says_so()
    {
        var scene = new Scene();
        await scene.WriteAsync("f/sub/a", [3]);
        foreach (var (path, target) in Links) await scene.LinkAsync($"f/{path}", target);
        var result = await scene.ShareAsync("f", isPrivate: false);
        Assert.Equal(["abs", "out"], result.Skipped.Select(skipped => skipped.Path).Order());
        var entries = Scene.Open(result.Index).Manifest.Entries;
        Assert.Equal(["dangling", "folder", "in", "loop", "self", "sub/up"],
            entries.Where(entry => entry.Kind == EntryKind.Symlink).Select(entry => entry.Path.Value));
    }

    [Fact]
    public async Task A_single_file_is_a_share_of_one_entry()
    {
        var scene = new Scene();
        await scene.WriteAsync("some/where/file.bin", 100_000);
        var open = (await scene.ShareAsync("some/where/file.bin", isPrivate: false)).Index;
        Assert.True(open.Info.IsSingleFile);
        Assert.Equal("file.bin", open.Info.Name);
        var file = Assert.Single(Scene.Open(open).Files);
        Assert.Equal("file.bin", file.Entry.Path.Value);

        var first = (await scene.ShareAsync("some/where/file.bin")).Index;
        Assert.Equal("file.bin", Assert.Single(Scene.Open(first).Files).Entry.Path.Value);
        scene.Account.Forget();
        var second = (await scene.ShareAsync("some/where/file.bin", previous: first)).Index;
        Assert.Equal(0, scene.Account.TotalRead);
        Assert.Equal(first.Blobs[0].Blob, second.Blobs[0].Blob);
    }

    [Fact]
    public async Task Empty_folders_and_files_can_be_shared_privately_but_not_as_torrents()
    {
        var scene = new Scene();
        await scene.Direct.CreateFolderAsync(EntryPath.Parse("hollow"), default);
        await scene.WriteAsync("void", []);
        Assert.Empty(Scene.Open((await scene.ShareAsync("hollow")).Index).Manifest.Entries);
        Assert.Null(Assert.Single(Scene.Open((await scene.ShareAsync("void")).Index).Files).Blob);
        foreach (var path in (string[])["hollow", "void"])
        {
            var failure = await Assert.ThrowsAsync<VirgaException>(() => scene.ShareAsync(path, isPrivate: false));
            Assert.Equal(FailureKind.BadInput, failure.Kind);
            Assert.NotNull(failure.Advice);
        }
    }

    [Fact]
    public async Task What_is_not_there_or_is_a_link_is_refused_by_name()
    {
        var scene = new Scene();
        await scene.LinkAsync("link", "void");
        Assert.Equal(FailureKind.NotFound, (await Assert.ThrowsAsync<VirgaException>(() => scene.ShareAsync("nothing")))
            .Kind);
        var link = await Assert.ThrowsAsync<VirgaException>(() => scene.ShareAsync("link"));
        Assert.Equal(FailureKind.BadInput, link.Kind);
        Assert.Contains("'link'", link.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_private_torrent_tells_no_name()
    {
        var scene = new Scene();
        await scene.WriteAsync("secret-folder/secret-name", 70_000);
        var index = (await scene.ShareAsync("secret-folder")).Index;
        Assert.Equal("virga", index.Info.Name);
        Assert.Equal(["00000000", "00000001"], index.Info.Files.Select(file => Assert.Single(file.Path)));
        foreach (
            var handedOut in (byte[][])[index.Info.Raw.ToArray(), index.Layers.Encode(),
            index.SealedManifest!.Value.ToArray()])
            Assert.Equal(-1, handedOut.AsSpan().IndexOf("secret"u8));
    }

    [Fact]
    public async Task Five_thousand_small_files_are_each_kept()
    {
        var scene = new Scene();
        for (var i = 0; i < 5000; i++) await scene.WriteAsync($"f/{i % 70}/{i}", 40 + (i % 500), i);
        var result = await scene.ShareAsync("f");
        var content = Scene.Open(result.Index);
        Assert.Equal(5000, content.Files.Count);
        Assert.Equal(5001, content.Info.Files.Count);
        Assert.Equal(5000, content.Files.Select(file => file.Blob).Distinct().Count());
        for (var i = 0; i < content.Files.Count; i += 250)
        {
            var file = content.Files[i];
            var plain = Sample.Array(int.Parse(file.Entry.Path.Name), (int)file.Entry.Size);
            Assert.Equal(file.Blob!.Value.Root,
                MerkleTree.Root(Seal(plain, file.FileKey!.Value, file.Nonce!.Value.Span)));
        }
    }

    [Fact]
    public async Task A_file_on_disk_that_keeps_changing_is_named()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "busy.log");
        await File.WriteAllBytesAsync(path, Sample.Array(1, 3_000_000));
        await using var disk = await Scene.DiskAsync(folder.Path);
        var account = new CountingAccount(disk)
        {
            OnRead = _ =>
            {
                using var file = File.Open(path, FileMode.Append);
                file.Write([1, 2, 3]);
            },
        };
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var failure = await Assert.ThrowsAsync<VirgaException>(() =>
            snapshotter.CreateAsync(account, EntryPath.Root, Scene.Options(true), null, default));
        Assert.Equal(FailureKind.Changed, failure.Kind);
        Assert.Contains("'busy.log'", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.Advice);
        Assert.Equal(3, account.Reads);
    }

    [Fact]
    public async Task A_file_on_disk_that_changes_once_is_shared_as_it_then_is()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "file");
        await File.WriteAllBytesAsync(path, Sample.Array(1, 3_000_000));
        await using var disk = await Scene.DiskAsync(folder.Path);
        var changes = 0;
        var account = new CountingAccount(disk)
        {
            OnRead = _ =>
            {
                if (Interlocked.Increment(ref changes) == 1) File.WriteAllBytes(path, Sample.Array(2, 200_000));
            },
        };
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var index = (await snapshotter.CreateAsync(account, EntryPath.Root, Scene.Options(false), null, default)).Index;
        Assert.Equal(MerkleTree.Root(Sample.Array(2, 200_000)), Assert.Single(index.Blobs).Blob.Root);
        Assert.Equal("share", index.Info.Name);
    }

    [Fact]
    public async Task What_is_no_entry_is_reported()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "file"), "x");
        Directory.CreateDirectory(Path.Combine(folder.Path, "sub"));
        using var listener = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix,
            System.Net.Sockets.SocketType.Stream, 0);
        listener.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(folder.Path, "sub", "socket")));
        await using var disk = await Scene.DiskAsync(folder.Path);
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var result = await snapshotter.CreateAsync(disk, EntryPath.Root, Scene.Options(true), null, default);
        Assert.Equal("sub/socket", Assert.Single(result.Skipped).Path);
    }

    [Fact]
    public async Task Cancelling_ends_it()
    {
        var scene = new Scene();
        await scene.WriteAsync("f/a", 3_000_000);
        using var source = new CancellationTokenSource();
        scene.Account.OnRead = _ => source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            scene.Snapshotter.CreateAsync(scene.Account, EntryPath.Parse("f"), Scene.Options(true), null,
                source.Token));
    }

    private static byte[] Seal(byte[] plain, AgeFileKey key, ReadOnlySpan<byte> nonce) =>
        Sealing.Seal(plain, key, nonce);
}
