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

    /// <param name="address">Scheme, host and port count.</param>
    /// <param name="certSha256">
    /// Lower-case hexadecimal SHA-256 of the only certificate to accept; null to trust what the system trusts.
    /// </param>
    public Endpoint(Uri address, string? certSha256 = null)
    {
        Address = address;
        PinnedCertSha256 = certSha256;
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
        UseProxy = !Address.IsLoopback,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(20),
        PooledConnectionLifetime = TimeSpan.FromMinutes(15),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(45),
        MaxResponseHeadersLength = 64,
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = Accepts },
        ConnectCallback = ConnectAsync,
    };

    private bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        var shown = certificate is null ? "" : Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()));
        if (PinnedCertSha256 is null ? errors == SslPolicyErrors.None : shown == PinnedCertSha256) return true;
        RefusedCertSha256 = shown;
        RefusedBecause = errors;
        return false;
    }

    // Nagle's algorithm would hold back the last piece of small requests.
    private static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
