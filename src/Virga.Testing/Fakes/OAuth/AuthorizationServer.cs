using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Core;

namespace Virga.Testing.Fakes.OAuth;

/// <summary>
/// A strict authorisation server (RFC 6749, 7009, 7636, 8252, 8628; OAuth 2.0 Security BCP, RFC 9700): refuses whatever
/// an honest client would not send, and keeps a record of what it refused. Stands alone on loopback, or answers the
/// requests of another fake that has its paths.
/// </summary>
public sealed partial class AuthorizationServer : IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly TimeProvider clock;
    private readonly RandomBytes random;
    private readonly Dictionary<string, CodeGrant> codes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Family> accessTokens = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> accessEnds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Family> refreshTokens = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DeviceGrant> devices = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> refusals = new();
    private readonly ConcurrentQueue<string> requests = new();
    private WebApplication? app;

    public AuthorizationServer(AuthorizationRules rules, TimeProvider clock, RandomBytes random)
    {
        Rules = rules;
        this.clock = clock;
        this.random = random;
    }

    public AuthorizationRules Rules { get; }

    public Dictionary<string, RegisteredClient> Clients { get; } = new(StringComparer.Ordinal);

    /// <summary>What the user does when asked.</summary>
    public UserDecision User { get; set; } = UserDecision.Agrees;

    /// <summary>Scopes that the user unticks on the page.</summary>
    public HashSet<string> Unticked { get; } = new(StringComparer.Ordinal);

    /// <summary>Requests of the token endpoint wait for it: null for none.</summary>
    public Task? TokenGate { get; set; }

    /// <summary>Answers of the token endpoint that the next requests get instead, by status and error code.</summary>
    public ConcurrentQueue<(int Status, string? Error)> TokenFaults { get; } = new();

    /// <summary>Why requests were refused, in order.</summary>
    public IReadOnlyCollection<string> Refusals => refusals;

    /// <summary>Method and path of every request, and its grant type.</summary>
    public IReadOnlyCollection<string> Requests => requests;

    public Uri Origin => new(app!.Urls.First());

    /// <summary>Starts it on a free port of loopback, without TLS.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        app = builder.Build();
        app.Run(async http =>
        {
            if (!await TryAnswerAsync(http)) http.Response.StatusCode = StatusCodes.Status404NotFound;
        });
        await app.StartAsync(cancellationToken);
    }

    /// <summary>Answers what is asked of the authorisation server; false for everything else.</summary>
    public async Task<bool> TryAnswerAsync(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "";
        if (path == Rules.AuthorizePath) await AuthorizeAsync(http);
        else if (path == Rules.TokenPath) await TokenAsync(http);
        else if (path == Rules.DevicePath) await DeviceAsync(http);
        else if (path == Rules.RevokePath) await RevokeAsync(http);
        else return false;
        return true;
    }

    /// <summary>Whether a token may be used for a scope now.</summary>
    public bool Permits(string accessToken, string scope)
    {
        lock (gate)
        {
            return accessTokens.TryGetValue(accessToken, out var family) && !family.IsRevoked
                && clock.GetUtcNow() < accessEnds[accessToken] && family.Scopes.Contains(scope);
        }
    }

    /// <summary>The scopes of a token that holds; null where it doesn't.</summary>
    public IReadOnlyCollection<string>? ScopesOf(string accessToken)
    {
        lock (gate)
        {
            return accessTokens.TryGetValue(accessToken, out var family) && !family.IsRevoked
                && clock.GetUtcNow() < accessEnds[accessToken] ? family.Scopes : null;
        }
    }

    /// <summary>Every token that was ever given, and every code.</summary>
    public IReadOnlyList<string> Given
    {
        get
        {
            lock (gate) return [.. refreshTokens.Keys, .. accessTokens.Keys, .. codes.Keys];
        }
    }

    /// <summary>Ends an access token before its time, as services do.</summary>
    public void EndAccessToken(string accessToken)
    {
        lock (gate) accessEnds[accessToken] = clock.GetUtcNow();
    }

    /// <summary>The user takes their consent back on the service's page.</summary>
    public void RevokeEverything()
    {
        lock (gate)
        {
            foreach (var family in refreshTokens.Values) family.IsRevoked = true;
        }
    }

    /// <summary>Whether anything that was ever given still holds.</summary>
    public bool HasLiveTokens
    {
        get
        {
            lock (gate) return refreshTokens.Values.Any(f => !f.IsRevoked);
        }
    }

    /// <summary>Gives tokens to a client without asking, for tests that begin with a linked account.</summary>
    public string GiveRefreshToken(string clientId, params string[] scopes)
    {
        lock (gate) return NewRefreshToken(new Family(clientId, scopes));
    }

    /// <summary>The user types a device's code and says yes or no.</summary>
    public void EnterUserCode(string userCode, bool agrees)
    {
        lock (gate)
        {
            var device = devices.Values.Single(d => d.UserCode == userCode);
            device.Verdict = agrees;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (app is not null) await app.DisposeAsync();
    }

    private string NewText(string prefix)
    {
        Span<byte> bytes = stackalloc byte[16];
        random(bytes);
        return prefix + Convert.ToHexStringLower(bytes);
    }

    private string NewRefreshToken(Family family)
    {
        var token = NewText("refresh-");
        refreshTokens[token] = family;
        family.Refresh = token;
        return token;
    }

    private JsonObject NewTokens(Family family, bool withRefreshToken)
    {
        var access = NewText("access-");
        accessTokens[access] = family;
        accessEnds[access] = clock.GetUtcNow() + Rules.AccessLifetime;
        var answer = new JsonObject
        {
            ["access_token"] = access, ["token_type"] = "bearer",
            ["expires_in"] = (long)Rules.AccessLifetime.TotalSeconds, ["scope"] = string.Join(' ', family.Scopes),
        };
        if (withRefreshToken) answer["refresh_token"] = NewRefreshToken(family);
        return answer;
    }

    private Task RefuseAsync(HttpContext http, int status, string error, string why)
    {
        refusals.Enqueue($"{error}: {why}");
        return WriteAsync(http, status, new JsonObject { ["error"] = error, ["error_description"] = why });
    }

    private static async Task WriteAsync(HttpContext http, int status, JsonObject body)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.WriteAsync(body.ToJsonString(), http.RequestAborted);
    }

    /// <summary>
    /// The fields of a form, or null after a refusal: secrets belong in no URL, and no field comes twice.
    /// </summary>
    private async Task<Dictionary<string, string>?> FormAsync(HttpContext http)
    {
        var request = http.Request;
        string? wrong = null;
        if (request.Method != "POST") wrong = "not POST";
        else if (!request.HasFormContentType) wrong = "no form";
        else if (request.QueryString.HasValue) wrong = "parameters in the URL";
        if (wrong is null)
        {
            var form = await request.ReadFormAsync(http.RequestAborted);
            if (form.All(f => f.Value.Count == 1))
            {
                var fields = form.ToDictionary(f => f.Key, f => f.Value.ToString(), StringComparer.Ordinal);
                requests.Enqueue($"{request.Path} {fields.GetValueOrDefault("grant_type")}".TrimEnd());
                return fields;
            }
            wrong = "a parameter twice";
        }
        await RefuseAsync(http, StatusCodes.Status400BadRequest, "invalid_request", wrong);
        return null;
    }

    private async Task<RegisteredClient?> ClientAsync(HttpContext http, Dictionary<string, string> form)
    {
        if (Clients.TryGetValue(form.GetValueOrDefault("client_id") ?? "", out var client)
            && form.GetValueOrDefault("client_secret") == client.Secret)
        {
            return client;
        }
        await RefuseAsync(http, StatusCodes.Status401Unauthorized, "invalid_client", "unknown, or a wrong secret");
        return null;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>All that one consent gave: it is revoked as a whole.</summary>
    private sealed class Family(string clientId, IReadOnlyCollection<string> scopes)
    {
        public string ClientId { get; } = clientId;

        public IReadOnlyCollection<string> Scopes { get; } = scopes;

        /// <summary>The refresh token that holds.</summary>
        public string? Refresh { get; set; }

        public bool IsRevoked { get; set; }
    }

    private sealed record CodeGrant(
        string ClientId, string? RedirectUri, string Challenge, string[] Scopes, DateTimeOffset Ends)
    {
        public Family? Used { get; set; }

        public bool IsOffline { get; init; }
    }

    private sealed class DeviceGrant(string clientId, string userCode, string[] scopes, DateTimeOffset ends)
    {
        public string ClientId { get; } = clientId;

        public string UserCode { get; } = userCode;

        public string[] Scopes { get; } = scopes;

        public DateTimeOffset Ends { get; } = ends;

        public TimeSpan Interval { get; set; }

        public DateTimeOffset LastAsked { get; set; }

        public bool? Verdict { get; set; }

        public bool IsUsed { get; set; }
    }
}
