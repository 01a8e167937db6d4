using System.Buffers;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Storage;

/// <summary>A file sealed with a <see cref="DataKey"/>, bound to its name.</summary>
public static class SealedFile
{
    /// <summary>Bound of files whose length no share or transfer decides.</summary>
    public const int BytesMax = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "virga-sealed/1\n"u8;

    public static void Write(string path, DataKey key, ReadOnlySpan<byte> plaintext, RandomBytes random)
    {
        var box = key.Seal(plaintext, Associated(path), random);
        DurableFile.Write(path, file =>
        {
            file.Write(Magic);
            file.Write(box);
        });
    }

    /// <summary>The same for what is long: it is sealed and written as it comes, and stands nowhere whole.</summary>
    public static void Write(string path, DataKey key, Action<IBufferWriter<byte>> write, RandomBytes random) =>
        DurableFile.Write(path, file =>
        {
            file.Write(Magic);
            key.Seal(write, Associated(path), file, random);
        });

    /// <exception cref="VirgaException">NotFound, Corrupt, Unsupported (another version), Denied.</exception>
    /// <param name="bytesMax">A file longer than this is not one of ours.</param>
    public static Memory<byte> Read(string path, DataKey key, long bytesMax = BytesMax)
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
        return key.OpenInPlace(data.AsMemory(Magic.Length), Associated(path), path);
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
    public static void Write(string path, ReadOnlyMemory<byte> content) =>
        Write(path, file => file.Write(content.Span));

    /// <summary>The same, part by part.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        var temporary = path + ".new";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            using (var file = new FileStream(temporary, options))
            {
                write(file);
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

/// <summary>Seals what is written to it where it lies, and passes it on.</summary>
internal sealed class SealingBuffer(AesGcmSealer sealer, Stream output) : IBufferWriter<byte>
{
    private const int UsualBytes = 64 << 10;

    private byte[] buffer = new byte[UsualBytes];
    private int used;

    public void Advance(int count) => used += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (buffer.Length - used < Math.Max(1, sizeHint)) Flush();
        if (buffer.Length < sizeHint) buffer = new byte[sizeHint];
        return buffer.AsMemory(used);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Flush()
    {
        sealer.Seal(buffer.AsSpan(0, used));
        output.Write(buffer, 0, used);
        used = 0;
    }
}
