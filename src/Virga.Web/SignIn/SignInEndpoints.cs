using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Web.Live;
using Virga.Web.Serving;
using Virga.Web.Texts;

namespace Virga.Web.SignIn;

/// <summary>What of signing in is no page: the one-time link, signing out, and the choice of language and look.
/// </summary>
internal static class SignInEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/enter/{code}", EnterAsync).AllowAnonymous();
        routes.MapPost("/sign-out", SignOutAsync);
        routes.MapPost("/backup", BackupAsync);
        routes.MapGet("/alive", static http =>
        {
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        routes.MapPost("/look", LookAsync).AllowAnonymous();
        routes.MapGet("/bring", BringAsync).AllowAnonymous();
    }

    /// <summary>What a browser says it is, in a few words that hold nothing but letters.</summary>
    public static string DeviceOf(HttpContext http)
    {
        var agent = http.Request.Headers.UserAgent.ToString();
        var browser = First(agent, "Edg", "OPR", "Firefox", "Chrome", "Safari") switch
        {
            "Edg" => "Edge", "OPR" => "Opera", null => "a browser", var name => name,
        };
        var system = First(agent, "Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux") switch
        {
            "Mac OS X" => "macOS", null => "", var name => name,
        };
        return system.Length == 0 ? browser : $"{browser}, {system}";
    }

    public static string AddressOf(HttpContext http) => http.Connection.RemoteIpAddress?.ToString() ?? "";

    private static string? First(string text, params ReadOnlySpan<string> names)
    {
        foreach (var name in names) if (text.Contains(name, StringComparison.Ordinal)) return name;
        return null;
    }

    private static async Task EnterAsync(HttpContext http)
    {
        var service = http.RequestServices.GetRequiredService<SignInService>();
        var code = http.Request.RouteValues["code"] as string ?? "";
        var token = await service.EnterAsync(code, DeviceOf(http), AddressOf(http), http.RequestAborted);
        if (token is null)
        {
            // Somebody may have opened it twice in one browser: who is signed in goes on.
            http.Response.Redirect(Guard.SessionOf(http) is null ? "/sign-in?link=old" : "/");
            return;
        }
        Guard.Of(http).SetCookie(http, token);
        http.Response.Redirect("/");
    }

    /// <summary>
    /// Where share pages send their visitors: what they bring stands behind the #, so a script takes it on.
    /// </summary>
    private static Task BringAsync(HttpContext http)
    {
        http.Response.ContentType = "text/html; charset=utf-8";
        return http.Response.WriteAsync(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Virga</title>"
                + $"<script src=\"{PageFiles.Url("bring.js")}\"></script></head>"
                + "<body><noscript><p>This page needs JavaScript.</p></noscript></body></html>",
            http.RequestAborted);
    }

    /// <summary>The agent's backup as a download; a failure on the way cuts it, and the browser says so.</summary>
    private static async Task BackupAsync(HttpContext http)
    {
        var form = await FormAsync(http);
        var agent = http.RequestServices.GetRequiredService<ControlClient>();
        var now = http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
        http.Response.ContentType = "application/octet-stream";
        http.Response.Headers.ContentDisposition = $"attachment; filename=\"virga-{now:yyyy-MM-dd}.age\"";
        try
        {
            await agent.BackupAsync(form["passphrase"].ToString(), http.Response.Body, http.RequestAborted);
        }
        catch (VirgaException e) when (!http.Response.HasStarted)
        {
            http.Response.Headers.ContentDisposition = default;
            http.Response.ContentType = "text/plain; charset=utf-8";
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsync($"{e.Message}\n", http.RequestAborted);
        }
        catch (VirgaException)
        {
            http.Abort();
        }
    }

    private static async Task SignOutAsync(HttpContext http)
    {
        if (Guard.SessionOf(http) is { } session)
        {
            Guard.Of(http).ClearCookie(http);
            http.Response.Redirect("/sign-in");
            await http.Response.CompleteAsync();
            await http.RequestServices.GetRequiredService<Sessions>().EndAsync(session, null, CancellationToken.None);
        }
    }

    private static async Task LookAsync(HttpContext http)
    {
        var form = await FormAsync(http);
        var kept = new CookieOptions
        {
            SameSite = SameSiteMode.Strict, HttpOnly = true, MaxAge = TimeSpan.FromDays(365), IsEssential = true,
        };
        if (form["language"].ToString() is var language && Words.IsKnown(language))
            http.Response.Cookies.Append(Words.CookieName, language, kept);
        if (form["theme"].ToString() is "light" or "dark" or "auto")
            http.Response.Cookies.Append(Visit.ThemeCookie, form["theme"].ToString(), kept);
        http.Response.Redirect(LocalPath(form["to"]));
    }

    private static async Task<IFormCollection> FormAsync(HttpContext http) => http.Request.HasFormContentType
        ? await http.Request.ReadFormAsync(http.RequestAborted)
        : throw new BadHttpRequestException("it is no form", StatusCodes.Status415UnsupportedMediaType);

    /// <summary>Only a path of our own: never another site, however it is written.</summary>
    public static string LocalPath(string? path) =>
        path is ['/', not ('/' or '\\'), ..] && !path.Any(char.IsControl) && !path.Contains('\\') ? path : "/";
}
