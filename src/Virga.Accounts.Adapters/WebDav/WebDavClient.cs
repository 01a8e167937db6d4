using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>
/// Sends requests to one server, with its credentials, and turns what goes wrong into our kinds of failure.
/// </summary>
internal sealed class WebDavClient : IDisposable
{
    public static readonly HttpMethod Propfind = new("PROPFIND"), MakeCollection = new("MKCOL"), Move = new("MOVE"),
        Report = new("REPORT");

    private readonly HttpClient http;
    private readonly AuthenticationHeaderValue? authorization;

    public WebDavClient(WebDavSettings settings, AdapterServices services)
    {
        Settings = settings;
        Services = services;
        Endpoint = new Endpoint(settings.Url, settings.CertSha256);
        http = new HttpClient(Endpoint.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        authorization = settings switch
        {
            { Token: { } token } => new AuthenticationHeaderValue("Bearer", token),
            { User: { } user } => new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{settings.Password}"))),
            _ => null,
        };
    }

    public WebDavSettings Settings { get; }

    public AdapterServices Services { get; }

    public Endpoint Endpoint { get; }

    public Uri UrlOf(EntryPath path, bool isFolder = false) => WebDavPaths.UrlOf(Settings, path, isFolder);

    /// <summary>
    /// Answers whose body doesn't matter: it is dropped. Every status is an answer; only the network throws.
    /// </summary>
    public async Task<HttpResponseMessage> SendAsync(
        string what, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(Services, cancellationToken);
        return await SendAsync(what, request, guard, cancellationToken);
    }

    /// <summary>Returns as soon as the headers are there. The answer belongs to the caller.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        string what, HttpRequestMessage request, StallGuard guard, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = authorization;
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception) when (guard.HasStalled)
        {
            throw TransportFailures.Stalled(what, guard.Timeout);
        }
        catch (Exception e) when (e is not VirgaException)
        {
            throw TransportFailures.Map(e, what, Endpoint)
                ?? new VirgaException(FailureKind.Unavailable, $"{what}: {e.Message}", inner: e);
        }
        finally
        {
            request.Dispose();
        }
    }

    /// <summary>The failure that a status means (RFC 4918, 11; RFC 9110, 15).</summary>
    public VirgaException Failure(string what, HttpResponseMessage answer, bool isWrite) => answer.StatusCode switch
    {
        HttpStatusCode.Unauthorized => Unauthorized(what, answer),
        HttpStatusCode.Forbidden => new VirgaException(
            FailureKind.Denied,
            $"{what}: {Endpoint.Name} doesn't allow it",
            isWrite
                ? "The folder may be read-only for this user: ask its owner for the right to write."
                : "Ask its owner for the right to read."),
        HttpStatusCode.NotFound or HttpStatusCode.Gone =>
            new VirgaException(FailureKind.NotFound, $"{what}: it isn't there"),
        HttpStatusCode.MethodNotAllowed when isWrite => new VirgaException(
            FailureKind.ReadOnly,
            $"{what}: {Endpoint.Name} doesn't take writes here",
            "Check the account's URL: WebDAV may be read-only or off there."),
        HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented => new VirgaException(
            FailureKind.Unsupported,
            $"{what}: {Endpoint.Name} does not speak WebDAV at {Settings.Url.AbsolutePath}",
            WebDavAdapter.Form),
        HttpStatusCode.Conflict => new VirgaException(FailureKind.Conflict, $"{what}: something else is in the way"),
        HttpStatusCode.PreconditionFailed =>
            new VirgaException(FailureKind.Conflict, $"{what}: something is there already"),
        HttpStatusCode.Locked => new VirgaException(
            FailureKind.Conflict,
            $"{what}: another program has locked it",
            "Close it there, or wait until the lock ends."),
        HttpStatusCode.InsufficientStorage => new VirgaException(
            FailureKind.Full, $"{what}: the account is full", "Free some space, or have its quota raised."),
        HttpStatusCode.RequestEntityTooLarge => new VirgaException(
            FailureKind.BadInput,
            $"{what}: {Endpoint.Name} refuses bodies of that size",
            "Have its limit raised (Apache: LimitRequestBody; nginx: client_max_body_size)."),
        HttpStatusCode.RequestUriTooLong =>
            new VirgaException(FailureKind.BadInput, $"{what}: the path is too long for {Endpoint.Name}"),
        HttpStatusCode.RequestedRangeNotSatisfiable =>
            new VirgaException(FailureKind.BadInput, $"{what}: the range lies beyond its end"),
        HttpStatusCode.TooManyRequests =>
            Later(FailureKind.Throttled, $"{what}: {Endpoint.Name} asks us to slow down", answer),
        HttpStatusCode.ServiceUnavailable => Later(
            answer.Headers.RetryAfter is null ? FailureKind.Unavailable : FailureKind.Throttled,
            $"{what}: {Endpoint.Name} is not available now", answer),
        HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => new VirgaException(
            FailureKind.Timeout, $"{what}: {Endpoint.Name} gave up waiting"),
        >= HttpStatusCode.InternalServerError => new VirgaException(
            FailureKind.Unavailable, $"{what}: {Endpoint.Name} had a fault of its own ({(int)answer.StatusCode})"),
        >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest => new VirgaException(
            FailureKind.BadInput,
            $"{what}: {Endpoint.Name} sends us elsewhere ({(int)answer.StatusCode}): {Place(answer.Headers.Location)}",
            "Set the account's URL to where its WebDAV folder really is."),
        // What web servers say to plain HTTP on the port of their TLS.
        HttpStatusCode.BadRequest when Settings.Url.Scheme == Uri.UriSchemeHttp => new VirgaException(
            FailureKind.BadInput, $"{what}: {Endpoint.Name} doesn't take plain HTTP like this (400)",
            "If the server wants TLS on that port, write webdavs:// instead of webdav://."),
        _ => new VirgaException(FailureKind.BadInput, $"{what}: {Endpoint.Name} refuses it ({(int)answer.StatusCode})"),
    };

    private VirgaException Unauthorized(string what, HttpResponseMessage answer)
    {
        var takes = string.Join(
            ", ", answer.Headers.WwwAuthenticate.Select(w => w.Scheme).Distinct(StringComparer.OrdinalIgnoreCase));
        var wanted = Settings.Token is not null ? "Bearer" : "Basic";
        var isOther = takes.Length > 0 && !takes.Contains(wanted, StringComparison.OrdinalIgnoreCase);
        return new VirgaException(
            FailureKind.Unauthenticated,
            authorization is null ? $"{what}: {Endpoint.Name} wants a user and password"
                : isOther ? $"{what}: {Endpoint.Name} takes only {takes}, the account has {wanted}"
                : $"{what}: {Endpoint.Name} refuses user and password",
            "Set user and password (or token) to what the server knows; some clouds want an app password here.");
    }

    private VirgaException Later(FailureKind kind, string message, HttpResponseMessage answer)
    {
        var wait = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - Services.Clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return new VirgaException(kind, message) { RetryAfter = wait < TimeSpan.Zero ? TimeSpan.Zero : wait };
    }

    // A query may hold a token: it isn't shown.
    private static string Place(Uri? location) =>
        location is null
            ? "it doesn't say where"
            : location.IsAbsoluteUri
            ? location.GetLeftPart(UriPartial.Path)
            : location.OriginalString.Split('?')[0];

    public void Dispose() => http.Dispose();
}
