using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>Service accounts, the tokens they get for signed assertions, and what a token may.</summary>
public sealed partial class FakeGcs
{
    private const string TokenUrl = "https://oauth2.googleapis.com/token";
    private const string ScopePrefix = "https://www.googleapis.com/auth/";

    private static readonly TimeSpan SkewMax = TimeSpan.FromMinutes(5), LifetimeMax = TimeSpan.FromHours(1);

    private readonly Dictionary<string, (RSA Key, string KeyId, bool IsReader)> accounts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Account, bool MayWrite, bool MayRule, DateTimeOffset Ends)> tokens =
        new(StringComparer.Ordinal);

    /// <summary>A new service account and its key file, as the console hands it out.</summary>
    /// <param name="isReader">It may only look and read.</param>
    public string AddServiceAccount(bool isReader = false)
    {
        var key = RSA.Create(2048);
        lock (gate)
        {
            var mail = $"robot-{accounts.Count}@virga-test.iam.gserviceaccount.com";
            var id = Convert.ToHexStringLower(SHA1.HashData(key.ExportSubjectPublicKeyInfo()));
            accounts[mail] = (key, id, isReader);
            return new JsonObject
            {
                ["type"] = "service_account", ["project_id"] = "virga-test", ["private_key_id"] = id,
                ["private_key"] = key.ExportPkcs8PrivateKeyPem() + "\n", ["client_email"] = mail, ["client_id"] = "1",
                ["auth_uri"] = "https://accounts.google.com/o/oauth2/auth", ["token_uri"] = TokenUrl,
            }.ToJsonString();
        }
    }

    /// <summary>A token as a linked user has one.</summary>
    public string AddToken(bool mayWrite = true)
    {
        lock (gate) return NewToken("user@example.org", mayWrite);
    }

    /// <summary>All tokens that were handed out are good no more.</summary>
    public void ExpireTokens()
    {
        lock (gate) tokens.Clear();
    }

    /// <summary>The key was deleted in the console.</summary>
    public void RemoveKeys()
    {
        lock (gate) accounts.Clear();
    }

    private string NewToken(string account, bool mayWrite, bool mayRule = false)
    {
        var token = $"ya29.fake-{tokens.Count}-{lastGeneration}";
        tokens[token] = (account, mayWrite, mayRule, Clock.GetUtcNow() + LifetimeMax);
        return token;
    }

    private async Task TokenAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var (status, answer) = form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            ? Exchange(form["assertion"].ToString())
            : (400, Refusal("unsupported_grant_type", "Invalid grant_type"));
        await AnswerAsync(context, status, answer);
    }

    private static JsonObject Refusal(string error, string why) =>
        new() { ["error"] = error, ["error_description"] = why };

    /// <summary>RFC 7523, 3, and "Using OAuth 2.0 for server to server applications".</summary>
    private (int Status, JsonObject Answer) Exchange(string assertion)
    {
        var parts = assertion.Split('.');
        if (parts.Length != 3) return (400, Refusal("invalid_grant", "Bad Request"));
        var header = JsonNode.Parse(FromBase64Url(parts[0]))!;
        var claims = JsonNode.Parse(FromBase64Url(parts[1]))!;
        if ((string?)header["alg"] != "RS256" || (string?)header["typ"] != "JWT")
            return (400, Refusal("invalid_grant", "Invalid JWT: unsupported algorithm"));
        lock (gate)
        {
            if ((string?)claims["iss"] is not { } issuer || !accounts.TryGetValue(issuer, out var account))
                return (400, Refusal("invalid_grant", "Invalid grant: account not found"));
            if (!account.Key.VerifyData(
                Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), FromBase64Url(parts[2]), HashAlgorithmName.SHA256,
                RSASignaturePadding.Pkcs1))
                return (400, Refusal("invalid_grant", "Invalid JWT Signature."));
            if ((string?)claims["aud"] != TokenUrl)
                return (400, Refusal("invalid_grant", "Invalid JWT: audience"));
            var (issued, ends) = (Moment(claims["iat"]), Moment(claims["exp"]));
            var now = Clock.GetUtcNow();
            if (ends - issued > LifetimeMax || ends < now - SkewMax || issued > now + SkewMax)
            {
                return (400, Refusal(
                    "invalid_grant",
                    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                        + "Check your iat and exp values in the JWT claim."));
            }
            var scopes = ((string?)claims["scope"] ?? "").Split(' ');
            var mayWrite = scopes.Any(s => s is ScopePrefix + "devstorage.read_write"
                or ScopePrefix + "devstorage.full_control" or ScopePrefix + "cloud-platform");
            if (!mayWrite && !scopes.Contains(ScopePrefix + "devstorage.read_only", StringComparer.Ordinal))
                return (400, Refusal("invalid_scope", "Invalid OAuth scope or ID token audience provided."));
            return (200, new JsonObject
            {
                ["access_token"] = NewToken(
                    issuer, mayWrite && !account.IsReader,
                    !account.IsReader && scopes.Any(s => s is ScopePrefix + "devstorage.full_control"
                        or ScopePrefix + "cloud-platform")),
                ["expires_in"] = 3599,
                ["token_type"] = "Bearer",
            });
        }
    }

    private static DateTimeOffset Moment(JsonNode? seconds) =>
        DateTimeOffset.FromUnixTimeSeconds((long?)seconds ?? throw GcsProblem.Bad("no time in the assertion"));

    private static byte[] FromBase64Url(string text) => System.Buffers.Text.Base64Url.DecodeFromChars(text);

    /// <summary>Refuses who has no good token, or none for that.</summary>
    private string Authorize(HttpContext context, bool toWrite)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.Ordinal)) throw GcsProblem.Unauthorized();
        lock (gate)
        {
            if (!tokens.TryGetValue(header[7..], out var token) || token.Ends < Clock.GetUtcNow())
                throw GcsProblem.Unauthorized();
            if (toWrite && !token.MayWrite) throw GcsProblem.Forbidden(token.Account, "storage.objects.create");
            return token.Account;
        }
    }

    /// <summary>A V4 signature in the query ("V4 signing process with your own program").</summary>
    private void AuthorizeSigned(HttpContext context, string path)
    {
        var query = context.Request.Query;
        var credential = query["X-Goog-Credential"].ToString().Split('/');
        var denied = new GcsProblem(
            403, "forbidden", "The request signature we calculated does not match the signature you provided.",
            "SignatureDoesNotMatch");
        if (query["X-Goog-Algorithm"] != "GOOG4-RSA-SHA256" || credential.Length != 5
            || !DateTimeOffset.TryParseExact(
                query["X-Goog-Date"], "yyyyMMdd'T'HHmmss'Z'", null, System.Globalization.DateTimeStyles.AssumeUniversal,
                out var date)
            || !int.TryParse(query["X-Goog-Expires"], out var seconds) || seconds is < 1 or > 604_800)
            throw denied;
        if (date.AddSeconds(seconds) < Clock.GetUtcNow())
            throw new GcsProblem(400, "invalid", "Invalid argument: the URL has expired.", "ExpiredToken");
        var signedHeaders = query["X-Goog-SignedHeaders"].ToString();
        var parameters = query.Where(q => q.Key != "X-Goog-Signature")
            .Select(q => $"{Uri.EscapeDataString(q.Key)}={Uri.EscapeDataString(q.Value.ToString())}")
            .Order(StringComparer.Ordinal);
        var headers = string.Concat(signedHeaders.Split(';').Select(
            name => $"{name}:{context.Request.Headers[name].ToString().Trim()}\n"));
        var canonical = $"{context.Request.Method}\n/{path}\n{string.Join('&', parameters)}\n{headers}\n"
            + $"{signedHeaders}\nUNSIGNED-PAYLOAD";
        var text = $"GOOG4-RSA-SHA256\n{query["X-Goog-Date"]}\n{string.Join('/', credential.Skip(1))}\n"
            + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)));
        lock (gate)
        {
            if (!accounts.TryGetValue(credential[0], out var account)
                || !account.Key.VerifyData(
                    Encoding.UTF8.GetBytes(text), Convert.FromHexString(query["X-Goog-Signature"].ToString()),
                    HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
                throw denied;
        }
    }
}
