using Virga.Core;

namespace Virga.Accounts.Adapters.Http;

/// <summary>
/// Exactly <paramref name="length"/> bytes of an answer's body. Ends early only by throwing Unavailable; stalls throw
/// Timeout.
/// </summary>
/// <param name="inner">The body; more bytes than expected are not read.</param>
/// <param name="length">Bytes promised.</param>
/// <param name="guard">Disposed with the stream.</param>
/// <param name="owner">The answer; disposed with the stream.</param>
/// <param name="describe">What is read, for messages.</param>
/// <param name="atEnd">
/// Called once, after the last byte and before it is handed out; throws Changed when the entry is another.
/// </param>
internal sealed class RangeStream(
    Stream inner,
    long length,
    StallGuard guard,
    IDisposable? owner,
    string describe,
    Func<CancellationToken, ValueTask>? atEnd = null) : Stream
{
    private long left = length;
    private bool isEndChecked;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position
    {
        get => throw new NotSupportedException(); set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length == 0) return 0;
        var count = left == 0 ? 0 : await ReadSomeAsync(buffer, cancellationToken);
        left -= count;
        if (left == 0 && !isEndChecked)
        {
            isEndChecked = true;
            if (atEnd is not null) await atEnd(cancellationToken);
        }
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private async ValueTask<int> ReadSomeAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        guard.Touch();
        using var both = guard.Covers(cancellationToken)
            ? null
            : CancellationTokenSource.CreateLinkedTokenSource(guard.Token, cancellationToken);
        int count;
        try
        {
            count = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, left)], both?.Token ?? guard.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested && guard.HasStalled)
        {
            throw TransportFailures.Stalled(describe, guard.Timeout);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"{describe}: the connection broke with {left} bytes still to come", inner: e);
        }
        if (count > 0) return count;
        throw new VirgaException(
            FailureKind.Unavailable, $"{describe}: the server ended the answer with {left} bytes still to come");
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("read asynchronously: nothing here may block a thread on the network");

    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            owner?.Dispose();
            guard.Dispose();
        }
        base.Dispose(disposing);
    }
}
