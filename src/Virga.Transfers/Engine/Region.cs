using System.Buffers;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Transfers.Engine;

/// <summary>
/// A run of missing parts of one file and the bytes of the blob that cover it. Takes verified ranges in any order, from
/// several tasks at once, and puts their plain bytes into the part buffers.
/// </summary>
internal abstract class Region(int pieceBytes, long blobStart, long blobEnd, long blobLength)
{
    /// <summary>First byte of the blob to fetch: the start of a piece.</summary>
    public long FetchStart { get; } = blobStart / pieceBytes * pieceBytes;

    /// <summary>One past the last byte to fetch: the end of a piece or of the blob.</summary>
    public long FetchEnd { get; private set; } = PieceEnd(blobEnd, pieceBytes, blobLength);

    /// <summary>
    /// Takes nothing beyond a plain position, the end of a part. By the task that begins the ranges; none that has
    /// begun may reach beyond it.
    /// </summary>
    public abstract void EndAt(long plainEnd);

    protected void EndBlobAt(long end) => FetchEnd = Math.Min(FetchEnd, PieceEnd(end, pieceBytes, blobLength));

    private static long PieceEnd(long end, int pieceBytes, long blobLength) =>
        Math.Min(blobLength, (end + pieceBytes - 1) / pieceBytes * pieceBytes);

    /// <summary>The plain bytes that may come out of a range of the blob; they decide which parts it needs.</summary>
    public abstract ByteRange PlainSpan(long offset, int length);

    public abstract void Deliver(long offset, ReadOnlySpan<byte> data);

    /// <summary>
    /// Where a range of the blob may be read to, so that nothing is copied: memory of its part, filled as soon as
    /// <see cref="Filled"/> says so. Empty where the range must be read elsewhere and delivered.
    /// </summary>
    public virtual Memory<byte> Place(long offset, int length) => default;

    /// <summary>What was read to its place is right.</summary>
    public virtual void Filled(long offset, int length) =>
        throw new InvalidOperationException("the range has no place");
}

/// <summary>The blob is the plain form: ranges are copied.</summary>
internal sealed class PlainRegion : Region
{
    private readonly long wantedStart;
    private readonly PartBuffers parts;
    private long wantedEnd;

    public PlainRegion(BlobName blob, int pieceBytes, ByteRange plain, PartBuffers parts)
        : base(pieceBytes, plain.Offset, plain.End, blob.Length)
    {
        (wantedStart, wantedEnd) = (plain.Offset, plain.End);
        this.parts = parts;
    }

    public override void EndAt(long plainEnd)
    {
        if (plainEnd >= wantedEnd) return;
        Volatile.Write(ref wantedEnd, plainEnd);
        EndBlobAt(plainEnd);
    }

    public override ByteRange PlainSpan(long offset, int length)
    {
        var start = Math.Max(offset, wantedStart);
        return new ByteRange(start, Math.Max(0, Math.Min(offset + length, Volatile.Read(ref wantedEnd)) - start));
    }

    public override Memory<byte> Place(long offset, int length)
    {
        if (PlainSpan(offset, length) != new ByteRange(offset, length)) return default;
        var room = parts.Locate(offset);
        return room.Length < length ? default : room[..length];
    }

    public override void Filled(long offset, int length) => parts.Filled(offset, length);

    public override void Deliver(long offset, ReadOnlySpan<byte> data)
    {
        var span = PlainSpan(offset, data.Length);
        for (var position = span.Offset; position < span.End;)
        {
            var room = parts.Locate(position);
            var take = (int)Math.Min(room.Length, span.End - position);
            data.Slice((int)(position - offset), take).CopyTo(room.Span);
            parts.Filled(position, take);
            position += take;
        }
    }
}

/// <summary>
/// The blob is an age payload: each chunk is opened straight into its part. A chunk that lies across two ranges is put
/// together by whichever of them comes second.
/// </summary>
internal sealed class SealedRegion : Region
{
    private readonly PartBuffers parts;
    private readonly long wantedStart;
    private readonly long plainLength;
    private readonly long firstChunk;
    private readonly long blobLength;
    private readonly AgePayload payload;
    private readonly Dictionary<long, Torn> torn = [];
    private readonly Lock gate = new();
    private long wantedEnd;

    /// <summary>Rented: nearly every range tears one chunk, or two.</summary>
    private sealed class Torn(int length)
    {
        public readonly byte[] Bytes = ArrayPool<byte>.Shared.Rent(length);
        public int Have;
    }

    public SealedRegion(
        BlobName blob, int pieceBytes, ByteRange plain, long plainLength, AgePayload payload, PartBuffers parts)
        : base(pieceBytes, plain.Offset == 0 ? 0 : ChunkStart(plain.Offset / AgePayload.ChunkBytes),
            Math.Min(blob.Length, ChunkStart(EndChunk(plain.End))), blob.Length)
    {
        this.payload = payload;
        this.parts = parts;
        this.plainLength = plainLength;
        (wantedStart, wantedEnd) = (plain.Offset, plain.End);
        blobLength = blob.Length;
        firstChunk = plain.Offset / AgePayload.ChunkBytes;
    }

    public override void EndAt(long plainEnd)
    {
        if (plainEnd >= wantedEnd) return;
        Volatile.Write(ref wantedEnd, plainEnd);
        EndBlobAt(ChunkStart(EndChunk(plainEnd)));
    }

    public override ByteRange PlainSpan(long offset, int length)
    {
        var wantedTo = Volatile.Read(ref wantedEnd);
        var first = Math.Max(firstChunk, ChunkAt(offset));
        var end = Math.Min(EndChunk(wantedTo), ChunkAt(offset + length - 1) + 1);
        // Where parts are no multiples of a chunk, the region begins and ends in the middle of chunks: what lies beyond
        // is of parts that are stored already.
        var start = Math.Max(wantedStart, first * AgePayload.ChunkBytes);
        return new ByteRange(start, Math.Max(0, Math.Min(wantedTo, end * AgePayload.ChunkBytes) - start));
    }

    public override void Deliver(long offset, ReadOnlySpan<byte> data)
    {
        var end = offset + data.Length;
        var last = Math.Min(EndChunk(Volatile.Read(ref wantedEnd)) - 1, ChunkAt(end - 1));
        for (var chunk = Math.Max(firstChunk, ChunkAt(offset)); chunk <= last; chunk++)
        {
            var (start, length) = (ChunkStart(chunk), ChunkLength(chunk));
            if (start >= offset && start + length <= end)
            {
                Open(chunk, data.Slice((int)(start - offset), length));
                continue;
            }
            var from = Math.Max(start, offset);
            var piece = data[(int)(from - offset)..(int)(Math.Min(start + length, end) - offset)];
            if (Join(chunk, length, (int)(from - start), piece) is not { } whole) continue;
            Open(chunk, whole.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    private static long ChunkStart(long chunk) => AgePayload.NonceBytes + chunk * AgePayload.SealedChunkBytes;

    /// <summary>One past the last chunk of what ends there.</summary>
    private static long EndChunk(long plainEnd) =>
        (plainEnd + AgePayload.ChunkBytes - 1) / AgePayload.ChunkBytes;

    /// <summary>The chunk that a byte of the blob belongs to; the nonce counts as chunk 0.</summary>
    private static long ChunkAt(long offset) =>
        Math.Max(0, offset - AgePayload.NonceBytes) / AgePayload.SealedChunkBytes;

    private int ChunkLength(long chunk) => (int)Math.Min(AgePayload.SealedChunkBytes, blobLength - ChunkStart(chunk));

    /// <summary>The whole chunk, in a rented array, once all of it is there.</summary>
    private byte[]? Join(long chunk, int length, int at, ReadOnlySpan<byte> piece)
    {
        lock (gate)
        {
            if (!torn.TryGetValue(chunk, out var joined)) torn.Add(chunk, joined = new Torn(length));
            piece.CopyTo(joined.Bytes.AsSpan(at));
            joined.Have += piece.Length;
            if (joined.Have < length) return null;
            torn.Remove(chunk);
            return joined.Bytes;
        }
    }

    private void Open(long chunk, ReadOnlySpan<byte> @sealed)
    {
        var position = chunk * AgePayload.ChunkBytes;
        var length = @sealed.Length - AgePayload.TagBytes;
        var isLast = position + length == plainLength;
        var (from, to) =
            (Math.Max(position, wantedStart), Math.Min(position + length, Volatile.Read(ref wantedEnd)));
        // A part is a multiple of 64 KiB wherever the account allows it; where it doesn't, the chunk goes through a
        // buffer of its own.
        if (to - from == length && parts.Locate(position) is var whole && whole.Length >= length)
        {
            if (!payload.TryOpenChunk(chunk, isLast, @sealed, whole.Span[..length])) throw WrongTag(chunk);
            parts.Filled(position, length);
            return;
        }
        var plain = new byte[length];
        if (!payload.TryOpenChunk(chunk, isLast, @sealed, plain)) throw WrongTag(chunk);
        while (from < to)
        {
            var room = parts.Locate(from);
            var take = (int)Math.Min(room.Length, to - from);
            plain.AsSpan((int)(from - position), take).CopyTo(room.Span);
            parts.Filled(from, take);
            from += take;
        }
    }

    private static VirgaException WrongTag(long chunk) => new(
        FailureKind.Corrupt, $"chunk {chunk} matches the share but does not open with its key: the share was made "
            + "wrongly",
        "Ask its owner to share it again.");
}
