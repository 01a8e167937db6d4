namespace Virga.Core.Age;

/// <summary>An age X25519 recipient: a public key; text form <c>age1...</c> (C2SP age).</summary>
public readonly record struct AgeRecipient(Hash256 PublicKey)
{
    public static bool TryParse(string? text, out AgeRecipient recipient) => throw new NotImplementedException();

    public override string ToString() => throw new NotImplementedException();
}

/// <summary>An age X25519 identity: a secret key; text form <c>AGE-SECRET-KEY-1...</c>. ToString never shows it.</summary>
public sealed class AgeIdentity
{
    /// <param name="secret">32 bytes.</param>
    public AgeIdentity(ReadOnlySpan<byte> secret) => throw new NotImplementedException();

    public AgeRecipient Recipient => throw new NotImplementedException();

    public static bool TryParse(string? text, out AgeIdentity identity) => throw new NotImplementedException();

    /// <summary>The secret text form. Only for storing it encrypted, or handing it to a tool that its owner named.</summary>
    public string ExportSecret() => throw new NotImplementedException();
}

/// <summary>The 16-byte key of one age file.</summary>
public readonly record struct AgeFileKey(UInt128 Value)
{
    public static AgeFileKey Generate(RandomBytes random) => throw new NotImplementedException();
}

/// <summary>The header of an age v1 file: everything up to and with the line that starts with <c>---</c>.</summary>
public static class AgeHeader
{
    /// <summary>No header we accept is longer; bounds what a hostile file can make us read.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>Wraps the file key to every recipient, in order.</summary>
    public static byte[] Create(AgeFileKey fileKey, IReadOnlyList<AgeRecipient> recipients, RandomBytes random) =>
        throw new NotImplementedException();

    /// <summary>
    /// Opens a header with the first identity that fits and checks its MAC.
    /// Throws BadInput when it is malformed, Denied when no identity fits, Corrupt when the MAC is wrong.
    /// </summary>
    /// <param name="data">The header, alone or with the payload behind it.</param>
    /// <param name="headerBytes">Length of the header: where the payload starts.</param>
    public static AgeFileKey Open(ReadOnlySpan<byte> data, IReadOnlyList<AgeIdentity> identities, out int headerBytes) =>
        throw new NotImplementedException();
}

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

    /// <param name="nonce">16 bytes, the start of the payload.</param>
    public AgePayload(AgeFileKey fileKey, ReadOnlySpan<byte> nonce) => throw new NotImplementedException();

    /// <summary>Payload bytes (nonce and all) for a plaintext of the given length.</summary>
    public static long SealedLength(long plainLength) => throw new NotImplementedException();

    /// <summary>Plaintext bytes in a payload of the given length; BadInput when no plaintext has that payload length.</summary>
    public static long PlainLength(long sealedLength) => throw new NotImplementedException();

    public static long ChunkCount(long plainLength) => plainLength == 0 ? 1 : (plainLength + ChunkBytes - 1) / ChunkBytes;

    /// <param name="plain">64 KiB, or 0 to 64 KiB for the last chunk.</param>
    /// <param name="sealed">plain.Length + 16 bytes.</param>
    public void SealChunk(long index, bool isLast, ReadOnlySpan<byte> plain, Span<byte> @sealed) => throw new NotImplementedException();

    /// <summary>False when the tag is wrong; then nothing of <paramref name="plain"/> may be used.</summary>
    public bool TryOpenChunk(long index, bool isLast, ReadOnlySpan<byte> @sealed, Span<byte> plain) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
