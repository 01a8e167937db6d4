using Microsoft.Win32.SafeHandles;
using Virga.Core;
using static Virga.Accounts.Adapters.Disk.DiskErrors;

namespace Virga.Accounts.Adapters.Disk;

/// <summary>
/// A range of an open file. Before the last bytes are handed out, the file is looked at again: had it changed since it
/// was opened, the reader gets Changed and not the end.
/// </summary>
internal sealed class DiskReadStream(
    SafeFileHandle file, EntryPath path, ByteRange range, EntryVersion version) : AccountReadStream
{
    private long offset = range.Offset;
    private bool isChecked;

    public static VirgaException Changed(EntryPath path) =>
        new(FailureKind.Changed, $"{Quote(path)} has changed since it was looked at", "Share or read it again.");

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (offset == range.End && isChecked) return 0;
        if (buffer.IsEmpty && offset < range.End) return 0;
        return await Task.Run(() => Deliver(buffer.Span), cancellationToken);
    }

    private int Deliver(Span<byte> buffer)
    {
        var wanted = (int)Math.Min(buffer.Length, range.End - offset);
        var count = wanted == 0 ? 0 : DiskNative.Read(file, buffer[..wanted], offset);
        if (count < 0) throw Last($"read {Quote(path)}");
        if (count < wanted) throw Changed(path);
        offset += count;
        if (offset == range.End) CheckUnchanged();
        return count;
    }

    private void CheckUnchanged()
    {
        if (DiskNative.Stat(file, out var status) < 0) throw Last($"read {Quote(path)}");
        if (status.Version != version) throw Changed(path);
        isChecked = true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }
}
