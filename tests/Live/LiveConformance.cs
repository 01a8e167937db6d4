using Virga.Accounts;
using Virga.Core;
using Virga.Testing.Conformance;

namespace Virga.Live;

/// <summary>The one conformance suite, each test in a folder of its own below the run's.</summary>
internal sealed class LiveConformance(LiveAccount account, string folder, int entries) : AccountConformance
{
    private bool isMade;

    protected override int ManyEntries => entries;

    /// <summary>A live service forgets when it likes.</summary>
    protected override bool ExpireCursors() => false;

    protected override async ValueTask<IAccount> OpenAsync()
    {
        if (!isMade)
        {
            await using var whole = await account.OpenAsync();
            await whole.CreateFolderAsync(EntryPath.Parse(folder), default);
            isMade = true;
        }
        return await account.OpenAsync(folder);
    }

    protected override ValueTask CleanUpAsync() => RemoveAsync(account, folder);

    /// <summary>Ends the uploads below a folder, and deletes it with all that it holds.</summary>
    public static async ValueTask RemoveAsync(LiveAccount account, string folder)
    {
        await using var whole = await account.OpenAsync();
        var root = EntryPath.Parse(folder);
        if (whole.Find<IResumableUploads>() is { } uploads && whole.Traits.ListsUploads)
        {
            await foreach (var pending in uploads.ListUploadsAsync(root, default))
                await uploads.AbortUploadAsync(pending, default);
        }
        var entries = new List<Entry>();
        try
        {
            await foreach (var entry in whole.WalkAsync(root)) entries.Add(entry);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            return;
        }
        await Parallel.ForEachAsync(
            entries.Where(e => e.Kind != EntryKind.Folder),
            new ParallelOptions { MaxDegreeOfParallelism = whole.Traits.MaxConcurrency },
            async (entry, token) => await whole.DeleteAsync(entry.Path, token));
        foreach (var below in entries.Where(e => e.Kind == EntryKind.Folder)
            .OrderByDescending(e => e.Path.Names.Length)) await whole.DeleteAsync(below.Path, default);
        await whole.DeleteAsync(root, default);
    }
}
