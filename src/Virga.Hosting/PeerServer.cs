using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Virga.Core;
using Virga.Protocol;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Hosting;

/// <summary>
/// What both peers are served by: HTTPS (TLS 1.3, HTTP/1.1 and HTTP/2) for the network and plain HTTP over a Unix
/// socket for the machine's owner. Endpoints throw VirgaExceptions, which become the error body of spec/v1/messages.md;
/// anything else becomes a status 500 that tells nothing but a reference to the log.
/// </summary>
public sealed class PeerServer : IAsyncDisposable
{
    private const int ResponseBufferBytes = 512 << 10;

    private static readonly List<SslApplicationProtocol> Protocols =
        [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];

    private readonly PeerServerOptions options;
    private readonly WebApplication application;
    private readonly X509Certificate2 certificate;
    private readonly MetricsText? metrics;
    private bool stopped;

    private PeerServer(
        PeerServerOptions options, WebApplication application, X509Certificate2 certificate, MetricsText? metrics,
        Endpoint endpoint)
    {
        this.options = options;
        this.application = application;
        this.certificate = certificate;
        this.metrics = metrics;
        Endpoint = endpoint;
    }

    /// <summary>How others reach this peer: the public URL where one was given, else the address listened on.</summary>
    public Endpoint Endpoint { get; }

    /// <summary>What can be asked over the control socket alone: method and pattern.</summary>
    public IEnumerable<(string Method, string Pattern)> ControlOperations =>
        from endpoint in application.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        where endpoint.Metadata.GetMetadata<EndpointPolicy>() is { Listeners: Listener.Control }
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []
        select (method, endpoint.RoutePattern.RawText ?? "");

    /// <summary>What browsers may ask where pages are served: method and pattern.</summary>
    public IEnumerable<(string Method, string Pattern)> GuestOperations =>
        from endpoint in application.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        where endpoint.Metadata.GetMetadata<EndpointPolicy>()?.Listeners.HasFlag(Listener.Guests) == true
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []
        select (method, endpoint.RoutePattern.RawText ?? "");

    /// <summary>Where <see cref="PeerServerOptions.Guests"/> listens; null where nothing does.</summary>
    public Uri? GuestUrl { get; private init; }

    /// <summary>Listens once everything is mapped.</summary>
    /// <exception cref="VirgaException">
    /// InUse (the port), Denied (a port below 1024), BadInput (an address that isn't ours, a path too long).
    /// </exception>
    public static async Task<PeerServer> StartAsync(PeerServerOptions options, Action<PeerRoutes> map,
        CancellationToken cancellationToken)
    {
        var certificate =
            EndpointCertificate.LoadOrCreate(options.DataFolder, options.Keys.DataKey, options.Time, options.Random);
        var metrics = options.ControlSocket is null ? null : new MetricsText();
        WebApplication? application = null;
        try
        {
            application = Build(options, certificate, metrics, map);
            await ListenAsync(application, [options.Listen, .. Places(options.Guests)], cancellationToken);
            var endpoint = EndpointOf(application, options, certificate);
            return new PeerServer(options, application, certificate, metrics, endpoint)
            {
                GuestUrl = options.Guests is null ? null : new Uri(Listening(application).ElementAt(1)),
            };
        }
        catch
        {
            if (application is not null) await application.DisposeAsync();
            metrics?.Dispose();
            certificate.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Takes no new requests, lets running ones end within <see cref="PeerLimits.Drain"/>, then cuts them.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (stopped) return;
        stopped = true;
        using var bound = new CancellationTokenSource(options.Limits.Drain, options.Time);
        await application.StopAsync(bound.Token);
        await application.DisposeAsync();
        metrics?.Dispose();
        certificate.Dispose();
        if (options.ControlSocket is { } path) File.Delete(path);
    }

    private static WebApplication Build(PeerServerOptions options, X509Certificate2 certificate, MetricsText? metrics,
        Action<PeerRoutes> map)
    {
        var builder =
            WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = options.DataFolder });
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel => Configure(kestrel, options, certificate));
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, ConnectionBuffers>();
        builder.Services.AddRoutingCore();
        // Signals are the command line's business; two hosts may live in one process.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Limits.Drain);
        builder.Services.Configure<SocketTransportOptions>(transport =>
        {
            transport.CreateBoundListenSocket = Bind;
            transport.MaxWriteBufferSize = ResponseBufferBytes;
        });
        if (options.Logger is { } logger) builder.Logging.AddProvider(logger);
        builder.Logging.SetMinimumLevel(LogLevel.Trace);

        var application = builder.Build();
        var log = options.Logger?.CreateLogger("Virga.Hosting") ?? NullLogger.Instance;
        var refusals = new Refusals(options, log);
        var gatekeeper = new Gatekeeper(options);
        BrowserHeaders.Use(application);
        application.Use((context, next) => refusals.RunAsync(context, next));
        application.UseRouting();
        application.Use(gatekeeper.RunAsync);
        MapAll(new PeerRoutes(application, new SignedRequestReader(options)), options, metrics, map);
        return application;
    }

    private static void MapAll(PeerRoutes routes, PeerServerOptions options, MetricsText? metrics,
        Action<PeerRoutes> map)
    {
        new ChainEndpoints(options).Map(routes);
        Health.Map(routes, options);
        if (metrics is not null)
        {
            routes.Control("GET", "/metrics", context =>
            {
                context.Response.ContentType = "text/plain; version=0.0.4";
                return context.Response.WriteAsync(metrics.Write(), context.RequestAborted);
            });
        }

        map(routes);
    }

    private static void Configure(KestrelServerOptions kestrel, PeerServerOptions options, X509Certificate2 certificate)
    {
        kestrel.AddServerHeader = false;
        var limits = kestrel.Limits;
        // A range is produced faster than it is sent: with more room between the two, fewer waits a byte.
        limits.MaxResponseBufferSize = ResponseBufferBytes;
        limits.MaxRequestHeadersTotalSize = ProtocolLimits.RequestHeaderKiB << 10;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxRequestBodySize = ProtocolLimits.MessageBytes;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
        // A receiver stops reading while its own cloud is slow; only one that has gone for good is cut off.
        limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 100, gracePeriod: TimeSpan.FromMinutes(2));

        var gate = new ConnectionGate(options.Limits);
        kestrel.Listen(options.Listen, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            Mark(listen, Listener.Network);
            listen.Use(next => connection => gate.RunAsync(connection, next));
            listen.UseHttps(TlsOptions(certificate));
        });
        if (options.Guests is { } page)
        {
            kestrel.Listen(page.Listen, listen =>
            {
                listen.Protocols = page.Certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                Mark(listen, Listener.Guests);
                listen.Use(next => connection => gate.RunAsync(connection, next));
                if (page.Certificate is { } own) listen.UseHttps(own);
            });
        }
        if (options.ControlSocket is not { } path) return;
        RequireSocketPath(path);
        File.Delete(path);
        kestrel.ListenUnixSocket(path, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            Mark(listen, Listener.Control);
        });
    }

    private static void Mark(ListenOptions listen, Listener listener)
    {
        var feature = new ListenerFeature(listener);
        listen.Use(next => connection =>
        {
            connection.Features.Set(feature);
            return next(connection);
        });
    }

    private static TlsHandshakeCallbackOptions TlsOptions(X509Certificate2 certificate)
    {
        var context = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        // 128 bits first: the same strength in practice for a session, and a quarter less work a byte than 256.
        var ciphers = OperatingSystem.IsLinux()
            ? new CipherSuitesPolicy([
                TlsCipherSuite.TLS_AES_128_GCM_SHA256, TlsCipherSuite.TLS_AES_256_GCM_SHA384,
                TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256])
            : null;
        return new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = TimeSpan.FromSeconds(10),
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = context,
                EnabledSslProtocols = SslProtocols.Tls13,
                CipherSuitesPolicy = ciphers,
                ApplicationProtocols = Protocols,
                AllowRenegotiation = false,
            }),
        };
    }

    /// <summary>
    /// The control socket gets its mode before it listens, so that nobody else can connect at any time.
    /// </summary>
    private static Socket Bind(EndPoint endpoint)
    {
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        if (endpoint is UnixDomainSocketEndPoint && !OperatingSystem.IsWindows()) RestrictMode(endpoint.ToString()!);
        return socket;
    }

    [UnsupportedOSPlatform("windows")]
    private static void RestrictMode(string path) =>
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);

    private static void RequireSocketPath(string path)
    {
        const int bytesMax = 107;
        if (System.Text.Encoding.UTF8.GetByteCount(path) <= bytesMax) return;
        throw new VirgaException(FailureKind.BadInput,
            $"the path of the control socket is longer than the {bytesMax} bytes that the system allows: {path}",
            "Choose a data folder with a shorter path.");
    }

    private static IEnumerable<IPEndPoint> Places(GuestListener? page) => page is null ? [] : [page.Listen];

    /// <summary>In the order in which they were asked for, without the control socket.</summary>
    private static IEnumerable<string> Listening(WebApplication application) =>
        application.Urls.Where(url => !url.Contains("://unix:", StringComparison.Ordinal));

    internal static async Task ListenAsync(WebApplication application, IReadOnlyList<IPEndPoint> places,
        CancellationToken cancellationToken)
    {
        // Of several, Kestrel's own words name the one that was not to be had.
        IPEndPoint Of(Exception e) =>
            places.FirstOrDefault(p => e.Message.Contains($":{p.Port}", StringComparison.Ordinal)) ?? places[0];

        var place = places[0];
        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            place = Of(e);
            throw new VirgaException(FailureKind.InUse,
                $"port {place.Port} on {place.Address} is in use by another program",
                "Stop that program, or listen on another port (port 0 takes a free one).", e);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            throw new VirgaException(FailureKind.Denied, $"not allowed to listen on port {place.Port}",
                "Ports below 1024 need a privilege: choose a higher one.", e);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            throw new VirgaException(FailureKind.BadInput,
                $"{place.Address} is not an address of this machine",
                "Listen on one of its addresses, or on 0.0.0.0 for all of them.", e);
        }
    }

    private static Endpoint EndpointOf(WebApplication application, PeerServerOptions options,
        X509Certificate2 certificate)
    {
        var own = EndpointCertificate.HashOf(certificate);
        if (options.PublicUrl is { } url) return new Endpoint(url, options.IsPublicUrlPinned ? own : null);
        var listening = application.Urls.First(text => text.StartsWith("https://", StringComparison.Ordinal));
        var uri = new UriBuilder(listening);
        var address = options.Listen.Address;
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) uri.Host = OwnAddress();
        return new Endpoint(uri.Uri, own);
    }

    /// <summary>
    /// Listening on all addresses, we name the first that isn't loopback: the best guess without a public URL.
    /// </summary>
    private static string OwnAddress() =>
        NetworkInterface.GetAllNetworkInterfaces()
            .Where(card => card.OperationalStatus == OperationalStatus.Up
                && card.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .SelectMany(card => card.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork)?.ToString() ?? "127.0.0.1";

    internal sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
