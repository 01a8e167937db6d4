namespace Virga.Accounts.Adapters.Http;

/// <summary>
/// Reads memory that belongs to the caller, without copying it first; tells a <see cref="StallGuard"/> of its progress.
/// </summary>
internal sealed class MemoryReadStream(ReadOnlyMemory<byte> content, StallGuard? guard = null) : Stream
{
    private const int WriteBytesMax = 256 << 10;
    private int position;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => content.Length;

    public override long Position
    {
        get => position;
        set => position = checked((int)Math.Clamp(value, 0, content.Length));
    }

    public override int Read(Span<byte> buffer)
    {
        guard?.Touch();
        var count = Math.Min(buffer.Length, content.Length - position);
        content.Span.Slice(position, count).CopyTo(buffer);
        position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<int>(cancellationToken)
            : ValueTask.FromResult(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
    {
        while (position < content.Length)
        {
            var piece = content.Slice(position, Math.Min(WriteBytesMax, content.Length - position));
            await destination.WriteAsync(piece, cancellationToken);
            position += piece.Length;
            guard?.Touch();
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => position + offset,
        _ => content.Length + offset,
    };

    public override void Flush() { }
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
