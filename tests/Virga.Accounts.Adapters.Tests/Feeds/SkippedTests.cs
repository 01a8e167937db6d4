using Virga.Accounts.Adapters.Tests.Drive;
using Virga.Accounts.Adapters.Tests.Dropbox;
using Virga.Accounts.Adapters.Tests.OneDrive;
using Virga.Accounts.Feeds;

namespace Virga.Accounts.Adapters.Tests.Feeds;

/// <summary>What is no entry is told as such by who follows, too, and what it hid shows when it is gone.</summary>
public sealed class SkippedTests
{
    private const string Bytes = "text/plain", Document = "application/vnd.google-apps.document";

    [Fact]
    public async Task Of_two_items_of_one_name_the_other_shows_when_the_first_is_gone()
    {
        await using var scratch = await DriveScratch.CreateAsync();
        await using var account = scratch.Open();
        scratch.User.AddItem("in/same", Bytes, 3);
        scratch.User.AddItem("in/same", Bytes, 5);
        scratch.User.AddItem("in/deep/other", Bytes, 7);
        var look = await LookAsync(account, null);
        Assert.Equal(3, Length(look, "in/same"));

        await account.DeleteAsync(EntryPath.Parse("in/same"), default);
        look = await FollowAsync(account, look, skipped: 0);
        Assert.Equal(5, Length(look, "in/same"));

        var third = scratch.User.AddItem("in/same", Bytes, 9);
        look = await FollowAsync(account, look, skipped: 1);
        Assert.Equal(5, Length(look, "in/same"));

        scratch.User.Rename(third, "a/b");
        look = await FollowAsync(account, look, skipped: 1);
        scratch.User.Rename(third, "ab");
        look = await FollowAsync(account, look, skipped: 0);
        Assert.Equal(9, Length(look, "in/ab"));
    }

    [Fact]
    public async Task Documents_without_bytes_are_told_wherever_they_go()
    {
        await using var scratch = await DriveScratch.CreateAsync();
        await using var account = scratch.Open();
        scratch.User.AddItem("in/deep/file", Bytes, 1);
        var look = await LookAsync(account, null);
        var document = scratch.User.AddItem("in/deep/letter", Document);
        look = await FollowAsync(account, look, skipped: 1);
        scratch.User.Rename(document, "renamed");
        look = await FollowAsync(account, look, skipped: 1);
        Assert.Equal("renamed", look.Skipped[0].ShownName);
        await account.MoveAsync(EntryPath.Parse("in/deep"), EntryPath.Parse("in/low"), default);
        look = await FollowAsync(account, look, skipped: 1);
        Assert.Equal("in/low", look.Skipped[0].Folder.Value);
        scratch.User.Trash(document);
        look = await FollowAsync(account, look, skipped: 0);
        scratch.User.AddItem("in/low/letter", Document);
        look = await FollowAsync(account, look, skipped: 1);
        await account.MoveAsync(EntryPath.Parse("in/low"), EntryPath.Parse("out"), default);
        await FollowAsync(account, look, skipped: 0);
    }

    [Fact]
    public async Task So_are_Dropbox_documents_and_notebooks()
    {
        await using var dropbox = await DropboxScratch.CreateAsync();
        await using (var account = dropbox.Open())
        {
            dropbox.User.AddFile("/in/file", [1]);
            var look = await LookAsync(account, null);
            dropbox.User.AddCloudDocument("/in/paper");
            await FollowAsync(account, look, skipped: 1);
        }
        await using var oneDrive = await OneDriveScratch.CreateAsync();
        await using var drive = oneDrive.Open();
        var before = await LookAsync(drive, null, "");
        oneDrive.User.AddNotebook("Notes");
        before = await FollowAsync(drive, before, skipped: 1);
        await drive.WriteAsync(EntryPath.Parse("file"), new byte[3], WriteOptions.Default, default);
        await FollowAsync(drive, before, skipped: 1);
    }

    private static long Length(FolderListing look, string path) =>
        Assert.Single(look.Entries, e => e.Path.Value == path).Length;

    private static async Task<FolderListing> FollowAsync(IAccount account, FolderListing before, int skipped)
    {
        var now = await LookAsync(account, FolderListing.TryParse(before.Encode()), before.Folder.Value);
        var all = await LookAsync(account, null, before.Folder.Value);
        Assert.True(now.IsFollowed);
        Assert.Equal(Sorted(all), Sorted(now));
        Assert.Equal(all.Skipped.OrderBy(s => s.ShownName), now.Skipped.OrderBy(s => s.ShownName));
        Assert.Equal(skipped, now.Skipped.Count);
        return now;
    }

    private static List<Entry> Sorted(FolderListing look) =>
        [.. look.Entries.OrderBy(e => e.Path.Value, StringComparer.Ordinal)];

    private static async Task<FolderListing> LookAsync(IAccount account, FolderListing? before, string folder = "in")
    {
        var top = (await account.StatAsync(EntryPath.Parse(folder), default))!;
        return await FolderFollowing.LookAsync(account, top, before, DateTimeOffset.UnixEpoch, 1000, default);
    }
}
