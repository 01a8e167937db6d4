using System.Collections.Concurrent;
using Virga.Accounts.Adapters.Tests.Matrix;
using Virga.Accounts.Adapters.Tests.S3;
using Virga.Accounts.Decorators;
using Virga.Accounts.Feeds;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Core.Age;
using Virga.Testing;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.Feeds;

/// <summary>
/// What sharing a folder again asks the service for, and that the share is the one that a look at all would give.
/// </summary>
public sealed class ReshareTests : IDisposable
{
    private static readonly EntryPath Shared = EntryPath.Parse(FullCloud.Folder);

    private static readonly DateTimeOffset Later = DateTimeOffset.UtcNow.AddHours(1);

    private readonly DirectoryInfo data = Directory.CreateTempSubdirectory("virga-reshare-");

    public void Dispose() => data.Delete(recursive: true);

    [Theory]
    [InlineData("dropbox")]
    [InlineData("drive")]
    [InlineData("onedrive")]
    [InlineData("nextcloud")]
    [InlineData("webdav")]
    public async Task Sharing_20000_files_again_asks_for_no_more_than_what_changed(string kind)
    {
        await using var cloud = await FullCloud.CreateAsync(kind, 20_000);
        var account = cloud.Account.WithCare(TimeProvider.System, new Seeded(1).RandomBytes);
        var first = await ShareAsync(account, null);
        Assert.Equal(20_000, first.Totals.FilesSeen);

        var before = cloud.Requests;
        var same = await ShareAsync(account, first);
        Assert.True(cloud.Requests - before <= 4, $"{cloud.Requests - before} requests: {cloud.Asked}");
        Assert.Equal(first.Index.InfoHash, same.Index.InfoHash);
        Assert.Equal((0, 20_000), (same.Totals.FilesHashed, same.Totals.FilesUnchanged));

        foreach (var i in new[] { 0, 7_001, 19_999 })
            await account.WriteAsync(
                Shared.Append(EntryPath.Parse($"folder {i / 100}/file {i}")), Seeded.Bytes(30_000, (ulong)i),
                WriteOptions.Default, default);
        before = cloud.Requests;
        var changed = await ShareAsync(account, same);
        // A file takes OneDrive three: where it is, its bytes, whether it still is what it was.
        Assert.True(cloud.Requests - before <= 4 + (3 * 3), $"{cloud.Requests - before} requests: {cloud.Asked}");
        Assert.Equal((3, 90_000L), (changed.Totals.FilesHashed, changed.Totals.BytesRead));
        await AssertAsAllAsync(account, changed);

        await account.MoveAsync(
            Shared.Append(EntryPath.Parse("folder 3")), Shared.Append(EntryPath.Parse("folder 4/three")), default);
        await account.MoveAsync(
            Shared.Append(EntryPath.Parse("folder 5")), Shared.Append(EntryPath.Parse("folder 3")), default);
        await account.DeleteAsync(Shared.Append(EntryPath.Parse("folder 6/file 600")), default);
        await account.WriteAsync(
            Shared.Append(EntryPath.Parse("new/file")), Seeded.Bytes(10, 5), WriteOptions.Default, default);
        before = cloud.Requests;
        var moved = await ShareAsync(account, changed);
        Assert.True(cloud.Requests - before <= 30, $"{cloud.Requests - before} requests: {cloud.Asked}");
        Assert.Equal(20_000, moved.Totals.FilesSeen);
        await AssertAsAllAsync(account, moved);
    }

    [Fact]
    public async Task A_file_that_changes_while_it_is_shared_is_told_the_next_time()
    {
        await using var cloud = await FullCloud.CreateAsync("dropbox", 300);
        var meddled = new WatchedAccount(cloud.Account);
        var first = await ShareAsync(meddled, null);
        await WriteAsync(1);
        meddled.OnRead = () => WriteAsync(2);
        var second = await ShareAsync(meddled, first);
        Assert.NotNull(second.Listing);
        await AssertAsAllAsync(cloud.Account, second);
        var third = await ShareAsync(cloud.Account, second);
        Assert.True(third.Listing!.IsFollowed);
        Assert.Equal(second.Index.InfoHash, third.Index.InfoHash);

        async Task WriteAsync(int seed) => await cloud.Account.WriteAsync(
            Shared.Append(EntryPath.Parse("folder 1/file 100")), Seeded.Bytes(1000, (ulong)seed), WriteOptions.Default,
            default);
    }

    [Theory]
    [InlineData("dropbox", "files/list_folder/continue", FaultKind.Throttled)]
    [InlineData("dropbox", "files/list_folder/continue", FaultKind.BreakAnswer)]
    [InlineData("drive", "changes.list", FaultKind.ServerError)]
    [InlineData("drive", "changes.list", FaultKind.LoseAnswer)]
    [InlineData("onedrive", "GET delta", FaultKind.Throttled)]
    [InlineData("onedrive", "GET delta", FaultKind.LoseAnswer)]
    [InlineData("webdav", "REPORT", FaultKind.BreakAnswer)]
    [InlineData("nextcloud", "PROPFIND", FaultKind.ServerError)]
    public async Task What_befalls_a_feed_costs_a_try_and_no_listing(string kind, string operation, FaultKind fault)
    {
        await using var cloud = await FullCloud.CreateAsync(kind, 300);
        var account = new RetryingAccount(cloud.Account, new SkippingTime(), new Seeded(1).RandomBytes);
        var first = await ShareAsync(account, null);
        await account.WriteAsync(
            Shared.Append(EntryPath.Parse("folder 1/file 100")), Seeded.Bytes(10, 5), WriteOptions.Default, default);
        cloud.Faults.Add(new Fault(fault, operation, AfterBytes: 40));
        await AssertAsAllAsync(account, await ShareAsync(account, first));
    }

    [Fact]
    public async Task A_feed_that_is_down_is_told_as_a_listing_would_be()
    {
        await using var cloud = await FullCloud.CreateAsync("drive", 100);
        var first = await ShareAsync(cloud.Account, null);
        cloud.Faults.Add(new Fault(FaultKind.Throttled, "changes.list", RetryAfter: TimeSpan.FromSeconds(3)));
        var failure = await Assert.ThrowsAsync<VirgaException>(() => ShareAsync(cloud.Account, first));
        Assert.Equal(FailureKind.Throttled, failure.Kind);
    }

    [Fact]
    public async Task A_stored_listing_that_is_damaged_is_none()
    {
        await using var cloud = await FullCloud.CreateAsync("dropbox", 5);
        var stored = (await ShareAsync(cloud.Account, null)).Listing!.Encode();
        var random = new Seeded(7);
        for (var i = 0; i < 2_000; i++)
        {
            var damaged = stored.AsSpan(0, i % 2 == 0 ? stored.Length : (int)random.Next(stored.Length)).ToArray();
            for (var left = random.Next(3); left >= 0 && damaged.Length > 0; left--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            // Whatever it is, it is read or it is none.
            if (FolderListing.TryParse(damaged) is { } read) Assert.NotNull(FolderListing.TryParse(read.Encode()));
        }
    }

    [Fact]
    public async Task A_feed_that_tells_what_is_not_so_is_not_followed_again()
    {
        await using var cloud = await FullCloud.CreateAsync("dropbox", 300);
        var first = await ShareAsync(cloud.Account, null);
        var listing = first.Listing!;
        // As if the feed had told of a file that never was.
        var wrong = listing.Entries[0] with
        {
            Kind = EntryKind.File, Path = Shared.Append("never"), Id = "/shared/never", Length = 5,
            Version = new EntryVersion("0"),
        };
        listing = listing with { Entries = [.. listing.Entries, wrong] };
        var second = await ShareAsync(cloud.Account, first with { Listing = listing });
        Assert.Null(second.Listing);
        Assert.Equal(first.Index.InfoHash, second.Index.InfoHash);
        var third = await ShareAsync(cloud.Account, second);
        Assert.False(third.Listing!.IsFollowed);
        Assert.Empty(third.Skipped);
    }

    [Fact]
    public async Task A_listing_that_is_old_or_of_another_folder_is_made_anew()
    {
        await using var cloud = await FullCloud.CreateAsync("dropbox", 200);
        var top = (await cloud.Account.StatAsync(Shared, default))!;
        var now = DateTimeOffset.UnixEpoch;
        var first = await LookAsync(null, now);
        Assert.True((await LookAsync(first, now + FolderFollowing.WalkEvery - TimeSpan.FromTicks(1))).IsFollowed);
        Assert.False((await LookAsync(first, now + FolderFollowing.WalkEvery)).IsFollowed);
        Assert.False((await LookAsync(first, now - TimeSpan.FromTicks(1))).IsFollowed);
        Assert.False((await LookAsync(first with { Folder = EntryPath.Parse("other") }, now)).IsFollowed);
        Assert.False((await LookAsync(first with { Cursor = "none" }, now)).IsFollowed);
        Assert.Null(FolderListing.TryParse(first.Encode().AsSpan(1)));

        Task<FolderListing> LookAsync(FolderListing? before, DateTimeOffset at) =>
            FolderFollowing.LookAsync(cloud.Account, top, before, at, 1000, default);
    }

    [Fact]
    [Trait("Needs", "server")]
    public async Task An_object_store_is_listed_and_asked_about_no_single_object()
    {
        await using var scratch = await S3Scratch.CreateAsync();
        await using var account = new WatchedAccount(await scratch.OpenAsync());
        for (var i = 0; i < 20; i++)
            await account.WriteAsync(
                Shared.Append(EntryPath.Parse($"folder {i / 4}/file {i}")), i % 2 == 0 ? [] : Seeded.Bytes(10, 1),
                new WriteOptions(DateTimeOffset.UnixEpoch), default);
        var first = await ShareAsync(account, null);
        Assert.Null(first.Listing);
        account.Asked.Clear();
        var same = await ShareAsync(account, first);
        // The shared folder itself, and one listing of all: 1,000 keys a request.
        Assert.Equal(["List", "Stat"], account.Asked.Order());
        Assert.Equal(first.Index.InfoHash, same.Index.InfoHash);
        Assert.Equal((0, 20), (same.Totals.FilesHashed, same.Totals.FilesUnchanged));
        Assert.All(
            same.Index.Manifest.Entries.Where(e => e.Kind == EntryKind.File), e => Assert.Equal(0, e.ModifiedNs));
    }

    [Fact]
    public async Task What_was_seen_is_kept_beside_the_share_and_survives_a_restart_of_the_agent()
    {
        await using var cloud = await FullCloud.CreateAsync("drive", 1_000);
        var places = new PlaceAdapter(new Dictionary<string, Place>
        {
            ["cloud"] = new("cloud", () => ValueTask.FromResult(cloud.Open()), () => default),
        });
        string link;
        await using (var agent = await MatrixAgent.StartAsync(data.FullName, places))
        {
            await agent.AddAsync("cloud");
            link = await agent.ShareAsync("cloud", FullCloud.Folder);
        }
        var before = cloud.Requests;
        await using (var agent = await MatrixAgent.StartAsync(data.FullName, places))
        {
            Assert.Equal(Name(link), Name(await agent.ShareAsync("cloud", FullCloud.Folder)));
            Assert.True(cloud.Requests - before <= 6, $"{cloud.Requests - before} requests: {cloud.Asked}");
        }
        await cloud.Account.WriteAsync(
            Shared.Append(EntryPath.Parse("folder 1/file 100")), Seeded.Bytes(10, 5), WriteOptions.Default, default);
        before = cloud.Requests;
        await using (var agent = await MatrixAgent.StartAsync(data.FullName, places))
        {
            link = await agent.ShareAsync("cloud", FullCloud.Folder);
            Assert.True(cloud.Requests - before <= 9, $"{cloud.Requests - before} requests: {cloud.Asked}");
        }
        // One that is damaged is a listing's cost, and no failure.
        var kept = Assert.Single(Directory.GetFiles(Path.Combine(data.FullName, "shares"), "*.listing"));
        await File.WriteAllBytesAsync(kept, [1, 2, 3]);
        await using (var agent = await MatrixAgent.StartAsync(data.FullName, places))
            Assert.Equal(Name(link), Name(await agent.ShareAsync("cloud", FullCloud.Folder)));
    }

    // Where the agent is may change with a restart.
    private static string Name(string link) => link[..link.IndexOf('?', StringComparison.Ordinal)];

    private static async Task AssertAsAllAsync(IAccount account, SnapshotResult followed)
    {
        Assert.True(followed.Listing?.IsFollowed);
        var all = await ShareAsync(account, followed with { Listing = null });
        Assert.False(all.Listing!.IsFollowed);
        Assert.Equal(0, all.Totals.FilesHashed);
        Assert.Equal(all.Index.InfoHash, followed.Index.InfoHash);
        Assert.Equal(all.Skipped, followed.Skipped);
    }

    private static Task<SnapshotResult> ShareAsync(IAccount account, SnapshotResult? before)
    {
        var options = new SnapshotOptions(
            IsPrivate: false, new List<AgeRecipient>(),
            before is null ? null : OwnerIndex.Parse(before.Index.Encode()))
        {
            Listing = before?.Listing is { } listing ? FolderListing.TryParse(listing.Encode()) : null,
        };
        // Late enough that no version is too young to be trusted.
        return new Snapshotter(new Seeded(2).RandomBytes, new FakeTimeProvider(Later)).CreateAsync(
            account, Shared, options, null, default);
    }

    /// <summary>Keeps what was asked, and lets a test meddle just before a file is read, once.</summary>
    private sealed class WatchedAccount(IAccount inner) : AccountDecorator(inner)
    {
        public ConcurrentBag<string> Asked { get; } = [];

        public Func<Task>? OnRead { get; set; }

        public override async ValueTask<EntryReader> ReadAsync(
            EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
        {
            Asked.Add("Read");
            var (meddle, _) = (OnRead, OnRead = null);
            if (meddle is not null) await meddle();
            return await Inner.ReadAsync(path, range, pin, cancellationToken);
        }

        protected override ValueTask<T> CallAsync<T>(
            AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
        {
            Asked.Add(call.Operation.ToString());
            return action(cancellationToken);
        }

        protected override IAsyncEnumerable<T> ListAsync<T>(
            AccountCall call, Func<CancellationToken, IAsyncEnumerable<T>> list, Func<T, string> key,
            CancellationToken cancellationToken)
        {
            Asked.Add(call.Operation.ToString());
            return list(cancellationToken);
        }
    }
}
