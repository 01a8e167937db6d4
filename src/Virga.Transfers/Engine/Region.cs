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
    public long FetchEnd { get; } = Math.Min(blobLength, (blobEnd + pieceBytes - 1) / pieceBytes * pieceBytes);

    /// <summary>The plain bytes that may come out of a range of the blob; they decide which parts it needs.</summary>
    public abstract ByteRange PlainSpan(long offset, int length);

    public abstract void Deliver(long offset, ReadOnlySpan<byte> data);
}

/// <summary>The blob is the plain form: ranges are copied.</summary>
internal sealed class PlainRegion : Region
{
    private readonly ByteRange wanted;
    private readonly PartBuffers parts;

    public PlainRegion(BlobName blob, int pieceBytes, ByteRange plain, PartBuffers parts)
        : base(pieceBytes, plain.Offset, plain.End, blob.Length)
    {
        wanted = plain;
        this.parts = parts;
    }

    public override ByteRange PlainSpan(long offset, int length)
    {
        var start = Math.Max(offset, wanted.Offset);
        return new ByteRange(start, Math.Max(0, Math.Min(offset + length, wanted.End) - start));
    }

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
    private readonly ByteRange wanted;
    private readonly long plainLength;
    private readonly long firstChunk;
    private readonly long endChunk;
    private readonly long blobLength;
    private readonly AgePayload payload;
    private readonly Dictionary<long, Torn> torn = [];
    private readonly Lock gate = new();
    /// <summary>Rented: nearly every range tears one chunk, or two.</summary>
    private sealed class Torn(int length)
    {
        public readonly byte[] Bytes = ArrayPool<byte>.Shared.Rent(length);
        public int Have;
    }

    public SealedRegion(
        BlobName blob, int pieceBytes, ByteRange plain, long plainLength, AgePayload payload, PartBuffers parts)
        : base(pieceBytes, plain.Offset == 0 ? 0 : ChunkStart(plain.Offset / AgePayload.ChunkBytes),
            Math.Min(blob.Length,
                ChunkStart((plain.End + AgePayload.ChunkBytes - 1) / AgePayload.ChunkBytes)), blob.Length)
    {
        this.payload = payload;
        this.parts = parts;
        this.plainLength = plainLength;
        wanted = plain;
        blobLength = blob.Length;
        firstChunk = plain.Offset / AgePayload.ChunkBytes;
        endChunk = (plain.End + AgePayload.ChunkBytes - 1) / AgePayload.ChunkBytes;
    }

    public override ByteRange PlainSpan(long offset, int length)
    {
        var first = Math.Max(firstChunk, ChunkAt(offset));
        var end = Math.Min(endChunk, ChunkAt(offset + length - 1) + 1);
        // Where parts are no multiples of a chunk, the region begins and ends in the middle of chunks: what lies beyond
        // is of parts that are stored already.
        var start = Math.Max(wanted.Offset, first * AgePayload.ChunkBytes);
        return new ByteRange(start, Math.Max(0, Math.Min(wanted.End, end * AgePayload.ChunkBytes) - start));
    }

    public override void Deliver(long offset, ReadOnlySpan<byte> data)
    {
        var end = offset + data.Length;
        var last = Math.Min(endChunk - 1, ChunkAt(end - 1));
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
        var (from, to) = (Math.Max(position, wanted.Offset), Math.Min(position + length, wanted.End));
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
