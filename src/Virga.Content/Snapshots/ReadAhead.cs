using System.Buffers;
using Virga.Core;

namespace Virga.Content.Snapshots;

/// <summary>
/// Reads a stream of known length buffer by buffer, always one ahead: while the caller works on one, the next is
/// filled. Each buffer but the last is full. What it hands out is valid until the next call. Not safe for several
/// threads at once.
/// </summary>
internal sealed class ReadAhead : IAsyncDisposable
{
    private readonly Stream stream;
    private readonly CancellationToken token;
    private readonly int bufferBytes;
    private byte[] current, next;
    private long unrequested;
    private Task<int>? pending;

    /// <param name="length">
    /// Bytes that the stream must give; it is read to its end, where accounts tell of late changes.
    /// </param>
    public ReadAhead(Stream stream, long length, int bufferBytes, CancellationToken token)
    {
        this.stream = stream;
        this.token = token;
        this.bufferBytes = (int)Math.Min(bufferBytes, length);
        unrequested = length;
        current = [];
        next = ArrayPool<byte>.Shared.Rent(this.bufferBytes);
        pending = FillAsync(next);
    }

    /// <summary>Empty at the end.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> NextAsync()
    {
        if (pending is null) return default;
        var count = await pending;
        (current, next) = (next, current);
        pending = null;
        if (unrequested > 0)
        {
            if (next.Length == 0) next = ArrayPool<byte>.Shared.Rent(bufferBytes);
            pending = FillAsync(next);
        }
        return current.AsMemory(0, count);
    }

    public async ValueTask DisposeAsync()
    {
        // The buffers go back to the pool only when nobody writes to them any more.
        if (pending is not null)
        {
            try
            {
                await pending;
            }
            catch (Exception failure) when (failure is VirgaException or OperationCanceledException)
            {
                // Whoever disposes early has a failure of its own.
            }
        }
        pending = null;
        if (current.Length > 0) ArrayPool<byte>.Shared.Return(current);
        if (next.Length > 0) ArrayPool<byte>.Shared.Return(next);
        current = next = [];
    }

    /// <summary>Fills all of the destination; Unavailable where the stream ends before.</summary>
    public static async ValueTask FillAsync(Stream stream, Memory<byte> destination, CancellationToken token)
    {
        var count = await stream.ReadAtLeastAsync(destination, destination.Length, throwOnEndOfStream: false, token);
        if (count < destination.Length)
            throw new VirgaException(FailureKind.Unavailable, "the account ended a read early");
    }

    /// <summary>Reads to the end, where accounts tell of late changes; Changed where more comes.</summary>
    public static async ValueTask RequireEndAsync(Stream stream, CancellationToken token)
    {
        if (await stream.ReadAsync(new byte[1], token) != 0)
            throw new VirgaException(FailureKind.Changed, "the account gave more bytes than asked for");
    }

    private async Task<int> FillAsync(byte[] buffer)
    {
        var wanted = (int)Math.Min(bufferBytes, unrequested);
        unrequested -= wanted;
        await FillAsync(stream, buffer.AsMemory(0, wanted), token);
        if (unrequested == 0) await RequireEndAsync(stream, token);
        return wanted;
    }
}
