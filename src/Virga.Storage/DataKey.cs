using System.Buffers;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;

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

    private const int FileBytesMax = 4096;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private readonly byte[] key;

    public DataKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyBytes) throw new ArgumentException($"a data key has {KeyBytes} bytes", nameof(key));
        this.key = key.ToArray();
    }

    /// <summary>
    /// Reads the key file, or makes one (mode 0600) where <paramref name="mayCreate"/> says that nothing is sealed yet:
    /// locked, where <paramref name="secrets"/> has something to lock it with.
    /// </summary>
    /// <param name="secrets">Opens a file that is locked; null where none is expected to be.</param>
    /// <exception cref="VirgaException">
    /// NotFound, Denied (others may read it), Corrupt, Full; Unauthenticated (it is locked, and the secret is missing
    /// or another).
    /// </exception>
    public static DataKey Load(string path, bool mayCreate, RandomBytes random, KeySecrets? secrets = null)
    {
        if (!File.Exists(path)) Create(path, mayCreate, random, secrets);
        var file = ReadFile(path);
        var key = Unlock(path, file, secrets);
        try
        {
            return new DataKey(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
            CryptographicOperations.ZeroMemory(file);
        }
    }

    /// <summary>How the key file is locked.</summary>
    public static KeyLockKind LockOf(string path) => LockedKey.KindOf(ReadFile(path));

    /// <summary>
    /// Locks the key file with another secret, or takes the lock off; what is sealed with the key stays as it is.
    /// Durable when it returns. The old file's bytes are overwritten, which not every disk does in place.
    /// </summary>
    /// <param name="secrets">Opens the file as it is now.</param>
    /// <param name="secret">Of 32 bytes for a key; empty for none.</param>
    /// <param name="work">Base-2 logarithm of scrypt's cost.</param>
    public static void Relock(
        string path, KeySecrets secrets, KeyLockKind kind, ReadOnlySpan<byte> secret, RandomBytes random,
        int work = Core.Keys.Scrypt.WorkDefault)
    {
        var old = ReadFile(path);
        var key = Unlock(path, old, secrets);
        try
        {
            using var wiped = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
            DurableFile.Write(path, kind == KeyLockKind.None ? key : LockedKey.Seal(key, kind, secret, work, random));
            wiped.Write(new byte[old.Length]);
            wiped.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            throw SqliteFailure.FromIo(e, path, "the key file");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
            CryptographicOperations.ZeroMemory(old);
        }
    }

    /// <summary>The key itself, for a backup that is encrypted as a whole; the caller wipes it.</summary>
    public byte[] ToArray() => [.. key];

    public byte[] Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, RandomBytes random)
    {
        var box = new byte[OverheadBytes + plaintext.Length];
        var nonce = box.AsSpan(0, NonceBytes);
        random(nonce);
        using var cipher = NewCipher();
        cipher.Encrypt(
            nonce, plaintext, box.AsSpan(NonceBytes, plaintext.Length), box.AsSpan(^TagBytes..), associated);
        return box;
    }

    /// <summary>
    /// The same box, part by part: what is written to <paramref name="write"/>'s writer goes to the stream sealed.
    /// </summary>
    internal void Seal(
        Action<IBufferWriter<byte>> write, ReadOnlySpan<byte> associated, Stream output, RandomBytes random)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        random(nonce);
        output.Write(nonce);
        using var sealer = new AesGcmSealer(key, nonce, associated);
        var buffer = new SealingBuffer(sealer, output);
        write(buffer);
        buffer.Flush();
        Span<byte> tag = stackalloc byte[TagBytes];
        sealer.Finish(tag);
        output.Write(tag);
    }

    /// <exception cref="VirgaException">
    /// Corrupt: the box is damaged, or was sealed with another key or for another place.
    /// </exception>
    public byte[] Open(ReadOnlySpan<byte> box, ReadOnlySpan<byte> associated, string what)
    {
        if (box.Length < OverheadBytes) throw Damaged(what, null);
        var plaintext = new byte[box.Length - OverheadBytes];
        Open(box, associated, plaintext, what);
        return plaintext;
    }

    /// <summary>
    /// Opens a box where it lies, without a second array; returns the part of it that is the plaintext.
    /// </summary>
    /// <exception cref="VirgaException">As <see cref="Open"/>; then nothing of the plaintext is left.</exception>
    internal Memory<byte> OpenInPlace(Memory<byte> box, ReadOnlySpan<byte> associated, string what)
    {
        if (box.Length < OverheadBytes) throw Damaged(what, null);
        var plaintext = box[NonceBytes..^TagBytes];
        Open(box.Span, associated, plaintext.Span, what);
        return plaintext;
    }

    private void Open(ReadOnlySpan<byte> box, ReadOnlySpan<byte> associated, Span<byte> plaintext, string what)
    {
        try
        {
            using var cipher = NewCipher();
            cipher.Decrypt(box[..NonceBytes], box[NonceBytes..^TagBytes], box[^TagBytes..], plaintext, associated);
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

    private static void Create(string path, bool mayCreate, RandomBytes random, KeySecrets? secrets)
    {
        if (!mayCreate)
        {
            throw new VirgaException(FailureKind.NotFound, $"the key file {path} is missing",
                "Put it back from a backup: without it, what is sealed with it can't be opened.");
        }

        var key = new byte[KeyBytes];
        random(key);
        var kind = secrets?.Kind ?? KeyLockKind.None;
        DurableFile.Write(
            path, kind == KeyLockKind.None ? key
                : LockedKey.Seal(key, kind, secrets!.Get(kind), Core.Keys.Scrypt.WorkDefault, random));
        CryptographicOperations.ZeroMemory(key);
    }

    private static byte[] Unlock(string path, byte[] file, KeySecrets? secrets)
    {
        var kind = LockedKey.KindOf(file);
        if (kind == KeyLockKind.None) return [.. file];
        var secret = (secrets ?? new KeySecrets(static _ => null, null)).Get(kind);
        try
        {
            return LockedKey.Open(file, secret, path);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            CheckMode(path);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
            var bytes = new byte[Math.Min(file.Length, FileBytesMax)];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (FileNotFoundException e)
        {
            throw new VirgaException(FailureKind.NotFound, $"the key file {path} is missing",
                "Put it back from a backup: without it, what is sealed with it can't be opened.", e);
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
    }

    internal static void CheckMode(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode Others =
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if ((File.GetUnixFileMode(path) & Others) == 0) return;
        throw new VirgaException(FailureKind.Denied, $"the file {path} may be read by others",
            $"Run: chmod 600 '{path}'");
    }
}
