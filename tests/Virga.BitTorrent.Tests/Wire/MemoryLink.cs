using System.IO.Pipelines;
using System.Net;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Tests.Wire;

/// <summary>Two ends of a connection in memory, with the flow control of a socket.</summary>
internal sealed class MemoryLink(PipeReader reader, PipeWriter writer, IPEndPoint remote) : IPeerLink
{
    public IPEndPoint Remote => remote;

    /// <param name="b">How A sees B.</param>
    public static (MemoryLink A, MemoryLink B) Pair(IPEndPoint? b = null)
    {
        var (toB, toA) = (new Pipe(), new Pipe());
        return (new MemoryLink(toA.Reader, toB.Writer, b ?? new IPEndPoint(IPAddress.Parse("203.0.113.2"), 2)),
            new MemoryLink(toB.Reader, toA.Writer, new IPEndPoint(IPAddress.Parse("203.0.113.1"), 1)));
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
        foreach (var buffer in buffers)
        {
            if ((await writer.WriteAsync(buffer, cancellationToken)).IsCompleted)
                throw new IOException("the other end is closed");
        }
    }

    public ValueTask DisposeAsync()
    {
        reader.CancelPendingRead();
        writer.Complete();
        return ValueTask.CompletedTask;
    }
}
