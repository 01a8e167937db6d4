using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Virga.Core;

namespace Virga.Accounts.Adapters.Http;

/// <summary>Where an account's server is, how its certificate is judged, and the connections to it.</summary>
internal sealed class Endpoint
{
    private const int CertHashHexLength = 64;

    // What .NET offers, the 128-bit ciphers first: as safe for what lives for a session, and a quarter less CPU a byte.
    private static readonly CipherSuitesPolicy? Ciphers = OperatingSystem.IsWindows() ? null : new(
    [
        TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    ]);

    private readonly ServiceRoute? route;

    /// <param name="address">Scheme, host and port count.</param>
    /// <param name="certSha256">
    /// Lower-case hexadecimal SHA-256 of the only certificate to accept; null to trust what the system trusts.
    /// </param>
    /// <param name="route">Where the connections lead instead; null for where the names lead.</param>
    public Endpoint(Uri address, string? certSha256 = null, ServiceRoute? route = null)
    {
        Address = address;
        PinnedCertSha256 = certSha256;
        this.route = route;
    }

    public Uri Address { get; }

    public string Host => Address.Host;

    public string Name => Address.IsDefaultPort ? Address.Host : $"{Address.Host}:{Address.Port}";

    public string? PinnedCertSha256 { get; }

    /// <summary>The certificate that was last refused.</summary>
    public string? RefusedCertSha256 { get; private set; }

    public SslPolicyErrors RefusedBecause { get; private set; }

    /// <summary>
    /// A setting's text, checked: 64 hexadecimal digits, with or without colons; null when it isn't set.
    /// </summary>
    public static string? ParseCertSha256(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        var hex = text.Replace(":", "", StringComparison.Ordinal).ToLowerInvariant();
        return hex.Length == CertHashHexLength && hex.All(char.IsAsciiHexDigitLower)
            ? hex
            : throw new VirgaException(
                FailureKind.BadInput,
                $"certSha256 is '{text}', which is no SHA-256 hash",
                "Give 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256 -in cert.pem` prints them.");
    }

    /// <summary>No redirects, no cookies, no proxy for this machine itself, no decompression.</summary>
    public SocketsHttpHandler CreateHandler() => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = !Address.IsLoopback && route is null,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(20),
        PooledConnectionLifetime = TimeSpan.FromMinutes(15),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(45),
        MaxResponseHeadersLength = 64,
        SslOptions = CreateTls(),
        ConnectCallback = ConnectAsync,
    };

    private SslClientAuthenticationOptions CreateTls()
    {
        var tls = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = Accepts };
        // Only where the platform lets a program choose; elsewhere its own order holds.
        if (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS()) tls.CipherSuitesPolicy = Ciphers;
        return tls;
    }

    private bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        var shown = certificate is null ? "" : Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()));
        if (PinnedCertSha256 is null ? errors == SslPolicyErrors.None : shown == PinnedCertSha256) return true;
        if (route is not null && errors == SslPolicyErrors.RemoteCertificateChainErrors
            && certificate is X509Certificate2 own && IsIssuedBy(route.Authority, own)) return true;
        RefusedCertSha256 = shown;
        RefusedBecause = errors;
        return false;
    }

    private static bool IsIssuedBy(X509Certificate2 authority, X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(certificate);
    }

    // Nagle's algorithm would hold back the last piece of small requests.
    private async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync((EndPoint?)route?.EndPoint ?? context.DnsEndPoint, cancellationToken);
            var network = new BatchingStream(socket);
            // TLS asks for a record at a time; without it large reads go to the socket as they are.
            return Address.Scheme == Uri.UriSchemeHttps ? new ReadAheadStream(network) : network;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
