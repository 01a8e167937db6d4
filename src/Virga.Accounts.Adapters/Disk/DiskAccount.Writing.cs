using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Virga.Core;
using static Virga.Accounts.Adapters.Disk.DiskErrors;
using static Virga.Accounts.Adapters.Disk.DiskNative;

namespace Virga.Accounts.Adapters.Disk;

internal sealed partial class DiskAccount
{
    private const int LockRelease = 8;

    public ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken) =>
        OnPoolAsync(() => Write(path, content.Span, options, cancellationToken), cancellationToken);

    /// <remarks> Open, write, set the time, rename, look: nothing is synced unless everything is (<see
    /// cref="DiskDurability"/>). </remarks>
    private Entry Write(
        EntryPath path, ReadOnlySpan<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        CheckTarget(path);
        if (content.Length > Traits.SingleWriteBytesMax)
            throw new VirgaException(
                FailureKind.BadInput,
                $"{content.Length} bytes in one write; this account takes {Traits.SingleWriteBytesMax}");
        var doing = $"write {Quote(path)}";
        using var folder = OpenOrMakeFolder(path.Parent);
        var temporary = DiskTemporary.NewName(random);
        using var file = CreateLocked(folder, temporary, options, doing);
        try
        {
            if (DiskNative.Write(file, content, 0) < 0) throw Last(doing);
            SetModifiedTime(file, options, doing);
            if (durability == DiskDurability.All && SyncData(file) < 0) throw Last(doing);
            cancellationToken.ThrowIfCancellationRequested();
            if (RenameAt(folder.Fd, temporary, folder.Fd, path.Name) < 0) throw Last(doing);
        }
        catch
        {
            _ = UnlinkAt(folder.Fd, temporary, 0);
            throw;
        }
        if (durability == DiskDurability.All) SyncFolder(folder, doing);
        // Only now: the rename has changed the inode's time, which is part of the version.
        return Stat(file, out var status) == 0 ? FileEntry(path, status) : throw Last(doing);
    }

    public ValueTask<IUpload> BeginUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        CancellationToken cancellationToken) => OnPoolAsync(
        IUpload () =>
        {
            CheckTarget(path);
            var layout = PartLayout.Checked(Traits, length, partBytes);
            var doing = $"begin the upload of {Quote(path)}";
            using var folder = OpenOrMakeFolder(path.Parent);
            if (Space(folder.Fd, out var space) == 0 && space.AvailableBytes < length)
            {
                throw new VirgaException(
                    FailureKind.Full,
                    $"can't {doing}: no space left: it has {length:N0} bytes, "
                        + $"and {root} has {space.AvailableBytes:N0} free",
                    "Free some room on the disk, or choose another account.");
            }
            var token = DiskTemporary.NewToken(random);
            var file = CreateLocked(folder, DiskTemporary.NameOf(token), options, doing);
            try
            {
                WriteTrailer(file, path, layout, isSynced: false, doing);
                _ = Lock(file, LockRelease);
                return new Upload(this, path, layout, options, token, file);
            }
            catch
            {
                _ = UnlinkAt(folder.Fd, DiskTemporary.NameOf(token), 0);
                file.Dispose();
                throw;
            }
        },
        cancellationToken);

    public ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        string token,
        CancellationToken cancellationToken) => OnPoolAsync(
        IUpload () =>
        {
            CheckTarget(path);
            var layout = PartLayout.Checked(Traits, length, partBytes);
            var doing = $"go on with the upload of {Quote(path)}";
            var name = NameOfToken(token);
            using var folder = OpenFolder(path.Parent, out var errno);
            if (!folder.IsOpen) throw IsNothing(errno) ? UploadEnded(path) : From(errno, doing);
            var fd = OpenAt(folder.Fd, name, ReadWrite | NoFollow | NonBlock | CloseOnExec, 0);
            if (fd < 0) throw Marshal.GetLastPInvokeError() == ENOENT ? UploadEnded(path) : Last(doing);
            var file = new SafeFileHandle(fd, ownsHandle: true);
            try
            {
                if (Stat(file, out var status) < 0) throw Last(doing);
                var found = status.IsFile ? DiskTemporary.Read(file, status.Size) : null;
                // Without a trailer but of the right length: the process ended while it completed the upload, after
                // syncing.
                if (found is null ? status.Size != length : !IsOf(found, path, layout)) throw UploadEnded(path);
                if (found is { Boot.Length: > 0 } && bootId is not null && found.Boot != bootId)
                {
                    _ = UnlinkAt(folder.Fd, name, 0);
                    throw UploadEnded(path, "the machine restarted before its parts were surely on the disk");
                }
                if (found is { Boot.Length: 0 } && durability == DiskDurability.Uploads)
                {
                    WriteTrailer(file, path, layout, isSynced: false, doing);
                    if (SyncData(file) < 0) throw Last(doing);
                }
                return new Upload(this, path, layout, options, token, file);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        },
        cancellationToken);

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) => OnPoolAsync(
        () => RemoveTemporary(upload.Path, NameOfToken(upload.Token)), cancellationToken);

    public ValueTask<int> ReadPendingAsync(
        EntryPath path, string token, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        OnPoolAsync(
            () =>
            {
                CheckTarget(path);
                var doing = $"read the upload of {Quote(path)}";
                var name = NameOfToken(token);
                using var folder = OpenFolder(path.Parent, out var errno);
                if (!folder.IsOpen) throw IsNothing(errno) ? UploadEnded(path) : From(errno, doing);
                var fd = OpenAt(folder.Fd, name, ReadOnly | NoFollow | NonBlock | CloseOnExec, 0);
                if (fd < 0) throw Marshal.GetLastPInvokeError() == ENOENT ? UploadEnded(path) : Last(doing);
                using var file = new SafeFileHandle(fd, ownsHandle: true);
                var read = DiskNative.Read(file, destination.Span, offset);
                return read < 0 ? throw Last(doing) : read;
            },
            cancellationToken);

    private void RemoveTemporary(EntryPath path, string name)
    {
        var doing = $"end the upload of {Quote(path)}";
        using var folder = OpenFolder(path.Parent, out var errno);
        if (!folder.IsOpen && !IsNothing(errno)) throw From(errno, doing);
        if (!folder.IsOpen || UnlinkAt(folder.Fd, name, 0) == 0 || Marshal.GetLastPInvokeError() == ENOENT) return;
        throw Last(doing);
    }

    private void CheckTarget(EntryPath path)
    {
        RefuseRoot(path, "a file");
        Traits.Names.Check(path);
    }

    /// <summary>A new file, locked while it has no trailer, so that nobody takes it for an orphan.</summary>
    private static SafeFileHandle CreateLocked(Folder folder, string name, WriteOptions options, string doing)
    {
        var mode = options.IsExecutable ? ExecutableMode : FileMode;
        var fd = OpenAt(folder.Fd, name, ReadWrite | Create | Exclusive | NoFollow | CloseOnExec, mode);
        if (fd < 0) throw Last(doing);
        var file = new SafeFileHandle(fd, ownsHandle: true);
        _ = Lock(file, LockExclusive | LockNonBlock);
        return file;
    }

    private static void SetModifiedTime(SafeFileHandle file, WriteOptions options, string doing)
    {
        if (options.Modified is { } modified && SetModified(file, modified) < 0) throw Last(doing);
    }

    private void WriteTrailer(SafeFileHandle file, EntryPath path, PartLayout layout, bool isSynced, string doing)
    {
        var boot = isSynced || durability == DiskDurability.All ? "" : bootId ?? "";
        var trailer = new DiskTemporary(path.Name, boot, layout.Length, layout.PartBytes).Encode();
        if (DiskNative.Write(file, trailer, layout.Length) < 0) throw Last(doing);
    }

    private static bool IsOf(DiskTemporary found, EntryPath path, PartLayout layout) =>
        found.Name == path.Name && found.Length == layout.Length && found.PartBytes == layout.PartBytes;

    private static string NameOfToken(string token) => DiskTemporary.IsToken(token)
        ? DiskTemporary.NameOf(token)
        : throw new VirgaException(FailureKind.BadInput, "that is no token of an upload to a disk account");

    private static VirgaException UploadEnded(EntryPath path, string? why = null) => new(
        FailureKind.NotFound,
        $"the upload of {Quote(path)} isn't pending any more" + (why is null ? "" : $": {why}"),
        "Begin it anew.");

    private sealed class Upload(
        DiskAccount account,
        EntryPath path,
        PartLayout layout,
        WriteOptions options,
        string token,
        SafeFileHandle file) : IUpload
    {
        // The kernel lets one writer into a file at a time; others would spin on a core for its lock.
        private readonly SemaphoreSlim writing = new(1, 1);
        private Entry? completed;
        private bool isAborted;

        public string Token => token;

        public async ValueTask<PartReceipt> WritePartAsync(
            long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            await writing.WaitAsync(cancellationToken);
            try
            {
                return await OnPoolAsync(() => WritePart(index, content.Span), cancellationToken);
            }
            finally
            {
                writing.Release();
            }
        }

        private PartReceipt WritePart(long index, ReadOnlySpan<byte> content)
        {
            var doing = $"write part {index} of {Quote(path)}";
            layout.CheckPart(index, content.Length);
            if (isAborted || completed is not null) throw UploadEnded(path);
            var range = layout.RangeOf(index);
            if (DiskNative.Write(file, content, range.Offset) < 0) throw Last(doing);
            if (account.durability == DiskDurability.All && SyncData(file) < 0) throw Last(doing);
            if (account.durability == DiskDurability.Uploads) StartWriteBack(file, range.Offset, range.Length);
            return new PartReceipt(index, "");
        }

        // Syncing may take seconds: on a thread of its own it keeps nobody else waiting.
        public ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken) =>
            new(Task.Factory.StartNew(
                () => Complete(parts), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default));

        /// <remarks> The order counts: data on the device, trailer cut off, length and time on the device, rename,
        /// folder on the device. A crash between any two leaves the pending upload, which can be completed again, or
        /// the whole file. </remarks>
        private Entry Complete(IReadOnlyList<PartReceipt> parts)
        {
            layout.CheckComplete(parts);
            if (completed is not null) return completed;
            if (isAborted) throw UploadEnded(path);
            var doing = $"complete the upload of {Quote(path)}";
            var syncs = account.durability != DiskDurability.None;
            using var folder = account.OpenFolder(path.Parent, out var errno);
            if (!folder.IsOpen) throw IsNothing(errno) ? UploadEnded(path) : From(errno, doing);
            _ = Lock(file, LockExclusive | LockNonBlock);
            if (syncs && SyncData(file) < 0) throw Last(doing);
            if (Truncate(file, layout.Length) < 0) throw Last(doing);
            SetModifiedTime(file, options, doing);
            if (syncs && Sync(file) < 0) throw Last(doing);
            if (RenameAt(folder.Fd, DiskTemporary.NameOf(token), folder.Fd, path.Name) < 0)
                throw Marshal.GetLastPInvokeError() == ENOENT ? UploadEnded(path) : Last(doing);
            // It is the user's file now: other programs' locks must find it free.
            _ = Lock(file, LockRelease);
            if (Stat(file, out var status) < 0) throw Last(doing);
            completed = FileEntry(path, status);
            if (syncs) account.SyncFolder(folder, doing);
            return completed;
        }

        public ValueTask AbortAsync(CancellationToken cancellationToken) => OnPoolAsync(
            () =>
            {
                if (completed is not null) return;
                isAborted = true;
                account.RemoveTemporary(path, DiskTemporary.NameOf(token));
            },
            cancellationToken);

        /// <summary>
        /// Marks a pending upload's parts as surely on the device, so that it outlives a restart of the machine too.
        /// </summary>
        public async ValueTask DisposeAsync()
        {
            if (completed is null && !isAborted && account.durability == DiskDurability.Uploads && !file.IsClosed)
                await Task.Factory.StartNew(
                    Settle, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            file.Dispose();
        }

        private void Settle()
        {
            // Another object may be completing it: a trailer must never get behind a file that is whole.
            if (Lock(file, LockExclusive | LockNonBlock) < 0 || Stat(file, out var status) < 0) return;
            if (status.LinkCount == 0 || status.Size == layout.Length || SyncData(file) < 0) return;
            try
            {
                account.WriteTrailer(file, path, layout, isSynced: true, "settle the upload");
            }
            catch (VirgaException)
            {
                // The trailer still says that the parts may not be on the device: nothing is lost but time.
                return;
            }
        }
    }
}
