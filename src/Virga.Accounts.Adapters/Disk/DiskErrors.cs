using System.Runtime.InteropServices;
using Virga.Core;
using static Virga.Accounts.Adapters.Disk.DiskNative;

namespace Virga.Accounts.Adapters.Disk;

/// <summary>What an errno means for an account.</summary>
internal static class DiskErrors
{
    public static VirgaException Last(string doing) => From(Marshal.GetLastPInvokeError(), doing);

    /// <param name="doing">What was tried, as in "write 'a/b'".</param>
    public static VirgaException From(int errno, string doing)
    {
        var (kind, advice) = errno switch
        {
            ENOENT => (FailureKind.NotFound, null),
            EACCES or EPERM => (
                FailureKind.Denied, "Give the user that runs the agent access to it (see 'ls -l'), then try again."),
            ENOSPC => (FailureKind.Full, "Free some room on the disk, or choose another account."),
            EDQUOT => (FailureKind.Full, "The user's disk quota is used up: free some room, or have it raised."),
            EROFS => (
                FailureKind.ReadOnly,
                "The file system is mounted read-only: remount it for writing, or choose another account."),
            ENOTDIR => (FailureKind.BadInput, "A file stands where a folder is needed: rename one of them."),
            EISDIR => (FailureKind.Conflict, "A folder stands there: rename one of them."),
            EEXIST => (FailureKind.Conflict, null),
            ENOTEMPTY => (
                FailureKind.Conflict,
                "The folder isn't empty; it may also hold pending uploads or things that aren't listed."),
            ENAMETOOLONG => (FailureKind.BadInput, "Shorten the name or move it higher up."),
            EINVAL or EILSEQ => (FailureKind.BadInput, "This file system can't hold that name: rename it."),
            EFBIG => (FailureKind.BadInput, "The file is longer than this file system can hold."),
            ELOOP => (FailureKind.Conflict, "A symbolic link stands there, and links are never followed."),
            EXDEV => (FailureKind.Conflict, "The two places are on different file systems: copy, then delete."),
            EBUSY => (FailureKind.InUse, "Something else holds it, perhaps a mount: unmount it first."),
            EMFILE or ENFILE => (FailureKind.Unavailable, "Too many files are open: raise the limit ('ulimit -n')."),
            EIO => (FailureKind.Unavailable, "The disk reports an error: look at 'dmesg' and check the disk."),
            EOPNOTSUPP or ENOSYS => (
                FailureKind.Unsupported, "This file system can't do that: choose another account."),
            _ => (FailureKind.Unavailable, (string?)null),
        };
        return new VirgaException(kind, $"can't {doing}: {Marshal.GetPInvokeErrorMessage(errno)}", advice);
    }

    public static string Quote(EntryPath path) =>
        path.IsRoot ? "the account's root" : $"'{NameRules.Show(path.Value)}'";
}
