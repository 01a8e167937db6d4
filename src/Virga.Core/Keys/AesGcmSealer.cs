namespace Virga.Core.Keys;

/// <summary>
/// Seals one plaintext that comes in parts with AES-256-GCM (NIST SP 800-38D), as the base class library seals one that
/// is there whole: what is long needs no second array, and no first one either. Not safe for several threads at once.
/// </summary>
public sealed unsafe class AesGcmSealer : IDisposable
{
    public const int KeyBytes = 32;
    public const int NonceBytes = 12;
    public const int TagBytes = 16;

    private readonly Native.CipherHandle context;

    /// <param name="key">32 bytes.</param>
    /// <param name="nonce">12 bytes that never sealed anything else under this key.</param>
    /// <param name="associated">Is authenticated, and stands nowhere in the box.</param>
    public AesGcmSealer(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associated)
    {
        if (key.Length != KeyBytes) throw new ArgumentException("a key has 32 bytes", nameof(key));
        if (nonce.Length != NonceBytes) throw new ArgumentException("a nonce has 12 bytes", nameof(nonce));
        context = Native.EVP_CIPHER_CTX_new();
        if (context.IsInvalid) throw Native.Broken(nameof(Native.EVP_CIPHER_CTX_new));
        var raw = context.DangerousGetHandle();
        fixed (byte* bytes = key, iv = nonce, input = associated)
        {
            int count;
            Native.Check(Native.EVP_CipherInit_ex(raw, Native.EVP_aes_256_gcm(), 0, bytes, iv, 1));
            if (associated.Length > 0)
                Native.Check(Native.EVP_CipherUpdate(raw, null, &count, input, associated.Length));
        }
    }

    /// <summary>Seals the next part where it lies.</summary>
    public void Seal(Span<byte> part)
    {
        if (part.IsEmpty) return;
        fixed (byte* bytes = part)
        {
            int count;
            Native.Check(
                Native.EVP_CipherUpdate(context.DangerousGetHandle(), bytes, &count, bytes, part.Length));
        }
    }

    /// <summary>The tag of all parts; nothing may follow.</summary>
    /// <param name="tag">16 bytes.</param>
    public void Finish(Span<byte> tag)
    {
        if (tag.Length != TagBytes) throw new ArgumentException("a tag has 16 bytes", nameof(tag));
        var raw = context.DangerousGetHandle();
        fixed (byte* bytes = tag)
        {
            int count;
            Native.Check(Native.EVP_CipherFinal_ex(raw, bytes, &count));
            Native.Check(Native.EVP_CIPHER_CTX_ctrl(raw, Native.GetAeadTag, TagBytes, bytes));
        }
    }

    public void Dispose() => context.Dispose();
}
