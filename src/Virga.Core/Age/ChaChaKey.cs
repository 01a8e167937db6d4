using System.Collections.Concurrent;
using System.Security.Cryptography;
using Virga.Core.Keys;

namespace Virga.Core.Age;

/// <summary>
/// A ChaCha20-Poly1305 key (RFC 8439, 12-byte nonce, 16-byte tag behind the ciphertext, no associated data) that many
/// threads use at once. The base class library's type is bound to one OpenSSL context and so to one thread at a time;
/// here each call takes a context from a pool, in which the key is already set up. Calls allocate nothing once as many
/// contexts exist as calls run at a time.
/// </summary>
internal sealed unsafe class ChaChaKey : IDisposable
{
    public const int KeyBytes = 32;
    public const int NonceBytes = 12;
    public const int TagBytes = 16;

    private readonly byte[] key;
    private readonly ConcurrentQueue<Native.CipherHandle> idle = new();
    private Native.CipherHandle? first;
    private volatile bool isDisposed;

    /// <param name="key">32 bytes; copied.</param>
    public ChaChaKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyBytes) throw new ArgumentException("a key has 32 bytes", nameof(key));
        this.key = GC.AllocateUninitializedArray<byte>(KeyBytes, pinned: true);
        key.CopyTo(this.key);
    }

    /// <param name="sealed">
    /// plain.Length + 16 bytes. May start where <paramref name="plain"/> starts, but not overlap it otherwise.
    /// </param>
    public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plain, Span<byte> @sealed)
    {
        Check(nonce, plain.Length, @sealed.Length);
        var context = Rent();
        var raw = context.DangerousGetHandle();
        fixed (byte* iv = nonce, input = plain, output = @sealed)
        {
            int count;
            Native.Check(Native.EVP_CipherInit_ex(raw, 0, 0, null, iv, 1));
            if (plain.Length > 0) Native.Check(Native.EVP_CipherUpdate(raw, output, &count, input, plain.Length));
            Native.Check(Native.EVP_CipherFinal_ex(raw, output + plain.Length, &count));
            Native.Check(Native.EVP_CIPHER_CTX_ctrl(raw, Native.GetAeadTag, TagBytes, output + plain.Length));
        }
        Return(context);
    }

    /// <summary>False when the tag is wrong; <paramref name="plain"/> is zeroed then.</summary>
    /// <param name="plain">
    /// sealed.Length - 16 bytes. May start where <paramref name="sealed"/> starts, but not overlap it otherwise.
    /// </param>
    public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> @sealed, Span<byte> plain)
    {
        Check(nonce, plain.Length, @sealed.Length);
        var context = Rent();
        var raw = context.DangerousGetHandle();
        bool isAuthentic;
        fixed (byte* iv = nonce, input = @sealed, output = plain)
        {
            int count;
            byte none;
            Native.Check(Native.EVP_CipherInit_ex(raw, 0, 0, null, iv, 0));
            Native.Check(Native.EVP_CIPHER_CTX_ctrl(raw, Native.SetAeadTag, TagBytes, input + plain.Length));
            if (plain.Length > 0) Native.Check(Native.EVP_CipherUpdate(raw, output, &count, input, plain.Length));
            isAuthentic = Native.EVP_CipherFinal_ex(raw, &none, &count) == 1;
        }
        Return(context);
        if (isAuthentic) return true;
        Native.ERR_clear_error();
        plain.Clear();
        return false;
    }

    /// <summary>
    /// Wipes the key. Calls still running on other threads finish, and free their contexts themselves.
    /// </summary>
    public void Dispose()
    {
        isDisposed = true;
        CryptographicOperations.ZeroMemory(key);
        FreeIdle();
    }

    private static void Check(ReadOnlySpan<byte> nonce, int plainBytes, int sealedBytes)
    {
        if (nonce.Length != NonceBytes)
            throw new ArgumentException($"a nonce has 12 bytes, not {nonce.Length}", nameof(nonce));
        if (sealedBytes != plainBytes + TagBytes)
            throw new ArgumentException($"{plainBytes} bytes sealed are {plainBytes + TagBytes}, not {sealedBytes}",
                nameof(sealedBytes));
    }

    private Native.CipherHandle Rent()
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        return Interlocked.Exchange(ref first, null) ?? (idle.TryDequeue(out var context) ? context : Create());
    }

    private Native.CipherHandle Create()
    {
        var context = Native.EVP_CIPHER_CTX_new();
        if (context.IsInvalid) throw Native.Broken(nameof(Native.EVP_CIPHER_CTX_new));
        var raw = context.DangerousGetHandle();
        fixed (byte* bytes = key)
            Native.Check(Native.EVP_CipherInit_ex(raw, Native.EVP_chacha20_poly1305(), 0, bytes, null, 1));
        if (!isDisposed) return context;
        // The key may have been wiped while it was copied: what this context holds is not to be used.
        context.Dispose();
        throw new ObjectDisposedException(nameof(ChaChaKey));
    }

    private void Return(Native.CipherHandle context)
    {
        if (Interlocked.CompareExchange(ref first, context, null) is not null) idle.Enqueue(context);
        if (isDisposed) FreeIdle();
    }

    private void FreeIdle()
    {
        Interlocked.Exchange(ref first, null)?.Dispose();
        while (idle.TryDequeue(out var context)) context.Dispose();
    }
}
