using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Virga.Core;
using static Virga.Accounts.Adapters.Disk.DiskErrors;
using static Virga.Accounts.Adapters.Disk.DiskNative;

namespace Virga.Accounts.Adapters.Disk;

/// <summary>What is forced to the device, and when.</summary>
internal enum DiskDurability
{
    /// <summary>Never: a power cut may lose what the last seconds wrote. A killed process loses nothing.</summary>
    None,

    /// <summary>
    /// Uploads when they are complete; small files are left to the system, which writes them within seconds.
    /// </summary>
    Uploads,

    /// <summary>Every part and every file, before the call returns.</summary>
    All,
}

/// <summary>
/// A folder on a Linux disk. Every path is resolved below the open root without following any symlink (openat2 with
/// RESOLVE_BENEATH, or folder by folder on older kernels). Writes go to a temporary file beside the target and are
/// renamed over it. Calls to the disk block, so they run on the thread pool, each call as one piece of work.
/// </summary>
internal sealed partial class DiskAccount
    : IAccount, ISymlinks, IResumableUploads, IReportsSpace, IReportsSkipped, IReadsPendingUploads
{
    private const uint FileMode = 0x1B6, ExecutableMode = 0x1FF;

    private readonly string root;
    private readonly RandomBytes random;
    private readonly DiskDurability durability;
    private readonly string? bootId;
    private readonly bool walksByHand;

    /// <param name="bootId">
    /// Of the running kernel; null where unknown. Parts that weren't synced are trusted only under the same one.
    /// </param>
    /// <param name="walksByHand">Resolves paths as on kernels before 5.6.</param>
    public DiskAccount(
        string root, RandomBytes random, DiskDurability durability, string? bootId, bool walksByHand = false)
    {
        this.root = root;
        this.random = random;
        this.bootId = bootId;
        this.walksByHand = walksByHand;
        this.durability = bootId is null && durability == DiskDurability.Uploads ? DiskDurability.All : durability;
        Traits = new AccountTraits
        {
            Adapter = DiskAdapter.AdapterName,
            IsReadOnly = Space(root, out var space) == 0 && space.IsReadOnly,
            IsLocal = true,
            MaxConcurrency = 16,
            SingleWriteBytesMax = 8 << 20,
            // Small enough to lie in a processor's cache between being opened and being written.
            PartBytesMax = 4 << 20,
            PartOrder = PartOrder.Any,
            UploadResume = UploadResume.Parts,
            Pin = PinStrength.Weak,
            KeepsModified = true,
            KeepsEmptyFolders = true,
            KeepsExecutable = true,
            Names = new NameRules(
                Reserved: name => DiskTemporary.IsName(name) ? "is of the form of Virga's temporary files" : null),
        };
    }

    public AccountTraits Traits { get; }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken) => OnPoolAsync(
        () =>
        {
            using var folder = OpenFolder(path.Parent, out var errno);
            if (!folder.IsOpen) return IsNothing(errno) ? null : throw From(errno, $"look up {Quote(path)}");
            if (path.IsRoot) return new Entry(path, EntryKind.Folder, 0);
            return DiskTemporary.IsName(path.Name) ? null : Describe(folder, path);
        },
        cancellationToken);

    public ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken) => OnPoolAsync(
        () =>
        {
            var doing = $"read {Quote(path)}";
            if (path.IsRoot)
                throw new VirgaException(FailureKind.BadInput, "the account's root is a folder, which has no bytes");
            using var folder = OpenFolder(path.Parent, out var errno);
            if (!folder.IsOpen) throw From(IsNothing(errno) ? ENOENT : errno, doing);
            // A pipe would wait for its other end without NonBlock.
            var fd = OpenAt(folder.Fd, path.Name, ReadOnly | NoFollow | NonBlock | CloseOnExec, 0);
            if (fd < 0) throw NotReadable(folder, path, Marshal.GetLastPInvokeError(), doing);
            var file = new SafeFileHandle(fd, ownsHandle: true);
            try
            {
                if (Stat(file, out var status) < 0) throw Last(doing);
                if (!status.IsFile) throw new VirgaException(FailureKind.BadInput, $"{Quote(path)} is no file");
                if (pin is { } expected && expected != status.Version) throw DiskReadStream.Changed(path);
                if (range.Offset < 0 || range.Length < 0 || range.Length > status.Size - range.Offset)
                    throw new VirgaException(
                        FailureKind.BadInput,
                        $"the range {range} lies beyond the end of {Quote(path)}, which has {status.Size} bytes");
                return new EntryReader(FileEntry(path, status), new DiskReadStream(file, path, range, status.Version));
            }
            catch
            {
                file.Dispose();
                throw;
            }
        },
        cancellationToken);

    public ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken) => OnPoolAsync(
        () =>
        {
            Traits.Names.Check(path);
            using var folder = OpenOrMakeFolder(path);
        },
        cancellationToken);

    public ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken) => OnPoolAsync(
        () =>
        {
            var doing = $"delete {Quote(path)}";
            RefuseRoot(path, "deleted");
            if (DiskTemporary.IsName(path.Name)) return;
            using var folder = OpenFolder(path.Parent, out var errno);
            if (!folder.IsOpen)
            {
                if (IsNothing(errno)) return;
                throw From(errno, doing);
            }
            if (UnlinkAt(folder.Fd, path.Name, 0) == 0) return;
            errno = Marshal.GetLastPInvokeError();
            if (errno == EISDIR && UnlinkAt(folder.Fd, path.Name, AtRemoveDir) == 0) return;
            if (errno == EISDIR) errno = Marshal.GetLastPInvokeError();
            if (errno == ENOENT || (errno == ENAMETOOLONG && Traits.Names.WhyNot(path) is not null)) return;
            throw From(errno == EEXIST ? ENOTEMPTY : errno, doing);
        },
        cancellationToken);

    public ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken) => OnPoolAsync(
        () =>
        {
            var doing = $"move {Quote(from)} to {Quote(to)}";
            RefuseRoot(from, "moved");
            RefuseRoot(to, "replaced");
            Traits.Names.Check(to);
            using var source = OpenFolder(from.Parent, out var errno);
            if (!source.IsOpen) throw From(IsNothing(errno) ? ENOENT : errno, doing);
            if (DiskTemporary.IsName(from.Name) || Stat(source.Fd, from.Name, out _) < 0) throw From(ENOENT, doing);
            if (to != from && to.IsWithin(from))
                throw new VirgaException(FailureKind.BadInput, $"can't {doing}: a folder can't be moved into itself");
            using var target = OpenOrMakeFolder(to.Parent);
            if (RenameAt(source.Fd, from.Name, target.Fd, to.Name) == 0) return;
            errno = Marshal.GetLastPInvokeError();
            // A file and a folder in each other's place, or a folder with content.
            throw From(errno is EEXIST or ENOTDIR ? ENOTEMPTY : errno, doing);
        },
        cancellationToken);

    public ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken) =>
        OnPoolAsync(
        () =>
        {
            var doing = $"make the link {Quote(path)}";
            RefuseRoot(path, "a link");
            Traits.Names.Check(path);
            if (target.Length == 0 || target.Contains('\0'))
                throw new VirgaException(FailureKind.BadInput, $"can't {doing}: its target is empty or holds NUL");
            using var folder = OpenOrMakeFolder(path.Parent);
            var temporary = DiskTemporary.NewName(random);
            if (SymlinkAt(target, folder.Fd, temporary) < 0) throw Last(doing);
            if (RenameAt(folder.Fd, temporary, folder.Fd, path.Name) == 0) return;
            var errno = Marshal.GetLastPInvokeError();
            _ = UnlinkAt(folder.Fd, temporary, 0);
            throw From(errno, doing);
        },
        cancellationToken);

    public ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken) => OnPoolAsync(
        () => Space(root, out var space) == 0
            ? new AccountSpace(space.UsedBytes, space.AvailableBytes)
            : throw RootFailure(Marshal.GetLastPInvokeError()),
        cancellationToken);

    private static ValueTask<T> OnPoolAsync<T>(Func<T> work, CancellationToken cancellationToken) =>
        new(Task.Run(work, cancellationToken));

    private static ValueTask OnPoolAsync(Action work, CancellationToken cancellationToken) =>
        new(Task.Run(work, cancellationToken));

    /// <summary>
    /// No such entry in this account: missing, below a file, or behind a symlink or a name that can't be.
    /// </summary>
    private static bool IsNothing(int errno) => errno is ENOENT or ENOTDIR or ELOOP or EXDEV or ENAMETOOLONG;

    private static void RefuseRoot(EntryPath path, string done)
    {
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, $"the account's root can't be {done}");
    }

    private static VirgaException NotReadable(Folder folder, EntryPath path, int errno, string doing)
    {
        if (errno != ELOOP && errno != ENXIO) return From(IsNothing(errno) ? ENOENT : errno, doing);
        var what = Stat(folder.Fd, path.Name, out var status) == 0 && status.IsSymlink
            ? "is a symbolic link, which has"
            : "is no file and has";
        return new VirgaException(FailureKind.BadInput, $"{Quote(path)} {what} no bytes of its own");
    }

    private static Entry FileEntry(EntryPath path, in FileStatus status) =>
        new(path, EntryKind.File, status.Size, status.Modified, status.Version, IsExecutable: status.IsOwnerExecutable);

    private static Entry? Describe(Folder folder, EntryPath path)
    {
        if (Stat(folder.Fd, path.Name, out var status) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return IsNothing(errno) ? null : throw From(errno, $"look up {Quote(path)}");
        }
        if (status.IsFile) return FileEntry(path, status);
        if (status.IsFolder) return new Entry(path, EntryKind.Folder, 0, status.Modified);
        return status.IsSymlink
            ? SymlinkEntry(folder, System.Text.Encoding.UTF8.GetBytes(path.Name + "\0"), path, status, out _)
            : null;
    }

    private Folder OpenRoot()
    {
        // A missing root is never made: it may be the place where a disk isn't mounted.
        var fd = OpenAt(AtFdCwd, root, PathOnly | DiskNative.Directory | CloseOnExec, 0);
        return fd >= 0 ? new Folder(fd) : throw RootFailure(Marshal.GetLastPInvokeError());
    }

    private VirgaException RootFailure(int errno) => errno is ENOENT or ENOTDIR
        ? new VirgaException(
            FailureKind.NotFound,
            $"the folder {root} of the disk account isn't there",
            $"Mount the disk that should hold it, or make it with 'mkdir -p {root}'.")
        : From(errno, $"open the folder {root} of the disk account");

    /// <summary>
    /// Opens a folder below the root; not open with an errno where that fails. Throws where the root itself is missing.
    /// </summary>
    private Folder OpenFolder(EntryPath path, out int errno)
    {
        errno = 0;
        var top = OpenRoot();
        if (path.IsRoot) return top;
        using (top)
        {
            var fd = walksByHand ? -1 : OpenBeneath(top.Fd, path.Value, PathOnly | DiskNative.Directory | CloseOnExec);
            if (fd >= 0) return new Folder(fd);
            errno = walksByHand ? ENOSYS : Marshal.GetLastPInvokeError();
            // Older kernels and some containers' filters don't know openat2; a path that is too long for one call isn't
            // for many.
            return errno is ENOSYS or EPERM or ENAMETOOLONG ? WalkTo(top, path, out errno) : default;
        }
    }

    private static Folder WalkTo(Folder top, EntryPath path, out int errno)
    {
        errno = 0;
        var current = default(Folder);
        foreach (var name in path.Names)
        {
            var fd = OpenAt(
                current.IsOpen ? current.Fd : top.Fd,
                name,
                PathOnly | DiskNative.Directory | NoFollow | CloseOnExec,
                0);
            if (fd < 0) errno = Marshal.GetLastPInvokeError();
            current.Dispose();
            if (fd < 0) return default;
            current = new Folder(fd);
        }
        return current;
    }

    private Folder OpenOrMakeFolder(EntryPath path)
    {
        var folder = OpenFolder(path, out var errno);
        if (folder.IsOpen) return folder;
        if (errno != ENOENT) throw NoFolder(path, errno);
        using var top = OpenRoot();
        var current = default(Folder);
        foreach (var name in path.Names)
        {
            var parent = current.IsOpen ? current.Fd : top.Fd;
            var fd = OpenAt(parent, name, PathOnly | DiskNative.Directory | NoFollow | CloseOnExec, 0);
            if (fd < 0 && Marshal.GetLastPInvokeError() == ENOENT)
            {
                // Somebody else may have made it in between.
                if (MakeDirectoryAt(parent, name, ExecutableMode) == 0 || Marshal.GetLastPInvokeError() == EEXIST)
                    fd = OpenAt(parent, name, PathOnly | DiskNative.Directory | NoFollow | CloseOnExec, 0);
            }
            errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
            current.Dispose();
            if (fd < 0) throw NoFolder(path, errno);
            current = new Folder(fd);
        }
        return current;
    }

    private static VirgaException NoFolder(EntryPath path, int errno) => errno == ENOTDIR
        ? new VirgaException(
            FailureKind.Conflict,
            $"can't make the folder {Quote(path)}: a file or a link stands in its way",
            "Rename one of them.")
        : From(errno == EXDEV ? ELOOP : errno, $"make the folder {Quote(path)}");

    private void SyncFolder(Folder folder, string doing)
    {
        var fd = OpenAt(folder.Fd, ".", ReadOnly | DiskNative.Directory | CloseOnExec, 0);
        if (fd < 0) throw Last(doing);
        var failed = Sync(fd) < 0 ? Last(doing) : null;
        _ = Close(fd);
        if (failed is not null) throw failed;
    }

    /// <summary>An open folder; the default is none.</summary>
    private readonly struct Folder(int fd) : IDisposable
    {
        // Shifted by one, so that the default is not the standard input.
        private readonly int shifted = fd + 1;

        public int Fd => shifted - 1;

        public bool IsOpen => shifted > 0;

        public void Dispose()
        {
            if (IsOpen) _ = Close(Fd);
        }
    }
}
