namespace Virga.Core.Keys;

/// <summary>X25519 (RFC 7748) over libcrypto. All keys and secrets have 32 bytes.</summary>
public static class X25519
{
    public const int KeyBytes = 32;

    public static void PublicKey(ReadOnlySpan<byte> secret, Span<byte> publicKey)
    {
        using var key = new X25519Key(secret);
        key.CopyPublicKeyTo(publicKey);
    }

    /// <summary>
    /// False when the shared secret is all zero (a low-order public key), which every caller must refuse.
    /// </summary>
    public static bool TryAgree(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> publicKey, Span<byte> shared)
    {
        using var key = new X25519Key(secret);
        return key.TryAgree(publicKey, shared);
    }
}

/// <summary>
/// A private key inside of libcrypto, for whoever uses it more than once: setting it up costs as much as an agreement.
/// Safe for several threads at once. Dispose, or the finalizer, wipes it.
/// </summary>
internal sealed unsafe class X25519Key : IDisposable
{
    private readonly Native.KeyHandle handle;

    /// <param name="secret">32 bytes; copied.</param>
    public X25519Key(ReadOnlySpan<byte> secret)
    {
        Check(secret.Length, nameof(secret));
        fixed (byte* bytes = secret)
            handle = Native.EVP_PKEY_new_raw_private_key(Native.X25519, 0, bytes, X25519.KeyBytes);
        if (handle.IsInvalid) throw Native.Broken(nameof(Native.EVP_PKEY_new_raw_private_key));
    }

    public void CopyPublicKeyTo(Span<byte> publicKey)
    {
        Check(publicKey.Length, nameof(publicKey));
        nuint length = X25519.KeyBytes;
        fixed (byte* bytes = publicKey) Native.Check(Native.EVP_PKEY_get_raw_public_key(handle, bytes, ref length));
    }

    public void CopySecretTo(Span<byte> secret)
    {
        Check(secret.Length, nameof(secret));
        nuint length = X25519.KeyBytes;
        fixed (byte* bytes = secret) Native.Check(Native.EVP_PKEY_get_raw_private_key(handle, bytes, ref length));
    }

    /// <summary>False when the shared secret is all zero (a low-order public key).</summary>
    public bool TryAgree(ReadOnlySpan<byte> publicKey, Span<byte> shared)
    {
        Check(publicKey.Length, nameof(publicKey));
        Check(shared.Length, nameof(shared));
        using var peer = Public(publicKey);
        var context = Native.EVP_PKEY_CTX_new(handle, 0);
        try
        {
            Native.Check(Native.EVP_PKEY_derive_init(context));
            Native.Check(Native.EVP_PKEY_derive_set_peer(context, peer));
            nuint length = X25519.KeyBytes;
            fixed (byte* bytes = shared)
            {
                if (Native.EVP_PKEY_derive(context, bytes, ref length) == 1 && shared.ContainsAnyExcept((byte)0))
                    return true;
            }
            Native.ERR_clear_error();
            shared.Clear();
            return false;
        }
        finally
        {
            Native.EVP_PKEY_CTX_free(context);
        }
    }

    public void Dispose() => handle.Dispose();

    private static Native.KeyHandle Public(ReadOnlySpan<byte> publicKey)
    {
        fixed (byte* bytes = publicKey)
        {
            var key = Native.EVP_PKEY_new_raw_public_key(Native.X25519, 0, bytes, X25519.KeyBytes);
            return key.IsInvalid ? throw Native.Broken(nameof(Native.EVP_PKEY_new_raw_public_key)) : key;
        }
    }

    private static void Check(int length, string name)
    {
        if (length != X25519.KeyBytes) throw new ArgumentException($"32 bytes are needed, not {length}", name);
    }
}
