using System.Net;
using System.Net.Sockets;

namespace Virga.Testing.Servers;

/// <summary>Passes connections on to a server on loopback, and cuts one in the middle when a test says so.</summary>
public sealed class CuttingFront : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly int serverPort;
    private readonly Task accepting;
    private long bytesLeft = long.MaxValue;
    private int cuts;

    public CuttingFront(int serverPort)
    {
        this.serverPort = serverPort;
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Connections that were cut.</summary>
    public int Cuts => cuts;

    /// <summary>Cuts the connection that carries the byte with this number from now on, in either direction.</summary>
    public void CutAfter(long bytes) => Interlocked.Exchange(ref bytesLeft, bytes);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await accepting;
        listener.Stop();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using var near = client;
            using var far = new TcpClient { NoDelay = true };
            near.NoDelay = true;
            await far.ConnectAsync(IPAddress.Loopback, serverPort, stop.Token);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
            await Task.WhenAny(
                CopyAsync(near.GetStream(), far.GetStream(), either.Token),
                CopyAsync(far.GetStream(), near.GetStream(), either.Token));
            await either.CancelAsync();
            // A reset, not an orderly end.
            near.LingerState = far.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Who was being served sees that.
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, CancellationToken cancellationToken)
    {
        var buffer = new byte[32 << 10];
        try
        {
            while (await from.ReadAsync(buffer, cancellationToken) is var read and > 0)
            {
                var left = Interlocked.Add(ref bytesLeft, -read);
                if (left < 0 && left + read >= 0)
                {
                    Interlocked.Increment(ref cuts);
                    Interlocked.Exchange(ref bytesLeft, long.MaxValue);
                    return;
                }
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The other direction has ended it.
        }
    }
}
