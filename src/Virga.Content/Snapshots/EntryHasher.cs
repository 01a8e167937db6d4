using System.Buffers;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Merkle;

namespace Virga.Content.Snapshots;

/// <summary>
/// Reads an entry once, from its start to its end, seals it chunk by chunk where it is private, and hashes what comes
/// out. Reading overlaps with the work; memory is at most 3 MiB an entry. Safe for many entries at once.
/// </summary>
/// <param name="v1">Makes SHA-1 pieces of plain forms, too (BEP 3); null where nobody wants them.</param>
internal sealed class EntryHasher(
    IAccount account, int pieceBytes, Action<long> onRead, Func<long, V1Hasher>? v1 = null)
{
    private const int ChunkBytes = AgePayload.ChunkBytes;
    private const int SealedChunkBytes = AgePayload.SealedChunkBytes;
    private const int BufferBytes = 16 * ChunkBytes;

    /// <summary>Up to here an entry goes through one buffer and its root is made in one call.</summary>
    private const int SmallBytes = ChunkBytes;

    /// <summary>Changed when the entry is not, or does not stay, as listed.</summary>
    /// <param name="listed">A file of 1 byte or more, with its version.</param>
    /// <param name="seal">Null hashes the plain form.</param>
    public Task<HashedEntry?> HashAsync(Entry listed, FileSeal? seal, CancellationToken token) =>
        HashAsync(listed, seal, null, token);

    /// <param name="expectedTags">Ends with null as soon as a chunk has another tag than here.</param>
    public async Task<HashedEntry?> HashAsync(Entry listed, FileSeal? seal, byte[]? expectedTags,
        CancellationToken token)
    {
        await using var reader = await account.ReadAsync(listed.Path, new ByteRange(0, listed.Length), listed.Version,
            token);
        await using var ahead = new ReadAhead(reader.Content, listed.Length, BufferBytes, token);
        using IBlobSink sink = seal is null
            ? new PlainSink(listed.Length, pieceBytes) : new SealedSink(listed.Length, pieceBytes, seal);
        using var pieces = seal is null ? v1?.Invoke(listed.Length) : null;
        var checkedBytes = 0;
        for (var part = await ahead.NextAsync(); !part.IsEmpty; part = await ahead.NextAsync())
        {
            sink.Append(part.Span);
            pieces?.Append(part.Span);
            onRead(part.Length);
            if (expectedTags is null) continue;
            var tags = sink.Tags;
            if (!tags[checkedBytes..].SequenceEqual(expectedTags.AsSpan(checkedBytes, tags.Length - checkedBytes)))
                return null;
            checkedBytes = tags.Length;
        }
        var (blob, layer) = sink.Finish();
        var hashed = new HashedEntry(reader.Entry, blob, layer, sink.Tags.ToArray(), seal)
        {
            V1Pieces = pieces?.Finish(),
        };
        return expectedTags is null || hashed.Tags.AsSpan().SequenceEqual(expectedTags) ? hashed : null;
    }

    /// <summary>Takes plain bytes in order, in multiples of 64 KiB until the last.</summary>
    private interface IBlobSink : IDisposable
    {
        /// <summary>Those that are known so far; all after <see cref="Finish"/>.</summary>
        ReadOnlySpan<byte> Tags { get; }

        void Append(ReadOnlySpan<byte> plain);

        (BlobName Blob, byte[] PieceLayer) Finish();
    }

    private sealed class SealedSink : IBlobSink
    {
        private readonly AgePayload payload;
        private readonly byte[] tags;
        private readonly BlobHasher? hasher;
        private readonly long chunks;
        private readonly byte[] buffer;
        private readonly int pieceBytes;
        private long chunk;
        private int used;
        private BlobName small;

        public SealedSink(long plainBytes, int pieceBytes, FileSeal seal)
        {
            this.pieceBytes = pieceBytes;
            payload = new AgePayload(seal.Key, seal.Nonce);
            chunks = AgePayload.ChunkCount(plainBytes);
            tags = new byte[checked((int)(chunks * OwnedBlob.TagBytes))];
            hasher = plainBytes > SmallBytes ? new BlobHasher(pieceBytes) : null;
            var bufferedChunks = Math.Min(chunks, BufferBytes / ChunkBytes);
            var bytes = chunks == 1 ? AgePayload.SealedLength(plainBytes) : AgePayload.NonceBytes
                + (bufferedChunks * SealedChunkBytes);
            buffer = ArrayPool<byte>.Shared.Rent((int)bytes);
            seal.Nonce.CopyTo(buffer, 0);
            used = AgePayload.NonceBytes;
        }

        public ReadOnlySpan<byte> Tags => tags.AsSpan(0, (int)chunk * OwnedBlob.TagBytes);

        public void Append(ReadOnlySpan<byte> plain)
        {
            while (!plain.IsEmpty)
            {
                var part = plain[..Math.Min(plain.Length, ChunkBytes)];
                var output = buffer.AsSpan(used, part.Length + AgePayload.TagBytes);
                payload.SealChunk(chunk, chunk == chunks - 1, part, output);
                output[part.Length..].CopyTo(tags.AsSpan((int)chunk * OwnedBlob.TagBytes));
                chunk++;
                used += output.Length;
                plain = plain[part.Length..];
            }
            Flush();
        }

        public (BlobName Blob, byte[] PieceLayer) Finish() => hasher?.Finish() ?? (small, SmallLayer());

        public void Dispose()
        {
            payload.Dispose();
            ArrayPool<byte>.Shared.Return(buffer);
        }

        private void Flush()
        {
            var ready = buffer.AsSpan(0, used);
            if (hasher is null) small = new BlobName(MerkleTree.Root(ready), used);
            else hasher.Append(ready);
            if (hasher is not null) used = 0;
        }

        /// <summary>A file of just below 64 KiB is longer than that when it is sealed.</summary>
        private byte[] SmallLayer()
        {
            if (used <= pieceBytes) return [];
            var whole = new BlobHasher(pieceBytes);
            whole.Append(buffer.AsSpan(0, used));
            return whole.Finish().PieceLayer;
        }
    }

    /// <summary>Hashes 64 KiB by 64 KiB, which gives the tags; the piece layer is made of those.</summary>
    private sealed class PlainSink(long plainBytes, int pieceBytes) : IBlobSink
    {
        private readonly BlobHasher? hasher = plainBytes > SmallBytes ? new BlobHasher(ChunkBytes) : null;
        private byte[] tags = [];
        private BlobName small;

        public ReadOnlySpan<byte> Tags => tags;

        public void Append(ReadOnlySpan<byte> plain)
        {
            if (hasher is null) small = new BlobName(MerkleTree.Root(plain), plain.Length);
            else hasher.Append(plain);
        }

        public (BlobName Blob, byte[] PieceLayer) Finish()
        {
            var (blob, chunkRoots) = hasher?.Finish() ?? (small, []);
            tags = chunkRoots.Length == 0 ? blob.Root.ToArray()[..OwnedBlob.TagBytes] : PlainTags.Cut(chunkRoots);
            return (blob, blob.Length <= pieceBytes ? [] : PlainTags.Reduce(chunkRoots, pieceBytes));
        }

        public void Dispose()
        {
        }
    }
}
