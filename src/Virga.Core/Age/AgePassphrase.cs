using System.Security.Cryptography;
using System.Text;
using Virga.Core.Keys;

namespace Virga.Core.Age;

/// <summary>
/// A passphrase that an age v1 file is sealed with, alone (C2SP age, "The scrypt recipient type"). Never logged.
/// </summary>
/// <param name="text">Not empty; its UTF-8 bytes count.</param>
public sealed class AgePassphrase(string text)
{
    internal const int SaltBytes = 16;

    /// <summary>As age itself takes; opening takes a second or so, and 256 MiB of memory.</summary>
    public const int WorkDefault = 18;

    private readonly byte[] bytes = text.Length > 0
        ? Encoding.UTF8.GetBytes(text) : throw new ArgumentException("a passphrase is not empty", nameof(text));

    /// <summary>Names nothing: the passphrase must not get into logs.</summary>
    public override string ToString() => "a passphrase";

    /// <summary>The stanza's lines, with the file key wrapped.</summary>
    internal string Wrap(AgeFileKey fileKey, int work, RandomBytes random)
    {
        Span<byte> salt = stackalloc byte[SaltBytes];
        Span<byte> body = stackalloc byte[AgeHeader.WrappedKeyBytes];
        Span<byte> key = stackalloc byte[AgeFileKey.ByteCount];
        random(salt);
        using var aead = WrapKey(salt, work);
        fileKey.CopyTo(key);
        aead.Seal(stackalloc byte[ChaChaKey.NonceBytes], key, body);
        CryptographicOperations.ZeroMemory(key);
        return $"-> scrypt {Base64Raw.Encode(salt)} {work}\n{Base64Raw.Encode(body)}\n";
    }

    /// <summary>False where the passphrase is another one.</summary>
    /// <exception cref="VirgaException">Full: there is not enough memory.</exception>
    internal bool TryUnwrap(ScryptStanza stanza, out AgeFileKey fileKey)
    {
        Span<byte> key = stackalloc byte[AgeFileKey.ByteCount];
        using var aead = WrapKey(stanza.Salt, stanza.Work);
        var isOurs = aead.TryOpen(stackalloc byte[ChaChaKey.NonceBytes], stanza.Body, key);
        fileKey = isOurs ? new AgeFileKey(key) : default;
        CryptographicOperations.ZeroMemory(key);
        return isOurs;
    }

    private ChaChaKey WrapKey(ReadOnlySpan<byte> salt, int work)
    {
        var label = "age-encryption.org/v1/scrypt"u8;
        Span<byte> labelled = stackalloc byte[label.Length + SaltBytes];
        label.CopyTo(labelled);
        salt.CopyTo(labelled[label.Length..]);
        Span<byte> key = stackalloc byte[ChaChaKey.KeyBytes];
        Scrypt.Derive(bytes, labelled, work, key);
        var aead = new ChaChaKey(key);
        CryptographicOperations.ZeroMemory(key);
        return aead;
    }
}
