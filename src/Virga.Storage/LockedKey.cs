using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Storage;

/// <summary>
/// The content of a key file that is locked: the data key, sealed with another key or with one made of a passphrase.
/// Lines of text: <c>virga-key/1</c>, the kind, and for a passphrase the work factor and the salt; then the box.
/// Another lock seals the same data key anew, so that nothing else has to be written.
/// </summary>
internal static class LockedKey
{
    private const string Magic = "virga-key/1";
    private const int SaltBytes = 16;
    private const int FileBytesMax = 1024;

    /// <summary>None where the file holds the key as it is.</summary>
    public static KeyLockKind KindOf(ReadOnlySpan<byte> file)
    {
        if (file.Length == DataKey.KeyBytes) return KeyLockKind.None;
        var lines = Lines(file);
        return lines is [Magic, "passphrase", _, _, _] ? KeyLockKind.Passphrase
            : lines is [Magic, "key", _] ? KeyLockKind.Key
            : throw Damaged($"has {file.Length} bytes and is no key file of a version that is known here");
    }

    public static byte[] Seal(
        ReadOnlySpan<byte> dataKey, KeyLockKind kind, ReadOnlySpan<byte> secret, int work, RandomBytes random)
    {
        var head = $"{Magic}\n{(kind == KeyLockKind.Key ? "key" : "passphrase")}\n";
        if (kind == KeyLockKind.Passphrase)
        {
            Span<byte> salt = stackalloc byte[SaltBytes];
            random(salt);
            head += string.Create(
                CultureInfo.InvariantCulture, $"{work}\n{Base64Url.EncodeToString(salt)}\n");
        }
        using var outer = Outer(head, secret);
        return Encoding.ASCII.GetBytes(
            head + Base64Url.EncodeToString(outer.Seal(dataKey, Encoding.ASCII.GetBytes(head), random)) + "\n");
    }

    /// <exception cref="VirgaException">Unauthenticated: the secret is another; Corrupt, Unsupported.</exception>
    public static byte[] Open(ReadOnlySpan<byte> file, ReadOnlySpan<byte> secret, string path)
    {
        var lines = Lines(file);
        var head = string.Join('\n', lines[..^1]) + "\n";
        using var outer = Outer(head, secret);
        try
        {
            return outer.Open(Base64Url.DecodeFromChars(lines[^1]), Encoding.ASCII.GetBytes(head), path);
        }
        catch (FormatException e)
        {
            throw Damaged("holds no box", e);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Corrupt)
        {
            throw new VirgaException(
                FailureKind.Unauthenticated, $"{path} can't be opened: the passphrase or key is another",
                "Give the one that it was locked with; without it, what is sealed can't be opened.", e);
        }
    }

    private static DataKey Outer(string head, ReadOnlySpan<byte> secret)
    {
        var lines = head.TrimEnd('\n').Split('\n');
        if (lines is not [_, "passphrase", var work, var salt]) return new DataKey(secret);
        if (!int.TryParse(work, NumberStyles.None, CultureInfo.InvariantCulture, out var logCost))
            throw Damaged("names no work factor");
        Span<byte> key = stackalloc byte[DataKey.KeyBytes];
        try
        {
            var salted = Encoding.ASCII.GetBytes(Magic + "\n" + salt);
            Scrypt.Derive(secret, salted, logCost, key);
            return new DataKey(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static string[] Lines(ReadOnlySpan<byte> file) => file.Length > FileBytesMax ? []
        : Encoding.ASCII.GetString(file).TrimEnd('\n').Split('\n');

    private static VirgaException Damaged(string how, Exception? inner = null) => new(
        FailureKind.Corrupt, $"the key file {how}",
        "Restore it from a backup: without it, what is sealed with it can't be opened.", inner);
}
