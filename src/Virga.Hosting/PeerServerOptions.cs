using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Virga.Core;

namespace Virga.Hosting;

/// <summary>What a peer's server is told by its peer.</summary>
public sealed record PeerServerOptions
{
    /// <summary><c>agent</c> or <c>repository</c>, as <c>GET /v1/peer</c> answers.</summary>
    public required string Kind { get; init; }

    /// <summary>Where the certificate and the control socket lie; held by this process.</summary>
    public required string DataFolder { get; init; }

    public required PeerKeys Keys { get; init; }

    public required ChainStore Chains { get; init; }

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }

    /// <summary>Address and port; port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>
    /// How others reach this peer where that isn't <see cref="Listen"/>: an https origin.
    /// </summary>
    public Uri? PublicUrl { get; init; }

    /// <summary>
    /// True where connections to the public URL are passed through to us (a router's port forwarding), so that our own
    /// certificate is pinned. False where a proxy or platform answers there, with a certificate that public authorities
    /// vouch for.
    /// </summary>
    public bool IsPublicUrlPinned { get; init; }

    /// <summary>The local API's Unix socket; null for none. Mode 0600.</summary>
    public string? ControlSocket { get; init; }

    /// <summary>Where pages for people are served as well; null for nowhere but beside the rest.</summary>
    public GuestListener? Guests { get; init; }

    /// <summary>
    /// Decides whether a request over the control socket that carries an Authorization header may do what it asks for:
    /// that header, the endpoint's method and its pattern. Who may open the socket and sends none may do everything.
    /// </summary>
    public Func<string, string, string, CancellationToken, ValueTask>? RequireToken { get; init; }

    public PeerLimits Limits { get; init; } = new();

    /// <summary>False while the peer can't do its work; shown by <c>/health/ready</c>.</summary>
    public Func<bool> IsReady { get; init; } = static () => true;

    public ILoggerProvider? Logger { get; init; }
}

/// <summary>A listener for browsers, which trust no certificate of our own.</summary>
/// <param name="Listen">Address and port; port 0 takes a free one.</param>
/// <param name="Certificate">One that browsers trust; null for plain HTTP, on loopback or behind a proxy.</param>
public sealed record GuestListener(IPEndPoint Listen, X509Certificate2? Certificate);

/// <summary>What strangers may take. Loopback is not exempt.</summary>
public sealed record PeerLimits
{
    public int ConnectionsMax { get; init; } = 1_000;

    public int ConnectionsPerAddressMax { get; init; } = 256;

    /// <summary>Requests of one address (IPv6: of one /64).</summary>
    public RequestRate Address { get; init; } = new(PerSecond: 50, Burst: 500);

    /// <summary>Requests of one address that carry a grant, such as reads of blobs.</summary>
    public RequestRate Reads { get; init; } = new(PerSecond: 5_000, Burst: 20_000);

    /// <summary>Signed requests of one agent.</summary>
    public RequestRate Agent { get; init; } = new(PerSecond: 20, Burst: 200);

    /// <summary>Requests of one address that a person is to look at, such as those for a vouch.</summary>
    public RequestRate Rare { get; init; } = new(PerSecond: 1 / 120.0, Burst: 20);

    /// <summary>Chains of agents not seen before, from one address.</summary>
    public RequestRate NewChains { get; init; } = new(PerSecond: 0.05, Burst: 100);

    /// <summary>How long running answers may take when the server stops.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(10);
}

/// <param name="PerSecond">What may go on for ever.</param>
/// <param name="Burst">What may come at once after a pause.</param>
public readonly record struct RequestRate(double PerSecond, int Burst);
