using System.Security.Cryptography;
using Virga.Core;

namespace Virga.Storage;

/// <summary>
/// The 32-byte key that seals what a peer keeps on its own disk: AES-256-GCM with a random nonce and associated data
/// that binds a box to its place. Whoever steals the data folder without the key file reads no secret
/// (spec/v1/threats.md). Safe to use from many threads at once.
/// </summary>
public sealed class DataKey : IDisposable
{
    public const int KeyBytes = 32;

    /// <summary>How much longer a box is than what is in it.</summary>
    public const int OverheadBytes = NonceBytes + TagBytes;

    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private readonly byte[] key;

    public DataKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyBytes) throw new ArgumentException($"a data key has {KeyBytes} bytes", nameof(key));
        this.key = key.ToArray();
    }

    /// <summary>
    /// Reads the key file, or makes one (mode 0600) where <paramref name="mayCreate"/> says that nothing is sealed yet.
    /// </summary>
    /// <exception cref="VirgaException">
    /// NotFound, Denied (others may read it), Corrupt (wrong length), Full.
    /// </exception>
    public static DataKey Load(string path, bool mayCreate, RandomBytes random)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        try
        {
            if (!File.Exists(path)) Create(path, mayCreate, random);
            CheckMode(path);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
            if (file.Length != KeyBytes)
            {
                throw new VirgaException(FailureKind.Corrupt,
                    $"the key file {path} has {file.Length} bytes instead of {KeyBytes}",
                    "Restore it from a backup: without it, what is sealed with it can't be opened.");
            }

            file.ReadExactly(key);
            return new DataKey(key);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new VirgaException(FailureKind.Denied, $"not allowed to read the key file {path}",
                "Make it belong to the user that runs virga, with mode 0600.", e);
        }
        catch (IOException e)
        {
            throw SqliteFailure.FromIo(e, path, "the key file");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public byte[] Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, RandomBytes random)
    {
        var box = new byte[OverheadBytes + plaintext.Length];
        var nonce = box.AsSpan(0, NonceBytes);
        random(nonce);
        using var cipher = NewCipher();
        cipher.Encrypt(nonce, plaintext, box.AsSpan(NonceBytes, plaintext.Length),
            box.AsSpan(NonceBytes + plaintext.Length), associated);
        return box;
    }

    /// <exception cref="VirgaException">
    /// Corrupt: the box is damaged, or was sealed with another key or for another place.
    /// </exception>
    public byte[] Open(ReadOnlySpan<byte> box, ReadOnlySpan<byte> associated, string what)
    {
        if (box.Length < OverheadBytes) throw Damaged(what, null);
        var plaintext = new byte[box.Length - OverheadBytes];
        try
        {
            using var cipher = NewCipher();
            cipher.Decrypt(box[..NonceBytes], box[NonceBytes..^TagBytes], box[^TagBytes..], plaintext, associated);
            return plaintext;
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw Damaged(what, e);
        }
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(key);

    /// <summary>
    /// One for each box: a shared one has a single libcrypto context, and two threads that open the same box with it
    /// can both pass the tag's check while one gets wrong bytes.
    /// </summary>
    private AesGcm NewCipher() => new(key, TagBytes);

    private static VirgaException Damaged(string what, Exception? inner) =>
        new(FailureKind.Corrupt, $"{what} can't be opened: it is damaged, or sealed with another key",
            "Restore it together with its key file from the same backup.", inner);

    private static void Create(string path, bool mayCreate, RandomBytes random)
    {
        if (!mayCreate)
        {
            throw new VirgaException(FailureKind.NotFound, $"the key file {path} is missing",
                "Put it back from a backup: without it, what is sealed with it can't be opened.");
        }

        var key = new byte[KeyBytes];
        random(key);
        DurableFile.Write(path, key);
        CryptographicOperations.ZeroMemory(key);
    }

    private static void CheckMode(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode Others =
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if ((File.GetUnixFileMode(path) & Others) == 0) return;
        throw new VirgaException(FailureKind.Denied, $"the key file {path} may be read by others",
            $"Run: chmod 600 '{path}'");
    }
}

/// <summary>A small file sealed with a <see cref="DataKey"/>, bound to its name.</summary>
public static class SealedFile
{
    /// <summary>Bound of files whose length no share or transfer decides.</summary>
    public const int BytesMax = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "virga-sealed/1\n"u8;

    public static void Write(string path, DataKey key, ReadOnlySpan<byte> plaintext, RandomBytes random) =>
        DurableFile.Write(path, [.. Magic, .. key.Seal(plaintext, Associated(path), random)]);

    /// <exception cref="VirgaException">NotFound, Corrupt, Unsupported (another version), Denied.</exception>
    /// <param name="bytesMax">A file longer than this is not one of ours.</param>
    public static byte[] Read(string path, DataKey key, long bytesMax = BytesMax)
    {
        byte[] data;
        try
        {
            if (new FileInfo(path) is { Exists: true } file && file.Length > bytesMax) throw Unknown(path);
            data = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new VirgaException(FailureKind.NotFound, $"{path} is missing", "Restore it from a backup.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new VirgaException(FailureKind.Denied, $"not allowed to read {path}",
                "Make it belong to the user that runs virga.", e);
        }
        catch (IOException e)
        {
            throw SqliteFailure.FromIo(e, path, "a sealed file");
        }

        if (!data.AsSpan().StartsWith(Magic)) throw Unknown(path);
        return key.Open(data.AsSpan(Magic.Length), Associated(path), path);
    }

    private static VirgaException Unknown(string path) =>
        new(FailureKind.Unsupported, $"{path} is not a sealed file that this version knows",
            "Run the version of virga that wrote it, or restore a backup.");

    private static byte[] Associated(string path) =>
        [.. Magic, .. System.Text.Encoding.UTF8.GetBytes(Path.GetFileName(path))];
}

/// <summary>Files that are there whole or not at all.</summary>
public static class DurableFile
{
    /// <summary>Writes beside, flushes to the disk, renames into place. Mode 0600.</summary>
    /// <exception cref="VirgaException">Full, Denied, Unavailable.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + ".new";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            using (var file = new FileStream(temporary, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new VirgaException(FailureKind.Denied, $"not allowed to write {path}",
                "Make its folder belong to the user that runs virga.", e);
        }
        catch (IOException e)
        {
            throw SqliteFailure.FromIo(e, path, "writing a file");
        }
    }
}
