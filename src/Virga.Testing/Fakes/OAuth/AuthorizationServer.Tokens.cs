using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.OAuth;

/// <summary>The token endpoint, and revocation.</summary>
public sealed partial class AuthorizationServer
{
    private async Task TokenAsync(HttpContext http)
    {
        if (await FormAsync(http) is not { } form) return;
        if (TokenGate is { } wait) await wait;
        if (TokenFaults.TryDequeue(out var fault))
        {
            http.Response.StatusCode = fault.Status;
            if (fault.Error is { } error)
                await WriteAsync(http, fault.Status, new JsonObject { ["error"] = error });
            return;
        }
        if (await ClientAsync(http, form) is not { } client) return;
        JsonObject? tokens;
        (string Error, string Why) refusal;
        lock (gate)
        {
            tokens = form.GetValueOrDefault("grant_type") switch
            {
                "authorization_code" => ByCode(form, client, out refusal),
                "refresh_token" => ByRefreshToken(form, client, out refusal),
                "urn:ietf:params:oauth:grant-type:device_code" => ByDevice(form, client, out refusal),
                _ => Refused(("unsupported_grant_type", "no such grant"), out refusal),
            };
        }
        if (tokens is not null) await WriteAsync(http, StatusCodes.Status200OK, tokens);
        else await RefuseAsync(http, StatusCodes.Status400BadRequest, refusal.Error, refusal.Why);
    }

    private static JsonObject? Refused((string, string) why, out (string Error, string Why) refusal)
    {
        refusal = why;
        return null;
    }

    private JsonObject? ByCode(
        Dictionary<string, string> form, RegisteredClient client, out (string Error, string Why) refusal)
    {
        refusal = default;
        if (!codes.TryGetValue(form.GetValueOrDefault("code") ?? "", out var grant))
            return Refused(("invalid_grant", "unknown code"), out refusal);
        if (grant.Used is { } used)
        {
            used.IsRevoked = true;
            return Refused(("invalid_grant", "code used twice"), out refusal);
        }
        if (clock.GetUtcNow() >= grant.Ends) return Refused(("invalid_grant", "code expired"), out refusal);
        if (grant.ClientId != client.Id) return Refused(("invalid_grant", "code of another client"), out refusal);
        if (grant.RedirectUri != form.GetValueOrDefault("redirect_uri"))
            return Refused(("invalid_grant", "another redirect_uri"), out refusal);
        var verifier = form.GetValueOrDefault("code_verifier") ?? "";
        var hash = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        if (verifier.Length is < 43 or > 128 || hash != grant.Challenge)
            return Refused(("invalid_grant", "wrong code_verifier"), out refusal);
        grant.Used = new Family(client.Id, grant.Scopes);
        return NewTokens(grant.Used, grant.IsOffline);
    }

    private JsonObject? ByRefreshToken(
        Dictionary<string, string> form, RegisteredClient client, out (string Error, string Why) refusal)
    {
        refusal = default;
        var token = form.GetValueOrDefault("refresh_token") ?? "";
        if (!refreshTokens.TryGetValue(token, out var family) || family.ClientId != client.Id)
            return Refused(("invalid_grant", "unknown refresh token"), out refusal);
        if (family.IsRevoked) return Refused(("invalid_grant", "revoked refresh token"), out refusal);
        if (family.Refresh != token)
        {
            family.IsRevoked = true;
            return Refused(("invalid_grant", "refresh token used twice"), out refusal);
        }
        return NewTokens(family, Rules.RotatesRefreshTokens);
    }

    private JsonObject? ByDevice(
        Dictionary<string, string> form, RegisteredClient client, out (string Error, string Why) refusal)
    {
        refusal = default;
        if (!devices.TryGetValue(form.GetValueOrDefault("device_code") ?? "", out var device)
            || device.ClientId != client.Id || device.IsUsed)
        {
            return Refused(("invalid_grant", "unknown device code"), out refusal);
        }
        var now = clock.GetUtcNow();
        if (now >= device.Ends) return Refused(("expired_token", "device code expired"), out refusal);
        var isTooSoon = now - device.LastAsked < device.Interval;
        device.LastAsked = now;
        if (isTooSoon)
        {
            device.Interval += TimeSpan.FromSeconds(5);
            return Refused(("slow_down", "asked too soon"), out refusal);
        }
        if (device.Verdict is null) return Refused(("authorization_pending", "not yet"), out refusal);
        device.IsUsed = true;
        return device.Verdict.Value
            ? NewTokens(new Family(client.Id, device.Scopes), withRefreshToken: true)
            : Refused(("access_denied", "the user refused"), out refusal);
    }

    private async Task RevokeAsync(HttpContext http)
    {
        if (Rules.RevokesByAccessToken)
        {
            await RevokeByAccessTokenAsync(http);
            return;
        }
        if (await FormAsync(http) is not { } form || await ClientAsync(http, form) is null) return;
        var token = form.GetValueOrDefault("token") ?? "";
        lock (gate)
        {
            // RFC 7009, 2.2: a token that isn't known is as good as revoked.
            if (refreshTokens.TryGetValue(token, out var family) || accessTokens.TryGetValue(token, out family))
                family.IsRevoked = true;
        }
        await WriteAsync(http, StatusCodes.Status200OK, []);
    }

    private Task RevokeByAccessTokenAsync(HttpContext http)
    {
        requests.Enqueue(http.Request.Path);
        var header = http.Request.Headers.Authorization.ToString();
        lock (gate)
        {
            if (header.StartsWith("Bearer ", StringComparison.Ordinal)
                && accessTokens.TryGetValue(header["Bearer ".Length..], out var family) && !family.IsRevoked)
            {
                family.IsRevoked = true;
                return Task.CompletedTask;
            }
        }
        return RefuseAsync(http, StatusCodes.Status401Unauthorized, "invalid_access_token", "unknown");
    }
}
