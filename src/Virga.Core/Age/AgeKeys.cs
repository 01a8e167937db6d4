using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Virga.Core.Keys;

namespace Virga.Core.Age;

/// <summary>An age X25519 recipient: a public key; text form <c>age1...</c> (C2SP age).</summary>
public readonly record struct AgeRecipient(Hash256 PublicKey)
{
    private const string Prefix = "age";

    public static bool TryParse(string? text, out AgeRecipient recipient)
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        var isValid = Bech32.TryDecode(text, Prefix, Bech32.Bech32Constant, bytes);
        recipient = isValid ? new AgeRecipient(new Hash256(bytes)) : default;
        return isValid;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        PublicKey.CopyTo(bytes);
        return Bech32.Encode(Prefix, bytes, Bech32.Bech32Constant);
    }
}

/// <summary>
/// An age X25519 identity: a secret key; text form <c>AGE-SECRET-KEY-1...</c>. ToString never shows it.
/// </summary>
public sealed class AgeIdentity
{
    private const string Prefix = "age-secret-key-";

    /// <param name="secret">32 bytes; copied. The caller wipes them.</param>
    public AgeIdentity(ReadOnlySpan<byte> secret)
    {
        Key = new X25519Key(secret);
        Span<byte> publicKey = stackalloc byte[X25519.KeyBytes];
        Key.CopyPublicKeyTo(publicKey);
        Recipient = new AgeRecipient(new Hash256(publicKey));
    }

    public static AgeIdentity Generate(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[X25519.KeyBytes];
        random(bytes);
        var identity = new AgeIdentity(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return identity;
    }

    public AgeRecipient Recipient { get; }

    internal X25519Key Key { get; }

    public static bool TryParse(string? text, [NotNullWhen(true)] out AgeIdentity? identity)
    {
        Span<byte> bytes = stackalloc byte[X25519.KeyBytes];
        identity = Bech32.TryDecode(text, Prefix, Bech32.Bech32Constant, bytes) ? new AgeIdentity(bytes) : null;
        CryptographicOperations.ZeroMemory(bytes);
        return identity is not null;
    }

    /// <summary>
    /// The secret text form. Only for storing it encrypted, or handing it to a tool that its owner named.
    /// </summary>
    public string ExportSecret()
    {
        Span<byte> bytes = stackalloc byte[X25519.KeyBytes];
        Key.CopySecretTo(bytes);
        var text = Bech32.Encode(Prefix, bytes, Bech32.Bech32Constant).ToUpperInvariant();
        CryptographicOperations.ZeroMemory(bytes);
        return text;
    }

    /// <summary>The 32 secret bytes, for formats that hold them (a sealed manifest).</summary>
    /// <param name="destination">At least 32 bytes.</param>
    public void CopySecret(Span<byte> destination) => Key.CopySecretTo(destination[..X25519.KeyBytes]);

    public override string ToString() => $"identity of {Recipient}";
}

/// <summary>The 16-byte key of one age file; the number is big-endian. ToString never shows it.</summary>
public readonly record struct AgeFileKey(UInt128 Value)
{
    public const int ByteCount = 16;

    /// <param name="bytes">16 bytes.</param>
    public AgeFileKey(ReadOnlySpan<byte> bytes) : this(Read(bytes))
    {
    }

    public static AgeFileKey Generate(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[ByteCount];
        random(bytes);
        var key = new AgeFileKey(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }

    /// <param name="destination">At least 16 bytes.</param>
    public void CopyTo(Span<byte> destination) => BinaryPrimitives.WriteUInt128BigEndian(destination, Value);

    public override string ToString() => nameof(AgeFileKey);

    /// <summary>HKDF-SHA-256 of this key, as header MAC and payload need it (C2SP age).</summary>
    internal void Derive(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> info, Span<byte> key)
    {
        Span<byte> bytes = stackalloc byte[ByteCount];
        CopyTo(bytes);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, bytes, key, salt, info);
        CryptographicOperations.ZeroMemory(bytes);
    }

    private static UInt128 Read(ReadOnlySpan<byte> bytes) => bytes.Length == ByteCount
        ? BinaryPrimitives.ReadUInt128BigEndian(bytes)
        : throw new ArgumentException($"a file key has 16 bytes, not {bytes.Length}", nameof(bytes));
}
