using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>Bounds in time and number of <see cref="PeerHttp"/>.</summary>
/// <param name="Connect">For TCP and TLS together.</param>
/// <param name="Stall">Longest time in which not one leaf (16 KiB) or the rest of an answer arrives.</param>
/// <param name="MaxConnectionsPerPeer">More requests than this wait.</param>
/// <param name="IsTls12Allowed">For servers that are no peers: TLS 1.2 will do, with the system's ciphers.</param>
/// <param name="MayReach">Which addresses are connected to; null for all.</param>
/// <param name="MaxPeers">Endpoints whose connections are kept; the least recently used idle one goes first.</param>
public sealed record PeerHttpOptions(
    TimeSpan Connect, TimeSpan Stall, TimeSpan Idle, int MaxConnectionsPerPeer = 64, int MaxPeers = 256,
    bool IsTls12Allowed = false, Func<IPAddress, bool>? MayReach = null, Pace? Receiving = null)
{
    public static readonly PeerHttpOptions Default =
        new(Connect: TimeSpan.FromSeconds(10), Stall: TimeSpan.FromSeconds(30), Idle: TimeSpan.FromSeconds(60));
}

/// <summary>
/// One HTTP client for all peers: HTTP/1.1 over TLS 1.3, certificates pinned by hash where the endpoint names one,
/// no proxy, no redirects, no cookies, bounded headers and bodies, pooled connections. Dispose ends all connections.
/// Thread-safe.
/// </summary>
public sealed class PeerHttp : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<Endpoint, Peer> peers = [];
    private bool isDisposed;

    public PeerHttp(TimeProvider time, RandomBytes random, PeerHttpOptions? options = null)
    {
        Time = time;
        Random = random;
        Options = options ?? PeerHttpOptions.Default;
    }

    internal TimeProvider Time { get; }

    internal RandomBytes Random { get; }

    internal PeerHttpOptions Options { get; }

    /// <summary>
    /// Sends a request and returns when the answer's headers are there. Every failure is a VirgaException that names
    /// the endpoint; only the caller's own cancellation is an OperationCanceledException.
    /// </summary>
    internal async Task<PeerResponse> SendAsync(
        Endpoint endpoint, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var peer = Lease(endpoint);
        var guard = new StallGuard(endpoint.Origin, Time, Options.Stall, cancellationToken);
        try
        {
            request.Version = HttpVersion.Version11;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            var response = await peer.Invoker.SendAsync(request, guard.Token);
            return new PeerResponse(response, guard, Options.Receiving, () => Return(peer));
        }
        catch (Exception failure)
        {
            guard.Dispose();
            Return(peer);
            throw guard.Translate(failure);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
            foreach (var peer in peers.Values) peer.Invoker.Dispose();
            peers.Clear();
        }
    }

    private Peer Lease(Endpoint endpoint)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            if (!peers.TryGetValue(endpoint, out var peer))
            {
                if (peers.Count >= Options.MaxPeers) DropOldestIdle();
                peer = new Peer(endpoint, new HttpMessageInvoker(CreateHandler(endpoint)));
                peers.Add(endpoint, peer);
            }
            peer.InUse++;
            return peer;
        }
    }

    private void Return(Peer peer)
    {
        lock (gate)
        {
            peer.InUse--;
            peer.LastUse = Time.GetTimestamp();
        }
    }

    private void DropOldestIdle()
    {
        var oldest = peers.Values.Where(peer => peer.InUse == 0).MinBy(peer => peer.LastUse);
        if (oldest is null)
        {
            throw new VirgaException(
                FailureKind.Throttled, $"more than {Options.MaxPeers} peers are being talked to at once",
                "Wait until some transfers have ended.");
        }
        peers.Remove(oldest.Endpoint);
        oldest.Invoker.Dispose();
    }

    private SocketsHttpHandler CreateHandler(Endpoint endpoint) => new()
    {
        ConnectTimeout = Options.Connect,
        PooledConnectionIdleTimeout = Options.Idle,
        // Names are looked up again from time to time.
        PooledConnectionLifetime = TimeSpan.FromMinutes(15),
        MaxConnectionsPerServer = Options.MaxConnectionsPerPeer,
        MaxResponseHeadersLength = ProtocolLimits.RequestHeaderKiB,
        // What is left of an answer that was refused isn't worth reading.
        MaxResponseDrainSize = 0,
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        ConnectCallback = (context, token) => PeerSocket.ConnectAsync(context, Options.MayReach, token),
        SslOptions = CreateTls(endpoint, Options.IsTls12Allowed),
    };

    private static SslClientAuthenticationOptions CreateTls(Endpoint endpoint, bool isTls12Allowed)
    {
        var tls = new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = isTls12Allowed ? SslProtocols.Tls12 | SslProtocols.Tls13 : SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http11],
            // A hostile certificate may name addresses to download others from; nothing is fetched for it.
            CertificateChainPolicy = new X509ChainPolicy
            {
                DisableCertificateDownloads = true,
                RevocationMode = X509RevocationMode.NoCheck,
            },
            RemoteCertificateValidationCallback = (_, certificate, _, errors) => Accept(endpoint, certificate, errors),
        };
        // Only where the platform lets a program choose; elsewhere its own order holds.
        if (!isTls12Allowed && (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS()))
        {
            tls.CipherSuitesPolicy = new CipherSuitesPolicy(
            [
                TlsCipherSuite.TLS_AES_128_GCM_SHA256, TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
                TlsCipherSuite.TLS_AES_256_GCM_SHA384,
            ]);
        }
        return tls;
    }

    private static bool Accept(Endpoint endpoint, X509Certificate? certificate, SslPolicyErrors errors)
    {
        if (endpoint.Certificate is not { } pin)
        {
            if (errors == SslPolicyErrors.None) return true;
            throw new VirgaException(
                FailureKind.Denied,
                $"the certificate of {endpoint.Origin} is not one that the public authorities vouch for",
                "If the peer has a self-signed certificate, use the whole address that it prints, with the ! in it.");
        }
        if (certificate is not null && pin.Matches(SHA256.HashData(certificate.GetRawCertData()))) return true;
        throw new VirgaException(
            FailureKind.Denied, $"{endpoint.Origin} shows another certificate than its address names",
            "Somebody may be in the middle, or the peer was set up anew; get its new address from its owner.");
    }

    private sealed class Peer(Endpoint endpoint, HttpMessageInvoker invoker)
    {
        public Endpoint Endpoint { get; } = endpoint;

        public HttpMessageInvoker Invoker { get; } = invoker;

        public int InUse { get; set; }

        public long LastUse { get; set; }
    }
}

/// <summary>Makes the TCP connections of <see cref="PeerHttp"/>.</summary>
internal static class PeerSocket
{
    // A peer that has died, or that lost the connection without our knowing, is found out by the kernels, long before
    // an exchange counts as stalled; one that is merely slow is left in peace.
    private const int ProbeAfterSeconds = 5;
    private const int ProbeEverySeconds = 2;
    private const int ProbesMax = 3;

    public static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, Func<IPAddress, bool>? mayReach, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, ProbeAfterSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, ProbeEverySeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, ProbesMax);
        try
        {
            var place = context.DnsEndPoint;
            if (mayReach is null) await socket.ConnectAsync(place, cancellationToken);
            else
            {
                // What was looked at is what is connected to: a name may be resolved otherwise the next time.
                var all = await Dns.GetHostAddressesAsync(place.Host, cancellationToken);
                var allowed = all.Where(mayReach).ToArray();
                if (allowed.Length == 0 && all.Length > 0)
                {
                    throw new VirgaException(
                        FailureKind.Denied, $"{place.Host} is an address of a private network",
                        "It can't be read from here; it is read through its agent.");
                }
                await socket.ConnectAsync(allowed, place.Port, cancellationToken);
            }
            return new ReadAheadStream(new NetworkStream(socket, ownsSocket: true));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
