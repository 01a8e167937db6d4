using System.Globalization;
using Virga.Core;

namespace Virga.Storage;

/// <summary>
/// The folder where a peer keeps its state, held by one process at a time: an exclusive lock on <c>virga.lock</c>,
/// which the system drops when the process ends, however it ends. <c>virga.pid</c> beside it says which process that
/// is.
/// </summary>
public sealed class DataFolder : IDisposable
{
    private const string LockName = "virga.lock";
    private const string PidName = "virga.pid";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly FileStream held;

    private DataFolder(string path, FileStream held)
    {
        Path = path;
        this.held = held;
    }

    /// <summary>Absolute.</summary>
    public string Path { get; }

    /// <summary>Creates the folder (mode 0700) where it is missing, and locks it.</summary>
    /// <exception cref="VirgaException">
    /// InUse (names the process), Denied, ReadOnly, Full, BadInput (a file is in the way).
    /// </exception>
    public static DataFolder Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        Create(path);
        FileStream lockFile;
        try
        {
            lockFile = OpenOwnFile(System.IO.Path.Combine(path, LockName), FileShare.None);
        }
        catch (IOException e) when (IsSharingViolation(e))
        {
            throw InUse(path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(path, e);
        }

        try
        {
            File.WriteAllText(System.IO.Path.Combine(path, PidName),
                Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            lockFile.Dispose();
            throw Unusable(path, e);
        }

        return new DataFolder(path, lockFile);
    }

    /// <summary>
    /// The process that holds the folder, or null where none does or the folder is not there. Takes no lock for long.
    /// </summary>
    public static int? HolderOf(string path)
    {
        var file = System.IO.Path.Combine(path, LockName);
        if (!File.Exists(file)) return null;
        try
        {
            using var probe = OpenOwnFile(file, FileShare.None);
            return null;
        }
        catch (IOException e) when (IsSharingViolation(e))
        {
            return ReadPid(path) ?? 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(path, e);
        }
    }

    /// <summary>The path of a file in the folder.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => held.Dispose();

    private static void Create(string path)
    {
        try
        {
            if (Directory.Exists(path)) return;
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
            else Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new VirgaException(FailureKind.BadInput, $"the data folder {path} is a file",
                "Name a folder, or a path that is free.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(path, e);
        }
    }

    private static FileStream OpenOwnFile(string path, FileShare share)
    {
        var options =
            new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = share };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        return new FileStream(path, options);
    }

    private static int? ReadPid(string path)
    {
        try
        {
            return int.TryParse(File.ReadAllText(System.IO.Path.Combine(path, PidName)).Trim(),
                CultureInfo.InvariantCulture, out var pid) ? pid : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool IsSharingViolation(IOException e) =>
        OperatingSystem.IsWindows() ? (e.HResult & 0xffff) is 32 or 33 : e.HResult is 11 or 35;

    private static VirgaException InUse(string path, Exception inner)
    {
        var who = ReadPid(path) is { } pid ? $"process {pid}" : "another process";
        return new VirgaException(FailureKind.InUse, $"the data folder {path} is in use by {who}",
            "Stop that one first, or give this one a data folder of its own.", inner);
    }

    private static VirgaException Unusable(string path, Exception e) => e switch
    {
        UnauthorizedAccessException =>
            new VirgaException(FailureKind.Denied, $"not allowed to use the data folder {path}",
            "Make it belong to the user that runs virga, or name another folder.", e),
        IOException io when io.Message.Contains("Read-only", StringComparison.OrdinalIgnoreCase) => new VirgaException(
            FailureKind.ReadOnly, $"the data folder {path} is on a read-only file system",
                "Name a folder that can be written to.", e),
        IOException io => SqliteFailure.FromIo(io, path, "the data folder"),
        _ => new VirgaException(FailureKind.Unavailable, $"the data folder {path}: {e.Message}", null, e),
    };
}
