using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Core;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>Folders, deleting, moving, listings of many pages, and calls that are cancelled.</summary>
public abstract partial class AccountConformance
{
    [Fact]
    public async Task Folders_list_only_what_lies_directly_in_them()
    {
        await WriteAsync("a", Bytes(1));
        await WriteAsync("b/c", Bytes(2));
        await WriteAsync("b/d/e", Bytes(3));
        await WriteAsync("bb/f", Bytes(4));
        Assert.Equal(["a", "b", "bb"], await NamesAsync(""));
        Assert.Equal(["b/c", "b/d"], await NamesAsync("b"));
        Assert.Equal(["b/d/e"], await NamesAsync("b/d"));
        var folder = Assert.Single(await ListAsync("b"), entry => entry.Path == Path("b/d"));
        Assert.Equal((EntryKind.Folder, 0L, (EntryVersion?)null), (folder.Kind, folder.Length, folder.Version));
        Assert.Equal(["a", "b", "b/c", "b/d", "b/d/e", "bb", "bb/f"], await WalkNamesAsync(EntryPath.Root));
        Assert.Equal(["b/c", "b/d", "b/d/e"], await WalkNamesAsync(Path("b")));
    }

    [Fact]
    public async Task Empty_folders_are_kept_where_the_traits_say_so()
    {
        await Account.CreateFolderAsync(Path("x/y/z"), CancellationToken.None);
        await Account.CreateFolderAsync(Path("x/y/z"), CancellationToken.None);
        await Account.CreateFolderAsync(EntryPath.Root, CancellationToken.None);
        if (Traits.KeepsEmptyFolders)
        {
            Assert.Equal(EntryKind.Folder, (await StatExistingAsync("x/y/z")).Kind);
            Assert.Empty(await ListAsync("x/y/z"));
            Assert.Equal(["x", "x/y", "x/y/z"], await WalkNamesAsync(EntryPath.Root));
        }
        await WriteAsync("x/y/z/file", Bytes(3));
        await Account.CreateFolderAsync(Path("x/y/z"), CancellationToken.None);
        Assert.Equal(["x/y/z/file"], await NamesAsync("x/y/z"));
    }

    [Fact]
    public async Task A_folder_is_not_made_where_a_file_is()
    {
        if (!Traits.KeepsEmptyFolders || !Traits.KeepsFilesAndFoldersApart) return;
        await WriteAsync("file", Bytes(3));
        await FailsAsync(
            async () => await Account.CreateFolderAsync(Path("file"), default),
            FailureKind.Conflict,
            FailureKind.BadInput);
        await FailsAsync(
            async () => await Account.CreateFolderAsync(Path("file/below"), default),
            FailureKind.Conflict,
            FailureKind.BadInput);
        await AssertContentAsync("file", Bytes(3));
    }

    [Fact]
    public async Task Listing_a_folder_that_is_not_there_is_not_found()
    {
        if (Traits.KeepsEmptyFolders) await FailsAsync(() => ListAsync("nothing/here"), FailureKind.NotFound);
        else Assert.Empty(await ListOrEmptyAsync(Path("nothing/here")));
    }

    [Fact]
    public async Task Files_and_empty_folders_are_deleted_and_full_ones_are_not()
    {
        await WriteAsync("folder/file", Bytes(3));
        await WriteAsync("folder2/file", Bytes(4));
        await FailsAsync(async () => await Account.DeleteAsync(Path("folder"), default), FailureKind.Conflict);
        await AssertContentAsync("folder/file", Bytes(3));
        await Account.DeleteAsync(Path("folder/file"), CancellationToken.None);
        await AssertNothingAsync("folder/file");
        await Account.DeleteAsync(Path("folder"), CancellationToken.None);
        await AssertNothingAsync("folder");
        await AssertContentAsync("folder2/file", Bytes(4));
    }

    [Fact]
    public async Task Deleting_what_is_not_there_is_done()
    {
        await Account.DeleteAsync(Path("nothing"), CancellationToken.None);
        await Account.DeleteAsync(Path("no/folder/nothing"), CancellationToken.None);
        await WriteAsync("file", Bytes(3));
        await Account.DeleteAsync(Path("file"), CancellationToken.None);
        await Account.DeleteAsync(Path("file"), CancellationToken.None);
    }

    [Fact]
    public async Task Files_move_and_replace_files()
    {
        await WriteAsync("a", Bytes(1000, seed: 1));
        await Account.MoveAsync(Path("a"), Path("b"), CancellationToken.None);
        await AssertNothingAsync("a");
        await AssertContentAsync("b", Bytes(1000, seed: 1));
        await WriteAsync("c", Bytes(10, seed: 2));
        await Account.MoveAsync(Path("b"), Path("c"), CancellationToken.None);
        await AssertNothingAsync("b");
        await AssertContentAsync("c", Bytes(1000, seed: 1));
        await Account.MoveAsync(Path("c"), Path("new folder/deep/d"), CancellationToken.None);
        await AssertContentAsync("new folder/deep/d", Bytes(1000, seed: 1));
        Assert.Equal(["new folder"], await NamesAsync(""));
    }

    [Fact]
    public async Task Folders_move_with_all_they_hold()
    {
        await WriteAsync("from/a", Bytes(1));
        await WriteAsync("from/deep/b", Bytes(2));
        await WriteAsync("from2/c", Bytes(3));
        await Account.CreateFolderAsync(Path("parent"), CancellationToken.None);
        await Account.MoveAsync(Path("from"), Path("parent/to"), CancellationToken.None);
        await AssertNothingAsync("from");
        await AssertContentAsync("parent/to/a", Bytes(1));
        await AssertContentAsync("parent/to/deep/b", Bytes(2));
        await AssertContentAsync("from2/c", Bytes(3));
        Assert.Equal(["from2", "parent"], await NamesAsync(""));
    }

    [Fact]
    public async Task Moves_that_make_no_sense_are_refused_and_change_nothing()
    {
        await WriteAsync("file", Bytes(1));
        await WriteAsync("folder/a", Bytes(2));
        await WriteAsync("full/b", Bytes(3));
        await FailsAsync(
            async () => await Account.MoveAsync(Path("nothing"), Path("x"), default), FailureKind.NotFound);
        await FailsAsync(
            async () => await Account.MoveAsync(Path("folder"), Path("full"), default), FailureKind.Conflict);
        await FailsAsync(
            async () => await Account.MoveAsync(Path("file"), Path("full"), default), FailureKind.Conflict);
        await FailsAsync(
            async () => await Account.MoveAsync(Path("folder"), Path("folder/inside"), default),
            FailureKind.BadInput,
            FailureKind.Conflict);
        await Account.MoveAsync(Path("file"), Path("file"), CancellationToken.None);
        Assert.Equal(["file", "folder", "folder/a", "full", "full/b"], await WalkNamesAsync(EntryPath.Root));
        await AssertContentAsync("file", Bytes(1));
    }

    [Fact]
    public async Task A_folder_of_many_entries_is_listed_whole()
    {
        await WriteManyAsync("many");
        var names = new ConcurrentDictionary<string, bool>();
        await foreach (var entry in Account.ListAsync(Path("many"), CancellationToken.None))
        {
            Assert.Equal((EntryKind.File, 1L), (entry.Kind, entry.Length));
            Assert.True(names.TryAdd(entry.Path.Name, true), $"'{entry.Path}' is listed twice");
        }
        Assert.Equal(ManyEntries, names.Count);
        Assert.Equal(ManyEntries, (await WalkAllAsync(Path("many"))).Count);
        Assert.Single(await ListAsync(EntryPath.Root));
    }

    [Fact]
    public async Task A_listing_that_is_cancelled_ends_so()
    {
        for (var i = 0; i < 30; i++) await WriteAsync($"f{i}", Bytes(1));
        using var cancelled = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in Account.ListAsync(EntryPath.Root, cancelled.Token)) await cancelled.CancelAsync();
        });
        using var later = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in Account.WalkAsync(EntryPath.Root, cancellationToken: later.Token))
                await later.CancelAsync();
        });
        Assert.Equal(30, (await ListAsync(EntryPath.Root)).Count);
    }

    [Fact]
    public async Task A_read_that_is_cancelled_ends_so()
    {
        var content = Bytes(Math.Min(Traits.SingleWriteBytesMax, 6 << 20));
        await WriteAsync("file", content);
        using var cancelled = new CancellationTokenSource();
        await using (var reader = await Account.ReadAsync(
            Path("file"), new ByteRange(0, content.Length), null, cancelled.Token))
        {
            Assert.Equal(content[0], await ReadByteAsync(reader.Content));
            await cancelled.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => ReadToEndAsync(reader.Content, cancelled.Token));
        }
        await AssertContentAsync("file", content);
    }

    [Fact]
    public async Task Calls_with_a_cancelled_token_do_nothing()
    {
        var gone = new CancellationToken(canceled: true);
        await WriteAsync("file", Bytes(3));
        await CancelsAsync(async () => await Account.StatAsync(Path("file"), gone));
        await CancelsAsync(async () => await Account.ReadAsync(Path("file"), new ByteRange(0, 3), null, gone));
        await CancelsAsync(async () => await Account.WriteAsync(Path("new"), Bytes(3), WriteOptions.Default, gone));
        await CancelsAsync(
            async () => await Account.BeginUploadAsync(Path("new"), PartBytes, PartBytes, WriteOptions.Default, gone));
        await CancelsAsync(async () => await Account.CreateFolderAsync(Path("new"), gone));
        await CancelsAsync(async () => await Account.DeleteAsync(Path("file"), gone));
        await CancelsAsync(async () => await Account.MoveAsync(Path("file"), Path("new"), gone));
        Assert.Equal(["file"], await NamesAsync(""));
        await AssertNothingPendingAsync();
    }

    [Fact]
    public async Task A_write_that_is_cancelled_is_whole_or_not_there()
    {
        var content = Bytes(Traits.SingleWriteBytesMax);
        for (var i = 0; i < 5; i++)
        {
            using var cancelled = new CancellationTokenSource();
            var write = Task.Run(
                async () => await Account.WriteAsync(Path("file"), content, WriteOptions.Default, cancelled.Token));
            if (i > 0) await Task.Yield();
            await cancelled.CancelAsync();
            if (!await EndsOrIsCancelledAsync(write) && await StatAsync("file") is null) continue;
            await AssertContentAsync("file", content);
            await Account.DeleteAsync(Path("file"), CancellationToken.None);
        }
        Assert.Empty(await ListOrEmptyAsync(EntryPath.Root));
        await AssertNothingPendingAsync();
    }

    [Fact]
    public async Task An_upload_whose_part_is_cancelled_can_be_aborted()
    {
        var content = Bytes(2 * PartBytes);
        await using var upload = await BeginAsync("file", content.Length);
        using var cancelled = new CancellationTokenSource();
        var part = Task.Run(
            async () => await upload.WritePartAsync(0, content.AsMemory(0, (int)PartBytes), cancelled.Token));
        await cancelled.CancelAsync();
        await EndsOrIsCancelledAsync(part);
        await upload.AbortAsync(CancellationToken.None);
        await AssertNothingAsync("file");
        await AssertNothingPendingAsync();
    }

    private static async Task CancelsAsync(Func<Task> call) =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(call);

    private static async Task<bool> EndsOrIsCancelledAsync(Task task)
    {
        try
        {
            await task;
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task WriteManyAsync(string folder)
    {
        // Many that make one folder at once: a server may stumble over that, and is asked again, as the agent does.
        var account = new RetryingAccount(Account, TimeProvider.System, Sample.Random(1));
        await Parallel.ForEachAsync(
            Enumerable.Range(0, ManyEntries),
            new ParallelOptions { MaxDegreeOfParallelism = Traits.MaxConcurrency },
            async (i, token) => await account.WriteAsync(
                Path($"{folder}/file {i:D5}"), Bytes(1, seed: i), WriteOptions.Default, token));
    }

    private async Task<string[]> NamesAsync(string folder) =>
        [.. (await ListAsync(folder)).Select(entry => entry.Path.Value).Order(StringComparer.Ordinal)];

    private async Task<string[]> WalkNamesAsync(EntryPath folder) =>
        [.. (await WalkAllAsync(folder)).Select(entry => entry.Path.Value).Order(StringComparer.Ordinal)];
}
