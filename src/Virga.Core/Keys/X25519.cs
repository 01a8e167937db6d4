namespace Virga.Core.Keys;

/// <summary>X25519 (RFC 7748) over libcrypto. All keys and secrets have 32 bytes.</summary>
public static unsafe class X25519
{
    public const int KeyBytes = 32;

    public static void PublicKey(ReadOnlySpan<byte> secret, Span<byte> publicKey)
    {
        Check(secret.Length, nameof(secret));
        Check(publicKey.Length, nameof(publicKey));
        using var key = Private(secret);
        nuint length = KeyBytes;
        fixed (byte* bytes = publicKey) Native.Check(Native.EVP_PKEY_get_raw_public_key(key, bytes, ref length));
    }

    /// <summary>False when the shared secret is all zero (a low-order public key), which every caller must refuse.</summary>
    public static bool TryAgree(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> publicKey, Span<byte> shared)
    {
        Check(secret.Length, nameof(secret));
        Check(publicKey.Length, nameof(publicKey));
        Check(shared.Length, nameof(shared));
        using var key = Private(secret);
        using var peer = Public(publicKey);
        var context = Native.EVP_PKEY_CTX_new(key, 0);
        try
        {
            Native.Check(Native.EVP_PKEY_derive_init(context));
            Native.Check(Native.EVP_PKEY_derive_set_peer(context, peer));
            nuint length = KeyBytes;
            fixed (byte* bytes = shared)
            {
                if (Native.EVP_PKEY_derive(context, bytes, ref length) == 1 && shared.ContainsAnyExcept((byte)0)) return true;
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

    private static Native.KeyHandle Private(ReadOnlySpan<byte> secret)
    {
        fixed (byte* bytes = secret)
        {
            var key = Native.EVP_PKEY_new_raw_private_key(Native.X25519, 0, bytes, KeyBytes);
            return key.IsInvalid ? throw Native.Broken(nameof(Native.EVP_PKEY_new_raw_private_key)) : key;
        }
    }

    private static Native.KeyHandle Public(ReadOnlySpan<byte> publicKey)
    {
        fixed (byte* bytes = publicKey)
        {
            var key = Native.EVP_PKEY_new_raw_public_key(Native.X25519, 0, bytes, KeyBytes);
            return key.IsInvalid ? throw Native.Broken(nameof(Native.EVP_PKEY_new_raw_public_key)) : key;
        }
    }

    private static void Check(int length, string name)
    {
        if (length != KeyBytes) throw new ArgumentException($"32 bytes are needed, not {length}", name);
    }
}
