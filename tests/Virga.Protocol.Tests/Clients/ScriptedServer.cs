using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Virga.Core;

namespace Virga.Protocol.Tests.Clients;

/// <summary>A request as it came over the wire.</summary>
internal sealed record ScriptedRequest(string Method, string Target, Dictionary<string, string> Headers, byte[] Body);

/// <summary>
/// A server on loopback that says exactly what a test tells it to, right or wrong: TLS or plain, one handler for each
/// request of a connection. The handler returns whether the connection stays open.
/// </summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private static readonly Lazy<X509Certificate2> certificate = new(() => MakeCertificate());

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Func<ScriptedRequest, Stream, Task<bool>> answer;
    private readonly SslProtocols? tls;
    private readonly ConcurrentBag<Task> running = [];
    private readonly Task accepting;
    private int connections;

    /// <param name="tls">Null: no TLS at all.</param>
    public ScriptedServer(Func<ScriptedRequest, Stream, Task<bool>> answer, SslProtocols? tls = SslProtocols.Tls13)
    {
        this.answer = answer;
        this.tls = tls;
        listener.Start();
        accepting = AcceptAsync();
    }

    public ConcurrentQueue<ScriptedRequest> Requests { get; } = new();

    public int Connections => connections;

    public Uri Url => new($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");

    public Endpoint Endpoint => new(Url, new Hash256(SHA256.HashData(certificate.Value.RawDataMemory.Span)));

    /// <summary>Cancelled when the server is disposed, so that no handler outlives its test.</summary>
    public CancellationToken Stopping => stop.Token;

    public static byte[] Response(string statusLine, string headers, byte[] body) =>
        [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {statusLine}\r\n{headers}Content-Length: {body.Length}\r\n\r\n"),
            .. body];

    /// <summary>A handler that sends these bytes and ends the connection.</summary>
    public static Func<ScriptedRequest, Stream, Task<bool>> Says(byte[] bytes) => async (_, stream) =>
    {
        await stream.WriteAsync(bytes);
        return false;
    };

    public static Func<ScriptedRequest, Stream, Task<bool>> Says(string text) => Says(Encoding.Latin1.GetBytes(text));

    /// <summary>A handler that answers whole requests and keeps the connection.</summary>
    public static Func<ScriptedRequest, Stream, Task<bool>> Answers(Func<ScriptedRequest, byte[]> answer) =>
        async (request, stream) =>
    {
        await stream.WriteAsync(answer(request));
        return true;
    };

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await accepting;
        listener.Stop();
        await Task.WhenAll(running);
        stop.Dispose();
        listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptSocketAsync(stop.Token);
                Interlocked.Increment(ref connections);
                running.Add(Task.Run(() => ServeAsync(socket)));
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The server is being disposed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await using var network = new NetworkStream(socket, ownsSocket: true);
        try
        {
            if (tls is not { } protocols)
            {
                await answer(new ScriptedRequest("", "", [], []), network);
                return;
            }
            await using var secure = new SslStream(network);
            await secure.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions { ServerCertificate = certificate.Value,
                    EnabledSslProtocols = protocols }, stop.Token);
            while (await ReadAsync(secure) is { } request)
            {
                Requests.Enqueue(request);
                if (!await answer(request, secure)) break;
            }
            await secure.ShutdownAsync();
        }
        catch (Exception end) when (
            end is IOException or AuthenticationException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has gone, or the test has ended.
        }
    }

    private async Task<ScriptedRequest?> ReadAsync(Stream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, stop.Token) == 0) return null;
            head.Append((char)one[0]);
        }
        var lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var start = lines[0].Split(' ');
        var headers =
            lines.Skip(1).Select(line => line.Split(": ", 2))
                .ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var body = new byte[int.Parse(headers.GetValueOrDefault("Content-Length", "0"), CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body, stop.Token);
        return new ScriptedRequest(start[0], start[1], headers, body);
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=scripted", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
    }
}
