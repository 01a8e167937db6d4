using System.Buffers;
using System.Diagnostics;

namespace Virga.Core.Age;

/// <summary>
/// Whole age v1 files: header and payload. Streams are read and written a chunk at a time. What is opened is released
/// only chunk by chunk as each is found authentic; a file that was cut shows only at its end, so whoever must not act
/// on half a file waits for the call to return. Open throws as <see cref="AgeHeader.Open"/> does, and Corrupt when
/// the payload was changed or cut.
/// </summary>
public static class AgeFile
{
    /// <summary>Bytes of the file for one plaintext, as <see cref="Seal"/> makes it.</summary>
    public static long SealedLength(int headerBytes, long plainLength) =>
        headerBytes + AgePayload.SealedLength(plainLength);

    public static byte[] Seal(ReadOnlySpan<byte> plain, IReadOnlyList<AgeRecipient> recipients, RandomBytes random)
    {
        var fileKey = AgeFileKey.Generate(random);
        var header = AgeHeader.Create(fileKey, recipients, random);
        var file = new byte[SealedLength(header.Length, plain.Length)];
        header.CopyTo(file, 0);
        var nonce = file.AsSpan(header.Length, AgePayload.NonceBytes);
        random(nonce);
        using var payload = new AgePayload(fileKey, nonce);
        var output = file.AsSpan(header.Length + AgePayload.NonceBytes);
        var chunks = AgePayload.ChunkCount(plain.Length);
        for (var index = 0; index < chunks; index++)
        {
            var chunk = plain[..Math.Min(plain.Length, AgePayload.ChunkBytes)];
            payload.SealChunk(index, index == chunks - 1, chunk, output[..(chunk.Length + AgePayload.TagBytes)]);
            plain = plain[chunk.Length..];
            output = output[(chunk.Length + AgePayload.TagBytes)..];
        }
        return file;
    }

    /// <summary>
    /// The same of a plaintext that is written as it is made, and so stands nowhere whole.
    /// </summary>
    /// <param name="plainLength">Just what <paramref name="write"/> writes.</param>
    public static byte[] Seal(
        int plainLength, Action<IBufferWriter<byte>> write, IReadOnlyList<AgeRecipient> recipients, RandomBytes random)
    {
        var fileKey = AgeFileKey.Generate(random);
        var header = AgeHeader.Create(fileKey, recipients, random);
        var file = new byte[SealedLength(header.Length, plainLength)];
        header.CopyTo(file, 0);
        var nonce = file.AsSpan(header.Length, AgePayload.NonceBytes);
        random(nonce);
        using var payload = new AgePayload(fileKey, nonce);
        var chunks = new SealingChunks(payload, file.AsMemory(header.Length + AgePayload.NonceBytes));
        write(chunks);
        chunks.Finish();
        return file;
    }

    public static byte[] Open(ReadOnlySpan<byte> file, IReadOnlyList<AgeIdentity> identities)
    {
        var fileKey = AgeHeader.Open(file, identities, out var headerBytes);
        var rest = file[headerBytes..];
        CheckNonce(rest.Length);
        using var payload = new AgePayload(fileKey, rest[..AgePayload.NonceBytes]);
        var plain = new byte[PlainLength(rest.Length)];
        var output = plain.AsSpan();
        rest = rest[AgePayload.NonceBytes..];
        var chunks = AgePayload.ChunkCount(plain.Length);
        for (var index = 0; index < chunks; index++)
        {
            var chunk = output[..Math.Min(output.Length, AgePayload.ChunkBytes)];
            var sealedBytes = chunk.Length + AgePayload.TagBytes;
            if (!payload.TryOpenChunk(index, index == chunks - 1, rest[..sealedBytes], chunk)) throw Corrupt(index);
            output = output[chunk.Length..];
            rest = rest[sealedBytes..];
        }
        return plain;
    }

    /// <summary>Reads <paramref name="plain"/> to its end and writes the file. Neither stream is closed.</summary>
    public static Task SealAsync(Stream plain, Stream output, IReadOnlyList<AgeRecipient> recipients,
        RandomBytes random, CancellationToken token)
    {
        var fileKey = AgeFileKey.Generate(random);
        return SealAsync(plain, output, fileKey, AgeHeader.Create(fileKey, recipients, random), random, token);
    }

    /// <summary>The same, for a passphrase alone.</summary>
    public static Task SealAsync(Stream plain, Stream output, AgePassphrase passphrase, RandomBytes random,
        CancellationToken token, int work = AgePassphrase.WorkDefault)
    {
        var fileKey = AgeFileKey.Generate(random);
        return SealAsync(plain, output, fileKey, AgeHeader.Create(fileKey, passphrase, work, random), random, token);
    }

    private static async Task SealAsync(Stream plain, Stream output, AgeFileKey fileKey, byte[] header,
        RandomBytes random, CancellationToken token)
    {
        await output.WriteAsync(header, token).ConfigureAwait(false);
        var nonce = new byte[AgePayload.NonceBytes];
        random(nonce);
        await output.WriteAsync(nonce, token).ConfigureAwait(false);
        using var payload = new AgePayload(fileKey, nonce);
        var window = ArrayPool<byte>.Shared.Rent(AgePayload.ChunkBytes + 1);
        var chunk = ArrayPool<byte>.Shared.Rent(AgePayload.SealedChunkBytes);
        try
        {
            var reader = new ChunkWindow(plain, window, AgePayload.ChunkBytes, 0);
            for (long index = 0; ; index++)
            {
                var (length, isLast) = await reader.NextAsync(token).ConfigureAwait(false);
                var sealedChunk = chunk.AsMemory(0, length + AgePayload.TagBytes);
                payload.SealChunk(index, isLast, window.AsSpan(0, length), sealedChunk.Span);
                await output.WriteAsync(sealedChunk, token).ConfigureAwait(false);
                if (isLast) return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(window, clearArray: true);
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>
    /// Reads a whole file and writes its plaintext, authentic chunk by authentic chunk. Neither stream is closed.
    /// </summary>
    public static Task OpenAsync(Stream file, Stream plain, IReadOnlyList<AgeIdentity> identities,
        CancellationToken token) =>
        OpenAsync(file, plain, (data, out bytes) => AgeHeader.Open(data, identities, out bytes), token);

    /// <summary>The same, by a passphrase.</summary>
    public static Task OpenAsync(Stream file, Stream plain, AgePassphrase passphrase, CancellationToken token) =>
        OpenAsync(file, plain, (data, out bytes) => AgeHeader.Open(data, passphrase, out bytes), token);

    private delegate AgeFileKey HeaderOpener(ReadOnlySpan<byte> data, out int headerBytes);

    private static async Task OpenAsync(Stream file, Stream plain, HeaderOpener open, CancellationToken token)
    {
        const int windowBytes = AgePayload.SealedChunkBytes + 1 + AgePayload.NonceBytes;
        Debug.Assert(windowBytes >= AgeHeader.MaxBytes + AgePayload.NonceBytes);
        var window = ArrayPool<byte>.Shared.Rent(windowBytes);
        var chunk = ArrayPool<byte>.Shared.Rent(AgePayload.ChunkBytes);
        try
        {
            var (payload, buffered) = await OpenHeaderAsync(file, window, open, token).ConfigureAwait(false);
            using var opened = payload;
            var reader = new ChunkWindow(file, window, AgePayload.SealedChunkBytes, buffered);
            for (long index = 0; ; index++)
            {
                var (length, isLast) = await reader.NextAsync(token).ConfigureAwait(false);
                var plainChunk = chunk.AsMemory(0, Math.Max(0, length - AgePayload.TagBytes));
                var isOpen = opened.TryOpenChunk(index, isLast, window.AsSpan(0, length), plainChunk.Span);
                if (!isOpen && !opened.TryOpenChunk(index, !isLast, window.AsSpan(0, length), plainChunk.Span))
                    throw Corrupt(index);
                // Authentic, though at the wrong place: released as every age reader does, which may not look ahead.
                await plain.WriteAsync(plainChunk, token).ConfigureAwait(false);
                if (!isOpen) throw WrongEnd(index, isLast);
                if (isLast) return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(window);
            ArrayPool<byte>.Shared.Return(chunk, clearArray: true);
        }
    }

    /// <summary>
    /// Reads header and nonce. What was read of the payload behind them is moved to the window's start.
    /// </summary>
    private static async Task<(AgePayload Payload, int Buffered)> OpenHeaderAsync(Stream file, byte[] window,
        HeaderOpener open, CancellationToken token)
    {
        var count = 0;
        var headerBytes = 0;
        while (headerBytes == 0 && !AgeHeader.TryFindEnd(window.AsSpan(0, count), out headerBytes))
        {
            var free = window.AsMemory(count, AgeHeader.MaxBytes - count);
            var read = await file.ReadAsync(free, token).ConfigureAwait(false);
            if (read == 0) break;
            count += read;
        }
        var fileKey = open(window.AsSpan(0, count), out headerBytes);
        var missing = headerBytes + AgePayload.NonceBytes - count;
        if (missing > 0)
        {
            var free = window.AsMemory(count, missing);
            count += await file.ReadAtLeastAsync(free, missing, throwOnEndOfStream: false, token).ConfigureAwait(false);
        }
        CheckNonce(count - headerBytes);
        var payload = new AgePayload(fileKey, window.AsSpan(headerBytes, AgePayload.NonceBytes));
        var rest = window.AsSpan((headerBytes + AgePayload.NonceBytes)..count);
        rest.CopyTo(window);
        return (payload, rest.Length);
    }

    private static void CheckNonce(int bytesBehindHeader)
    {
        if (bytesBehindHeader < AgePayload.NonceBytes)
            throw AgeHeaderText.Bad("the data ends before the payload's nonce");
    }

    private static long PlainLength(long payloadBytes)
    {
        try
        {
            return AgePayload.PlainLength(payloadBytes);
        }
        catch (VirgaException cut)
        {
            throw new VirgaException(FailureKind.Corrupt, cut.Message, cut.Advice, cut);
        }
    }

    private static VirgaException Corrupt(long index) => new(FailureKind.Corrupt,
        $"age payload: chunk {index} was changed, or the file was cut", "Get the file again from its source.");

    private static VirgaException WrongEnd(long index, bool isCut) => new(FailureKind.Corrupt,
        isCut
            ? $"age payload: the file was cut behind chunk {index}"
            : $"age payload: bytes follow the last chunk, {index}",
        "Get the file again from its source.");

    /// <summary>Seals what is written to it, chunk by chunk, into memory that is just long enough.</summary>
    private sealed class SealingChunks(AgePayload payload, Memory<byte> output) : IBufferWriter<byte>
    {
        private const int SpareBytes = 4096;

        private byte[] buffer = new byte[AgePayload.ChunkBytes + SpareBytes];
        private Memory<byte> rest = output;
        private int used;
        private long index;

        public void Advance(int count)
        {
            used += count;
            // Only what more follows behind is not the last.
            while (used > AgePayload.ChunkBytes)
            {
                Seal(AgePayload.ChunkBytes, isLast: false);
                buffer.AsSpan(AgePayload.ChunkBytes, used -= AgePayload.ChunkBytes).CopyTo(buffer);
            }
        }

        public Memory<byte> GetMemory(int sizeHint = 0)
        {
            if (buffer.Length - used < Math.Max(1, sizeHint)) Array.Resize(ref buffer, used + Math.Max(1, sizeHint));
            return buffer.AsMemory(used);
        }

        public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        public void Finish()
        {
            Seal(used, isLast: true);
            if (!rest.IsEmpty) throw new InvalidOperationException("the plaintext is shorter than was said");
        }

        private void Seal(int length, bool isLast)
        {
            var box = rest.Span[..(length + AgePayload.TagBytes)];
            payload.SealChunk(index++, isLast, buffer.AsSpan(0, length), box);
            rest = rest[box.Length..];
        }
    }

    /// <summary>
    /// Reads chunk after chunk into the start of a buffer, and one byte more: only so it is known which one is the
    /// last.
    /// </summary>
    /// <param name="buffer">Longer than a chunk; holds <paramref name="buffered"/> bytes already.</param>
    private sealed class ChunkWindow(Stream source, byte[] buffer, int chunkBytes, int buffered)
    {
        private int count = buffered;
        private int used;

        public async ValueTask<(int Length, bool IsLast)> NextAsync(CancellationToken token)
        {
            buffer.AsSpan(used..count).CopyTo(buffer);
            count -= used;
            var missing = chunkBytes + 1 - count;
            if (missing > 0)
            {
                var free = buffer.AsMemory(count, missing);
                count += await source.ReadAtLeastAsync(free, missing, throwOnEndOfStream: false, token)
                    .ConfigureAwait(false);
            }
            used = Math.Min(count, chunkBytes);
            return (used, count <= chunkBytes);
        }
    }
}
