using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Virga.Core;
using Virga.Web.Serving;
using Virga.Web.SignIn;

namespace Virga.Web;

/// <summary>
/// The agent's page for browsers. Until the first one connects there is a listening socket and nothing else: the web
/// server and what it shows are loaded then.
/// </summary>
public sealed class PageServer : IAsyncDisposable
{
    private const int Backlog = 128;

    private readonly PageOptions options;
    private readonly Socket listening;
    private readonly ILogger log;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task opening;
    private WebApplication? application;

    private PageServer(PageOptions options, Socket listening)
    {
        this.options = options;
        this.listening = listening;
        log = options.Logger?.CreateLogger("Virga.Web") ?? NullLogger.Instance;
        Place = (IPEndPoint)listening.LocalEndPoint!;
        opening = OpenAsync();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Place { get; }

    /// <summary>
    /// Where a browser on this machine finds it. By name where it can be: passkeys belong to a name, not to a number.
    /// </summary>
    public Uri Url => new UriBuilder(
        Uri.UriSchemeHttp,
        Place.Address.Equals(IPAddress.Loopback) || Place.Address.Equals(IPAddress.Any) ? "localhost"
            : Place.Address.Equals(IPAddress.IPv6Any) ? "[::1]" : Place.Address.ToString(),
        Place.Port).Uri;

    /// <summary>A link that signs in once, within a quarter of an hour.</summary>
    public async Task<Uri> LinkAsync(CancellationToken cancellationToken)
    {
        var code = await SignInService.MakeCodeAsync(options.SignIn, options.Time, options.Random, cancellationToken);
        return new Uri(options.PublicUrl ?? Url, $"/enter/{code}");
    }

    /// <summary>All that it answers, once it is open: method and pattern.</summary>
    internal IEnumerable<(string Method, string Pattern)> Routes =>
        from endpoint in application!.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"]
        select (method, endpoint.RoutePattern.RawText ?? "");

    /// <summary>Whether a browser has come, so that the web server is loaded.</summary>
    public bool IsOpen => application is not null;

    /// <exception cref="VirgaException">
    /// InUse (the port), Denied (a port below 1024; others could reach it, and nobody has to sign in), BadInput (an
    /// address that isn't ours).
    /// </exception>
    public static async Task<PageServer> StartAsync(PageOptions options, CancellationToken cancellationToken)
    {
        var place = options.Listen;
        if (!IPAddress.IsLoopback(place.Address)) await RequireSafeAsync(options, cancellationToken);
        var socket = new Socket(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(place);
            socket.Listen(Backlog);
            return new PageServer(options, socket);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw Explain(e, place);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (stopping.IsCancellationRequested) return;
        await stopping.CancelAsync();
        await opening;
        listening.Dispose();
        if (application is not null)
        {
            await application.StopAsync(CancellationToken.None);
            await application.DisposeAsync();
        }
    }

    /// <summary>Waits for the first connection and hands it, with the socket, to a web server.</summary>
    private async Task OpenAsync()
    {
        while (application is null && !stopping.IsCancellationRequested)
        {
            Socket? first = null;
            try
            {
                first = await listening.AcceptAsync(stopping.Token);
                application = await PageHost.StartAsync(
                    options, Place, new AcceptedConnections(listening, first), stopping.Token);
            }
            catch (OperationCanceledException)
            {
                first?.Dispose();
            }
            catch (SocketException)
            {
                first?.Dispose();
            }
            catch (Exception e)
            {
                log.LogError(e, "the page could not be opened");
                first?.Dispose();
            }
        }
    }

    private static async Task RequireSafeAsync(PageOptions options, CancellationToken cancellationToken)
    {
        if (await options.SignIn.FindAsync(cancellationToken) is null)
        {
            throw new VirgaException(
                FailureKind.Denied, $"the page would be open to others on {options.Listen}, and has no password yet",
                "Start it without --page first, open the link that it prints, and set a password.");
        }
        if (!options.IsSecure)
        {
            throw new VirgaException(
                FailureKind.Denied, $"on {options.Listen} the password would cross the network in the clear",
                "Put a web server with TLS before it and give its address: --page-url https://HOST; or keep the page "
                    + "on 127.0.0.1 and reach it by ssh -L 8480:127.0.0.1:8480 HOST.");
        }
    }

    private static VirgaException Explain(SocketException e, IPEndPoint place) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse => new VirgaException(
            FailureKind.InUse, $"port {place.Port} on {place.Address} is in use by another program",
            "Stop that program, or give the page another port with --page (port 0 takes a free one).", e),
        SocketError.AccessDenied => new VirgaException(
            FailureKind.Denied, $"not allowed to listen on port {place.Port}",
            "Ports below 1024 need a privilege: choose a higher one with --page.", e),
        _ => new VirgaException(
            FailureKind.BadInput, $"the page can't listen on {place}: {e.Message}",
            "Give --page one of this machine's addresses, such as 127.0.0.1:8480.", e),
    };
}
