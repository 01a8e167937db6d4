using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Virga.Accounts.Adapters.Disk;

/// <summary>
/// The Linux calls that the disk adapter makes (glibc 2.30 or later; x64 and arm64). Each sets errno, which the caller
/// reads by <see cref="Marshal.GetLastPInvokeError"/>. Paths are relative to an open folder, so that nothing is
/// resolved twice.
/// </summary>
internal static unsafe partial class DiskNative
{
    public const int AtFdCwd = -100, AtSymlinkNoFollow = 0x100, AtRemoveDir = 0x200, AtEmptyPath = 0x1000;
    public const int ReadOnly = 0, WriteOnly = 1, ReadWrite = 2, Create = 0x40, Exclusive = 0x80, NonBlock = 0x800;
    public const int CloseOnExec = 0x80000, PathOnly = 0x200000;
    public const int LockShared = 1, LockExclusive = 2, LockNonBlock = 4;
    public const int EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, ENXIO = 6, EACCES = 13, EBUSY = 16, EEXIST = 17;
    public const int EXDEV = 18, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23, EMFILE = 24, EFBIG = 27;
    public const int ENOSPC = 28, EROFS = 30, ENAMETOOLONG = 36, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40, EILSEQ = 84;
    public const int EOPNOTSUPP = 95, EDQUOT = 122;

    private const int SyncFileRangeWrite = 2;
    private const long OpenAt2Number = 437;
    private const ulong ResolveNoMagicLinks = 2, ResolveNoSymlinks = 4, ResolveBeneath = 8;
    private const uint StatxBasicAndBirth = 0xfff;

    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public static readonly int Directory = IsArm ? 0x4000 : 0x10000;
    public static readonly int NoFollow = IsArm ? 0x8000 : 0x20000;

    [LibraryImport("libc", EntryPoint = "openat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int OpenAt(int folder, string name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial long OpenAt2(long number, int folder, string path, OpenHow* how, nuint size);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int StatX(int folder, string name, int flags, uint mask, FileStatus* status);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatX(int folder, byte* name, int flags, uint mask, FileStatus* status);

    [LibraryImport("libc", EntryPoint = "mkdirat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int MakeDirectoryAt(int folder, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int UnlinkAt(int folder, string name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int RenameAt(int fromFolder, string from, int toFolder, string to);

    [LibraryImport("libc", EntryPoint = "symlinkat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int SymlinkAt(string target, int folder, string name);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadLinkAt(int folder, byte* name, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    public static partial nint GetDirectoryEntries(int folder, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint PRead(SafeFileHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint PWrite(SafeFileHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(SafeFileHandle file, long length);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int SyncData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int fd);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncRange(SafeFileHandle file, long offset, long count, uint flags);

    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    private static partial int SetTimes(SafeFileHandle file, TimeSpec* times);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "statvfs", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int StatVfs(string path, FileSystemStatus* status);

    [LibraryImport("libc", EntryPoint = "fstatvfs", SetLastError = true)]
    private static partial int StatVfs(int fd, FileSystemStatus* status);

    /// <summary>
    /// Opens a folder below another; ELOOP where a symlink lies in the way, EXDEV where the path leads out.
    /// </summary>
    public static int OpenBeneath(int folder, string path, int flags)
    {
        var how = new OpenHow
        {
            Flags = (ulong)flags,
            Resolve = ResolveBeneath | ResolveNoSymlinks | ResolveNoMagicLinks,
        };
        return (int)OpenAt2(OpenAt2Number, folder, path, &how, (nuint)sizeof(OpenHow));
    }

    public static int Stat(int folder, string name, out FileStatus status)
    {
        fixed (FileStatus* s = &status) return StatX(folder, name, AtSymlinkNoFollow, StatxBasicAndBirth, s);
    }

    /// <param name="name">Ends in NUL.</param>
    public static int Stat(int folder, byte* name, out FileStatus status)
    {
        fixed (FileStatus* s = &status) return StatX(folder, name, AtSymlinkNoFollow, StatxBasicAndBirth, s);
    }

    public static int Stat(SafeFileHandle file, out FileStatus status)
    {
        var added = false;
        try
        {
            file.DangerousAddRef(ref added);
            fixed (FileStatus* s = &status)
            {
                return StatX((int)file.DangerousGetHandle(), "", AtEmptyPath, StatxBasicAndBirth, s);
            }
        }
        finally
        {
            if (added) file.DangerousRelease();
        }
    }

    /// <summary>Reads until the buffer is full or the file ends; -1 with errno.</summary>
    public static int Read(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        var done = 0;
        fixed (byte* start = buffer)
        {
            while (done < buffer.Length)
            {
                var count = PRead(file, start + done, (nuint)(buffer.Length - done), offset + done);
                if (count == 0) break;
                if (count > 0) done += (int)count;
                else if (Marshal.GetLastPInvokeError() != EINTR) return -1;
            }
        }
        return done;
    }

    /// <summary>Writes all; -1 with errno.</summary>
    public static int Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long offset)
    {
        fixed (byte* start = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                var count = PWrite(file, start + done, (nuint)(bytes.Length - done), offset + done);
                if (count >= 0) done += (int)count;
                else if (Marshal.GetLastPInvokeError() != EINTR) return -1;
            }
        }
        return 0;
    }

    /// <summary>
    /// Starts writing a range to the device without waiting, so that the sync at the end has little left to do.
    /// </summary>
    public static void StartWriteBack(SafeFileHandle file, long offset, long count) =>
        _ = SyncRange(file, offset, count, SyncFileRangeWrite);

    public static int SetModified(SafeFileHandle file, DateTimeOffset modified)
    {
        var ticks = modified.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
        var seconds = Math.DivRem(ticks, TimeSpan.TicksPerSecond, out var rest);
        if (rest < 0) (seconds, rest) = (seconds - 1, rest + TimeSpan.TicksPerSecond);
        var time = new TimeSpec { Seconds = seconds, Nanoseconds = rest * TimeSpan.NanosecondsPerTick };
        var times = stackalloc TimeSpec[2];
        (times[0], times[1]) = (time, time);
        return SetTimes(file, times);
    }

    public static int Space(string path, out FileSystemStatus status)
    {
        fixed (FileSystemStatus* s = &status) return StatVfs(path, s);
    }

    public static int Space(int fd, out FileSystemStatus status)
    {
        fixed (FileSystemStatus* s = &status) return StatVfs(fd, s);
    }

    private struct OpenHow
    {
        public ulong Flags, Mode, Resolve;
    }

    private struct TimeSpec
    {
        public long Seconds, Nanoseconds;
    }
}

/// <summary>struct statx of linux/stat.h, the same on every architecture.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct FileStatus
{
    [FieldOffset(16)] public uint LinkCount;
    [FieldOffset(28)] public ushort Mode;
    [FieldOffset(32)] public ulong Inode;
    [FieldOffset(40)] public long Size;
    [FieldOffset(80)] public long BirthSeconds;
    [FieldOffset(96)] public long ChangeSeconds;
    [FieldOffset(104)] public uint ChangeNanoseconds;
    [FieldOffset(112)] public long ModifySeconds;
    [FieldOffset(120)] public uint ModifyNanoseconds;

    private const int TypeMask = 0xF000, TypeFolder = 0x4000, TypeFile = 0x8000, TypeLink = 0xA000;

    public readonly bool IsFolder => (Mode & TypeMask) == TypeFolder;

    public readonly bool IsFile => (Mode & TypeMask) == TypeFile;

    public readonly bool IsSymlink => (Mode & TypeMask) == TypeLink;

    /// <summary>What it is, as a clause, where it is no entry.</summary>
    public readonly string SpecialKind => (Mode & TypeMask) switch
    {
        0x1000 => "is a named pipe",
        0x2000 => "is a character device",
        0x6000 => "is a block device",
        0xC000 => "is a socket",
        _ => "is of an unknown kind",
    };

    public readonly bool IsOwnerExecutable => (Mode & 0x40) != 0;

    /// <summary>Time of change, size, inode and the time of the inode's change, which nobody can set back.</summary>
    public readonly EntryVersion Version =>
        new($"{ModifySeconds:x}.{ModifyNanoseconds:x}-{Size:x}-{Inode:x}-{ChangeSeconds:x}.{ChangeNanoseconds:x}");

    public readonly DateTimeOffset Modified
    {
        get
        {
            var seconds = Math.Clamp(
                ModifySeconds,
                DateTimeOffset.MinValue.ToUnixTimeSeconds(),
                DateTimeOffset.MaxValue.ToUnixTimeSeconds());
            return DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(
                ModifyNanoseconds / TimeSpan.NanosecondsPerTick);
        }
    }
}

/// <summary>struct statvfs of glibc on 64-bit machines.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct FileSystemStatus
{
    [FieldOffset(8)] public ulong BlockBytes;
    [FieldOffset(16)] public ulong Blocks;
    [FieldOffset(24)] public ulong FreeBlocks;
    [FieldOffset(32)] public ulong AvailableBlocks;
    [FieldOffset(72)] public ulong Flags;

    public readonly bool IsReadOnly => (Flags & 1) != 0;

    public readonly long UsedBytes => (long)((Blocks - FreeBlocks) * BlockBytes);

    public readonly long AvailableBytes => (long)(AvailableBlocks * BlockBytes);
}
