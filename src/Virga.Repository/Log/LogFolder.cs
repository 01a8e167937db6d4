using Virga.Core;

namespace Virga.Repository.Log;

/// <summary>
/// The files of a log as any web server can serve them: <c>checkpoint</c>, <c>tile/...</c> (C2SP tlog-tiles). A file is
/// there whole or not at all: written beside, flushed to the disk, renamed.
/// </summary>
/// <param name="step">
/// Called before each thing that changes the disk, for tests: a failure there is a crash at that moment.
/// </param>
internal sealed class LogFolder(string path, Action<string>? step = null)
{
    private const string Temporary = ".new";
    private const int Enospc = 28;
    private const int Edquot = 122;

    public string Path => path;

    /// <exception cref="VirgaException">Full, Denied, Unavailable.</exception>
    public void Write(string name, ReadOnlySpan<byte> content)
    {
        var file = PathOf(name);
        try
        {
            step?.Invoke("write " + name);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
            using (var stream = new FileStream(file + Temporary, FileMode.Create, FileAccess.Write))
            {
                var half = content.Length / 2;
                stream.Write(content[..half]);
                if (step is not null) stream.Flush();
                step?.Invoke("half " + name);
                stream.Write(content[half..]);
                stream.Flush(flushToDisk: true);
            }

            step?.Invoke("rename " + name);
            File.Move(file + Temporary, file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e, file);
        }
    }

    /// <summary>Null where there is no such file.</summary>
    public byte[]? Read(string name)
    {
        try
        {
            return File.ReadAllBytes(PathOf(name));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e, PathOf(name));
        }
    }

    /// <summary>Null where there is no such file.</summary>
    public async ValueTask<byte[]?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllBytesAsync(PathOf(name), cancellationToken);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e, PathOf(name));
        }
    }

    /// <summary>Removes a folder with its files, if it is there. A failure leaves it for another time.</summary>
    public void TryDelete(string name)
    {
        step?.Invoke("delete " + name);
        try
        {
            if (Directory.Exists(PathOf(name))) Directory.Delete(PathOf(name), recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Partial tiles that are no longer needed do no harm.
        }
    }

    private string PathOf(string name) => System.IO.Path.Combine(path, name);

    private static VirgaException Failed(Exception e, string file) => e switch
    {
        IOException { HResult: Enospc or Edquot } => new VirgaException(
            FailureKind.Full, $"no room left on the disk for the log's {file}",
            "Free some space; the log then goes on by itself, and nothing of it is lost.", e),
        UnauthorizedAccessException => new VirgaException(
            FailureKind.Denied, $"not allowed to use the log's {file}",
            "Make the log's folder belong to the user that runs virga.", e),
        _ => new VirgaException(
            FailureKind.Unavailable, $"the log's {file}: {e.Message}", "Check the disk, then start again.", e),
    };
}
