using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Transfers.Journal;

namespace Virga.Transfers.Engine;

/// <summary>
/// Copies one file inside the service and checks the copy as the user's policy says. What turns out wrong is removed.
/// </summary>
internal sealed class CopyFile(
    TransferJob job, CopyRoute route, ICopyFromOthers target, EngineLimits limits, JournalState state)
{
    private readonly CopyVerifier verifier = new(job.Target, job.Content.PieceBytes, route.Random);

    /// <summary>Uploads of this run and the parts that are in them.</summary>
    private readonly ConcurrentDictionary<int, RecordedUpload> begun = [];

    /// <summary>The service doesn't let parts be copied; whole entries it may.</summary>
    private volatile bool refusesParts;

    /// <summary>The target can take no more, by whatever route; null while it can.</summary>
    public VirgaException? TargetFailure { get; private set; }

    /// <summary>What stands at the file's path then; its length is -1 as long as nobody has looked.</summary>
    public async Task<Entry> CopyAsync(SharedFile file, CopySource source, CancellationToken cancellationToken)
    {
        try
        {
            return await CopyAsync(file, source, job.PathOf(file), cancellationToken);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Full or FailureKind.ReadOnly)
        {
            TargetFailure = e;
            throw;
        }
    }

    /// <summary>How it was checked at last, and the bytes that were read back for it. Records it as complete.</summary>
    /// <exception cref="VirgaException">Changed or Corrupt: it was not what was shared, and is removed.</exception>
    public async Task<(CopyCheck How, long Compared)> CheckAsync(
        SharedFile file, CopySource source, Entry copy, CancellationToken cancellationToken)
    {
        var path = copy.Path;
        if (copy.Length < 0)
        {
            copy = await job.Target.StatAsync(path, cancellationToken) is { } there && there.Version == copy.Version
                ? there
                : throw new VirgaException(FailureKind.Changed, $"'{path}' was changed just after it was copied");
        }
        var same = await target.CompareAsync(source, copy, cancellationToken);
        var how = route.Check == CopyCheck.Service && same is null ? CopyCheck.Sample : route.Check;
        var compared = same == false || copy.Length != file.Entry.Size
            ? null : await verifier.CompareAsync(copy, file, how, cancellationToken);
        if (compared is null)
        {
            await RemoveAsync(copy, cancellationToken);
            throw same == false
                ? new VirgaException(FailureKind.Changed, $"'{path}' was copied in another version than was shared")
                : new VirgaException(
                    FailureKind.Corrupt, $"the copy of '{path}' is not what was shared; it was removed");
        }
        await job.Journal.CopyCompletedAsync(file.Index, how, cancellationToken);
        job.Status.AddDone(file.Entry.Size);
        job.Status.AddFile();
        // Whoever asks for it gets only what agrees with the tree as it is read.
        job.Received?.Completed(file, path);
        return (how, compared.Value);
    }

    /// <summary>Whether an upload of it was begun that the service was to fill.</summary>
    public bool HasBegun(SharedFile file) => begun.ContainsKey(file.Index) || state.Copies.ContainsKey(file.Index);

    /// <summary>Ends what a copy has begun: nothing must take its parts for fetched and verified ones.</summary>
    public Task DropAsync(SharedFile file, CancellationToken cancellationToken) => DropAsync(
        job, file, begun.TryRemove(file.Index, out var upload) ? upload : state.Uploads.GetValueOrDefault(file.Index),
        cancellationToken);

    /// <inheritdoc cref="DropAsync(SharedFile, CancellationToken)"/>
    public static async Task DropAsync(
        TransferJob job, SharedFile file, RecordedUpload? upload, CancellationToken cancellationToken)
    {
        if (upload is not null && job.Target.Find<IResumableUploads>() is { } resumable)
        {
            var pending = new PendingUpload(job.PathOf(file), upload.Token, null);
            await resumable.AbortUploadAsync(pending, cancellationToken);
        }
        await job.Journal.CopyDroppedAsync(file.Index, cancellationToken);
    }

    private async Task<Entry> CopyAsync(
        SharedFile file, CopySource source, EntryPath path, CancellationToken cancellationToken)
    {
        var length = file.Entry.Size;
        var options = new WriteOptions(Times.FromNs(file.Entry.ModifiedNs), file.Entry.IsExecutable);
        var isLong = length > target.CopyBytesMax;
        if (isLong || (length > limits.CopyInPartsBytes && IsFromParts(source) && !refusesParts))
        {
            try
            {
                return await CopyPartsAsync(file, source, path, options, cancellationToken);
            }
            catch (VirgaException e) when (e.Kind == FailureKind.Denied && !isLong && Stored(file) == 0)
            {
                refusesParts = true;
                await DropAsync(file, cancellationToken);
            }
        }
        return await target.CopyAsync(source, path, options, cancellationToken);
    }

    /// <summary>As S3 marks what was put together: the number of parts after a dash.</summary>
    private static bool IsFromParts(CopySource source) => source.Pin.Value.Contains('-', StringComparison.Ordinal);

    private int Stored(SharedFile file) => begun.TryGetValue(file.Index, out var upload) ? upload.Parts.Count : 0;

    private async Task<Entry> CopyPartsAsync(
        SharedFile file, CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var length = file.Entry.Size;
        var (upload, recorded) = await BeginAsync(file, source, path, options, cancellationToken);
        await using (upload)
        {
            var partBytes = recorded.PartBytes;
            var stored = recorded.Parts.ToDictionary(p => p.Index);
            var parts = (length + partBytes - 1) / partBytes;
            var missing = new List<long>();
            for (long i = 0; i < parts; i++)
                if (!stored.ContainsKey(i)) missing.Add(i);
            var parallel = new ParallelOptions
            {
                MaxDegreeOfParallelism = Math.Max(1, job.Target.Traits.MaxConcurrency),
                CancellationToken = cancellationToken,
            };
            await Parallel.ForEachAsync(missing, parallel, async (index, token) =>
            {
                var receipt = await target.CopyPartAsync(
                    source, path, recorded.Token, index, partBytes, length, token);
                await job.Journal.PartStoredAsync(file.Index, receipt, token);
                begun.AddOrUpdate(
                    file.Index, _ => recorded with { Parts = [receipt] },
                    (_, have) => have with { Parts = [.. have.Parts, receipt] });
            });
            var all = begun[file.Index].Parts;
            var copy = await upload.CompleteAsync([.. all.OrderBy(r => r.Index)], cancellationToken);
            begun.TryRemove(file.Index, out _);
            return copy;
        }
    }

    private async Task<(IUpload Upload, RecordedUpload Recorded)> BeginAsync(
        SharedFile file, CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var length = file.Entry.Size;
        var known = begun.GetValueOrDefault(file.Index)
            ?? (state.Copies.ContainsKey(file.Index) ? state.Uploads.GetValueOrDefault(file.Index) : null);
        if (known is not null && job.Target.Find<IResumableUploads>() is { } resumable)
        {
            try
            {
                var resumed = await resumable.ResumeUploadAsync(
                    path, length, known.PartBytes, options, known.Token, cancellationToken);
                return (resumed, begun[file.Index] = known);
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
            {
                await job.Journal.UploadEndedAsync(file.Index, cancellationToken);
            }
        }
        var partBytes = target.PartBytesFor(source, length);
        await job.Journal.CopyBegunAsync(file.Index, cancellationToken);
        var upload = await job.Target.BeginUploadAsync(path, length, partBytes, options, cancellationToken);
        var token = upload.Token ?? throw new VirgaException(
            FailureKind.Unsupported, $"an upload of '{path}' can't be filled by the service");
        await job.Journal.UploadBegunAsync(file.Index, token, partBytes, cancellationToken);
        return (upload, begun[file.Index] = new RecordedUpload(token, partBytes, []));
    }

    /// <summary>Only as long as it is our copy that stands there.</summary>
    private async Task RemoveAsync(Entry copy, CancellationToken cancellationToken)
    {
        if (await job.Target.StatAsync(copy.Path, cancellationToken) is { Kind: EntryKind.File } there
            && there.Version == copy.Version)
            await job.Target.DeleteAsync(copy.Path, cancellationToken);
    }
}
