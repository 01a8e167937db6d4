using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Accounts.Secrets;

/// <summary>
/// Secrets at rest: AES-256-GCM (NIST SP 800-38D) under one key, with a fresh nonce each time. A sealed box is
/// <c>version 1 | nonce, 12 bytes | ciphertext | tag, 16 bytes</c>; what it belongs to is authenticated with it, so
/// that a box can't be moved to another account or field. Safe from many threads.
/// </summary>
public sealed class SecretBox
{
    public const int KeyBytes = 32;

    private const byte Version = 1;
    private const int NonceBytes = 12, TagBytes = 16, HeaderBytes = 1 + NonceBytes;
    private const string SecretsField = "secrets";

    private readonly byte[] key;
    private readonly RandomBytes random;

    /// <param name="key">Exactly 32 bytes, copied.</param>
    public SecretBox(ReadOnlySpan<byte> key, RandomBytes random)
    {
        if (key.Length != KeyBytes)
            throw new ArgumentException($"the key has {KeyBytes} bytes, not {key.Length}", nameof(key));
        this.key = key.ToArray();
        this.random = random;
    }

    /// <param name="owner">Whose it is, e.g. the account's id.</param>
    /// <param name="field">What it is.</param>
    public byte[] Seal(ReadOnlySpan<byte> content, string owner, string field)
    {
        var box = new byte[HeaderBytes + content.Length + TagBytes];
        box[0] = Version;
        var nonce = box.AsSpan(1, NonceBytes);
        random(nonce);
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(
            nonce,
            content,
            box.AsSpan(HeaderBytes, content.Length),
            box.AsSpan(^TagBytes),
            AssociatedData(owner, field));
        return box;
    }

    /// <summary>
    /// Throws Corrupt when the box was changed, belongs to something else or was sealed under another key.
    /// </summary>
    public byte[] Open(ReadOnlySpan<byte> box, string owner, string field)
    {
        if (box.Length < HeaderBytes + TagBytes) throw Corrupt(owner, field, "is too short");
        if (box[0] != Version)
            throw new VirgaException(
                FailureKind.Unsupported,
                $"the sealed {field} of {owner} has the version {box[0]}, and only {Version} is known",
                "Update Virga.");
        var content = new byte[box.Length - HeaderBytes - TagBytes];
        using var aes = new AesGcm(key, TagBytes);
        try
        {
            aes.Decrypt(
                box.Slice(1, NonceBytes),
                box[HeaderBytes..^TagBytes],
                box[^TagBytes..],
                content,
                AssociatedData(owner, field));
        }
        catch (AuthenticationTagMismatchException)
        {
            throw Corrupt(owner, field, "doesn't open under this key");
        }
        return content;
    }

    /// <summary>Seals an account's secrets as one box.</summary>
    public byte[] SealSecrets(string accountId, AccountConfig config)
    {
        var encoded = BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary();
            var sorted = config.Secrets.OrderBy(secret => Encoding.UTF8.GetBytes(secret.Key), Utf8Order.Instance);
            foreach (var (name, value) in sorted) writer.Key(name).Text(value);
            writer.End();
        });
        try
        {
            return Seal(encoded, accountId, SecretsField);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(encoded);
        }
    }

    /// <summary>The configuration with the secrets that <see cref="SealSecrets"/> sealed for this account.</summary>
    public AccountConfig OpenSecrets(
        string accountId, string adapter, IReadOnlyDictionary<string, string> settings, ReadOnlySpan<byte> box)
    {
        var encoded = Open(box, accountId, SecretsField);
        try
        {
            var parsed = BencodeValue.ParseDictionary(encoded, BencodeLimits.Message, "account secrets");
            var names = parsed.Keys.Select(name => Encoding.UTF8.GetString(name.Span));
            return new AccountConfig(adapter, settings, names.ToDictionary(name => name, name => parsed.Text(name)));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(encoded);
        }
    }

    private static byte[] AssociatedData(string owner, string field) => BencodeWriter.Encode(
        writer => writer.StartList().Text("virga/1/secret").Text(owner).Text(field).End());

    private static VirgaException Corrupt(string owner, string field, string what) => new(
        FailureKind.Corrupt,
        $"the sealed {field} of {owner} {what}",
        "Put back the key file that belongs to this data folder, or remove the account and add it anew.");

    private sealed class Utf8Order : IComparer<byte[]>
    {
        public static readonly Utf8Order Instance = new();

        public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}
