using Virga.Accounts;
using Virga.Core;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>Whole files: replacing, limits, times, marks, links and many at once.</summary>
public abstract partial class AccountConformance
{
    private static readonly DateTimeOffset SomeTime = new(2021, 3, 4, 5, 6, 7, TimeSpan.Zero);

    [Fact]
    public async Task A_written_file_replaces_the_one_before()
    {
        await WriteAsync("file", Bytes(5000, seed: 1));
        await WriteAsync("file", Bytes(10, seed: 2));
        await AssertContentAsync("file", Bytes(10, seed: 2));
        await WriteAsync("file", default);
        await AssertContentAsync("file", default);
        await WriteAsync("file", Bytes(7000, seed: 3));
        await AssertContentAsync("file", Bytes(7000, seed: 3));
        Assert.Single(await ListAsync(EntryPath.Root));
    }

    [Fact]
    public async Task The_longest_single_write_is_taken_and_a_longer_one_refused()
    {
        Assert.True(Traits.SingleWriteBytesMax <= 64 << 20, "a single write is held in memory: declare at most 64 MiB");
        var content = Bytes(Traits.SingleWriteBytesMax + 1);
        Assert.Equal(content.Length - 1, (await WriteAsync("longest", content.AsMemory(0, content.Length - 1))).Length);
        await AssertContentAsync("longest", content.AsMemory(0, content.Length - 1));
        await FailsAsync(() => WriteAsync("longer", content), FailureKind.BadInput);
        await AssertNothingAsync("longer");
    }

    [Fact]
    public async Task Writing_makes_the_folders_that_are_missing()
    {
        await WriteAsync("a/b/c/file", Bytes(3));
        Assert.Equal(EntryKind.Folder, (await StatExistingAsync("a")).Kind);
        Assert.Equal(EntryKind.Folder, (await StatExistingAsync("a/b/c")).Kind);
        Assert.Equal(Path("a/b"), Assert.Single(await ListAsync("a")).Path);
        await AssertContentAsync("a/b/c/file", Bytes(3));
    }

    [Fact]
    public async Task The_time_of_change_is_kept_or_known()
    {
        var options = new WriteOptions(SomeTime);
        var written = await WriteAsync("file", Bytes(3), options);
        await UploadAsync("uploaded", Bytes(100), options);
        var listed = Traits.ListsMetadata ? await ListAsync("") : [];
        foreach (var entry in new[] {
            written, await StatExistingAsync("file"), await StatExistingAsync("uploaded") }.Concat(listed))
        {
            if (Traits.KeepsModified) Assert.Equal(SomeTime, entry.Modified);
            else Assert.True(
                entry.Modified is null || entry.Modified > new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero));
        }
    }

    [Fact]
    public async Task The_executable_mark_is_kept_where_the_account_knows_of_it()
    {
        var options = new WriteOptions(IsExecutable: true);
        Assert.Equal(Traits.KeepsExecutable, (await WriteAsync("run", Bytes(3), options)).IsExecutable);
        Assert.Equal(Traits.KeepsExecutable, (await UploadAsync("run2", Bytes(100), options)).IsExecutable);
        await WriteAsync("plain", Bytes(3));
        Assert.Equal(Traits.KeepsExecutable, (await StatExistingAsync("run")).IsExecutable);
        Assert.Equal(Traits.KeepsExecutable, (await StatExistingAsync("run2")).IsExecutable);
        Assert.False((await StatExistingAsync("plain")).IsExecutable);
        await WriteAsync("run", Bytes(3));
        Assert.False((await StatExistingAsync("run")).IsExecutable);
    }

    [Fact]
    public async Task A_file_is_not_written_over_a_folder_nor_below_a_file()
    {
        if (!Traits.KeepsEmptyFolders || !Traits.KeepsFilesAndFoldersApart) return;
        await WriteAsync("folder/file", Bytes(3));
        await FailsAsync(() => WriteAsync("folder", Bytes(4)), FailureKind.Conflict, FailureKind.BadInput);
        await FailsAsync(() => WriteAsync("folder/file/below", Bytes(4)), FailureKind.Conflict, FailureKind.BadInput);
        await AssertContentAsync("folder/file", Bytes(3));
    }

    [Fact]
    public async Task The_root_can_not_be_written_deleted_or_moved()
    {
        await WriteAsync("file", Bytes(3));
        await FailsAsync(() => WriteAsync("", Bytes(3)), FailureKind.BadInput);
        await FailsAsync(async () => await Account.DeleteAsync(EntryPath.Root, default), FailureKind.BadInput);
        await FailsAsync(async () => await Account.MoveAsync(EntryPath.Root, Path("x"), default), FailureKind.BadInput);
        await FailsAsync(
            async () => await Account.MoveAsync(Path("file"), EntryPath.Root, default), FailureKind.BadInput);
        await AssertContentAsync("file", Bytes(3));
    }

    [Fact]
    public async Task Many_files_are_written_and_deleted_at_once()
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = Traits.MaxConcurrency };
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 60),
            options,
            async (i, _) => await WriteAsync($"d{i % 7}/deep/f{i}", Bytes(i, seed: i)));
        for (var i = 0; i < 60; i++) await AssertContentAsync($"d{i % 7}/deep/f{i}", Bytes(i, seed: i));
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 60),
            options,
            async (i, token) => await Account.DeleteAsync(Path($"d{i % 7}/deep/f{i}"), token));
        Assert.DoesNotContain(await WalkAllAsync(EntryPath.Root), entry => entry.Kind != EntryKind.Folder);
    }

    [Fact]
    public async Task Writers_of_one_file_leave_one_of_their_contents()
    {
        var contents = Enumerable.Range(0, 8).Select(i => Bytes(50_000 + i, seed: i)).ToArray();
        await Parallel.ForEachAsync(contents, async (content, _) => await WriteAsync("file", content));
        var left = await ReadAllAsync("file");
        Assert.Contains(contents, content => content.AsSpan().SequenceEqual(left));
        Assert.Single(await ListAsync(EntryPath.Root));
    }

    [Fact]
    public async Task Another_account_object_sees_what_was_written()
    {
        var written = await WriteAsync("folder/file", Bytes(100));
        var other = await OpenAnotherAsync();
        AssertSame(written, Assert.IsType<Entry>(await other.StatAsync(written.Path, CancellationToken.None)));
        Assert.Equal(Bytes(100), await ReadAsync(other, written.Path, new ByteRange(0, 100), written.Version));
    }

    [Fact]
    public async Task Symlinks_are_kept_as_they_are_and_never_followed()
    {
        if (Account.Find<ISymlinks>() is not { } symlinks) return;
        await WriteAsync("folder/file", Bytes(3));
        foreach (var (path, target) in new[] {
            ("to-file", "folder/file"), ("to-folder", "folder"), ("dangling", "nowhere/ü x"),
            ("up", "../../../etc/passwd"), ("abs", "/etc") })
        {
            await symlinks.CreateSymlinkAsync(Path(path), target, CancellationToken.None);
            var entry = await StatExistingAsync(path);
            Assert.Equal((EntryKind.Symlink, target, 0), (entry.Kind, entry.LinkTarget, entry.Length));
            Assert.Equal(entry, Assert.Single(await ListAsync(EntryPath.Root), e => e.Path == Path(path)));
            await FailsAsync(
                () => ReadAsync(path, 0, 1), FailureKind.NotFound, FailureKind.BadInput, FailureKind.Denied);
        }
        Assert.Null(await StatAsync("to-folder/file"));
        await FailsAsync(
            () => ReadAsync("to-folder/file", 0, 1), FailureKind.NotFound, FailureKind.BadInput, FailureKind.Denied);
        await symlinks.CreateSymlinkAsync(Path("to-file"), "other", CancellationToken.None);
        Assert.Equal("other", (await StatExistingAsync("to-file")).LinkTarget);
        await Account.DeleteAsync(Path("to-folder"), CancellationToken.None);
        await AssertNothingAsync("to-folder");
        await AssertContentAsync("folder/file", Bytes(3));
        await WriteAsync("dangling", Bytes(5));
        Assert.Equal(EntryKind.File, (await StatExistingAsync("dangling")).Kind);
        await AssertContentAsync("dangling", Bytes(5));
    }

    [Fact]
    public async Task Space_is_told_where_the_account_knows_it()
    {
        if (Account.Find<IReportsSpace>() is not { } reports) return;
        var space = await reports.GetSpaceAsync(CancellationToken.None);
        Assert.True(space.UsedBytes is null or >= 0);
        Assert.True(space.FreeBytes is null or >= 0);
    }

    protected async Task<List<Entry>> WalkAllAsync(EntryPath folder)
    {
        var entries = new List<Entry>();
        await foreach (var entry in Account.WalkAsync(folder)) entries.Add(entry);
        return entries;
    }
}
