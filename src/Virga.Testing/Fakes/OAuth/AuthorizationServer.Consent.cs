using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.OAuth;

/// <summary>The page of consent, and device codes.</summary>
public sealed partial class AuthorizationServer
{
    private const int ChallengeLength = 43;

    private async Task AuthorizeAsync(HttpContext http)
    {
        requests.Enqueue(http.Request.Path);
        var query = http.Request.Query;
        if (query.FirstOrDefault(q => q.Value.Count != 1) is { Key: not null } twice)
        {
            await ShowAsync(http, StatusCodes.Status400BadRequest, $"{twice.Key} stands there twice");
            return;
        }
        var values = query.ToDictionary(q => q.Key, q => q.Value.ToString(), StringComparer.Ordinal);
        var redirect = values.GetValueOrDefault("redirect_uri");
        // Whoever is not known to be the client's is never redirected to (RFC 6749, 4.1.2.1).
        if (!Clients.TryGetValue(values.GetValueOrDefault("client_id") ?? "", out var client))
        {
            await ShowAsync(http, StatusCodes.Status400BadRequest, "unknown client");
            return;
        }
        if (redirect is not null && !client.RedirectUris.Any(r => IsRegistered(r, redirect)))
        {
            await ShowAsync(http, StatusCodes.Status400BadRequest, "redirect_uri_mismatch");
            return;
        }
        var error = WrongIn(values, client) ?? (User == UserDecision.Refuses ? "access_denied" : null);
        if (error is not null) refusals.Enqueue(error);
        if (error is null && User == UserDecision.Reads && http.Request.Method != "POST")
        {
            await AskAsync(http);
            return;
        }
        var answer = error is null ? ("code", NewCode(values, client)) : ("error", error);
        await LeaveAsync(http, redirect, answer, values.GetValueOrDefault("state"));
    }

    private static string? WrongIn(Dictionary<string, string> values, RegisteredClient client)
    {
        if (values.GetValueOrDefault("response_type") != "code") return "unsupported_response_type";
        if (values.GetValueOrDefault("code_challenge_method") != "S256") return "invalid_request";
        if (values.GetValueOrDefault("code_challenge")?.Length != ChallengeLength) return "invalid_request";
        if (string.IsNullOrEmpty(values.GetValueOrDefault("state"))) return "invalid_request";
        if (values.ContainsKey("client_secret")) return "invalid_request";
        return ScopesOf(values).Except(client.Scopes).Any() ? "invalid_scope" : null;
    }

    private static string[] ScopesOf(Dictionary<string, string> values) =>
        (values.GetValueOrDefault("scope") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private string NewCode(Dictionary<string, string> values, RegisteredClient client)
    {
        lock (gate)
        {
            var code = NewText("code-");
            codes[code] = new CodeGrant(
                client.Id, values.GetValueOrDefault("redirect_uri"), values["code_challenge"],
                [.. ScopesOf(values).Except(Unticked)], clock.GetUtcNow() + Rules.CodeLifetime)
            {
                IsOffline = Rules.OfflineParameter is not { } wanted
                    || values.GetValueOrDefault(wanted.Key) == wanted.Value,
            };
            return code;
        }
    }

    private bool IsRegistered(string registered, string asked)
    {
        if (registered == asked) return true;
        return !Rules.ComparesPorts && Uri.TryCreate(asked, UriKind.Absolute, out var url) && url.IsLoopback
            && registered == asked.Replace($":{Text(url.Port)}", "", StringComparison.Ordinal);
    }

    private static Task LeaveAsync(
        HttpContext http, string? redirect, (string Name, string Value) answer, string? state)
    {
        if (redirect is null)
        {
            return ShowAsync(
                http, StatusCodes.Status200OK, $"Copy this: <code id=\"{answer.Name}\">{answer.Value}</code>");
        }
        var query = $"{answer.Name}={Uri.EscapeDataString(answer.Value)}&state={Uri.EscapeDataString(state ?? "")}";
        http.Response.StatusCode = StatusCodes.Status302Found;
        http.Response.Headers.Location = $"{redirect}?{query}";
        return Task.CompletedTask;
    }

    private static Task AskAsync(HttpContext http)
    {
        var action = WebUtility.HtmlEncode(http.Request.Path + http.Request.QueryString.Value);
        return ShowAsync(
            http, StatusCodes.Status200OK,
            $"<form id=\"consent\" method=\"post\" action=\"{action}\"><button>Allow</button></form>"
                + "<script>document.getElementById('consent').submit()</script>");
    }

    private static Task ShowAsync(HttpContext http, int status, string html)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/html; charset=utf-8";
        return http.Response.WriteAsync("<!doctype html><title>Consent</title>" + html, http.RequestAborted);
    }

    private async Task DeviceAsync(HttpContext http)
    {
        if (await FormAsync(http) is not { } form || await ClientAsync(http, form) is not { } client) return;
        var scopes = ScopesOf(form);
        if (scopes.Length == 0 || scopes.Except(client.DeviceScopes).Any())
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, "invalid_scope", "not by a device code");
            return;
        }
        JsonObject answer;
        lock (gate)
        {
            var code = NewText("device-");
            var userCode = NewText("")[..8].ToUpperInvariant().Insert(4, "-");
            devices[code] = new DeviceGrant(client.Id, userCode, scopes, clock.GetUtcNow() + Rules.DeviceLifetime)
            {
                Interval = Rules.DeviceInterval, LastAsked = clock.GetUtcNow(),
            };
            answer = new JsonObject
            {
                ["device_code"] = code, ["user_code"] = userCode,
                ["verification_uri"] = new Uri(Origin, "/enter").AbsoluteUri,
                ["expires_in"] = (long)Rules.DeviceLifetime.TotalSeconds,
                ["interval"] = (long)Rules.DeviceInterval.TotalSeconds,
            };
        }
        await WriteAsync(http, StatusCodes.Status200OK, answer);
    }
}
