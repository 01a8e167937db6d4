using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Virga.Core.Age;

/// <summary>
/// The payload of an age v1 file: a 16-byte nonce, then chunks of 64 KiB sealed with ChaCha20-Poly1305 (STREAM).
/// Chunks can be sealed and opened in any order and from several threads at once. Dispose wipes the key.
/// </summary>
public sealed class AgePayload : IDisposable
{
    public const int NonceBytes = 16;
    public const int ChunkBytes = 64 * 1024;
    public const int TagBytes = 16;
    public const int SealedChunkBytes = ChunkBytes + TagBytes;

    private readonly ChaChaKey key;

    /// <param name="nonce">16 bytes, the start of the payload.</param>
    public AgePayload(AgeFileKey fileKey, ReadOnlySpan<byte> nonce)
    {
        if (nonce.Length != NonceBytes)
            throw new ArgumentException($"a nonce has 16 bytes, not {nonce.Length}", nameof(nonce));
        Span<byte> payloadKey = stackalloc byte[ChaChaKey.KeyBytes];
        fileKey.Derive(nonce, "payload"u8, payloadKey);
        key = new ChaChaKey(payloadKey);
        CryptographicOperations.ZeroMemory(payloadKey);
    }

    /// <summary>Payload bytes (nonce and all) for a plaintext of the given length.</summary>
    public static long SealedLength(long plainLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(plainLength);
        return checked(NonceBytes + plainLength + ChunkCount(plainLength) * TagBytes);
    }

    /// <summary>
    /// Plaintext bytes in a payload of the given length; BadInput when no plaintext has that payload length.
    /// </summary>
    public static long PlainLength(long sealedLength)
    {
        var (chunks, rest) = Math.DivRem(sealedLength - NonceBytes, SealedChunkBytes);
        // Only the one chunk of an empty plaintext may be empty; a rest shorter than a tag is no chunk.
        var isPossible = sealedLength >= NonceBytes + TagBytes
            && (rest == 0 || rest > TagBytes || (rest == TagBytes && chunks == 0));
        if (isPossible) return chunks * ChunkBytes + Math.Max(0, rest - TagBytes);
        throw new VirgaException(FailureKind.BadInput,
            $"age payload: none has {sealedLength} bytes, so it is cut or no age payload",
            "Get the file again from its source.");
    }

    public static long ChunkCount(long plainLength) => plainLength == 0 ? 1 : (plainLength - 1) / ChunkBytes + 1;

    /// <summary>
    /// Seals one chunk. One file key and nonce must never seal two different plaintexts at one index: whoever seals on
    /// demand makes sure that the plaintext is still the one that was sealed before.
    /// </summary>
    /// <param name="index">Counts from 0.</param>
    /// <param name="plain">64 KiB, or 0 to 64 KiB for the last chunk.</param>
    /// <param name="sealed">
    /// plain.Length + 16 bytes; the last 16 are the tag. May start where <paramref name="plain"/> starts, to seal in
    /// place.
    /// </param>
    public void SealChunk(long index, bool isLast, ReadOnlySpan<byte> plain, Span<byte> @sealed)
    {
        if (!IsChunkLength(index, isLast, plain.Length))
            throw new ArgumentException($"chunk {index} (last: {isLast}) cannot have {plain.Length} bytes",
                nameof(plain));
        Span<byte> nonce = stackalloc byte[ChaChaKey.NonceBytes];
        WriteNonce(nonce, index, isLast);
        key.Seal(nonce, plain, @sealed);
    }

    /// <summary>
    /// False when the tag or the length is wrong; then nothing of <paramref name="plain"/> may be used.
    /// </summary>
    /// <param name="sealed">A sealed chunk, tag and all.</param>
    /// <param name="plain">
    /// sealed.Length - 16 bytes. May start where <paramref name="sealed"/> starts, to open in place.
    /// </param>
    public bool TryOpenChunk(long index, bool isLast, ReadOnlySpan<byte> @sealed, Span<byte> plain)
    {
        if (@sealed.Length < TagBytes || !IsChunkLength(index, isLast, @sealed.Length - TagBytes)) return false;
        Span<byte> nonce = stackalloc byte[ChaChaKey.NonceBytes];
        WriteNonce(nonce, index, isLast);
        return key.TryOpen(nonce, @sealed, plain);
    }

    public void Dispose() => key.Dispose();

    private static bool IsChunkLength(long index, bool isLast, int plainBytes)
    {
        if (!isLast) return plainBytes == ChunkBytes;
        return plainBytes <= ChunkBytes && (plainBytes > 0 || index == 0);
    }

    /// <summary>11 bytes of big-endian index, then 1 for the last chunk.</summary>
    private static void WriteNonce(Span<byte> nonce, long index, bool isLast)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        nonce.Clear();
        BinaryPrimitives.WriteInt64BigEndian(nonce[3..11], index);
        nonce[11] = isLast ? (byte)1 : (byte)0;
    }
}
