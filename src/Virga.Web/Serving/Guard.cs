using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Virga.Core;
using Virga.Web.SignIn;

namespace Virga.Web.Serving;

/// <summary>
/// Stands before everything that the listener serves: which name it was asked by, who asks from which site, who is
/// signed in, and what browsers may do with the answer.
/// </summary>
internal sealed class Guard(PageOptions options, IPEndPoint place, Sessions sessions, SignInService signIn)
{
    /// <summary>The key of the session's id in <see cref="HttpContext.Items"/>.</summary>
    public static readonly object SessionKey = new();

    /// <summary>
    /// No script or style but our files, and nothing from elsewhere. Styles of elements stay allowed: Blazor's list
    /// sets the height of what is out of sight with them.
    /// </summary>
    private const string ContentPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
            + "img-src 'self' data:; media-src 'self'; frame-src 'self'; connect-src 'self'; manifest-src 'self'; "
            + "form-action 'self'; "
            + "base-uri 'self'; frame-ancestors 'none'";

    private static readonly (string Name, string Value)[] Headers =
    [
        ("Content-Security-Policy", ContentPolicy), ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
        ("Cache-Control", "no-store"),
    ];

    private readonly string cookie = (options.IsSecure ? "__Host-" : "") + $"virga-{place.Port}";

    public async Task RunAsync(HttpContext http, RequestDelegate next)
    {
        AddHeaders(http.Response.Headers);
        // Once more at the end: a refusal that begins its answer anew must not go without. What says more stays.
        http.Response.OnStarting(static state =>
        {
            AddHeaders(((HttpContext)state).Response.Headers);
            return Task.CompletedTask;
        }, http);
        try
        {
            await PassAsync(http, next);
        }
        catch (Exception e) when (!http.Response.HasStarted && IsMalformed(e))
        {
            http.Response.Clear();
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsync("That is no request that this page makes.\n", http.RequestAborted);
        }
    }

    private static bool IsMalformed(Exception e) =>
        e is JsonException or InvalidDataException or BadHttpRequestException;

    private async Task PassAsync(HttpContext http, RequestDelegate next)
    {
        if (!IsOurName(http.Request.Host))
        {
            http.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            await http.Response.WriteAsync("There is no such site here.\n", http.RequestAborted);
            return;
        }
        if (!IsFromHere(http.Request))
        {
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            await http.Response.WriteAsync("Other sites may not do this.\n", http.RequestAborted);
            return;
        }
        var session = http.Request.Cookies[cookie] is { Length: > 0 and < 100 } token
            ? await sessions.FindAsync(token, http.RequestAborted) : null;
        if (session is not null) http.Items[SessionKey] = session.Id;
        if (http.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            await next(http);
        }
        else if (session is null)
        {
            Send(http, http.Request.Path == "/" ? "/sign-in" : $"/sign-in?to={Uri.EscapeDataString(
                http.Request.Path + http.Request.QueryString)}");
        }
        else if (!IsFirstRun(http.Request.Path) && !await signIn.IsSetUpAsync(http.RequestAborted))
        {
            Send(http, "/welcome");
        }
        else
        {
            await sessions.RunAsync(http, session.Id, next);
        }
    }

    public void SetCookie(HttpContext http, string token) => http.Response.Cookies.Append(cookie, token, Cookie());

    public void ClearCookie(HttpContext http) => http.Response.Cookies.Delete(cookie, Cookie());

    /// <summary>The guard that let this request in.</summary>
    public static Guard Of(HttpContext http) => http.Features.Get<Guard>()!;

    public static Hash256? SessionOf(HttpContext http) => http.Items[SessionKey] as Hash256?;

    /// <summary>What is there before there is a way to sign in.</summary>
    private static bool IsFirstRun(PathString path) =>
        path.StartsWithSegments("/welcome") || path.StartsWithSegments(PasskeyEndpoints.Prefix);

    private CookieOptions Cookie() => new()
    {
        HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = options.IsSecure, Path = "/",
        MaxAge = TimeSpan.FromDays(14), IsEssential = true,
    };

    private static void AddHeaders(IHeaderDictionary headers)
    {
        foreach (var (name, value) in Headers) headers.TryAdd(name, value);
    }

    /// <summary>
    /// A name that leads here only because somebody's DNS says so is none of ours: that somebody's scripts would count
    /// as our own (DNS rebinding). Numbers can't be rebound.
    /// </summary>
    private bool IsOurName(HostString host) =>
        host.Host is "localhost" || IPAddress.TryParse(host.Host.Trim('[', ']'), out _)
            || (options.PublicUrl is { } url && string.Equals(url.Host, host.Host, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// What changes something, or opens a socket, comes from our own pages or from no browser (Fetch Metadata, and
    /// Origin for what doesn't know it).
    /// </summary>
    private static bool IsFromHere(HttpRequest request)
    {
        var isSafe = (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
            && !request.HttpContext.WebSockets.IsWebSocketRequest;
        if (isSafe) return true;
        if (request.Headers["Sec-Fetch-Site"] is [{ } site]) return site is "same-origin" or "none";
        return StringValues.IsNullOrEmpty(request.Headers.Origin)
            || (Uri.TryCreate(request.Headers.Origin.ToString(), UriKind.Absolute, out var origin)
                && string.Equals(origin.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase));
    }

    private static void Send(HttpContext http, string to)
    {
        if (HttpMethods.IsGet(http.Request.Method) && !http.WebSockets.IsWebSocketRequest)
        {
            http.Response.Redirect(to);
            return;
        }
        http.Response.StatusCode = StatusCodes.Status401Unauthorized;
    }
}
