using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Virga.Core.Keys;

namespace Virga.Core.Age;

/// <summary>
/// The header of an age v1 file: everything up to and with the line that starts with <c>---</c> (C2SP age).
/// </summary>
public static class AgeHeader
{
    /// <summary>No header we accept is longer; bounds what a hostile file can make us read.</summary>
    public const int MaxBytes = 64 * 1024;

    internal const int MacBytes = 32;
    internal const int WrappedKeyBytes = AgeFileKey.ByteCount + 16;

    /// <summary>
    /// Wraps the file key to every recipient, in order. BadInput when a recipient's key is of low order.
    /// </summary>
    /// <param name="recipients">At least one, and no more than fit into <see cref="MaxBytes"/>: some 600.</param>
    public static byte[] Create(AgeFileKey fileKey, IReadOnlyList<AgeRecipient> recipients, RandomBytes random)
    {
        if (recipients.Count == 0) throw new ArgumentException("an age file needs a recipient", nameof(recipients));
        var text = new StringBuilder("age-encryption.org/v1\n");
        Span<byte> share = stackalloc byte[X25519.KeyBytes];
        Span<byte> body = stackalloc byte[WrappedKeyBytes];
        foreach (var recipient in recipients)
        {
            Wrap(fileKey, recipient, random, share, body);
            text.Append("-> X25519 ").Append(Base64Raw.Encode(share)).Append('\n');
            text.Append(Base64Raw.Encode(body)).Append('\n');
        }
        var header = WithMac(fileKey, text);
        if (header.Length > MaxBytes)
            throw new ArgumentException($"{recipients.Count} recipients do not fit into a header of 64 KiB",
                nameof(recipients));
        return header;
    }

    /// <summary>Wraps the file key to a passphrase, which is then the only way to open it.</summary>
    /// <param name="work">Base-2 logarithm of what a guess costs, 1 to <see cref="Scrypt.WorkMax"/>.</param>
    public static byte[] Create(AgeFileKey fileKey, AgePassphrase passphrase, int work, RandomBytes random) =>
        WithMac(fileKey, new StringBuilder("age-encryption.org/v1\n").Append(passphrase.Wrap(fileKey, work, random)));

    /// <summary>
    /// Opens a header with the first identity that fits and checks its MAC. Stanzas of unknown types are skipped; a
    /// scrypt stanza must be the only one, and is then one that no identity opens.
    /// Throws BadInput when it is malformed, Unsupported when it is of another version, Denied when no identity fits,
    /// Corrupt when the MAC is wrong. Every stanza is checked before any is opened, so what is malformed is malformed
    /// for every reader.
    /// </summary>
    /// <param name="data">The header, alone or with the payload behind it.</param>
    /// <param name="headerBytes">Length of the header: where the payload starts.</param>
    public static AgeFileKey Open(ReadOnlySpan<byte> data, IReadOnlyList<AgeIdentity> identities, out int headerBytes)
    {
        var header = AgeHeaderText.Parse(data);
        headerBytes = header.ByteCount;
        foreach (var identity in identities)
        {
            foreach (var stanza in header.X25519Stanzas)
                if (TryUnwrap(stanza, identity, out var fileKey)) return Checked(fileKey, header, data);
        }
        throw new VirgaException(FailureKind.Denied, "age header: it is not encrypted to any key of yours",
            "Ask whoever sent it to encrypt it to your key, or give the identity that it was encrypted to.");
    }

    /// <summary>Opens a header with a passphrase, otherwise as with identities; Full where memory is short.</summary>
    public static AgeFileKey Open(ReadOnlySpan<byte> data, AgePassphrase passphrase, out int headerBytes)
    {
        var header = AgeHeaderText.Parse(data);
        headerBytes = header.ByteCount;
        if (header.Scrypt is { } stanza && passphrase.TryUnwrap(stanza, out var fileKey))
            return Checked(fileKey, header, data);
        throw new VirgaException(
            FailureKind.Denied, header.Scrypt is null
                ? "age header: it is not encrypted with a passphrase" : "age header: the passphrase is another one",
            "Give the passphrase or the key that it was encrypted to.");
    }

    /// <summary>
    /// Looks for the end of a header in its first bytes without checking the rest of it. False means that more bytes
    /// are needed; BadInput that none of <see cref="MaxBytes"/> ends it.
    /// </summary>
    public static bool TryFindEnd(ReadOnlySpan<byte> data, out int headerBytes)
    {
        headerBytes = 0;
        var window = data[..Math.Min(data.Length, MaxBytes)];
        var mark = window.IndexOf("\n---"u8);
        var end = mark < 0 ? -1 : window[(mark + 1)..].IndexOf((byte)'\n');
        if (end >= 0) headerBytes = mark + 1 + end + 1;
        else if (data.Length >= MaxBytes) throw AgeHeaderText.Bad($"it does not end within {MaxBytes} bytes");
        return end >= 0;
    }

    private static byte[] WithMac(AgeFileKey fileKey, StringBuilder text)
    {
        text.Append("---");
        Span<byte> mac = stackalloc byte[MacBytes];
        Mac(fileKey, Encoding.ASCII.GetBytes(text.ToString()), mac);
        return Encoding.ASCII.GetBytes(text.Append(' ').Append(Base64Raw.Encode(mac)).Append('\n').ToString());
    }

    private static AgeFileKey Checked(AgeFileKey fileKey, AgeHeaderText header, ReadOnlySpan<byte> data)
    {
        Span<byte> mac = stackalloc byte[MacBytes];
        Mac(fileKey, data[..header.MacStart], mac);
        if (CryptographicOperations.FixedTimeEquals(mac, header.Mac.AsSpan())) return fileKey;
        throw new VirgaException(FailureKind.Corrupt,
            "age header: its MAC is wrong, so it was changed on the way", "Get the file again from its source.");
    }

    private static void Wrap(AgeFileKey fileKey, AgeRecipient recipient, RandomBytes random, Span<byte> share,
        Span<byte> body)
    {
        Span<byte> secret = stackalloc byte[X25519.KeyBytes];
        Span<byte> shared = stackalloc byte[X25519.KeyBytes];
        Span<byte> publicKey = stackalloc byte[X25519.KeyBytes];
        Span<byte> key = stackalloc byte[AgeFileKey.ByteCount];
        random(secret);
        using var ephemeral = new X25519Key(secret);
        CryptographicOperations.ZeroMemory(secret);
        ephemeral.CopyPublicKeyTo(share);
        recipient.PublicKey.CopyTo(publicKey);
        if (!ephemeral.TryAgree(publicKey, shared))
        {
            throw new VirgaException(FailureKind.BadInput,
                $"{recipient} is no safe key: anybody could open what is sealed to it",
                "Ask the recipient for a key that 'age-keygen' or 'virga' made.");
        }
        using var aead = WrapKey(shared, share, publicKey);
        fileKey.CopyTo(key);
        aead.Seal(stackalloc byte[ChaChaKey.NonceBytes], key, body);
        CryptographicOperations.ZeroMemory(shared);
        CryptographicOperations.ZeroMemory(key);
    }

    private static bool TryUnwrap(X25519Stanza stanza, AgeIdentity identity, out AgeFileKey fileKey)
    {
        Span<byte> share = stackalloc byte[X25519.KeyBytes];
        Span<byte> shared = stackalloc byte[X25519.KeyBytes];
        Span<byte> publicKey = stackalloc byte[X25519.KeyBytes];
        Span<byte> key = stackalloc byte[AgeFileKey.ByteCount];
        stanza.Share.CopyTo(share);
        identity.Recipient.PublicKey.CopyTo(publicKey);
        if (!identity.Key.TryAgree(share, shared)) throw AgeHeaderText.Bad("an X25519 stanza's share is of low order");
        using var aead = WrapKey(shared, share, publicKey);
        var isOurs = aead.TryOpen(stackalloc byte[ChaChaKey.NonceBytes], stanza.Body, key);
        fileKey = isOurs ? new AgeFileKey(key) : default;
        CryptographicOperations.ZeroMemory(shared);
        CryptographicOperations.ZeroMemory(key);
        return isOurs;
    }

    private static ChaChaKey WrapKey(ReadOnlySpan<byte> shared, ReadOnlySpan<byte> share, ReadOnlySpan<byte> publicKey)
    {
        Span<byte> salt = stackalloc byte[2 * X25519.KeyBytes];
        share.CopyTo(salt);
        publicKey.CopyTo(salt[X25519.KeyBytes..]);
        Span<byte> key = stackalloc byte[ChaChaKey.KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, key, salt, "age-encryption.org/v1/X25519"u8);
        var aead = new ChaChaKey(key);
        CryptographicOperations.ZeroMemory(key);
        return aead;
    }

    private static void Mac(AgeFileKey fileKey, ReadOnlySpan<byte> header, Span<byte> mac)
    {
        Span<byte> key = stackalloc byte[MacBytes];
        fileKey.Derive([], "header"u8, key);
        HMACSHA256.HashData(key, header, mac);
        CryptographicOperations.ZeroMemory(key);
    }
}
