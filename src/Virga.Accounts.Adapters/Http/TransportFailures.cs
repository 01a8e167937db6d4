using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Virga.Core;

namespace Virga.Accounts.Adapters.Http;

/// <summary>What the network did to a request, in our kinds of failure and in words a person can act on.</summary>
internal static class TransportFailures
{
    public static VirgaException Stalled(string what, TimeSpan timeout) =>
        new(FailureKind.Timeout, $"{what}: no byte moved for {timeout.TotalSeconds:0} seconds");

    /// <summary>Null when the exception, with all that it wraps, says nothing about the network.</summary>
    public static VirgaException? Map(Exception exception, string what, Endpoint endpoint)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case VirgaException own:
                    return own;
                case AuthenticationException:
                    return BadCertificate(what, endpoint, exception);
                case SocketException socket:
                    return FromSocket(socket, what, endpoint, exception);
                case HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }:
                    return BadCertificate(what, endpoint, exception);
                case HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError }:
                    return Unresolved(what, endpoint, exception);
            }
        }
        return exception is HttpRequestException or IOException
            ? new VirgaException(
                FailureKind.Unavailable,
                $"{what}: the connection to {endpoint.Name} broke",
                endpoint.Address.Scheme == Uri.UriSchemeHttp
                    ? "If this happens every time, the server may want TLS on that port: use https."
                    : null,
                exception)
            : null;
    }

    private static VirgaException FromSocket(SocketException socket, string what, Endpoint endpoint, Exception inner) =>
        socket.SocketErrorCode switch
        {
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => Unresolved(what, endpoint, inner),
            SocketError.ConnectionRefused => new VirgaException(
                FailureKind.Unavailable,
                $"{what}: nothing answers at {endpoint.Name}",
                "Check that the server runs and that host and port of the account are right.",
                inner),
            _ => new VirgaException(
                FailureKind.Unavailable,
                $"{what}: the connection to {endpoint.Name} failed ({socket.SocketErrorCode})",
                "Check the network; Virga tries again by itself.",
                inner),
        };

    private static VirgaException Unresolved(string what, Endpoint endpoint, Exception inner) => new(
        FailureKind.Unavailable,
        $"{what}: the name '{endpoint.Host}' can't be resolved",
        "Check the host name of the account and this machine's DNS.",
        inner);

    private static VirgaException BadCertificate(string what, Endpoint endpoint, Exception inner)
    {
        if (endpoint.RefusedCertSha256 is not { } shown)
        {
            return new VirgaException(
                FailureKind.Unavailable,
                $"{what}: no TLS connection to {endpoint.Name}",
                "Check whether the server speaks HTTPS on that port, or plain HTTP.",
                inner);
        }
        if (endpoint.PinnedCertSha256 is { } pinned)
        {
            return new VirgaException(
                FailureKind.Unauthenticated,
                $"{what}: the certificate of {endpoint.Name} is {shown}, not the pinned {pinned}",
                "Either somebody sits in between, or the server has a new certificate: "
                    + "ask its owner, then set certSha256 anew.",
                inner);
        }
        return new VirgaException(
            FailureKind.Unauthenticated,
            $"{what}: the certificate of {endpoint.Name} is not trusted ({Why(endpoint.RefusedBecause)}); "
                + $"its SHA-256 is {shown}",
            "For a self-signed certificate compare that value with the server's own and set certSha256 to it.",
            inner);
    }

    private static string Why(SslPolicyErrors errors) =>
        errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? "it is for another name"
        : errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) ? "there is none"
        : "nobody this machine trusts has signed it, or it has expired";
}
