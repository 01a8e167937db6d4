using System.Net;
using System.Net.Sockets;

namespace Virga.Testing.Servers;

/// <summary>Passes connections on to a server on loopback, and cuts one in the middle when a test says so.</summary>
public sealed class CuttingFront : LoopbackFront
{
    private readonly int serverPort;
    private long bytesLeft = long.MaxValue;
    private int cuts;

    public CuttingFront(int serverPort)
    {
        this.serverPort = serverPort;
        Start();
    }

    /// <summary>Connections that were cut.</summary>
    public int Cuts => cuts;

    /// <summary>Cuts the connection that carries the byte with this number from now on, in either direction.</summary>
    public void CutAfter(long bytes) => Interlocked.Exchange(ref bytesLeft, bytes);

    protected override async Task ServeAsync(TcpClient client)
    {
        using var far = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        await far.ConnectAsync(IPAddress.Loopback, serverPort, Stopped);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Stopped);
        await Task.WhenAny(
            CopyAsync(client.GetStream(), far.GetStream(), either.Token),
            CopyAsync(far.GetStream(), client.GetStream(), either.Token));
        await either.CancelAsync();
        // A reset, not an orderly end.
        client.LingerState = far.LingerState = new LingerOption(true, 0);
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
