using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Virga.BitTorrent.Tests.Trackers;

/// <summary>A web server on loopback that answers each request as told, byte for byte.</summary>
internal sealed class ScriptedHttp : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Func<string, byte[]> answer;

    /// <param name="answer">From the request's target to the whole answer, head and body.</param>
    public ScriptedHttp(Func<string, byte[]> answer)
    {
        this.answer = answer;
        listener.Start();
        _ = ServeAsync();
    }

    /// <summary>The targets asked for.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public Uri Address(string path) => new($"http://127.0.0.1:{Port}{path}");

    public static byte[] Ok(ReadOnlySpan<byte> body) =>
        [.. Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n"), .. body];

    public static byte[] Redirect(string location) =>
        Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");

    public void Dispose() => listener.Dispose();

    private async Task ServeAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
            while (await reader.ReadLineAsync() is { } request)
            {
                while (await reader.ReadLineAsync() is { Length: > 0 })
                {
                }

                var target = request.Split(' ')[1];
                Asked.Enqueue(target);
                await client.GetStream().WriteAsync(answer(target));
            }
        }
    }
}
