using System.IO.Pipelines;
using System.Net;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Tests.Wire;

/// <summary>
/// Two ends of a connection in memory, with the flow control of a socket, and as there nobody waits for room at an end
/// that is closed.
/// </summary>
internal sealed class MemoryLink : IPeerLink
{
    private readonly PipeReader reader;
    private readonly PipeWriter writer;
    private readonly CancellationTokenSource closed;
    private readonly CancellationTokenSource otherClosed;

    private MemoryLink(
        Pipe receives, Pipe sends, IPEndPoint remote, CancellationTokenSource closed,
        CancellationTokenSource otherClosed)
    {
        (reader, writer, Remote) = (receives.Reader, sends.Writer, remote);
        (this.closed, this.otherClosed) = (closed, otherClosed);
    }

    public IPEndPoint Remote { get; }

    /// <param name="b">How A sees B.</param>
    public static (MemoryLink A, MemoryLink B) Pair(IPEndPoint? b = null)
    {
        var (toB, toA) = (new Pipe(), new Pipe());
        var (closedA, closedB) = (new CancellationTokenSource(), new CancellationTokenSource());
        return (
            new MemoryLink(toA, toB, b ?? new IPEndPoint(IPAddress.Parse("203.0.113.2"), 2), closedA, closedB),
            new MemoryLink(toB, toA, new IPEndPoint(IPAddress.Parse("203.0.113.1"), 1), closedB, closedA));
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await reader.ReadAsync(cancellationToken);
        var count = (int)Math.Min(read.Buffer.Length, buffer.Length);
        var at = 0;
        foreach (var part in read.Buffer.Slice(0, count))
        {
            part.CopyTo(buffer[at..]);
            at += part.Length;
        }
        reader.AdvanceTo(read.Buffer.GetPosition(count));
        return count;
    }

    public async ValueTask SendAsync(IList<ArraySegment<byte>> buffers, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, otherClosed.Token);
        try
        {
            foreach (var buffer in buffers) await writer.WriteAsync(buffer, either.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("the other end is closed", e);
        }
    }

    public ValueTask DisposeAsync()
    {
        closed.Cancel();
        reader.CancelPendingRead();
        writer.Complete();
        return ValueTask.CompletedTask;
    }
}
