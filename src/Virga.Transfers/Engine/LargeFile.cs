using System.Runtime.ExceptionServices;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Transfers.Journal;

namespace Virga.Transfers.Engine;

/// <summary>
/// Brings one file over in parts: ranges of the blob are fetched several at once, each verified whole, opened into
/// the part buffers they belong to; a part is stored when its last byte is there, then recorded. Nothing touches a
/// local disk.
/// </summary>
/// <param name="fetches">Bounds range reads over all files of the transfer.</param>
internal sealed class LargeFile(
    TransferJob job, SharedFile file, EngineLimits limits, FetchGate fetches, BufferPool buffers)
{
    private readonly BlobName blob =
        file.Blob ?? throw new ArgumentException("an empty file has no parts", nameof(file));

    private readonly EntryPath path = job.PathOf(file);
    private readonly List<PartReceipt> receipts = [];
    private readonly Lock gate = new();

    private int UnitBytes => job.UnitBytes;

    public async Task RunAsync(RecordedUpload? recorded, CancellationToken cancellationToken)
    {
        var options = new WriteOptions(Times.FromNs(file.Entry.ModifiedNs), file.Entry.IsExecutable);
        var (upload, partBytes) = await BeginAsync(recorded, options, cancellationToken);
        if (upload is null)
        {
            job.Status.AddDone(file.Entry.Size);
            await job.Journal.FileCompletedAsync(file.Index, cancellationToken);
            job.Received?.Completed(file, path);
            job.Status.AddFile();
            return;
        }
        job.Received?.Begun(file, path, upload.Token, partBytes, receipts);
        await using (upload)
        {
            using var parts = new PartBuffers(
                upload, file.Entry.Size, partBytes, limits, buffers, job.Target.Traits.PartOrder, StoredAsync,
                cancellationToken);
            // Again where others have joined meanwhile: the rest is fetched from all of them.
            while (parts.Missing(receipts) is { Count: > 0 } missing)
                await FetchAsync(parts, missing, cancellationToken);
            receipts.Sort((x, y) => x.Index.CompareTo(y.Index));
            var entry = await upload.CompleteAsync(receipts, cancellationToken);
            if (entry.Length != file.Entry.Size)
            {
                throw new VirgaException(
                    FailureKind.Corrupt,
                    $"'{path}' has {entry.Length} bytes at the target after {file.Entry.Size} were written",
                    "Check the account with 'virga account check'; "
                        + "the file is written again when the transfer is resumed.");
            }
        }
        await job.Journal.FileCompletedAsync(file.Index, cancellationToken);
        job.Received?.Completed(file, path);
        job.Status.AddFile();
    }

    /// <summary>Whether the file is fetched from several holders, in the order that suits them.</summary>
    private bool IsSwarm(PartBuffers parts) =>
        job.Sources.IsSwarm && SwarmUnits.Takes(file, UnitBytes, parts.PartBytes);

    private async Task FetchAsync(
        PartBuffers parts, List<(long First, long Count)> missing, CancellationToken cancellationToken)
    {
        if (IsSwarm(parts))
        {
            await FetchFromSwarmAsync(parts, missing, cancellationToken);
        }
        else if (job.Scarcity is { } scarcity && job.Target.Traits.PartOrder == PartOrder.Any)
        {
            await FetchScarceFirstAsync(
                parts, new ScarceParts(
                    range => scarcity(file, range), file.Entry.Size, parts.PartBytes, missing,
                    job.Sources.Mix((ulong)file.Index)), cancellationToken);
        }
        else
        {
            foreach (var (first, count) in missing)
            {
                await FetchRegionAsync(parts, first, count, cancellationToken);
                if (IsSwarm(parts)) return;
            }
        }
    }

    /// <summary>No upload when the file turns out to be there already.</summary>
    private async Task<(IUpload? Upload, long PartBytes)> BeginAsync(
        RecordedUpload? recorded, WriteOptions options, CancellationToken cancellationToken)
    {
        if (recorded is not null && job.Target.Find<IResumableUploads>() is { } resumable)
        {
            try
            {
                var upload = await resumable.ResumeUploadAsync(
                    path, file.Entry.Size, recorded.PartBytes, options, recorded.Token, cancellationToken);
                receipts.AddRange(
                    job.Target.Traits.PartOrder == PartOrder.Sequence
                        ? await StoredAsync(upload, recorded, cancellationToken)
                        : recorded.Parts);
                foreach (var part in receipts) job.Status.AddDone(PartLength(part.Index, recorded.PartBytes));
                return (upload, recorded.PartBytes);
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
            {
                if (await WasCompletedAsync(recorded, cancellationToken)) return (null, recorded.PartBytes);
                await job.Journal.UploadEndedAsync(file.Index, cancellationToken);
            }
        }
        var partBytes = job.Target.Traits.PartBytesFor(file.Entry.Size);
        if (job.Sources.IsSwarm)
            partBytes = SwarmUnits.PartBytesFor(file, UnitBytes, job.Target.Traits) ?? partBytes;
        var fresh = await job.Target.BeginUploadAsync(path, file.Entry.Size, partBytes, options, cancellationToken);
        if (fresh.Token is { } token)
            await job.Journal.UploadBegunAsync(file.Index, token, partBytes, cancellationToken);
        return (fresh, partBytes);
    }

    /// <summary>
    /// In sequence, what the account holds is what counts: a part may have been stored just before it could be
    /// recorded. It is recorded now, so that the file is recognised when it is complete.
    /// </summary>
    private async Task<IReadOnlyList<PartReceipt>> StoredAsync(
        IUpload upload, RecordedUpload recorded, CancellationToken cancellationToken)
    {
        var known = recorded.Parts.Select(p => p.Index).ToHashSet();
        foreach (var receipt in upload.Stored)
        {
            if (!known.Contains(receipt.Index))
                await job.Journal.PartStoredAsync(file.Index, receipt, cancellationToken);
        }
        return upload.Stored;
    }

    /// <summary>
    /// A crash, or an answer that got lost, between completing an upload and recording the file: what stands there is
    /// read back from the account, which costs its sources nothing.
    /// </summary>
    private async Task<bool> WasCompletedAsync(RecordedUpload recorded, CancellationToken cancellationToken)
    {
        var parts = (file.Entry.Size + recorded.PartBytes - 1) / recorded.PartBytes;
        if (recorded.Parts.Select(p => p.Index).Distinct().Count() < parts) return false;
        return await job.Target.StatAsync(path, cancellationToken) is { } entry
            && await (job.IsSame?.Invoke(file, entry, cancellationToken)
                ?? PlainVerifier.IsSameAsync(job.Target, entry, file, UnitBytes, cancellationToken));
    }

    private long PartLength(long index, long partBytes) => Math.Min(partBytes, file.Entry.Size - index * partBytes);

    private async ValueTask StoredAsync(
        IUpload upload, PartReceipt receipt, int bytes, CancellationToken cancellationToken)
    {
        if (upload.Token is not null) await job.Journal.PartStoredAsync(file.Index, receipt, cancellationToken);
        lock (gate) receipts.Add(receipt);
        job.Received?.Stored(file, receipt.Index);
        job.Status.AddDone(bytes);
    }

    /// <summary>
    /// Fetches the ranges that cover a run of missing parts, in order of their start, several at once.
    /// </summary>
    private async Task FetchRegionAsync(
        PartBuffers parts, long firstPart, long partCount, CancellationToken cancellationToken)
    {
        var running = new List<Task>();
        using var payload = file.FileKey is { } key ? new AgePayload(key, file.Nonce!.Value.Span) : null;
        var region = CreateRegion(parts, payload, firstPart, partCount);
        try
        {
            await BeginRangesAsync(parts, region, running);
        }
        catch (Exception e)
        {
            parts.Fail(e);
        }
        await EndAsync(parts, running, cancellationToken);
    }

    /// <summary>
    /// Begins to fetch all ranges of a region, as there is room for them; where a swarm comes up, no part any more.
    /// </summary>
    private async Task BeginRangesAsync(PartBuffers parts, Region region, List<Task> running)
    {
        var begunEnd = 0L;
        for (var offset = region.FetchStart; offset < region.FetchEnd;)
        {
            if (begunEnd > 0 && IsSwarm(parts))
                region.EndAt((begunEnd + parts.PartBytes - 1) / parts.PartBytes * parts.PartBytes);
            if (offset >= region.FetchEnd) break;
            var length = (int)Math.Min(RangeEnd(offset) - offset, region.FetchEnd - offset);
            var span = region.PlainSpan(offset, length);
            begunEnd = Math.Max(begunEnd, span.End);
            await parts.OpenAsync(span);
            await fetches.EnterAsync(parts.Stopped);
            running.Add(FetchAsync(parts, region, offset, length));
            running.RemoveAll(t => t.IsCompleted);
            offset += length;
        }
    }

    private static async Task EndAsync(PartBuffers parts, List<Task> running, CancellationToken cancellationToken)
    {
        await Task.WhenAll(running);
        await parts.DrainAsync();
        cancellationToken.ThrowIfCancellationRequested();
        if (parts.Failure is { } failure) ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>Fetches missing parts, those that the fewest can deliver first.</summary>
    private async Task FetchScarceFirstAsync(
        PartBuffers parts, ScarceParts missing, CancellationToken cancellationToken)
    {
        var running = new List<Task>();
        using var payload = file.FileKey is { } key ? new AgePayload(key, file.Nonce!.Value.Span) : null;
        try
        {
            while (missing.Next() is { } part)
                await BeginRangesAsync(parts, CreateRegion(parts, payload, part, 1), running);
        }
        catch (Exception e)
        {
            parts.Fail(e);
        }
        await EndAsync(parts, running, cancellationToken);
    }

    /// <summary>Fetches all missing parts from whoever has them, in the order that suits the swarm.</summary>
    private async Task FetchFromSwarmAsync(
        PartBuffers parts, List<(long First, long Count)> missing, CancellationToken cancellationToken)
    {
        using var payload = file.FileKey is { } key ? new AgePayload(key, file.Nonce!.Value.Span) : null;
        var regions = new Dictionary<long, Region>();
        foreach (var (first, count) in missing)
        {
            var region = CreateRegion(parts, payload, first, count);
            for (var part = first; part < first + count; part++) regions.Add(part, region);
        }
        var units = new SwarmUnits(file, UnitBytes, parts.PartBytes);
        var fetch = new SwarmFetch(
            job, file, units, parts, [.. regions.Keys], part => regions[part], limits, buffers, job.Sources.Time);
        await fetch.RunAsync();
        await EndAsync(parts, [], cancellationToken);
    }

    private long RangeEnd(long offset)
    {
        var bytes = job.Sources.IsFar ? limits.FarRangeBytes : limits.RangeBytes;
        var rangeBytes = Math.Max(UnitBytes, bytes / UnitBytes * UnitBytes);
        return (offset / rangeBytes + 1) * rangeBytes;
    }

    private Region CreateRegion(PartBuffers parts, AgePayload? payload, long firstPart, long partCount)
    {
        var plainStart = firstPart * parts.PartBytes;
        var plainEnd = Math.Min(file.Entry.Size, (firstPart + partCount) * parts.PartBytes);
        var plain = new ByteRange(plainStart, plainEnd - plainStart);
        return payload is null
            ? new PlainRegion(blob, UnitBytes, plain, parts)
            : new SealedRegion(blob, UnitBytes, plain, file.Entry.Size, payload, parts);
    }

    /// <summary>Never throws: a failure ends the whole file through <see cref="PartBuffers.Fail"/>.</summary>
    private async Task FetchAsync(PartBuffers parts, Region region, long offset, int length)
    {
        // Off the caller's stack: verifying and opening a range takes milliseconds of one core.
        await Task.Yield();
        var place = region.Place(offset, length);
        var buffer = place.IsEmpty ? buffers.Rent(length) : default;
        try
        {
            var data = place.IsEmpty ? buffer[..length] : place;
            try
            {
                await ReadVerifiedAsync(offset, data, parts.Stopped);
            }
            finally
            {
                fetches.Leave();
            }
            job.Received?.Verified(file, offset, data.Span);
            if (place.IsEmpty) region.Deliver(offset, data.Span);
            else region.Filled(offset, length);
        }
        catch (Exception e)
        {
            parts.Fail(e);
        }
        finally
        {
            if (place.IsEmpty) buffers.Return(buffer);
        }
    }

    private Task ReadVerifiedAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        job.Sources.ReadAsync(
            destination.Length,
            async (source, token) =>
            {
                await source.ReadAsync(blob.Root, offset, destination, token);
                job.Status.AddFetched(destination.Length);
            },
            () => BlobVerifier.WhyWrong(blob, file.PieceLayer.Span, UnitBytes, offset, destination.Span),
            cancellationToken, [new BlobRange(blob.Root, new ByteRange(offset, destination.Length))]);
}
