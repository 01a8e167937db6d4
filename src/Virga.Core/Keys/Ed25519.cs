using System.Security.Cryptography;

namespace Virga.Core.Keys;

/// <summary>An Ed25519 public key (RFC 8032), 32 bytes.</summary>
public readonly record struct VerifyKey(Hash256 Bytes)
{
    /// <summary>
    /// True when <paramref name="signature"/> (64 bytes) is this key's over <paramref name="message"/>. Cofactorless, S
    /// below the group's order, as OpenSSL does it. Any other length, or a key that is no point, gives false.
    /// </summary>
    public unsafe bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != SigningKey.SignatureBytes) return false;
        Span<byte> raw = stackalloc byte[Hash256.ByteCount];
        Bytes.CopyTo(raw);
        fixed (byte* key = raw, data = message, sig = signature)
        {
            using var handle = Native.EVP_PKEY_new_raw_public_key(Native.Ed25519, 0, key, Hash256.ByteCount);
            if (handle.IsInvalid) throw Native.Broken(nameof(Native.EVP_PKEY_new_raw_public_key));
            var context = Native.EVP_MD_CTX_new();
            try
            {
                Native.Check(Native.EVP_DigestVerifyInit(context, 0, 0, 0, handle));
                if (Native.EVP_DigestVerify(context, sig, (nuint)signature.Length, data, (nuint)message.Length) == 1)
                    return true;
                Native.ERR_clear_error();
                return false;
            }
            finally
            {
                Native.EVP_MD_CTX_free(context);
            }
        }
    }

    public override string ToString() => Bytes.ToString();
}

/// <summary>An Ed25519 private key. Signing is safe from several threads at once. Dispose wipes it.</summary>
public sealed class SigningKey : IDisposable
{
    public const int SignatureBytes = 64;
    public const int SeedBytes = 32;

    private readonly Native.KeyHandle handle;

    private unsafe SigningKey(Native.KeyHandle handle)
    {
        this.handle = handle;
        Span<byte> raw = stackalloc byte[Hash256.ByteCount];
        nuint length = Hash256.ByteCount;
        fixed (byte* bytes = raw) Native.Check(Native.EVP_PKEY_get_raw_public_key(handle, bytes, ref length));
        PublicKey = new VerifyKey(new Hash256(raw));
    }

    /// <param name="seed">32 bytes, the RFC 8032 private key. The caller keeps it, and wipes it.</param>
    public static unsafe SigningKey FromSeed(ReadOnlySpan<byte> seed)
    {
        if (seed.Length != SeedBytes)
            throw new ArgumentException($"a seed has 32 bytes, not {seed.Length}", nameof(seed));
        fixed (byte* bytes = seed)
        {
            var created = Native.EVP_PKEY_new_raw_private_key(Native.Ed25519, 0, bytes, SeedBytes);
            if (created.IsInvalid) throw Native.Broken(nameof(Native.EVP_PKEY_new_raw_private_key));
            return new SigningKey(created);
        }
    }

    public static SigningKey Generate(RandomBytes random)
    {
        Span<byte> seed = stackalloc byte[SeedBytes];
        random(seed);
        try
        {
            return FromSeed(seed);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    public VerifyKey PublicKey { get; }

    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        var signature = new byte[SignatureBytes];
        Sign(message, signature);
        return signature;
    }

    /// <param name="signature">64 bytes.</param>
    public unsafe void Sign(ReadOnlySpan<byte> message, Span<byte> signature)
    {
        if (signature.Length != SignatureBytes)
            throw new ArgumentException("a signature has 64 bytes", nameof(signature));
        ObjectDisposedException.ThrowIf(handle.IsClosed, this);
        var context = Native.EVP_MD_CTX_new();
        try
        {
            nuint length = SignatureBytes;
            Native.Check(Native.EVP_DigestSignInit(context, 0, 0, 0, handle));
            fixed (byte* data = message, sig = signature)
                Native.Check(Native.EVP_DigestSign(context, sig, ref length, data, (nuint)message.Length));
        }
        finally
        {
            Native.EVP_MD_CTX_free(context);
        }
    }

    /// <summary>OpenSSL wipes the key when its last user is done.</summary>
    public void Dispose() => handle.Dispose();

    public override string ToString() => $"signing key of {PublicKey}";
}
