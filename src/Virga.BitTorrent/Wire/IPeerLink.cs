using System.Net;
using System.Net.Sockets;

namespace Virga.BitTorrent.Wire;

/// <summary>
/// A connection to a peer as a stream of bytes: a socket, one that is obfuscated, memory in tests. One receiver and one
/// sender at a time. Disposing ends both at once.
/// </summary>
public interface IPeerLink : IAsyncDisposable
{
    IPEndPoint Remote { get; }

    /// <summary>0 at the end of the stream. Throws IOException or SocketException where it broke.</summary>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>All of it, in order. The memory is the caller's again when the task ends.</summary>
    ValueTask SendAsync(IList<ArraySegment<byte>> buffers, CancellationToken cancellationToken);
}

/// <summary>A plain TCP connection.</summary>
public sealed class SocketLink : IPeerLink
{
    private readonly Socket socket;

    /// <param name="socket">Connected; disposed with the link.</param>
    public SocketLink(Socket socket)
    {
        this.socket = socket;
        socket.NoDelay = true;
        Remote = Plain((IPEndPoint)socket.RemoteEndPoint!);
    }

    public IPEndPoint Remote { get; }

    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);

    /// <summary>One call for many buffers. It knows no cancellation: disposing ends it.</summary>
    public async ValueTask SendAsync(IList<ArraySegment<byte>> buffers, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (buffers.Count == 1) await socket.SendAsync(buffers[0], SocketFlags.None, cancellationToken);
        else await socket.SendAsync(buffers, SocketFlags.None);
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>IPv4 as such also where the socket listens for both.</summary>
    private static IPEndPoint Plain(IPEndPoint remote) =>
        remote.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(remote.Address.MapToIPv4(), remote.Port) : remote;
}
