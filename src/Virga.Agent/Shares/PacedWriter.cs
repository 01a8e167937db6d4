using System.Buffers;
using System.IO.Pipelines;
using Virga.Protocol;

namespace Virga.Agent.Shares;

/// <summary>
/// What is written through it leaves in small slices, no faster than the pace allows, so that all who read at once are
/// served evenly. Dispose gives its buffer back.
/// </summary>
internal sealed class PacedWriter(PipeWriter inner, Pace pace) : PipeWriter, IDisposable
{
    private const int FirstBytes = 64 << 10;

    private byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int filled;

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => filled + inner.UnflushedBytes;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = filled + Math.Max(1, sizeHint);
        if (needed > buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, buffer.Length * 2));
            buffer.AsSpan(0, filled).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
        return buffer.AsMemory(filled);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes) => filled += bytes;

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        var result = new FlushResult();
        for (var at = 0; at < filled && !result.IsCompleted;)
        {
            var bytes = Math.Min(filled - at, pace.SliceBytes);
            result = await inner.WriteAsync(buffer.AsMemory(at, bytes), cancellationToken);
            at += bytes;
            await pace.PayAsync(bytes, cancellationToken);
        }
        filled = 0;
        return result;
    }

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        filled = 0;
    }
}
