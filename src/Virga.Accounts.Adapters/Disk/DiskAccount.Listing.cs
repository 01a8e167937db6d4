using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;
using Virga.Core;
using static Virga.Accounts.Adapters.Disk.DiskErrors;
using static Virga.Accounts.Adapters.Disk.DiskNative;

namespace Virga.Accounts.Adapters.Disk;

internal sealed partial class DiskAccount
{
    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        ListAsync(folder, null, null, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        ListAsync(folder, onSkipped, null, cancellationToken);

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await StatAsync(folder, cancellationToken) is not { Kind: EntryKind.Folder }) yield break;
        var found = new Queue<PendingUpload>();
        var walk = AccountAbilities.WalkAsync(
            path => ListAsync(path, null, found.Enqueue, cancellationToken), folder, cancellationToken);
        await foreach (var _ in walk)
        {
            while (found.TryDequeue(out var upload)) yield return upload;
        }
        while (found.TryDequeue(out var upload)) yield return upload;
    }

    private async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder,
        Action<SkippedEntry>? onSkipped,
        Action<PendingUpload>? onUpload,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var scan = await OnPoolAsync(() => OpenScan(folder, onUpload is not null), cancellationToken);
        while (await OnPoolAsync(scan.ReadPage, cancellationToken))
        {
            foreach (var skipped in scan.Skipped) onSkipped?.Invoke(skipped);
            foreach (var upload in scan.Uploads) onUpload?.Invoke(upload);
            foreach (var entry in scan.Entries)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return entry;
            }
        }
    }

    private Scan OpenScan(EntryPath path, bool looksForUploads)
    {
        var doing = $"list {Quote(path)}";
        using var folder = OpenFolder(path, out var errno);
        if (!folder.IsOpen) throw From(IsNothing(errno) ? ENOENT : errno, doing);
        var fd = OpenAt(folder.Fd, ".", ReadOnly | DiskNative.Directory | CloseOnExec, 0);
        return fd >= 0 ? new Scan(path, new Folder(fd), looksForUploads) : throw Last(doing);
    }

    private static unsafe Entry? SymlinkEntry(
        Folder folder, ReadOnlySpan<byte> nameWithNul, EntryPath path, in FileStatus status, out string? whyNot)
    {
        whyNot = null;
        Span<byte> target = stackalloc byte[4096];
        nint count;
        fixed (byte* name = nameWithNul, buffer = target)
            count = ReadLinkAt(folder.Fd, name, buffer, (nuint)target.Length);
        if (count < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return errno is ENOENT or EINVAL ? null : throw From(errno, $"read the link {Quote(path)}");
        }
        target = target[..(int)count];
        if (Utf8.IsValid(target))
            return new Entry(
                path, EntryKind.Symlink, 0, status.Modified, status.Version, Encoding.UTF8.GetString(target));
        whyNot = "is a symbolic link whose target is not UTF-8";
        return null;
    }

    /// <summary>
    /// Reads a folder page by page. The next page is fetched before one is handed out, so that the folder is closed as
    /// soon as it is known to end: a walk down a deep tree of ordinary folders holds no descriptors.
    /// </summary>
    private sealed unsafe class Scan : IDisposable
    {
        private const int PageBytes = 64 << 10;

        private readonly EntryPath path;
        private readonly bool looksForUploads;
        private Folder folder;
        private byte[]? page;
        private int pageBytes;

        public Scan(EntryPath path, Folder folder, bool looksForUploads)
        {
            this.path = path;
            this.folder = folder;
            this.looksForUploads = looksForUploads;
            page = ArrayPool<byte>.Shared.Rent(PageBytes);
            Fetch();
        }

        public List<Entry> Entries { get; private set; } = [];

        public List<SkippedEntry> Skipped { get; } = [];

        public List<PendingUpload> Uploads { get; } = [];

        /// <summary>False at the end; a page may turn out empty.</summary>
        public bool ReadPage()
        {
            Entries = [];
            Skipped.Clear();
            Uploads.Clear();
            if (pageBytes == 0) return false;
            // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name and NUL.
            for (var at = 0; at < pageBytes;)
            {
                var record = page.AsSpan(at, BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(at + 16)));
                at += record.Length;
                var name = record[19..];
                Add(name[..(name.IndexOf((byte)0) + 1)]);
            }
            Fetch();
            return true;
        }

        public void Dispose()
        {
            folder.Dispose();
            folder = default;
            pageBytes = 0;
            if (page is not null) ArrayPool<byte>.Shared.Return(page);
            page = null;
        }

        private void Fetch()
        {
            nint count;
            fixed (byte* buffer = page) count = GetDirectoryEntries(folder.Fd, buffer, PageBytes);
            if (count > 0)
            {
                pageBytes = (int)count;
                return;
            }
            var failure = count < 0 ? Last($"list {Quote(path)}") : null;
            Dispose();
            if (failure is not null) throw failure;
        }

        private void Add(ReadOnlySpan<byte> nameWithNul)
        {
            var nameUtf8 = nameWithNul[..^1];
            if (nameUtf8.SequenceEqual("."u8) || nameUtf8.SequenceEqual(".."u8)) return;
            if (!Utf8.IsValid(nameUtf8))
            {
                Skipped.Add(new SkippedEntry(path, ShowBytes(nameUtf8), "has a name that is not UTF-8"));
                return;
            }
            var name = Encoding.UTF8.GetString(nameUtf8);
            if (DiskTemporary.TokenOf(name) is { } token)
            {
                if (looksForUploads) AddUpload(name, token);
                return;
            }
            if (!EntryPath.TryParse(path.IsRoot ? name : $"{path}/{name}", out var entryPath))
            {
                Skipped.Add(
                    new SkippedEntry(
                        path, NameRules.Show(name), $"has a path of more than {EntryPath.MaxBytes} bytes"));
                return;
            }
            FileStatus status;
            fixed (byte* n = nameWithNul)
            {
                if (Stat(folder.Fd, n, out status) < 0)
                {
                    // Gone since the folder was read.
                    if (Marshal.GetLastPInvokeError() == ENOENT) return;
                    throw Last($"look up {Quote(entryPath)}");
                }
            }
            AddEntry(nameWithNul, name, entryPath, status);
        }

        private void AddEntry(ReadOnlySpan<byte> nameWithNul, string name, EntryPath entryPath, in FileStatus status)
        {
            if (status.IsFile) Entries.Add(FileEntry(entryPath, status));
            else if (status.IsFolder) Entries.Add(new Entry(entryPath, EntryKind.Folder, 0, status.Modified));
            else if (!status.IsSymlink) Skipped.Add(new SkippedEntry(path, NameRules.Show(name), status.SpecialKind));
            else if (SymlinkEntry(folder, nameWithNul, entryPath, status, out var whyNot) is { } link)
                Entries.Add(link);
            else if (whyNot is not null) Skipped.Add(new SkippedEntry(path, NameRules.Show(name), whyNot));
        }

        private void AddUpload(string name, string token)
        {
            var fd = OpenAt(folder.Fd, name, ReadOnly | NoFollow | NonBlock | CloseOnExec, 0);
            if (fd < 0) return;
            using var file = new SafeFileHandle(fd, ownsHandle: true);
            if (Stat(file, out var status) < 0 || !status.IsFile) return;
            var upload = DiskTemporary.Read(file, status.Size);
            // Without a trailer it is a file that is being written, or what a killed process left of one: nobody locks
            // that.
            if (upload is null && Lock(file, LockShared | LockNonBlock) < 0) return;
            var started = status.BirthSeconds > 0
                ? DateTimeOffset.FromUnixTimeSeconds(status.BirthSeconds)
                : status.Modified;
            var at = path.Append(upload?.Name ?? name);
            Uploads.Add(new PendingUpload(at, token, started) { IsAbandoned = upload is null });
        }

        private static string ShowBytes(ReadOnlySpan<byte> bytes)
        {
            var shown = new StringBuilder();
            foreach (var b in bytes)
            {
                if (b is >= 0x20 and < 0x7f) shown.Append((char)b);
                else shown.Append("\\x").Append(b.ToString("x2"));
            }
            return shown.ToString();
        }
    }
}
