using System.Buffers;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Transfers.Sources;

/// <summary>
/// Makes a blob's sealed form again from the plain form that lies in somebody's storage, so that it is verified against
/// the tree like everything else.
/// </summary>
internal static class PlainForm
{
    /// <summary>Fills a whole destination with a range of the plain form.</summary>
    public delegate Task ReadPlain(ByteRange range, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Fills the destination with a range of the file's blob, in whatever form that has.</summary>
    public static Task ReadAsync(
        SharedFile file, ReadPlain read, ByteRange range, Memory<byte> destination,
        CancellationToken cancellationToken) =>
        file.FileKey is { } key
            ? ReadSealedAsync(file, key, read, range, destination, cancellationToken)
            : read(range, destination, cancellationToken);

    /// <summary>Reads the plain bytes of all chunks that the range touches, and seals them as the owner does.</summary>
    private static async Task ReadSealedAsync(
        SharedFile file, AgeFileKey key, ReadPlain read, ByteRange range, Memory<byte> destination,
        CancellationToken cancellationToken)
    {
        var nonce = file.Nonce!.Value;
        if (range.Offset < AgePayload.NonceBytes)
        {
            var head = (int)Math.Min(range.Length, AgePayload.NonceBytes - range.Offset);
            nonce.Slice((int)range.Offset, head).CopyTo(destination);
            if (head == range.Length) return;
        }
        var size = file.Entry.Size;
        var first = Math.Max(0, range.Offset - AgePayload.NonceBytes) / AgePayload.SealedChunkBytes;
        var last = (range.End - AgePayload.NonceBytes - 1) / AgePayload.SealedChunkBytes;
        var start = first * AgePayload.ChunkBytes;
        var plain = new ByteRange(start, Math.Min(size, (last + 1) * AgePayload.ChunkBytes) - start);
        var buffer = ArrayPool<byte>.Shared.Rent((int)plain.Length + AgePayload.SealedChunkBytes);
        try
        {
            await read(plain, buffer.AsMemory(0, (int)plain.Length), cancellationToken);
            using var payload = new AgePayload(key, nonce.Span);
            for (var chunk = first; chunk <= last; chunk++)
            {
                var at = (int)((chunk - first) * AgePayload.ChunkBytes);
                var length = (int)Math.Min(AgePayload.ChunkBytes, plain.Length - at);
                var sealedAt = AgePayload.NonceBytes + (chunk * AgePayload.SealedChunkBytes);
                var isLast = chunk == AgePayload.ChunkCount(size) - 1;
                Seal(payload, chunk, isLast, buffer.AsSpan(at, length), sealedAt, range, destination.Span,
                    buffer.AsSpan((int)plain.Length));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Seals straight into the destination, but for a chunk of which only a part is asked for.</summary>
    private static void Seal(
        AgePayload payload, long chunk, bool isLast, ReadOnlySpan<byte> plain, long sealedAt, ByteRange range,
        Span<byte> destination, Span<byte> scratch)
    {
        var bytes = plain.Length + AgePayload.TagBytes;
        if (sealedAt >= range.Offset && sealedAt + bytes <= range.End)
        {
            payload.SealChunk(chunk, isLast, plain, destination.Slice((int)(sealedAt - range.Offset), bytes));
            return;
        }
        payload.SealChunk(chunk, isLast, plain, scratch[..bytes]);
        var from = Math.Max(sealedAt, range.Offset);
        var to = Math.Min(sealedAt + bytes, range.End);
        scratch[(int)(from - sealedAt)..(int)(to - sealedAt)].CopyTo(destination[(int)(from - range.Offset)..]);
    }
}
