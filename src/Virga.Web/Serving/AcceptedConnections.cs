using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace Virga.Web.Serving;

/// <summary>
/// Kestrel's transport on a socket that listens already, and whose first connection was accepted before there was a
/// Kestrel: so a page that nobody opens costs one socket.
/// </summary>
internal sealed class AcceptedConnections(Socket listening, Socket first) : IConnectionListenerFactory,
    IConnectionListener
{
    private readonly SocketConnectionContextFactory contexts =
        new(new SocketConnectionFactoryOptions(), NullLogger.Instance);

    private Socket? waiting = first;

    public EndPoint EndPoint => listening.LocalEndPoint!;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(this);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                var socket = Interlocked.Exchange(ref waiting, null) ?? await listening.AcceptAsync(cancellationToken);
                socket.NoDelay = true;
                return contexts.Create(socket);
            }
            catch (Exception e) when (e is ObjectDisposedException or OperationCanceledException
                || e is SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return null;
            }
            catch (SocketException)
            {
                // Reset by the other side before it was taken: the next one is awaited.
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        listening.Dispose();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        Interlocked.Exchange(ref waiting, null)?.Dispose();
        listening.Dispose();
        contexts.Dispose();
        return ValueTask.CompletedTask;
    }
}
