using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Storage;

/// <summary>
/// Where the secret that opens a locked key file comes from: a file, the environment, systemd's credentials, or a
/// person. It is looked for when it is needed, and kept nowhere.
/// </summary>
/// <param name="variable">An environment variable; null where it isn't set or is empty.</param>
/// <param name="ask">Asks a person without echo; null where nobody can be asked.</param>
public sealed class KeySecrets(Func<string, string?> variable, Func<string, string?>? ask)
{
    public const string KeyFileVariable = "VIRGA_KEY_FILE", KeyVariable = "VIRGA_KEY", KeyCredential = "virga-key",
        PassphraseFileVariable = "VIRGA_PASSPHRASE_FILE", PassphraseVariable = "VIRGA_PASSPHRASE",
        PassphraseCredential = "virga-passphrase";

    private const int SecretBytesMax = 4096;

    /// <summary>Whether a secret is at hand, so that a new key file is locked from the start.</summary>
    public KeyLockKind Kind =>
        Find(KeyFileVariable, KeyVariable, KeyCredential) ? KeyLockKind.Key
        : Find(PassphraseFileVariable, PassphraseVariable, PassphraseCredential) ? KeyLockKind.Passphrase
        : KeyLockKind.None;

    /// <summary>The bytes that open a lock of that kind.</summary>
    /// <exception cref="VirgaException">Unauthenticated: there is none; BadInput, Denied, NotFound.</exception>
    public byte[] Get(KeyLockKind kind)
    {
        if (kind == KeyLockKind.Key)
        {
            return ParseKey(
                Read(KeyFileVariable, KeyVariable, KeyCredential) ?? throw new VirgaException(
                    FailureKind.Unauthenticated,
                    "the data folder's key is locked, and the key that opens it is missing",
                    $"Name its file in {KeyFileVariable}, give it in {KeyVariable}, or as systemd's credential "
                        + $"{KeyCredential}."));
        }
        if (Read(PassphraseFileVariable, PassphraseVariable, PassphraseCredential) is { } found)
            return Trimmed(found);
        return ask?.Invoke("Passphrase of the data folder's key") is { Length: > 0 } typed
            ? Encoding.UTF8.GetBytes(typed)
            : throw new VirgaException(
                FailureKind.Unauthenticated, "the data folder's key is locked with a passphrase, and there is none",
                $"Start it in a terminal, name a file in {PassphraseFileVariable}, give it in {PassphraseVariable}, "
                    + $"or as systemd's credential {PassphraseCredential}.");
    }

    /// <summary>A key of 32 bytes: as they are, in 64 hexadecimal digits, or in base64.</summary>
    public static byte[] ParseKey(byte[] bytes)
    {
        if (bytes.Length == DataKey.KeyBytes) return bytes;
        var text = Encoding.ASCII.GetString(bytes).Trim();
        var key = new byte[DataKey.KeyBytes];
        if (text.Length == 2 * key.Length && text.All(char.IsAsciiHexDigit)) return Convert.FromHexString(text);
        if (Convert.TryFromBase64String(text, key, out var count) && count == key.Length) return key;
        throw new VirgaException(
            FailureKind.BadInput, "the key that opens the data folder's key does not have 32 bytes",
            "Make one: head -c 32 /dev/urandom | base64");
    }

    /// <summary>A small secret file that nobody else may read.</summary>
    public static byte[] ReadFile(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
            if (file.Length > SecretBytesMax)
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"{path} is too long for a key or passphrase", "Name the right file.");
            }
            DataKey.CheckMode(path);
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"the secret file {path} is missing", "Put it back, or name another.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new VirgaException(
                FailureKind.Denied, $"not allowed to read {path}", "Make it belong to the user that runs virga.", e);
        }
    }

    public static byte[] Trimmed(byte[] text) => text.AsSpan().TrimEnd("\r\n"u8).ToArray();

    private bool Find(string fileVariable, string valueVariable, string credential) =>
        variable(fileVariable) is not null || variable(valueVariable) is not null
            || (CredentialPath(credential) is { } path && File.Exists(path));

    private byte[]? Read(string fileVariable, string valueVariable, string credential)
    {
        if (variable(fileVariable) is { } path) return ReadFile(path);
        if (variable(valueVariable) is { } value) return Encoding.UTF8.GetBytes(value);
        return CredentialPath(credential) is { } given && File.Exists(given) ? ReadFile(given) : null;
    }

    // systemd.exec(5), CREDENTIALS_DIRECTORY: a folder that only the service can read.
    private string? CredentialPath(string name) =>
        variable("CREDENTIALS_DIRECTORY") is { } folder ? Path.Combine(folder, name) : null;
}

/// <summary>What opens a key file.</summary>
public enum KeyLockKind
{
    /// <summary>Nothing: the key lies in the file as it is.</summary>
    None,

    /// <summary>Another key of 32 bytes, kept elsewhere.</summary>
    Key,

    /// <summary>A passphrase, by scrypt.</summary>
    Passphrase,
}
