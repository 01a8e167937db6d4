using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Secrets;

/// <summary>
/// The file that holds the key of a <see cref="SecretBox"/>: 64 hex digits and a newline, readable by its owner alone
/// (mode 0600). Without it the secrets of all accounts are lost, and with it they are open: keep a copy in a safe
/// place.
/// </summary>
public static class SecretKeyFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OthersMayUse =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private const int TextBytesMax = 2 * SecretBox.KeyBytes + 2;

    /// <summary>
    /// Reads the key, or makes a new one where there is no file: whole or not at all, also when two processes do it at
    /// once. Denied where others could read it, Corrupt where it holds no key.
    /// </summary>
    public static byte[] LoadOrCreate(string path, RandomBytes random)
    {
        try
        {
            if (!File.Exists(path)) Create(path, random);
            return Load(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new VirgaException(
                FailureKind.Denied,
                $"the key file {path} can't be read or made",
                "Give the user that runs the agent access to it.",
                e);
        }
        catch (IOException e)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                $"the key file {path} can't be read or made: {e.Message}",
                "Check the disk and its free room.",
                e);
        }
    }

    private static byte[] Load(string path)
    {
        using var file = File.OpenHandle(path);
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file) & OthersMayUse) != 0)
            throw new VirgaException(
                FailureKind.Denied,
                $"the key file {path} is open to other users",
                $"Run 'chmod 600 {path}'; if others may have read it, change the passwords of your accounts too.");
        Span<byte> text = stackalloc byte[TextBytesMax];
        var count = RandomAccess.Read(file, text, 0);
        var digits = Encoding.ASCII.GetString(text[..count]).TrimEnd();
        CryptographicOperations.ZeroMemory(text);
        var key = new byte[SecretBox.KeyBytes];
        var isKey = digits.Length == 2 * SecretBox.KeyBytes
            && RandomAccess.GetLength(file) <= TextBytesMax
            && Convert.FromHexString(digits, key, out _, out _) == System.Buffers.OperationStatus.Done;
        return isKey
            ? key
            : throw new VirgaException(
                FailureKind.Corrupt,
                $"the key file {path} doesn't hold a key of {2 * SecretBox.KeyBytes} hex digits",
                "Put back a copy of it. Without one, delete it and add the accounts that need secrets anew.");
    }

    private static void Create(string path, RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[SecretBox.KeyBytes + 8];
        random(bytes);
        var temporary = $"{path}.{Convert.ToHexStringLower(bytes[SecretBox.KeyBytes..])}.new";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        try
        {
            using (var file = new FileStream(temporary, options))
            {
                file.Write(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes[..SecretBox.KeyBytes]) + "\n"));
                file.Flush(flushToDisk: true);
            }
            // Fails where another process was first: then its key counts.
            if (!File.Exists(path)) File.Move(temporary, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            return;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
            File.Delete(temporary);
        }
    }
}
