namespace Virga.Core.Keys;

/// <summary>An Ed25519 public key (RFC 8032), 32 bytes.</summary>
public readonly record struct VerifyKey(Hash256 Bytes)
{
    /// <summary>True when <paramref name="signature"/> (64 bytes) is this key's over <paramref name="message"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => throw new NotImplementedException();
}

/// <summary>An Ed25519 private key. Signing is safe from several threads at once. Dispose wipes it.</summary>
public sealed class SigningKey : IDisposable
{
    public const int SignatureBytes = 64;

    /// <param name="seed">32 bytes, the RFC 8032 private key.</param>
    public static SigningKey FromSeed(ReadOnlySpan<byte> seed) => throw new NotImplementedException();

    public VerifyKey PublicKey => throw new NotImplementedException();

    public byte[] Sign(ReadOnlySpan<byte> message) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

/// <summary>X25519 (RFC 7748) over libcrypto.</summary>
public static class X25519
{
    public static void PublicKey(ReadOnlySpan<byte> secret, Span<byte> publicKey) => throw new NotImplementedException();

    /// <summary>False when the shared secret is all zero (a low-order public key), which every caller must refuse.</summary>
    public static bool TryAgree(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> publicKey, Span<byte> shared) =>
        throw new NotImplementedException();
}

/// <summary>
/// Domain-separated signatures of the protocol: Ed25519 over <c>"virga/1/" + type + "\n" + bytes</c> (spec/v1/encodings.md).
/// </summary>
public static class DomainSignature
{
    public static byte[] Sign(SigningKey key, string type, ReadOnlySpan<byte> bytes) => throw new NotImplementedException();

    public static bool Verify(VerifyKey key, string type, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        throw new NotImplementedException();
}
