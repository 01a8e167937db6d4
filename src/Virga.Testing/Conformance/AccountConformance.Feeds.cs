using System.Text;
using Virga.Accounts;
using Virga.Accounts.Feeds;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>
/// Following a folder by what the account tells of changes ends with just what listing all of it tells; for accounts
/// with an <see cref="IChangeFeed"/> and for those with tags of folders.
/// </summary>
public abstract partial class AccountConformance
{
    private const int EntriesMax = 100_000;

    /// <summary>
    /// Makes the service forget every cursor so far, for accounts with a feed; false where nobody can make it.
    /// </summary>
    protected virtual bool ExpireCursors() =>
        throw new NotSupportedException($"{GetType().Name} has a feed and must expire its cursors");

    private bool IsFollowed => Account.Find<IChangeFeed>() is not null || Traits.TagsFolders;

    [Fact]
    public async Task What_is_made_overwritten_moved_and_deleted_is_told_once_it_is()
    {
        if (!IsFollowed) return;
        await WriteAsync("in/deep/one", Bytes(1));
        await WriteAsync("in/deep/er/two", Bytes(2));
        await WriteAsync("in/three", Bytes(3));
        await WriteAsync("in/four", Bytes(4));
        await WriteAsync("out/five", Bytes(5));
        var look = await LookAsync(Path("in"), null);
        Assert.False(look.IsFollowed);

        look = await FollowAsync(look, "nothing changed");
        await WriteAsync("in/three", Bytes(33));
        look = await FollowAsync(look, "a file was overwritten");
        await WriteAsync("in/deep/new", Bytes(6));
        await WriteAsync("in/fresh/below/new", Bytes(7));
        look = await FollowAsync(look, "files and folders were made");
        await MoveAsync("in/four", "in/deep/4");
        look = await FollowAsync(look, "a file was moved");
        await MoveAsync("in/deep/4", "in/deep/vier");
        look = await FollowAsync(look, "a file was renamed");
        await MoveAsync("in/deep", "in/low");
        look = await FollowAsync(look, "a folder was renamed");
        await WriteAsync("in/low/er/two", Bytes(22));
        look = await FollowAsync(look, "a file in a renamed folder was overwritten");
        await MoveAsync("in/low", "in/fresh/low");
        look = await FollowAsync(look, "a folder was moved");
        await Account.DeleteAsync(Path("in/three"), default);
        look = await FollowAsync(look, "a file was deleted");
        await MoveAsync("in/fresh/low", "out/low");
        look = await FollowAsync(look, "a folder went out");
        await WriteAsync("out/low/more", Bytes(8));
        await MoveAsync("out", "in/out");
        look = await FollowAsync(look, "a folder came in");
        await WriteAsync("elsewhere/file", Bytes(9));
        await FollowAsync(look, "something changed elsewhere");
    }

    [Fact]
    public async Task Much_that_changed_at_once_is_told_as_it_is_in_the_end()
    {
        if (!IsFollowed) return;
        foreach (var name in new[] { "a/1", "a/2", "b/1", "b/c/d/3", "gone/deep/4", "5", "6" })
            await WriteAsync(name, Bytes(name.Length));
        var look = await LookAsync(EntryPath.Root, null);
        // Two change places, one goes below the other, and one is made anew where another was.
        await MoveAsync("5", "aside");
        await MoveAsync("6", "5");
        await MoveAsync("aside", "6");
        await MoveAsync("b/c", "c");
        await MoveAsync("b", "c/b");
        await MoveAsync("a", "c/d/a");
        await Account.DeleteAsync(Path("gone/deep/4"), default);
        await Account.DeleteAsync(Path("gone/deep"), default);
        await Account.DeleteAsync(Path("gone"), default);
        await WriteAsync("gone/other", Bytes(3));
        await WriteAsync("a/new", Bytes(4));
        await WriteAsync("passing", Bytes(5));
        await Account.DeleteAsync(Path("passing"), default);
        look = await FollowAsync(look, "much changed");
        await MoveAsync("c/d/a", "b");
        await FollowAsync(look, "more changed");
    }

    [Fact]
    public async Task Many_changes_are_told_page_by_page()
    {
        if (!IsFollowed) return;
        await WriteAsync("first", Bytes(1));
        var look = await LookAsync(EntryPath.Root, null);
        var count = ManyEntries / 2;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = Traits.MaxConcurrency },
            async (i, token) => await Account.WriteAsync(
                Path($"many{i % 3}/{i}"), Bytes(1, i), WriteOptions.Default, token));
        look = await FollowAsync(look, "many were made");
        Assert.Equal(count + 4, look.Entries.Count);
    }

    [Fact]
    public async Task A_folder_that_was_replaced_by_another_is_not_taken_for_it()
    {
        if (!IsFollowed) return;
        await WriteAsync("in/one", Bytes(1));
        await WriteAsync("in/sub/two", Bytes(2));
        var look = await LookAsync(Path("in"), null);
        await MoveAsync("in", "away");
        await WriteAsync("in/other", Bytes(3));
        var now = await LookAsync(Path("in"), Reloaded(look));
        AssertSame(await LookAsync(Path("in"), null), now, "another folder stands there");
    }

    [Fact]
    public async Task A_cursor_that_is_too_old_or_is_none_is_told_and_all_is_listed()
    {
        if (Account.Find<IChangeFeed>() is not { } feed) return;
        await WriteAsync("in/one", Bytes(1));
        var look = await LookAsync(Path("in"), null);
        Assert.NotNull(await feed.GetChangesAsync(Path("in"), look.Cursor!, default));
        foreach (var wrong in new[] { "", "x", "x y", "x y z", look.Cursor + "x", "/in\nx" })
            Assert.Null(await feed.GetChangesAsync(Path("in"), wrong, default));
        await FailsAsync(
            async () => await feed.GetCursorAsync(Path("missing"), default), Core.FailureKind.NotFound);
        if (!ExpireCursors()) return;
        Assert.Null(await feed.GetChangesAsync(Path("in"), look.Cursor!, default));
        await WriteAsync("in/two", Bytes(2));
        look = await LookAsync(Path("in"), Reloaded(look));
        Assert.False(look.IsFollowed);
        Assert.Equal(2, look.Entries.Count);
        await WriteAsync("in/three", Bytes(3));
        await FollowAsync(look, "with the new cursor");
    }

    private Task MoveAsync(string from, string to) => MoveAsync(Path(from), Path(to));

    private async Task MoveAsync(EntryPath from, EntryPath to)
    {
        await Account.CreateFolderAsync(to.Parent, default);
        await Account.MoveAsync(from, to, default);
    }

    private async Task<FolderListing> LookAsync(EntryPath folder, FolderListing? before)
    {
        var top = await Account.StatAsync(folder, default);
        return await FolderFollowing.LookAsync(
            Account, top!, before, DateTimeOffset.UnixEpoch, EntriesMax, default);
    }

    /// <summary>Follows from a stored listing, and compares with what listing all tells.</summary>
    private async Task<FolderListing> FollowAsync(FolderListing before, string what)
    {
        var now = await LookAsync(before.Folder, Reloaded(before));
        Assert.True(now.IsFollowed, $"{what}: all was listed again");
        AssertSame(await LookAsync(before.Folder, null), now, what);
        return now;
    }

    private static FolderListing Reloaded(FolderListing listing) =>
        FolderListing.TryParse(listing.Encode()) ?? throw new Xunit.Sdk.XunitException("a listing can't be stored");

    private static void AssertSame(FolderListing expected, FolderListing actual, string what)
    {
        var (all, followed) = (Text(expected), Text(actual));
        Assert.True(all == followed, $"{what}. Listed:\n{all}Followed:\n{followed}");
    }

    private static string Text(FolderListing listing)
    {
        var text = new StringBuilder();
        foreach (var entry in listing.Entries.OrderBy(e => e.Path.Value, StringComparer.Ordinal))
            text.Append(entry.Path).Append('|').Append(entry.Kind).Append('|').Append(entry.Length).Append('|')
                .Append(entry.Modified?.UtcTicks).Append('|').Append(entry.Version).Append('|')
                .Append(entry.IsExecutable).Append('\n');
        return text.ToString();
    }
}
