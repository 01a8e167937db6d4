using System.Net;
using System.Net.Sockets;

namespace Virga.Testing.Servers;

/// <summary>Stands before a server on loopback: accepts connections, each of which its heir serves.</summary>
/// <param name="place">Null: a free port of 127.0.0.1.</param>
public abstract class LoopbackFront(IPEndPoint? place = null) : IAsyncDisposable
{
    private readonly TcpListener listener = new(place ?? new IPEndPoint(IPAddress.Loopback, 0));
    private readonly CancellationTokenSource stop = new();
    private Task accepting = Task.CompletedTask;

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Set when the front ends.</summary>
    protected CancellationToken Stopped => stop.Token;

    /// <summary>For an heir's constructor, when everything that it serves with is there.</summary>
    protected void Start()
    {
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>Failures of the network and the front's end are expected; any other is a bug of the front.</summary>
    protected abstract Task ServeAsync(TcpClient client);

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await stop.CancelAsync();
        // Whoever still accepts when it has stopped is told that it was never begun: first the one, then the other.
        await accepting;
        listener.Stop();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServedAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServedAsync(TcpClient client)
    {
        try
        {
            using (client) await ServeAsync(client);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Who was being served sees that.
        }
    }
}
