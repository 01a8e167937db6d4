using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// Access tokens for signed assertions (RFC 7523; "Using OAuth 2.0 for server to server applications"). One request at
/// a time, whoever waits for it.
/// </summary>
internal sealed class ServiceAccountTokens(ServiceAccountKey key, AdapterServices services) : IAccessTokens
{
    private const string What = "get an access token";

    // To change a bucket's policy takes this one; what the account may do is for its roles to say.
    private const string Scope = "https://www.googleapis.com/auth/devstorage.full_control";

    private const int AnswerBytesMax = 64 << 10;
    private static readonly Uri TokenUrl = new("https://oauth2.googleapis.com/token");
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1), Early = TimeSpan.FromMinutes(5);

    private readonly Lock gate = new();
    private (string Token, DateTimeOffset RenewAt)? current;
    private Task<string>? asking;

    public ValueTask<string> GetAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Task<string> running;
        lock (gate)
        {
            if (current is { } now && services.Clock.GetUtcNow() < now.RenewAt) return ValueTask.FromResult(now.Token);
            running = asking ??= Task.Run(AskAsync, CancellationToken.None);
        }
        return new ValueTask<string>(running.WaitAsync(cancellationToken));
    }

    public void Refused(string token)
    {
        lock (gate)
        {
            if (current?.Token == token) current = null;
        }
    }

    public override string ToString() => $"access tokens of {key.Mail}";

    private async Task<string> AskAsync()
    {
        try
        {
            var asked = services.Clock.GetUtcNow();
            var (token, lifetime) = await ExchangeAsync(Assertion(asked));
            lock (gate) current = (token, asked + lifetime - (lifetime / 10 < Early ? lifetime / 10 : Early));
            return token;
        }
        finally
        {
            lock (gate) asking = null;
        }
    }

    private string Assertion(DateTimeOffset now)
    {
        var header = new JsonObject { ["alg"] = "RS256", ["typ"] = "JWT", ["kid"] = key.KeyId };
        var claims = new JsonObject
        {
            ["iss"] = key.Mail, ["scope"] = Scope, ["aud"] = TokenUrl.AbsoluteUri,
            ["iat"] = now.ToUnixTimeSeconds(), ["exp"] = (now + Lifetime).ToUnixTimeSeconds(),
        };
        var text = $"{Encode(header)}.{Encode(claims)}";
        using var rsa = key.Open();
        var signature = rsa.SignData(
            Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{text}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode(JsonObject json) =>
        Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));

    private async Task<(string Token, TimeSpan Lifetime)> ExchangeAsync(string assertion)
    {
        var endpoint = new Endpoint(TokenUrl, route: services.Route);
        using var http = new HttpClient(endpoint.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        using var guard = new StallGuard(services, CancellationToken.None);
        using var request = new HttpRequestMessage(HttpMethod.Post, TokenUrl);
        request.Content = new FormUrlEncodedContent(
        [
            new("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), new("assertion", assertion),
        ]);
        try
        {
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token);
            await answer.Content.LoadIntoBufferAsync(AnswerBytesMax, guard.Token);
            var body = await answer.Content.ReadAsByteArrayAsync(guard.Token);
            var fields = TryParse(body);
            if (answer.StatusCode == HttpStatusCode.OK && (string?)fields["access_token"] is { Length: > 0 } token)
                return (token, TimeSpan.FromSeconds((double?)fields["expires_in"] ?? 3600));
            throw Failure(
                answer, (string?)fields["error"] ?? "", (string?)fields["error_description"] ?? "");
        }
        catch (Exception) when (guard.HasStalled)
        {
            throw TransportFailures.Stalled(What, guard.Timeout);
        }
        catch (Exception e) when (e is not VirgaException)
        {
            throw TransportFailures.Map(e, What, endpoint)
                ?? new VirgaException(FailureKind.Unavailable, $"{What}: {e.Message}", inner: e);
        }
    }

    private static JsonObject TryParse(byte[] body)
    {
        try
        {
            return JsonNode.Parse(body) as JsonObject ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    private VirgaException Failure(HttpResponseMessage answer, string error, string description)
    {
        var now = services.Clock.GetUtcNow();
        if (answer.Headers.Date is { } theirs && (theirs - now).Duration() > TimeSpan.FromMinutes(4))
        {
            return new VirgaException(
                FailureKind.ClockSkew,
                $"{What}: this machine's clock and Google's differ by "
                    + $"{(theirs - now).Duration().TotalMinutes:0} minutes",
                "Set this machine's clock (timedatectl set-ntp true), then try again.");
        }
        if (answer.StatusCode is HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError)
            return new VirgaException(
                FailureKind.Unavailable, $"{What}: Google's token server fails ({(int)answer.StatusCode})");
        if (description.Contains("not found", StringComparison.OrdinalIgnoreCase))
            return new VirgaException(
                FailureKind.Unauthenticated, $"{What}: there is no service account {key.Mail}",
                "It was deleted: make another one with a key, and set serviceAccountKey anew.");
        return new VirgaException(
            FailureKind.Unauthenticated, $"{What}: Google refuses the key of {key.Mail} ({error})",
            "The key was deleted or disabled: make a new one, and set serviceAccountKey to it.");
    }
}
