using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Transfers.Journal;

namespace Virga.Transfers.Engine;

/// <summary>
/// Brings a share into an account: verified, without staging, in bounded memory, journalled. Run it again after any
/// crash and it goes on from what was recorded (spec/v1/journal.md).
/// </summary>
public sealed class TransferEngine(EngineLimits limits)
{
    private readonly BufferPool buffers = new();

    /// <summary>Lets go of buffers that no running transfer uses.</summary>
    public void TrimBuffers() => buffers.Trim();

    /// <summary>
    /// Runs until everything that can be brought over is there. Throws what ends the whole transfer (the target is
    /// full or refuses us, nobody may give us the share, names that the target can't hold); what concerns single
    /// files is in the result.
    /// </summary>
    public async Task<TransferResult> RunAsync(TransferJob job, CancellationToken cancellationToken)
    {
        var state = await job.Journal.LoadAsync(cancellationToken);
        CheckNames(job);
        var colliding = state.HasStarted ? new Collisions([], []) : await Collisions.FindAsync(job, cancellationToken);
        List<SharedFile> skip = job.Collision == CollisionPolicy.Skip ? colliding.Files : [];
        foreach (var file in skip) await job.Journal.FileCompletedAsync(file.Index, cancellationToken);
        job = job with { Renamed = state.HasStarted ? state.Renamed : colliding.NewNames(job) };
        if (!state.HasStarted) await job.Journal.StartedAsync(job.Renamed, cancellationToken);
        else await EndOrphansAsync(job, state, cancellationToken);

        var skipped = skip.Select(f => f.Index).ToHashSet();
        var todo = new List<SharedFile>();
        foreach (var file in job.Content.Files)
        {
            if (!state.Completed.Contains(file.Index) && !skipped.Contains(file.Index))
            {
                todo.Add(file);
                continue;
            }
            job.Status.AddDone(file.Entry.Size);
            job.Status.AddFile();
            if (state.Copies.GetValueOrDefault(file.Index) is { } how) job.Status.AddCopied(file.Entry.Size, how, 0);
            // A file that was skipped is looked at when somebody asks for it, like every other.
            job.Received?.Completed(file, job.PathOf(file));
        }
        var copyNotes = await CopyFilesAsync(job, state, todo, cancellationToken);
        state = (await job.Journal.LoadAsync(cancellationToken)) with { HasStarted = state.HasStarted };
        var failed = new ConcurrentQueue<(TransferNote Note, FailureKind Kind)>();
        await FetchFilesAsync(job, state, todo, failed, cancellationToken);
        // A request that the killed process had sent may have been carried out only after the first look; and an upload
        // that was begun without an answer was begun again.
        var begins = todo.Any(f => !SmallFiles.Takes(f, job.Target, limits));
        if (state.HasStarted || (begins && !job.Target.Traits.IsLocal))
            await EndOrphansAsync(job, await job.Journal.LoadAsync(cancellationToken), cancellationToken);
        var notKept = await FinishAsync(job, cancellationToken);
        notKept.AddRange(copyNotes);
        if (skip.Count > 0)
        {
            var were = skip.Count == 1 ? "1 file was" : $"{skip.Count:N0} files were";
            notKept.Add(new TransferNote("", $"{were} there already: left as is, not compared"));
        }
        foreach (var (file, path) in job.Renamed)
        {
            notKept.Add(new TransferNote(
                job.Content.Files.First(f => f.Index == file).Entry.Path.Value,
                $"stands beside what was there, as '{path.Name}'"));
        }
        return new TransferResult(notKept, [.. failed]);
    }

    /// <summary>Takes what the service itself could copy off the list.</summary>
    private async Task<IReadOnlyList<TransferNote>> CopyFilesAsync(
        TransferJob job, JournalState state, List<SharedFile> todo, CancellationToken cancellationToken)
    {
        var target = job.Target.Find<ICopyFromOthers>();
        if (target is null || job.Copy is not { } route || !job.Routes.HasFlag(TransferRoutes.Copy))
        {
            // An upload that the service has filled in part is nothing to go on with from verified bytes.
            foreach (var file in todo.Where(f => state.Copies.ContainsKey(f.Index)))
                await CopyFile.DropAsync(job, file, state.Uploads.GetValueOrDefault(file.Index), cancellationToken);
            return [];
        }
        var run = new CopyRun(job, route, target, limits, state);
        var done = await run.RunAsync(todo, cancellationToken);
        todo.RemoveAll(f => done.Contains(f.Index));
        return run.Notes;
    }

    /// <summary>Removes what a transfer that is given up has half done: pending uploads at its paths.</summary>
    public static async Task CleanUpAsync(TransferJob job, CancellationToken cancellationToken)
    {
        var state = await job.Journal.LoadAsync(cancellationToken);
        job = job with { Renamed = state.Renamed };
        await EndOrphansAsync(job, state with { Uploads = new Dictionary<int, RecordedUpload>() }, cancellationToken);
        foreach (var file in state.Uploads.Keys) await job.Journal.UploadEndedAsync(file, cancellationToken);
    }

    private static void CheckNames(TransferJob job)
    {
        var rules = job.Target.Traits.Names;
        var problems = new List<string>();
        var folds = !rules.IsCaseSensitive || !rules.KeepsNormalization;
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        if (job.Target.Traits.IsReadOnly)
        {
            throw new VirgaException(
                FailureKind.ReadOnly, "the account is read-only",
                "Choose another account, or link it with write access.");
        }
        foreach (var entry in job.Content.Manifest.Entries)
        {
            var path = job.Folder.Append(entry.Path);
            if (rules.WhyNot(path) is { } why) problems.Add(why);
            else if (folds && !seen.TryAdd(rules.Key(path.Value), path.Value))
            {
                var other = seen[rules.Key(path.Value)];
                problems.Add($"'{path}' and '{other}' are one name there: {rules.WhyOne(path.Value, other)}");
            }
            if (entry.Kind == EntryKind.File) job.Target.Traits.PartBytesFor(Math.Max(1, entry.Size));
        }
        if (problems.Count == 0) return;
        throw new VirgaException(FailureKind.BadInput,
            $"the target can't hold {problems.Count} of the share's names, nothing was moved: "
                + Collisions.List(problems),
            "Choose an account that can hold them, or ask the owner to share without them.");
    }

    /// <summary>
    /// A crash can leave an upload that no record knows: those at our files' paths are ended, and those beside them
    /// that nobody can go on with.
    /// </summary>
    private static async Task EndOrphansAsync(TransferJob job, JournalState state, CancellationToken cancellationToken)
    {
        if (job.Target.Find<IResumableUploads>() is not { } resumable) return;
        var known = state.Uploads.Values.Select(u => u.Token).ToHashSet(StringComparer.Ordinal);
        var ours = job.Content.Files.Select(job.PathOf).ToHashSet();
        var folders = ours.Select(p => p.Parent).ToHashSet();
        var orphans = new List<PendingUpload>();
        try
        {
            await foreach (var pending in resumable.ListUploadsAsync(job.Folder, cancellationToken))
            {
                var isOurs = ours.Contains(pending.Path)
                    || (pending.IsAbandoned && folders.Contains(pending.Path.Parent));
                if (isOurs && !known.Contains(pending.Token)) orphans.Add(pending);
            }
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            return;
        }
        foreach (var orphan in orphans) await resumable.AbortUploadAsync(orphan, cancellationToken);
    }

    private async Task FetchFilesAsync(
        TransferJob job, JournalState state, List<SharedFile> todo,
        ConcurrentQueue<(TransferNote Note, FailureKind Kind)> failed, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var watched = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Whether others pass it on decides how it is fetched.
        if (todo.Count > 0) await job.Sources.LookFirstAsync(cancellationToken);
        var watching = job.Sources.WatchAsync(watched.Token);
        var fetches = new FetchGate(limits.RangesInFlight, () => job.Sources.WaitShare);
        var small = new SmallFiles(job, limits, fetches, buffers, (file, e) => failed.Enqueue((Note(file, e), e.Kind)));
        // What another run began in parts goes on in parts.
        var large = todo
            .Where(f => state.Uploads.ContainsKey(f.Index) || !SmallFiles.Takes(f, job.Target, limits))
            .ToList();
        var isLarge = large.Select(f => f.Index).ToHashSet();
        var batches = SmallFiles.Batches(todo.Where(f => !isLarge.Contains(f.Index)), limits);

        var batchesAtOnce = Math.Max(2, limits.RangesInFlight);
        // Writing to a disk is quick work of the CPU; writing to a service is waiting, so that many must wait at once.
        var writesAtOnce = Math.Max(1, job.Target.Traits.MaxConcurrency / batchesAtOnce);
        var work = new[]
        {
            EachAsync(batches, batchesAtOnce, batch => small.RunAsync(batch, writesAtOnce, stop.Token), stop),
            EachAsync(
                large, LargeAtOnce(job, large),
                file => RunLargeAsync(job, state, file, fetches, failed, stop.Token), stop),
        };
        await Task.WhenAll(work).ContinueWith(
            static _ => { },
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        await watched.CancelAsync();
        await watching;
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var task in work)
        {
            if (task.Exception?.InnerExceptions.FirstOrDefault(e => e is not OperationCanceledException) is { } cause)
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(cause);
        }
        stop.Token.ThrowIfCancellationRequested();
    }

    /// <summary>Files with very long parts go one at a time, since each holds three of them in memory.</summary>
    private int LargeAtOnce(TransferJob job, List<SharedFile> files) =>
        files.Any(f => job.Target.Traits.PartBytesFor(f.Entry.Size) > AccountTraits.PreferredPartBytes)
            ? 1
            : limits.LargeFilesAtOnce;

    private async Task RunLargeAsync(
        TransferJob job, JournalState state, SharedFile file, FetchGate fetches,
        ConcurrentQueue<(TransferNote Note, FailureKind Kind)> failed, CancellationToken cancellationToken)
    {
        try
        {
            var recorded = state.Uploads.GetValueOrDefault(file.Index);
            await new LargeFile(job, file, limits, fetches, buffers).RunAsync(recorded, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Changed or FailureKind.NotFound or FailureKind.Corrupt)
        {
            failed.Enqueue((Note(file, e), e.Kind));
        }
    }

    private static TransferNote Note(SharedFile file, VirgaException e) => new(file.Entry.Path.Value, e.Message);

    /// <summary>
    /// Runs the work for each item, so many at once; the first failure stops all of it and is thrown.
    /// </summary>
    private static async Task EachAsync<T>(
        IEnumerable<T> items, int atOnce, Func<T, Task> work, CancellationTokenSource stop)
    {
        try
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = stop.Token };
            await Parallel.ForEachAsync(items, options, async (item, _) => await work(item));
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }

    /// <summary>Links and empty folders, after all files are there.</summary>
    private static async Task<List<TransferNote>> FinishAsync(TransferJob job, CancellationToken cancellationToken)
    {
        var notKept = new List<TransferNote>();
        var symlinks = job.Target.Find<ISymlinks>();
        foreach (var entry in job.Content.Manifest.Entries)
        {
            var path = job.Folder.Append(entry.Path);
            switch (entry.Kind)
            {
                case EntryKind.Folder when !job.Target.Traits.KeepsEmptyFolders:
                    notKept.Add(new TransferNote(entry.Path.Value, "the account keeps no empty folders"));
                    break;
                case EntryKind.Folder:
                    await job.Target.CreateFolderAsync(path, cancellationToken);
                    break;
                case EntryKind.Symlink when SymlinkTargets.LeadsOutside(entry.Path, entry.LinkTarget ?? ""):
                    notKept.Add(new TransferNote(entry.Path.Value, "the link leads outside of the share"));
                    break;
                case EntryKind.Symlink when symlinks is null:
                    notKept.Add(new TransferNote(entry.Path.Value, "the account keeps no symbolic links"));
                    break;
                case EntryKind.Symlink:
                    await symlinks!.CreateSymlinkAsync(path, entry.LinkTarget!, cancellationToken);
                    break;
            }
        }
        if (!job.Target.Traits.KeepsModified && job.Content.Files.Any(f => f.Entry.ModifiedNs is not null))
            notKept.Add(new TransferNote("", "the account keeps no modification times"));
        return notKept;
    }
}
