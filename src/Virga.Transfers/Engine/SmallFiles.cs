using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;

namespace Virga.Transfers.Engine;

/// <summary>
/// Brings many small files over: as many as fit are fetched in one request, each is verified and opened whole and
/// written in one call. A batch that fails for one file's sake is fetched file by file, so that the others are not
/// held up.
/// </summary>
internal sealed class SmallFiles(
    TransferJob job, EngineLimits limits, FetchGate fetches, BufferPool buffers,
    Action<SharedFile, VirgaException> failed)
{
    public static bool Takes(SharedFile file, IAccount target, EngineLimits limits) =>
        (file.Blob?.Length ?? 0) <= limits.SmallFileBytes && file.Entry.Size <= target.Traits.SingleWriteBytesMax;

    /// <summary>Cuts the files, in their order, into batches that fit one request.</summary>
    public static IEnumerable<List<SharedFile>> Batches(IEnumerable<SharedFile> files, EngineLimits limits)
    {
        var batch = new List<SharedFile>();
        long bytes = 0;
        foreach (var file in files)
        {
            var length = file.Blob?.Length ?? 0;
            if (batch.Count > 0 && (batch.Count == limits.BatchFiles || bytes + length > limits.BatchBytes))
            {
                yield return batch;
                batch = [];
                bytes = 0;
            }
            batch.Add(file);
            bytes += length;
        }
        if (batch.Count > 0) yield return batch;
    }

    public async Task RunAsync(List<SharedFile> batch, int writesAtOnce, CancellationToken cancellationToken)
    {
        var buffer = buffers.Rent(Math.Max(limits.BatchBytes, limits.SmallFileBytes));
        try
        {
            try
            {
                await FetchAndWriteAsync(batch, buffer, writesAtOnce, cancellationToken);
            }
            catch (VirgaException e) when (batch.Count > 1 && IsOneFiles(e))
            {
                foreach (var file in batch) await RunOneAsync(file, buffer, cancellationToken);
            }
            catch (VirgaException e) when (IsOneFiles(e))
            {
                failed(batch[0], e);
            }
        }
        finally
        {
            buffers.Return(buffer);
        }
    }

    private async Task RunOneAsync(SharedFile file, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            await FetchAndWriteAsync([file], buffer, 1, cancellationToken);
        }
        catch (VirgaException e) when (IsOneFiles(e))
        {
            failed(file, e);
        }
    }

    private static bool IsOneFiles(VirgaException e) =>
        e.Kind is FailureKind.Changed or FailureKind.NotFound or FailureKind.Corrupt;

    private async Task FetchAndWriteAsync(
        List<SharedFile> batch, Memory<byte> buffer, int writesAtOnce, CancellationToken cancellationToken)
    {
        var ranges = new List<BlobRange>(batch.Count);
        var offsets = new int[batch.Count];
        var total = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            offsets[i] = total;
            if (batch[i].Blob is not { } blob) continue;
            ranges.Add(new BlobRange(blob.Root, new ByteRange(0, blob.Length)));
            total += (int)blob.Length;
        }
        if (ranges.Count > 0)
        {
            await FetchAsync(batch, ranges, offsets, buffer[..total], cancellationToken);
            for (var i = 0; i < batch.Count && job.Received is not null; i++)
                if (batch[i].Blob is not null) job.Received.Verified(batch[i], 0, Slice(batch[i], offsets[i]).Span);
        }
        if (writesAtOnce == 1)
        {
            for (var i = 0; i < batch.Count; i++)
                await WriteAsync(batch[i], Slice(batch[i], offsets[i]), cancellationToken);
            return;
        }
        await Parallel.ForAsync(0, batch.Count, Parallelism(writesAtOnce, cancellationToken), async (i, token) =>
            await WriteAsync(batch[i], Slice(batch[i], offsets[i]), token));

        Memory<byte> Slice(SharedFile file, int offset) => buffer.Slice(offset, (int)(file.Blob?.Length ?? 0));
    }

    private static ParallelOptions Parallelism(int degree, CancellationToken cancellationToken) =>
        new() { MaxDegreeOfParallelism = degree, CancellationToken = cancellationToken };

    private async Task FetchAsync(
        List<SharedFile> batch, List<BlobRange> ranges, int[] offsets, Memory<byte> destination,
        CancellationToken cancellationToken)
    {
        await fetches.EnterAsync(cancellationToken);
        try
        {
            await job.Sources.ReadAsync(
                destination.Length,
                async (source, token) =>
                {
                    if (ranges.Count == 1) await source.ReadAsync(ranges[0].Root, 0, destination, token);
                    else await source.ReadManyAsync(ranges, destination, token);
                    job.Status.AddFetched(destination.Length);
                },
                () => WhyWrong(batch, offsets, destination.Span),
                cancellationToken, ranges);
        }
        finally
        {
            fetches.Leave();
        }
    }

    private string? WhyWrong(List<SharedFile> batch, int[] offsets, ReadOnlySpan<byte> data)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            if (batch[i].Blob is not { } blob) continue;
            var wrong = BlobVerifier.WhyWrong(
                blob, batch[i].PieceLayer.Span, job.Content.PieceBytes, 0, data.Slice(offsets[i], (int)blob.Length));
            if (wrong is not null) return wrong;
        }
        return null;
    }

    private async ValueTask WriteAsync(SharedFile file, Memory<byte> data, CancellationToken cancellationToken)
    {
        var plain = file.Blob is null ? Memory<byte>.Empty
            : file.FileKey is { } key ? OpenInPlace(file, key, data)
            : data;
        var options = new WriteOptions(Times.FromNs(file.Entry.ModifiedNs), file.Entry.IsExecutable);
        await job.Target.WriteAsync(job.PathOf(file), plain, options, cancellationToken);
        await job.Journal.FileCompletedAsync(file.Index, cancellationToken);
        job.Received?.Completed(file, job.PathOf(file));
        job.Status.AddDone(file.Entry.Size);
        job.Status.AddFile();
    }

    /// <summary>
    /// Opens the chunks one after the other to the front of the buffer they lie in; a chunk's plaintext is shorter
    /// than itself.
    /// </summary>
    private static Memory<byte> OpenInPlace(SharedFile file, AgeFileKey key, Memory<byte> data)
    {
        using var payload = new AgePayload(key, data.Span[..AgePayload.NonceBytes]);
        var rest = data.Span[AgePayload.NonceBytes..];
        Span<byte> plain = data.Span;
        var done = 0;
        var scratch = new byte[Math.Min(AgePayload.ChunkBytes, rest.Length)];
        for (long chunk = 0; rest.Length > 0; chunk++)
        {
            var take = Math.Min(AgePayload.SealedChunkBytes, rest.Length);
            var length = take - AgePayload.TagBytes;
            if (length < 0
                || !payload.TryOpenChunk(chunk, take == rest.Length, rest[..take], scratch.AsSpan(0, length)))
            {
                throw new VirgaException(
                    FailureKind.Corrupt,
                    $"'{file.Entry.Path}' matches the share but does not open with its key: the share was made wrongly",
                    "Ask its owner to share it again.");
            }
            scratch.AsSpan(0, length).CopyTo(plain[done..]);
            done += length;
            rest = rest[take..];
        }
        return data[..done];
    }
}
