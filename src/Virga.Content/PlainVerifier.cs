using Virga.Accounts;
using Virga.Accounts.Feeds;
using Virga.Content.Snapshots;
using Virga.Core;

namespace Virga.Content;

/// <param name="Reason">A clause, such as "has other content".</param>
public sealed record VerifyDifference(EntryPath Path, string Reason);

/// <summary>How what lies in an account compares with a share. Paths are from the share's top, in its order.</summary>
/// <param name="EqualCount">Entries that are there and the same.</param>
/// <param name="Missing">Entries of the share that are not there.</param>
/// <param name="Extra">Entries that are there and not in the share.</param>
/// <param name="LeftOut">
/// Entries that nobody may or this account can't hold: links that lead outside; links, where it has none.
/// </param>
public sealed record VerifyResult(
    int EqualCount, IReadOnlyList<EntryPath> Missing, IReadOnlyList<VerifyDifference> Different,
    IReadOnlyList<EntryPath> Extra,
    IReadOnlyList<EntryPath> LeftOut)
{
    /// <summary>All that the share holds is there and the same; extra entries don't count.</summary>
    public bool IsWhole => Missing.Count == 0 && Different.Count == 0;
}

/// <summary>How far a check has come.</summary>
public readonly record struct VerifyProgress(int FilesChecked, int FilesTotal, long BytesRead);

/// <summary>
/// Checks the plain form of a share in an account, whoever put it there: every file is read once, sealed as its owner
/// sealed it and hashed. Nothing is written, and nothing leaves.
/// </summary>
public static class PlainVerifier
{
    private const int ParallelMax = 16;

    /// <summary>Throws as the account does; NotFound when the folder isn't there.</summary>
    public static async Task<VerifyResult> VerifyAsync(
        IAccount account, EntryPath folder, ShareContent content, IProgress<VerifyProgress>? progress,
        CancellationToken cancellationToken)
    {
        var found = new Dictionary<EntryPath, Entry>();
        var (listed, skipped) = await FolderWalk.ListAllAsync(
            account, folder, ContentLimits.EntriesMax, cancellationToken);
        foreach (var entry in listed) found[entry.Path.RelativeTo(folder)] = entry;
        var extra = skipped.Select(one => Shown(one, folder)).ToList();

        var entries = content.Manifest.Entries;
        var files = content.Files.ToDictionary(static file => file.Entry.Path);
        var verdicts = new string?[entries.Count];
        var run = new Run(account, content.PieceBytes, files, progress);
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Clamp(account.Traits.MaxConcurrency, 1, ParallelMax),
            CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(Enumerable.Range(0, entries.Count), options, async (at, token) =>
            verdicts[at] = found.TryGetValue(entries[at].Path, out var entry)
                ? await run.CompareAsync(entries[at], entry, token) : null);
        return Sum(account, entries, found, verdicts, extra);
    }

    /// <summary>
    /// Whether one file in an account is the plain form of a shared one, by its content alone: it is read once, unless
    /// its length tells already. False too when it changes or goes away meanwhile.
    /// </summary>
    public static async Task<bool> IsSameAsync(
        IAccount account, Entry entry, SharedFile file, int pieceBytes, CancellationToken cancellationToken)
    {
        if (entry.Kind != EntryKind.File || entry.Length != file.Entry.Size) return false;
        var hasher = new EntryHasher(account, pieceBytes, static _ => { });
        return await CompareContentAsync(hasher, file, entry, cancellationToken) == Same;
    }

    private const string Same = "";

    private static async Task<string> CompareContentAsync(
        EntryHasher hasher, SharedFile file, Entry entry, CancellationToken token)
    {
        if (file.Blob is not { } blob) return Same;
        var seal = file.FileKey is { } key ? new FileSeal(key, file.Entry.Nonce!, file.Entry.Header!) : null;
        try
        {
            return (await hasher.HashAsync(entry, seal, token))!.Blob == blob ? Same : "has other content";
        }
        catch (VirgaException failure) when (failure.Kind is FailureKind.Changed or FailureKind.NotFound)
        {
            return "changed while it was read";
        }
    }

    private static VerifyResult Sum(IAccount account, IReadOnlyList<ManifestEntry> entries,
        Dictionary<EntryPath, Entry> found,
        string?[] verdicts, List<EntryPath> extra)
    {
        var equal = 0;
        var missing = new List<EntryPath>();
        var leftOut = new List<EntryPath>();
        var different = new List<VerifyDifference>();
        var known = new HashSet<EntryPath>();
        for (var i = 0; i < entries.Count; i++)
        {
            var path = entries[i].Path;
            for (var at = path; !at.IsRoot && known.Add(at); at = at.Parent)
            {
            }
            if (verdicts[i] is Same) equal++;
            else if (verdicts[i] is { } why) different.Add(new VerifyDifference(path, why));
            else if (MayBeLeftOut(account, entries[i])) leftOut.Add(path);
            else missing.Add(path);
        }
        extra.AddRange(found.Keys.Where(path => !known.Contains(path)));
        extra.Sort(static (a, b) => Utf8Order.Compare(a.Value, b.Value));
        return new VerifyResult(equal, missing, different, extra, leftOut);
    }

    private static bool MayBeLeftOut(IAccount account, ManifestEntry entry) => entry.Kind switch
    {
        EntryKind.Symlink =>
            account.Find<ISymlinks>() is null || SymlinkTargets.LeadsOutside(entry.Path, entry.LinkTarget!),
        EntryKind.Folder => !account.Traits.KeepsEmptyFolders,
        _ => false,
    };

    private static EntryPath Shown(SkippedEntry skipped, EntryPath folder)
    {
        var at = skipped.Folder.RelativeTo(folder);
        return EntryPath.TryParse(at.IsRoot ? skipped.ShownName : $"{at}/{skipped.ShownName}", out var path)
            ? path : at;
    }

    private sealed class Run
    {
        private readonly IAccount account;
        private readonly Dictionary<EntryPath, SharedFile> files;
        private readonly IProgress<VerifyProgress>? progress;
        private readonly EntryHasher hasher;
        private int filesChecked;
        private long bytesRead;

        public Run(IAccount account, int pieceBytes, Dictionary<EntryPath, SharedFile> files,
            IProgress<VerifyProgress>? progress)
        {
            this.account = account;
            this.files = files;
            this.progress = progress;
            hasher = new EntryHasher(account, pieceBytes, count => Interlocked.Add(ref bytesRead, count));
        }

        /// <summary>Empty when they are the same, else the reason.</summary>
        public async Task<string> CompareAsync(ManifestEntry expected, Entry entry, CancellationToken token)
        {
            if (expected.Kind != entry.Kind) return $"is a {Name(entry.Kind)} and not a {Name(expected.Kind)}";
            if (expected.Kind == EntryKind.Folder) return Same;
            if (expected.Kind == EntryKind.Symlink)
                return entry.LinkTarget == expected.LinkTarget ? Same : "is a link to something else";
            var verdict = await CompareFileAsync(files[expected.Path], entry, token);
            var done = Interlocked.Increment(ref filesChecked);
            progress?.Report(new VerifyProgress(done, files.Count, Interlocked.Read(ref bytesRead)));
            return verdict;
        }

        private async Task<string> CompareFileAsync(SharedFile file, Entry entry, CancellationToken token)
        {
            if (entry.Length != file.Entry.Size) return $"has {entry.Length:N0} bytes and not {file.Entry.Size:N0}";
            if (account.Traits.KeepsExecutable && entry.IsExecutable != file.Entry.IsExecutable)
                return entry.IsExecutable ? "is executable" : "is not executable";
            return await CompareContentAsync(hasher, file, entry, token);
        }

        private static string Name(EntryKind kind) =>
            kind switch { EntryKind.File => "file", EntryKind.Folder => "folder", _ => "link" };
    }
}
