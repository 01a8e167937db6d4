using System.Buffers;
using System.IO.Pipelines;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.Transfers.Swarm;

/// <summary>
/// A share as one of its receivers holds it, to pass it on in the sealed form: verified pieces in memory, and what the
/// target gives back. Whatever is read back is checked against the tree before a byte of it leaves.
/// </summary>
/// <param name="manifest">The sealed manifest; null in public shares.</param>
/// <param name="readsCompleted">
/// Whether completed files may be read from the target; those that are written are where the account can.
/// </param>
public sealed class HeldShare(
    ShareContent content, PieceNumbers numbers, byte[]? manifest, IAccount target, SealedWindow window,
    bool readsCompleted, long epoch, TimeProvider time, Action<string> log) : IReceivedPieces
{
    private const int RunBytes = 256 << 10;

    /// <summary>Reads from the target at once: each takes memory and a core.</summary>
    private const int ReadsBackAtOnce = 3;
    private static readonly TimeSpan Noticed = TimeSpan.FromMinutes(1);

    private readonly IReadsPendingUploads? pending = target.Find<IReadsPendingUploads>();
    private readonly Lock gate = new();
    private readonly Dictionary<Hash256, HeldBlob> blobs = [];
    private readonly PieceSet have = new(numbers.Total);
    private readonly PieceSet lasting = new(numbers.Total);
    private readonly BlobName? manifestBlob =
        manifest is null ? null : ShareContent.ManifestBlob(content.Info, content.Layers).Blob;

    private readonly SemaphoreSlim readsBack = new(ReadsBackAtOnce);
    private TaskCompletionSource changed = NewSignal();
    private long version;
    private long asked = long.MinValue;

    private sealed class HeldBlob(SharedFile file, int first)
    {
        public readonly SharedFile File = file;
        public readonly int First = first;
        /// <summary>Those of an upload that are stored; null for what is written whole, as most files are.</summary>
        public HashSet<long>? Parts;
        public string? Token;
        public long PartBytes;
        public EntryPath Path;
        public bool IsComplete;
    }

    public Hash256 InfoHash => content.InfoHash;

    public PieceNumbers Numbers => numbers;

    public HaveVersion Version => new(epoch, Volatile.Read(ref version));

    /// <summary>Whether all files are held, so that nothing is missing for others.</summary>
    public bool IsWhole => have.Count() == numbers.Total;

    /// <summary>Somebody asked what is here lately, so that keeping pieces in memory is worth it.</summary>
    public bool HasReaders =>
        Volatile.Read(ref asked) is var at && at != long.MinValue && time.GetElapsedTime(at) < Noticed;

    /// <summary>Somebody reads; what comes from now on is kept in memory for a while.</summary>
    public void Notice() => Volatile.Write(ref asked, time.GetTimestamp());

    public HaveAnswer Describe()
    {
        var current = Version;
        return new HaveAnswer(current, IsWhole ? null : have.ToBytes(), null);
    }

    /// <summary>Ends when what is here is no longer what it was at that version, or the time is over.</summary>
    public async Task WaitAsync(HaveVersion known, TimeSpan most, CancellationToken cancellationToken)
    {
        Task signal;
        lock (gate)
        {
            if (known != Version) return;
            signal = changed.Task;
        }
        try
        {
            await signal.WaitAsync(most, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Nothing new: the answer says so.
        }
    }

    public long? LengthOf(Hash256 root)
    {
        if (manifestBlob is { } sealedManifest && sealedManifest.Root == root) return sealedManifest.Length;
        lock (gate) return blobs.TryGetValue(root, out var blob) ? blob.File.Blob!.Value.Length : null;
    }

    /// <summary>Whether all of a range is here now.</summary>
    public bool Has(Hash256 root, ByteRange range)
    {
        if (manifestBlob?.Root == root) return true;
        var (first, count) = numbers.Of(root, range.Offset, range.Length);
        return count > 0 && have.ContainsAll(first, count);
    }

    /// <summary>The manifest is here from the start.</summary>
    public void Open()
    {
        if (manifestBlob is { } blob && numbers.Find(blob.Root) is { } place) Held(place.First, place.Count, true);
    }

    /// <summary>Nothing of it is kept in memory any more.</summary>
    public void Close() => window.Remove(this);

    public void Begun(
        SharedFile file, EntryPath path, string? token, long partBytes, IReadOnlyList<PartReceipt> stored)
    {
        if (Find(file) is not { } blob) return;
        lock (gate)
        {
            if (blob.IsComplete) return;
            (blob.Path, blob.Token, blob.PartBytes) = (path, token, partBytes);
            blob.Parts = [];
        }
        foreach (var part in stored) Stored(file, part.Index);
    }

    public void Verified(SharedFile file, long offset, ReadOnlySpan<byte> data)
    {
        if (!HasReaders || Find(file) is not { } blob) return;
        Keep(blob, offset, data);
    }

    public void Stored(SharedFile file, long part)
    {
        if (pending is null || Find(file) is not { } blob) return;
        var added = new List<int>();
        lock (gate)
        {
            if (blob.Token is null || !blob.Parts!.Add(part)) return;
            var start = part * blob.PartBytes;
            var plain = new ByteRange(start, Math.Min(blob.PartBytes, file.Entry.Size - start));
            var (from, to) = PiecesAround(file, plain);
            for (var piece = from; piece <= to; piece++)
                if (IsStored(blob, piece)) added.Add(blob.First + piece);
        }
        Add(added);
    }

    public void Completed(SharedFile file, EntryPath path)
    {
        if (Find(file) is not { } blob) return;
        lock (gate) (blob.Path, blob.IsComplete, blob.Token, blob.Parts) = (path, true, null, null);
        if (readsCompleted && numbers.Find(file.Blob!.Value.Root) is { } place) Held(place.First, place.Count, true);
    }

    /// <summary>
    /// Writes a range. NotFound for what is not here, also when it turns out only now that the target's file was
    /// changed; what was written until then is right.
    /// </summary>
    public async ValueTask CopyRangeAsync(
        Hash256 root, ByteRange range, PipeWriter output, CancellationToken cancellationToken)
    {
        if (manifestBlob?.Root == root)
        {
            await output.WriteAsync(manifest.AsMemory((int)range.Offset, (int)range.Length), cancellationToken);
            return;
        }
        HeldBlob blob;
        lock (gate)
        {
            if (!blobs.TryGetValue(root, out blob!)) throw NotHere();
        }
        var pieceBytes = numbers.PieceBytes;
        var last = (int)((range.End - 1) / pieceBytes);
        for (var piece = (int)(range.Offset / pieceBytes); piece <= last;)
        {
            if (window.Take(this, blob.First + piece) is { } slot)
            {
                try
                {
                    Write(output, range, (long)piece * pieceBytes, slot.Data.Span);
                }
                finally
                {
                    window.Release(slot);
                }
                piece++;
            }
            else
            {
                piece += await CopyBackAsync(blob, piece, last, range, output, cancellationToken);
            }
            if (output.UnflushedBytes >= RunBytes / 2 && (await output.FlushAsync(cancellationToken)).IsCompleted)
                return;
        }
        await output.FlushAsync(cancellationToken);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static VirgaException NotHere() => new(
        FailureKind.NotFound, "that is not here, or not yet", "Ask somebody else who has the share, or later.");

    private static void Write(PipeWriter output, ByteRange range, long offset, ReadOnlySpan<byte> data)
    {
        var from = Math.Max(range.Offset, offset);
        var to = Math.Min(range.End, offset + data.Length);
        if (from < to) output.Write(data[(int)(from - offset)..(int)(to - offset)]);
    }

    private HeldBlob? Find(SharedFile file)
    {
        if (file.Blob is not { } name || numbers.Find(name.Root) is not { } place) return null;
        lock (gate)
        {
            if (!blobs.TryGetValue(name.Root, out var blob))
                blobs.Add(name.Root, blob = new HeldBlob(file, place.First));
            return blob;
        }
    }

    private void Keep(HeldBlob blob, long offset, ReadOnlySpan<byte> data)
    {
        var added = new List<int>();
        for (var piece = blob.First + (int)(offset / numbers.PieceBytes); !data.IsEmpty; piece++)
        {
            var bytes = data[..Math.Min(numbers.PieceBytes, data.Length)];
            data = data[bytes.Length..];
            Evicted(window.Put(this, piece, bytes));
            if (window.Contains(this, piece) && !have.Contains(piece)) added.Add(piece);
        }
        Add(added, isLasting: false);
    }

    private static void Evicted(List<SealedWindow.Slot> gone)
    {
        foreach (var slot in gone) slot.Share.Forget(slot.Piece);
    }

    private void Forget(int piece)
    {
        if (lasting.Contains(piece)) return;
        have.Remove(piece);
        Changed();
    }

    private void Held(int first, int count, bool isLasting) => Add([.. Enumerable.Range(first, count)], isLasting);

    private void Add(List<int> pieces, bool isLasting = true)
    {
        if (pieces.Count == 0) return;
        foreach (var piece in pieces)
        {
            if (isLasting) lasting.Add(piece);
            have.Add(piece);
        }
        Changed();
    }

    private void Changed()
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            version++;
            (signal, changed) = (changed, NewSignal());
        }
        signal.TrySetResult();
    }

    /// <summary>Pieces that may need a stretch of the plain form.</summary>
    private (int From, int To) PiecesAround(SharedFile file, ByteRange plain)
    {
        if (plain.Length <= 0) return (0, -1);
        var length = file.Blob!.Value.Length;
        var (start, end) = (plain.Offset, plain.End);
        if (file.Nonce is not null)
        {
            start = AgePayload.NonceBytes + (plain.Offset / AgePayload.ChunkBytes * AgePayload.SealedChunkBytes);
            end = AgePayload.NonceBytes
                + ((plain.End - 1) / AgePayload.ChunkBytes * AgePayload.SealedChunkBytes) + AgePayload.SealedChunkBytes;
            if (plain.Offset == 0) start = 0;
        }
        return ((int)(start / numbers.PieceBytes), (int)((Math.Min(end, length) - 1) / numbers.PieceBytes));
    }

    private bool IsStored(HeldBlob blob, int piece)
    {
        var length = blob.File.Blob!.Value.Length;
        var offset = (long)piece * numbers.PieceBytes;
        var end = Math.Min(length, offset + numbers.PieceBytes);
        if (blob.File.Nonce is not null)
        {
            offset = Math.Max(0, offset - AgePayload.NonceBytes) / AgePayload.SealedChunkBytes * AgePayload.ChunkBytes;
            end = Math.Min(
                blob.File.Entry.Size,
                ((end - AgePayload.NonceBytes - 1) / AgePayload.SealedChunkBytes * AgePayload.ChunkBytes)
                    + AgePayload.ChunkBytes);
        }
        for (var part = offset / blob.PartBytes; part <= (end - 1) / blob.PartBytes; part++)
            if (!blob.Parts!.Contains(part)) return false;
        return true;
    }

    /// <summary>Reads some pieces back, verifies, keeps and writes them; returns how many.</summary>
    private async ValueTask<int> CopyBackAsync(
        HeldBlob blob, int piece, int last, ByteRange range, PipeWriter output, CancellationToken cancellationToken)
    {
        var pieceBytes = numbers.PieceBytes;
        var count = 0;
        while (piece + count <= last && (count == 0 || (count + 1) * (long)pieceBytes <= RunBytes)
            && lasting.Contains(blob.First + piece + count) && !window.Contains(this, blob.First + piece + count))
            count++;
        if (count == 0) throw NotHere();
        var file = blob.File;
        var offset = (long)piece * pieceBytes;
        var length = (int)Math.Min((long)count * pieceBytes, file.Blob!.Value.Length - offset);
        await readsBack.WaitAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var data = buffer.AsMemory(0, length);
            await ReadBackAsync(blob, new ByteRange(offset, length), data, cancellationToken);
            var layer = file.PieceLayer.Span;
            if (BlobVerifier.WhyWrong(file.Blob.Value, layer, pieceBytes, offset, data.Span) is not null)
            {
                Drop(blob, "it is no longer what was received");
                throw NotHere();
            }
            Keep(blob, offset, data.Span);
            Write(output, range, offset, data.Span);
            return count;
        }
        catch (VirgaException e) when (e.Kind is not FailureKind.NotFound || file.Blob is null)
        {
            throw new VirgaException(FailureKind.Unavailable, "what was received can't be read now", null, e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            readsBack.Release();
        }
    }

    private async ValueTask ReadBackAsync(
        HeldBlob blob, ByteRange range, Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            await PlainForm.ReadAsync(blob.File, Plain, range, destination, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.NotFound or FailureKind.Changed or FailureKind.BadInput)
        {
            bool isComplete;
            lock (gate) isComplete = blob.IsComplete;
            // Between the last part and the whole file an upload is neither: the next request finds it.
            if (isComplete) Drop(blob, e.Message);
            throw NotHere();
        }

        async Task Plain(ByteRange plain, Memory<byte> to, CancellationToken token)
        {
            EntryPath path;
            string? upload;
            lock (gate) (path, upload) = (blob.Path, blob.IsComplete ? null : blob.Token);
            if (upload is not null && pending is not null)
            {
                var read = await pending.ReadPendingAsync(path, upload, plain.Offset, to, token);
                if (read < to.Length) throw NotHere();
                return;
            }
            await using var reader = await target.ReadAsync(path, plain, null, token);
            if (await reader.Content.ReadAtLeastAsync(to, to.Length, false, token) < to.Length) throw NotHere();
        }
    }

    private void Drop(HeldBlob blob, string why)
    {
        log($"'{blob.Path}' is not passed on any more: {why}");
        if (numbers.Find(blob.File.Blob!.Value.Root) is not { } place) return;
        for (var piece = place.First; piece < place.First + place.Count; piece++)
        {
            lasting.Remove(piece);
            have.Remove(piece);
        }
        Changed();
    }
}
