using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content.Snapshots;

/// <summary>
/// Produces ranges of a share's blobs from the owner's account, sealing on the fly. Every read is pinned; no byte
/// leaves that differs from what was shared. Safe for many ranges at once; memory is a few chunks a range.
/// </summary>
/// <remarks>
/// What it throws may be told to the peer: no message names an entry. The inner exception does, for the owner's log.
/// </remarks>
/// <param name="random">
/// With it, what was read and found right once is checked faster when it is read again; null: it is hashed each time.
/// </param>
public sealed class ShareReader(OwnerIndex index, IAccount account, RandomBytes? random = null)
{
    private const int ChunkBytes = AgePayload.ChunkBytes;
    private const int SealedChunkBytes = AgePayload.SealedChunkBytes;
    private const int BufferBytes = 4 * ChunkBytes;
    private const int FlushBytes = 256 << 10;
    private const int CheckedBytesMax = PlainTags.ChunksMax * ChunkBytes;

    private readonly BlobName? manifest = index.ManifestBlob;
    private readonly SeenChunks? seen = random is null ? null : new SeenChunks(random);

    public OwnerIndex Index { get; } = index;

    /// <summary>Length of the blob with that root, or null: a range can be checked before an answer begins.</summary>
    public long? LengthOf(Hash256 root) =>
        manifest?.Root == root ? manifest.Value.Length : Index.Find(root)?.Blob.Length;

    /// <summary>
    /// Writes exactly the bytes of a range of a blob to <paramref name="output"/> and flushes as it goes.
    /// NotFound for a root that isn't of this share, BadInput for a range outside of the blob, Changed when the entry
    /// changed. Returns early when the pipe's reader has ended.
    /// </summary>
    public async ValueTask CopyRangeAsync(Hash256 root, ByteRange range, PipeWriter output,
        CancellationToken cancellationToken)
    {
        RequireInside(root, range);
        if (range.Length == 0) return;
        if (manifest?.Root == root)
        {
            await WriteAsync(output, Index.SealedManifest!.Value.Slice((int)range.Offset, (int)range.Length),
                cancellationToken);
            return;
        }

        var blob = Index.Find(root)!;
        try
        {
            if (blob.FileKey is not null) await CopySealedAsync(blob, range, output, cancellationToken);
            else if (account.Traits.Pin == PinStrength.Strong)
                await CopyPlainAsync(blob, range, output, cancellationToken);
            else await CopyCheckedAsync(blob, range, output, cancellationToken);
        }
        catch (VirgaException failure)
        {
            throw Anonymous(failure);
        }
    }

    /// <summary>
    /// Fills memory with a range of a public file, which is read to where it is wanted and compared there. Fails as
    /// <see cref="CopyRangeAsync"/> does; nothing of the memory may be used then.
    /// </summary>
    public async ValueTask ReadPublicAsync(
        Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        RequireInside(root, new ByteRange(offset, destination.Length));
        if (Index.Find(root) is not { FileKey: null } blob)
            throw new ArgumentException("the blob is no public file", nameof(root));
        if (destination.IsEmpty) return;
        try
        {
            if (account.Traits.Pin == PinStrength.Strong)
                await FillAsync(blob, offset, destination, cancellationToken);
            else await FillCheckedAsync(blob, offset, destination, cancellationToken);
        }
        catch (VirgaException failure)
        {
            throw Anonymous(failure);
        }
    }

    /// <summary>
    /// A URL by which the storage itself reads a blob's plain form to whoever has it; null where the account can't sign
    /// one that is bound to the version that was shared.
    /// </summary>
    public async ValueTask<SignedReadUrl?> SignReadAsync(
        Hash256 root, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        if (account.Traits.Pin != PinStrength.Strong || account.Find<ISignedReadUrls>() is not { } signing
            || Index.Find(root) is not { } blob) return null;
        try
        {
            return await signing.SignReadAsync(blob.Path, blob.Version, lifetime, cancellationToken);
        }
        catch (VirgaException failure)
        {
            throw Anonymous(failure);
        }
    }

    /// <summary>
    /// The same for readers that know nothing of us: the storage was asked just now whether the version that was shared
    /// stands there. Null where the account can't sign, or the blob is not plain.
    /// </summary>
    public async ValueTask<Uri?> SignBareReadAsync(
        Hash256 root, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        if (account.Traits.Pin != PinStrength.Strong || account.Find<ISignedReadUrls>() is not { } signing
            || Index.Find(root) is not { FileKey: null } blob) return null;
        try
        {
            var entry = await account.StatAsync(blob.Path, cancellationToken);
            if (entry?.Version != blob.Version)
            {
                throw new VirgaException(
                    FailureKind.Changed, $"'{blob.Path}' has changed since it was shared", "Share it again.");
            }
            return await signing.SignBareReadAsync(blob.Path, blob.Version, lifetime, cancellationToken);
        }
        catch (VirgaException failure)
        {
            throw Anonymous(failure);
        }
    }

    private void RequireInside(Hash256 root, ByteRange range)
    {
        var length = LengthOf(root) ?? throw new VirgaException(FailureKind.NotFound, $"the share has no blob {root}");
        if (range.Offset < 0 || range.Length < 0 || range.Offset > length - range.Length)
            throw new VirgaException(FailureKind.BadInput,
                $"the range {range} lies outside of the blob's {length} bytes");
    }

    private async ValueTask FillAsync(
        OwnedBlob blob, long offset, Memory<byte> destination, CancellationToken token)
    {
        await using var reader = await account.ReadAsync(
            blob.Path, new ByteRange(offset, destination.Length), blob.Version, token);
        await ReadAhead.FillAsync(reader.Content, destination, token);
        await ReadAhead.RequireEndAsync(reader.Content, token);
    }

    /// <summary>Whole chunks go straight to where they are wanted; one of which only a part is, goes aside.</summary>
    private async ValueTask FillCheckedAsync(
        OwnedBlob blob, long offset, Memory<byte> destination, CancellationToken token)
    {
        var end = offset + destination.Length;
        var start = offset / ChunkBytes * ChunkBytes;
        var stop = Math.Min((end + ChunkBytes - 1) / ChunkBytes * ChunkBytes, blob.PlainLength);
        await using var reader = await account.ReadAsync(
            blob.Path, new ByteRange(start, stop - start), blob.Version, token);
        using var look = seen?.Open(blob);
        byte[]? aside = null;
        try
        {
            for (int length; start < stop; start += length)
            {
                var whole = start < offset ? 0 : end == stop ? end - start : (end - start) / ChunkBytes * ChunkBytes;
                var isAside = whole == 0;
                length = (int)(isAside ? Math.Min(ChunkBytes, stop - start) : Math.Min(CheckedBytesMax, whole));
                var part = isAside
                    ? (aside ??= ArrayPool<byte>.Shared.Rent(ChunkBytes)).AsMemory(0, length)
                    : destination.Slice((int)(start - offset), length);
                await ReadAhead.FillAsync(reader.Content, part, token);
                var count = PlainTags.CountMatching(part.Span, blob, start / ChunkBytes, look);
                if ((long)count * ChunkBytes < length) throw ChangedUnderPin(blob);
                if (!isAside) continue;
                var (from, to) = (Math.Max(start, offset), Math.Min(start + length, end));
                part[(int)(from - start)..(int)(to - start)].CopyTo(destination[(int)(from - offset)..]);
            }
            await ReadAhead.RequireEndAsync(reader.Content, token);
        }
        finally
        {
            if (aside is not null) ArrayPool<byte>.Shared.Return(aside);
        }
    }

    private async ValueTask CopySealedAsync(OwnedBlob blob, ByteRange range, PipeWriter output, CancellationToken token)
    {
        var target = new RangeWriter(output, range);
        if (range.End <= AgePayload.NonceBytes)
        {
            target.Write(blob.Nonce, 0);
            await output.FlushAsync(token);
            return;
        }
        var first = Math.Max(0, range.Offset - AgePayload.NonceBytes) / SealedChunkBytes;
        var last = (range.End - AgePayload.NonceBytes - 1) / SealedChunkBytes;
        using var payload = new AgePayload(blob.FileKey!.Value, blob.Nonce);
        await using var chunks = await OpenChunksAsync(blob, first, last, token);
        // Not before the entry is found to be there: what is on its way can't be taken back for an error.
        if (range.Offset < AgePayload.NonceBytes) target.Write(blob.Nonce, 0);
        var chunk = first;
        for (var part = await chunks.NextAsync(); !part.IsEmpty; part = await chunks.NextAsync())
        {
            // One stretch of memory for all of its chunks: sent in one piece, they fill whole TLS records.
            var count = (part.Length + ChunkBytes - 1) / ChunkBytes;
            output.GetMemory(part.Length + (count * AgePayload.TagBytes));
            for (; !part.IsEmpty; chunk++)
            {
                var plain = part[..Math.Min(part.Length, ChunkBytes)];
                SealChunk(payload, blob, chunk, plain.Span, target);
                part = part[plain.Length..];
            }
            if (!await target.FlushAsync(token)) return;
        }
        await output.FlushAsync(token);
    }

    /// <summary>
    /// Seals straight into the pipe's memory; nothing of it is advanced before the tag is found to be the one that was
    /// shared.
    /// </summary>
    private static void SealChunk(AgePayload payload, OwnedBlob blob, long chunk, ReadOnlySpan<byte> plain,
        RangeWriter target)
    {
        var offset = AgePayload.NonceBytes + (chunk * SealedChunkBytes);
        var bytes = plain.Length + AgePayload.TagBytes;
        var isLast = chunk == AgePayload.ChunkCount(blob.PlainLength) - 1;
        if (target.Holds(offset, bytes))
        {
            var sealedChunk = target.Output.GetSpan(bytes)[..bytes];
            Seal(sealedChunk, plain);
            target.Output.Advance(bytes);
            return;
        }
        var rented = ArrayPool<byte>.Shared.Rent(bytes);
        try
        {
            Seal(rented.AsSpan(0, bytes), plain);
            target.Write(rented.AsSpan(0, bytes), offset);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        void Seal(Span<byte> sealedChunk, ReadOnlySpan<byte> from)
        {
            payload.SealChunk(chunk, isLast, from, sealedChunk);
            var tag = blob.Tags.AsSpan((int)chunk * OwnedBlob.TagBytes, OwnedBlob.TagBytes);
            if (sealedChunk[from.Length..].SequenceEqual(tag)) return;
            // The pipe's memory may be read by nobody, but it must not keep the start of what was never shared either.
            CryptographicOperations.ZeroMemory(sealedChunk);
            throw ChangedUnderPin(blob);
        }
    }

    /// <summary>
    /// A public file whose version can't be trusted: whole chunks are read and compared before anything of them leaves.
    /// </summary>
    private async ValueTask CopyCheckedAsync(OwnedBlob blob, ByteRange range, PipeWriter output,
        CancellationToken token)
    {
        var target = new RangeWriter(output, range);
        var first = range.Offset / ChunkBytes;
        await using var chunks = await OpenChunksAsync(blob, first, (range.End - 1) / ChunkBytes, token);
        using var look = seen?.Open(blob);
        var chunk = first;
        for (var part = await chunks.NextAsync(); !part.IsEmpty; part = await chunks.NextAsync())
        {
            var count = PlainTags.CountMatching(part.Span, blob, chunk, look);
            var same = part.Span[..(int)Math.Min(part.Length, (long)count * ChunkBytes)];
            target.Write(same, chunk * ChunkBytes);
            if (same.Length < part.Length) throw ChangedUnderPin(blob);
            chunk += count;
            if (!await target.FlushAsync(token)) return;
        }
        await output.FlushAsync(token);
    }

    private async ValueTask CopyPlainAsync(OwnedBlob blob, ByteRange range, PipeWriter output, CancellationToken token)
    {
        await using var reader = await account.ReadAsync(blob.Path, range, blob.Version, token);
        for (var left = range.Length; ;)
        {
            var memory = output.GetMemory((int)Math.Clamp(left, 1, BufferBytes));
            var count = await reader.Content.ReadAsync(memory[..(int)Math.Clamp(left, 1, memory.Length)], token);
            if (count == 0 && left > 0)
                throw new VirgaException(FailureKind.Unavailable, "the account ended a read early");
            if (count > 0 && left == 0) throw ChangedUnderPin(blob);
            if (count == 0) return;
            output.Advance(count);
            left -= count;
            if ((await output.FlushAsync(token)).IsCompleted) return;
        }
    }

    /// <summary>The plain bytes of chunks <paramref name="first"/> to <paramref name="last"/>.</summary>
    private async ValueTask<ChunkReads> OpenChunksAsync(OwnedBlob blob, long first, long last, CancellationToken token)
    {
        var start = first * ChunkBytes;
        var range = new ByteRange(start, Math.Min((last + 1) * ChunkBytes, blob.PlainLength) - start);
        var reader = await account.ReadAsync(blob.Path, range, blob.Version, token);
        return new ChunkReads(reader, new ReadAhead(reader.Content, range.Length, BufferBytes, token));
    }

    private static async ValueTask WriteAsync(PipeWriter output, ReadOnlyMemory<byte> bytes, CancellationToken token)
    {
        for (; !bytes.IsEmpty; bytes = bytes[Math.Min(bytes.Length, FlushBytes)..])
        {
            if ((await output.WriteAsync(bytes[..Math.Min(bytes.Length, FlushBytes)], token)).IsCompleted) return;
        }
    }

    private static VirgaException ChangedUnderPin(OwnedBlob blob) => new(FailureKind.Changed,
        $"'{blob.Path}' has the version that was shared and other content", "Share it again.");

    /// <summary>The peer learns the kind alone: names are the owner's.</summary>
    private static VirgaException Anonymous(VirgaException failure) => failure.Kind switch
    {
        FailureKind.Changed or FailureKind.NotFound => new VirgaException(FailureKind.Changed,
            "an entry is no longer as it was shared", "Ask the share's owner to share it again.", failure),
        FailureKind.Throttled or FailureKind.Timeout =>
            new VirgaException(failure.Kind, "the owner's account is busy", "Try again later.", failure)
            {
                RetryAfter = failure.RetryAfter,
            },
        _ => new VirgaException(FailureKind.Unavailable, "the owner's account can't be read now",
            "Try again later, or tell the share's owner.", failure),
    };

    private readonly struct ChunkReads(EntryReader reader, ReadAhead ahead) : IAsyncDisposable
    {
        public ValueTask<ReadOnlyMemory<byte>> NextAsync() => ahead.NextAsync();

        public async ValueTask DisposeAsync()
        {
            await ahead.DisposeAsync();
            await reader.DisposeAsync();
        }
    }

    /// <summary>Lets through what of the blob lies in the asked range.</summary>
    private readonly struct RangeWriter(PipeWriter output, ByteRange range)
    {
        public PipeWriter Output => output;

        public bool Holds(long offset, int length) => offset >= range.Offset && offset + length <= range.End;

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            var start = Math.Max(offset, range.Offset);
            var end = Math.Min(offset + bytes.Length, range.End);
            if (start < end) output.Write(bytes[(int)(start - offset)..(int)(end - offset)]);
        }

        /// <summary>False when the pipe's reader has ended.</summary>
        public async ValueTask<bool> FlushAsync(CancellationToken token)
        {
            var result = await output.FlushAsync(token);
            if (result.IsCanceled) throw new OperationCanceledException(token);
            return !result.IsCompleted;
        }
    }
}
