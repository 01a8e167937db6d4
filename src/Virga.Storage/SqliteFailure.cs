using SQLitePCL;
using Virga.Core;

namespace Virga.Storage;

/// <summary>SQLite's result codes (sqlite.org/rescode.html) as failures with advice.</summary>
internal static class SqliteFailure
{
    private const int Enospc = 28;
    private const int Edquot = 122;

    public static VirgaException Damaged(string path, string what, string how, Exception? inner = null) =>
        new(FailureKind.Corrupt, $"{what}: {path} can't be used: {how}",
            "Stop virga and restore the file from a backup, or move it away and start anew. Nothing was overwritten.",
            inner);

    public static VirgaException FromIo(IOException e, string path, string what) =>
        e.HResult is Enospc or Edquot
            ? Full(path, what, e)
            : new(FailureKind.Unavailable, $"{what}: {path}: {e.Message}", "Check the disk, then start again.", e);

    /// <summary>
    /// A VirgaException for what the environment did; InvalidOperationException for a mistake of our own.
    /// </summary>
    public static Exception From(int extendedCode, string message, string path, string what) =>
        (extendedCode & 0xff) switch
        {
            raw.SQLITE_FULL => Full(path, what, null),
            // The shared index of the log could not grow: the same full disk by another name.
            _ when extendedCode == raw.SQLITE_IOERR_SHMSIZE => Full(path, what, null),
            raw.SQLITE_READONLY => new VirgaException(FailureKind.ReadOnly, $"{what}: {path} is read-only",
                "Make the file, its folder and the file system writable for the user that runs virga."),
            raw.SQLITE_CORRUPT => Damaged(path, what, "its pages are damaged"),
            raw.SQLITE_NOTADB => Damaged(path, what, "it is not a database"),
            raw.SQLITE_CONSTRAINT => new VirgaException(FailureKind.Conflict, $"{what}: {message}"),
            raw.SQLITE_TOOBIG => new VirgaException(FailureKind.BadInput, $"{what}: a value is too large to be stored"),
            raw.SQLITE_PERM or raw.SQLITE_AUTH or raw.SQLITE_CANTOPEN => new VirgaException(FailureKind.Denied,
                $"{what}: can't open {path} ({message})",
                "Check that the folder is there and belongs to the user that runs virga."),
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new VirgaException(FailureKind.Unavailable,
                $"{what}: {path} is locked by another program",
                "Close the program that has the file open (a backup, a database browser)."),
            raw.SQLITE_IOERR => new VirgaException(FailureKind.Unavailable,
                $"{what}: the disk failed at {path} ({message}, code {extendedCode})",
                "Check the disk and its file system, then start again."),
            raw.SQLITE_NOMEM => new InsufficientMemoryException($"{what}: out of memory"),
            _ => new InvalidOperationException($"{what}: {message} (SQLite code {extendedCode})"),
        };

    private static VirgaException Full(string path, string what, Exception? inner) =>
        new(FailureKind.Full, $"{what}: no room left on the disk of {path}",
            "Free some space; virga then goes on by itself.", inner);
}
