using Virga.Core;

namespace Virga.Accounts.Feeds;

/// <summary>
/// Looks at all that lies below a folder, and at no more of it than changed since an earlier look where the account can
/// tell: by its change feed, or by tags of folders. Otherwise, and whenever the account can't tell, everything is
/// listed.
/// </summary>
public static class FolderFollowing
{
    /// <summary>
    /// Whatever a service forgot to tell is found by then: after so long everything is listed again.
    /// </summary>
    public static readonly TimeSpan WalkEvery = TimeSpan.FromDays(30);

    /// <summary>
    /// A listing may be in the midst of changes; a folder that has to be listed again and again is not followed.
    /// </summary>
    private const int RoundsMax = 1000, AgainMax = 3;

    /// <param name="top">The folder, as it was seen before the look.</param>
    /// <param name="before">
    /// An earlier look at the same folder of the same account; null or of another folder: everything is listed.
    /// </param>
    public static async Task<FolderListing> LookAsync(
        IAccount account, Entry top, FolderListing? before, DateTimeOffset now, int entriesMax,
        CancellationToken cancellationToken)
    {
        if (before is not null && before.Folder == top.Path && before.Walked <= now && now - before.Walked < WalkEvery
            && await TryFollowAsync(account, top, before, entriesMax, cancellationToken) is { } followed)
            return followed;
        // The cursor comes first: what changes while the folder is listed is told again later.
        var cursor = await TryGetCursorAsync(account, top.Path, cancellationToken);
        var (entries, skipped) = await FolderWalk.ListAllAsync(account, top.Path, entriesMax, cancellationToken);
        return new FolderListing(top.Path, entries, skipped, cursor, top.FolderTag, now);
    }

    private static async Task<string?> TryGetCursorAsync(
        IAccount account, EntryPath folder, CancellationToken cancellationToken)
    {
        if (account.Find<IChangeFeed>() is not { } feed) return null;
        try
        {
            return await feed.GetCursorAsync(folder, cancellationToken);
        }
        catch (VirgaException e) when (IsOnlyTheFeed(e))
        {
            return null;
        }
    }

    private static async Task<FolderListing?> TryFollowAsync(
        IAccount account, Entry top, FolderListing before, int entriesMax, CancellationToken cancellationToken)
    {
        if (before.Cursor is not null && account.Find<IChangeFeed>() is { } feed)
        {
            try
            {
                return await FollowAsync(account, feed, before, entriesMax, cancellationToken);
            }
            catch (VirgaException e) when (IsOnlyTheFeed(e))
            {
                return null;
            }
        }
        return before.Tag is not null && top.FolderTag is not null
            ? await CompareTagsAsync(account, top, before, entriesMax, cancellationToken) : null;
    }

    // What a listing would meet as well is not for it to hide: no network, no right, no time.
    private static bool IsOnlyTheFeed(VirgaException failure) => failure.Kind
        is FailureKind.BadInput or FailureKind.NotFound or FailureKind.Unsupported or FailureKind.Corrupt
        or FailureKind.Conflict or FailureKind.Changed or FailureKind.Denied;

    private static async Task<FolderListing?> FollowAsync(
        IAccount account, IChangeFeed feed, FolderListing before, int entriesMax, CancellationToken cancellationToken)
    {
        if (FolderMirror.From(before, feed.TellsAllBelow) is not { } mirror) return null;
        var cursor = before.Cursor!;
        ChangePage? page;
        do
        {
            page = await feed.GetChangesAsync(before.Folder, cursor, cancellationToken);
            // A feed that goes on without getting on would go on for ever.
            if (page is null || (page.HasMore && page.Cursor == cursor)) return null;
            mirror.Apply(page.Changes);
            FolderWalk.CheckCount(mirror.Count, entriesMax);
            cursor = page.Cursor;
        }
        while (page.HasMore);
        mirror.EndChanges();
        var listedBefore = new Dictionary<EntryPath, int>();
        for (var round = 0; round < RoundsMax; round++)
        {
            var unlisted = mirror.TakeUnlisted();
            if (unlisted.Count == 0 && mirror.TryRead() is { } read)
                return before with
                {
                    Entries = read.Entries, Skipped = read.Skipped, Cursor = cursor, IsFollowed = true,
                };
            var isGood = true;
            await FolderWalk.ListAsync(
                account, [.. unlisted.Keys], before.Folder,
                listed => isGood &= mirror.Relist(unlisted[listed.Folder], listed), cancellationToken);
            foreach (var folder in unlisted.Keys)
            {
                var times = listedBefore.GetValueOrDefault(folder) + 1;
                listedBefore[folder] = times;
                isGood &= times <= AgainMax;
            }
            if (!isGood) return null;
            FolderWalk.CheckCount(mirror.Count, entriesMax);
        }
        return null;
    }

    private static async Task<FolderListing> CompareTagsAsync(
        IAccount account, Entry top, FolderListing before, int entriesMax, CancellationToken cancellationToken)
    {
        if (before.Tag == top.FolderTag) return before with { IsFollowed = true };
        var known = before.Entries.ToLookup(e => e.Path.Parent);
        var skippedIn = before.Skipped.ToLookup(s => s.Folder);
        var (entries, skipped) = (new List<Entry>(before.Entries.Count), new List<SkippedEntry>());
        var level = new List<EntryPath> { top.Path };
        while (level.Count > 0)
        {
            var below = new List<EntryPath>();
            await FolderWalk.ListAsync(account, level, top.Path, Take, cancellationToken);
            level = below;

            void Take(FolderWalk.Listed listed)
            {
                entries.AddRange(listed.Entries);
                skipped.AddRange(listed.Skipped);
                FolderWalk.CheckCount(entries.Count, entriesMax);
                var was = known[listed.Folder].Where(e => e is { Kind: EntryKind.Folder, FolderTag: not null })
                    .ToDictionary(e => e.Path, e => e.FolderTag);
                foreach (var folder in listed.Entries.Where(e => e.Kind == EntryKind.Folder))
                {
                    if (folder.FolderTag is { } tag && was.GetValueOrDefault(folder.Path) == tag) Keep(folder.Path);
                    else below.Add(folder.Path);
                }
            }
        }
        return before with { Entries = entries, Skipped = skipped, Tag = top.FolderTag, IsFollowed = true };

        void Keep(EntryPath folder)
        {
            var left = new Stack<EntryPath>([folder]);
            while (left.TryPop(out var at))
            {
                skipped.AddRange(skippedIn[at]);
                foreach (var entry in known[at])
                {
                    entries.Add(entry);
                    if (entry.Kind == EntryKind.Folder) left.Push(entry.Path);
                }
            }
        }
    }
}
