using Virga.Accounts;
using Virga.Content.Snapshots;
using Virga.Testing;

namespace Virga.Content.Tests.Snapshots;

public class IncrementalTests
{
    [Theory]
    [InlineData(true, PinStrength.Strong)]
    [InlineData(false, PinStrength.Strong)]
    [InlineData(true, PinStrength.Weak)]
    [InlineData(false, PinStrength.Weak)]
    public async Task A_second_share_reads_only_what_changed(bool isPrivate, PinStrength pin)
    {
        var scene = await FolderAsync(pin);
        scene.Time.Advance(TimeSpan.FromSeconds(2));
        var first = (await scene.ShareAsync("f", isPrivate)).Index;
        scene.Account.Forget();
        var same = await scene.ShareAsync("f", isPrivate, Reloaded(first));
        Assert.Equal(0, scene.Account.TotalRead);
        Assert.Equal(new SnapshotProgress(4, 0, 4, 0), same.Totals);
        if (!isPrivate) Assert.Equal(first.InfoHash, same.Index.InfoHash);

        await scene.WriteAsync("f/b", 5_000, 22);
        await scene.WriteAsync("f/new", 7_000, 23);
        var second = (await scene.ShareAsync("f", isPrivate, Reloaded(first))).Index;
        Assert.Equal(12_000, scene.Account.TotalRead);
        Assert.Equal(Of(first, "f/a").Blob, Of(second, "f/a").Blob);
        Assert.NotEqual(Of(first, "f/b").Blob, Of(second, "f/b").Blob);
        var (before, after) = (Scene.Open(first), Scene.Open(second));
        Assert.Equal(before.Manifest.ShareIdentity?.Recipient, after.Manifest.ShareIdentity?.Recipient);
        Assert.Equal(before.Files[0].Entry.Header, after.Files[0].Entry.Header);
        Assert.Equal(before.Files[0].PieceLayer.ToArray(), after.Files[0].PieceLayer.ToArray());
        if (isPrivate) Assert.NotEqual(Of(first, "f/b").FileKey, Of(second, "f/b").FileKey);
    }

    [Fact]
    public async Task A_file_written_just_before_it_was_read_is_read_again_where_the_pin_is_weak()
    {
        var scene = await FolderAsync(PinStrength.Weak);
        var first = (await scene.ShareAsync("f")).Index;
        Assert.All(first.Blobs, blob => Assert.True(blob.IsRacy));
        scene.Account.Forget();
        scene.Time.Advance(TimeSpan.FromSeconds(5));
        var again = (await scene.ShareAsync("f", previous: Reloaded(first))).Index;
        Assert.Equal(230_000, scene.Account.TotalRead);
        // The same bytes under the same key: the same blobs.
        Assert.Equal(first.Blobs.Select(blob => blob.Blob), again.Blobs.Select(blob => blob.Blob));
        Assert.All(again.Blobs, blob => Assert.False(blob.IsRacy));
        scene.Account.Forget();
        await scene.ShareAsync("f", previous: Reloaded(again));
        Assert.Equal(0, scene.Account.TotalRead);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_silent_change_in_that_time_is_found_and_gets_a_new_key(bool isPrivate)
    {
        var scene = await FolderAsync(PinStrength.Weak);
        var first = (await scene.ShareAsync("f", isPrivate)).Index;
        scene.Store.ChangeSilently(EntryPath.Parse("f/a"), Sample.Array(99, 200_000));
        scene.Time.Advance(TimeSpan.FromSeconds(5));
        var second = (await scene.ShareAsync("f", isPrivate, Reloaded(first))).Index;
        Assert.NotEqual(Of(first, "f/a").Blob, Of(second, "f/a").Blob);
        if (isPrivate) Assert.NotEqual(Of(first, "f/a").FileKey, Of(second, "f/a").FileKey);
        Assert.Equal(Of(first, "f/b").Blob, Of(second, "f/b").Blob);
    }

    [Fact]
    public async Task New_keys_share_nothing_with_the_snapshot_before()
    {
        var scene = await FolderAsync(PinStrength.Strong);
        var first = (await scene.ShareAsync("f")).Index;
        var second = (await scene.ShareAsync("f", previous: first, newKeys: true)).Index;
        Assert.NotEqual(first.Manifest.ShareIdentity!.Recipient, second.Manifest.ShareIdentity!.Recipient);
        Assert.Empty(first.Blobs.Select(blob => blob.Blob).Intersect(second.Blobs.Select(blob => blob.Blob)));
        Assert.Empty(first.Blobs.Select(blob => blob.FileKey).Intersect(second.Blobs.Select(blob => blob.FileKey)));
    }

    [Fact]
    public async Task Another_audience_or_place_uses_nothing_of_the_snapshot_before()
    {
        var scene = await FolderAsync(PinStrength.Strong);
        var first = (await scene.ShareAsync("f")).Index;
        scene.Account.Forget();
        await scene.ShareAsync("f", isPrivate: false, first);
        Assert.Equal(230_000, scene.Account.TotalRead);
        scene.Account.Forget();
        await scene.ShareAsync("f/sub", previous: first);
        Assert.Equal(10_000, scene.Account.TotalRead);
    }

    [Fact]
    public async Task A_file_whose_mode_alone_changed_keeps_its_blob()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "file");
        await File.WriteAllBytesAsync(path, Sample.Array(1, 100_000));
        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await using var disk = await Scene.DiskAsync(folder.Path);
        var snapshotter = new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System);
        var first = (await snapshotter.CreateAsync(disk, EntryPath.Root, Scene.Options(true), null, default)).Index;
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var second = (await snapshotter.CreateAsync(disk, EntryPath.Root, Scene.Options(true, first), null, default))
            .Index;
        Assert.True(Scene.Open(second).Files[0].Entry.IsExecutable);
        Assert.False(Scene.Open(first).Files[0].Entry.IsExecutable);
    }

    private static OwnedBlob Of(OwnerIndex index, string path) => index.Blobs.Single(blob => blob.Path.Value == path);

    private static OwnerIndex Reloaded(OwnerIndex index) => OwnerIndex.Parse(index.Encode());

    private static async Task<Scene> FolderAsync(PinStrength pin)
    {
        var scene = new Scene(pin);
        await scene.WriteAsync("f/a", 200_000, 1);
        await scene.WriteAsync("f/b", 20_000, 2);
        await scene.WriteAsync("f/sub/c", 10_000, 3);
        await scene.WriteAsync("f/sub/empty", []);
        return scene;
    }
}
