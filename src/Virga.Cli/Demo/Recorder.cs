using System.Net;
using System.Net.Sockets;

namespace Virga.Cli.Demo;

/// <summary>
/// The thief in the middle: passes TCP connections on to an agent and keeps every byte of both directions in a file.
/// </summary>
internal sealed class Recorder : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stopping = new();
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly FileStream recording;
    private readonly IPEndPoint target;
    private readonly Task accepting;

    public Recorder(IPEndPoint target, string file)
    {
        this.target = target;
        File = file;
        recording = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.Read);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = AcceptAsync();
    }

    public int Port { get; }

    public string File { get; }

    public int Connections { get; private set; }

    /// <summary>Everything recorded so far is in the file.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await writing.WaitAsync(cancellationToken);
        try
        {
            await recording.FlushAsync(cancellationToken);
        }
        finally
        {
            writing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await accepting;
        listener.Stop();
        await recording.DisposeAsync();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                var from = await listener.AcceptTcpClientAsync(stopping.Token);
                Connections++;
                open.Add(PassOnAsync(from));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task PassOnAsync(TcpClient from)
    {
        using var asker = from;
        using var agent = new TcpClient();
        try
        {
            await agent.ConnectAsync(target, stopping.Token);
            await Task.WhenAll(
                CopyAsync(asker.GetStream(), agent), CopyAsync(agent.GetStream(), asker));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            // A side that goes away ends the connection for the other.
        }
    }

    private async Task CopyAsync(NetworkStream from, TcpClient to)
    {
        var buffer = new byte[1 << 16];
        while (await from.ReadAsync(buffer, stopping.Token) is var read and > 0)
        {
            await writing.WaitAsync(stopping.Token);
            try
            {
                await recording.WriteAsync(buffer.AsMemory(0, read), stopping.Token);
            }
            finally
            {
                writing.Release();
            }
            await to.GetStream().WriteAsync(buffer.AsMemory(0, read), stopping.Token);
        }
        to.Client.Shutdown(SocketShutdown.Send);
    }
}
