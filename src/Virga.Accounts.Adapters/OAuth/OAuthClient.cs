using System.Net;
using System.Text.Json;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>An answer of an authorisation server: its status and the fields of its JSON object.</summary>
internal sealed record OAuthAnswer(HttpStatusCode Status, TimeSpan? RetryAfter, JsonElement Fields)
{
    public bool IsGood => (int)Status is >= 200 and < 300;

    /// <summary>The error code (RFC 6749, 5.2; RFC 8628, 3.5); "" where there is none.</summary>
    public string Error => Text("error") ?? "";

    public string? Text(string name) =>
        Fields.ValueKind == JsonValueKind.Object && Fields.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>Seconds; some services write numbers as text.</summary>
    public TimeSpan? Seconds(string name)
    {
        if (Fields.ValueKind != JsonValueKind.Object || !Fields.TryGetProperty(name, out var value)) return null;
        var isNumber = value.ValueKind == JsonValueKind.Number
            ? value.TryGetDouble(out var seconds)
            : double.TryParse(
                Text(name), System.Globalization.CultureInfo.InvariantCulture, out seconds);
        return isNumber && seconds is >= 0 and < int.MaxValue ? TimeSpan.FromSeconds(seconds) : null;
    }

    /// <summary>Says nothing: the fields are secret.</summary>
    public override string ToString() => $"answer {(int)Status}";
}

/// <summary>
/// Sends forms to an authorisation server. It keeps no connection: a token is renewed about once an hour.
/// </summary>
internal sealed class OAuthClient(AdapterServices services, string title)
{
    private const int AnswerBytesMax = 256 << 10;

    /// <summary>Posts a form; any status is an answer, only the network throws.</summary>
    /// <param name="bearer">An access token to act in the name of; null for none.</param>
    public async Task<OAuthAnswer> PostAsync(
        string what, Uri url, IEnumerable<KeyValuePair<string, string>>? form, CancellationToken cancellationToken,
        string? bearer = null)
    {
        var endpoint = new Endpoint(url);
        using var http = new HttpClient(endpoint.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        using var request = new HttpRequestMessage(HttpMethod.Post, url);
        if (form is not null) request.Content = new FormUrlEncodedContent(form);
        request.Headers.Accept.ParseAdd("application/json");
        if (bearer is not null) request.Headers.Authorization = new("Bearer", bearer);
        using var guard = new StallGuard(services, cancellationToken);
        try
        {
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token);
            guard.Touch();
            await answer.Content.LoadIntoBufferAsync(AnswerBytesMax, guard.Token);
            var body = await answer.Content.ReadAsByteArrayAsync(guard.Token);
            return new OAuthAnswer(answer.StatusCode, RetryAfter(answer), Parse(body));
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
            throw TransportFailures.Map(e, what, endpoint)
                ?? new VirgaException(FailureKind.Unavailable, $"{what}: {e.Message}", inner: e);
        }
    }

    /// <summary>
    /// What an error answer means. Shows the code of the error, never the words, which may repeat secrets.
    /// </summary>
    /// <param name="relink">What to do when the grant holds no longer.</param>
    public VirgaException Failure(string what, OAuthAnswer answer, string relink) =>
        Failure(what, (answer.Status, answer.Error), answer.RetryAfter, relink);

    public VirgaException Failure(
        string what, (HttpStatusCode Status, string Error) answer, TimeSpan? retryAfter, string relink) => answer switch
    {
        { Error: "invalid_grant" } => new VirgaException(
            FailureKind.Unauthenticated,
            $"{what}: {title} no longer takes this link: it was revoked, has expired, or another program used it",
            relink),
        { Error: "invalid_client" or "unauthorized_client" or "deleted_client" } => new VirgaException(
            FailureKind.Unauthenticated, $"{what}: {title} refuses the client ({answer.Error})",
            "Compare client id and client secret with the service's console, then link the account again."),
        { Error: "invalid_scope" } => new VirgaException(
            FailureKind.Denied, $"{what}: the client may not ask for these permissions (invalid_scope)",
            "Allow them to the client in the service's console, as docs/guides/linking.md tells."),
        { Error: "redirect_uri_mismatch" } => new VirgaException(
            FailureKind.BadInput, $"{what}: {title} does not know the address that it shall send the browser to",
            "Register it for the client, as docs/guides/linking.md tells."),
        { Error: "access_denied" } => new VirgaException(
            FailureKind.Denied, $"{what}: access was refused", "Nothing was linked. Run it again to agree."),
        { Error: "slow_down" or "rate_limit_exceeded" } or { Status: HttpStatusCode.TooManyRequests } =>
            new VirgaException(FailureKind.Throttled, $"{what}: {title} was asked too often")
            {
                RetryAfter = retryAfter,
            },
        { Status: >= HttpStatusCode.InternalServerError } or { Error: "temporarily_unavailable" or "server_error" } =>
            new VirgaException(
                FailureKind.Unavailable, $"{what}: {title}'s authorisation server fails ({(int)answer.Status})",
                "Virga tries again by itself.") { RetryAfter = retryAfter },
        _ => new VirgaException(
            FailureKind.BadInput,
            $"{what}: {title} answered {(int)answer.Status}"
                + (IsCode(answer.Error) ? $" ({answer.Error})" : ""),
            "Compare the client in the service's console with docs/guides/linking.md."),
    };

    // RFC 6749, 5.2: of printable ASCII. Longer or other ones are not a code that a person could look up.
    private static bool IsCode(string error) =>
        error.Length is > 0 and <= 40 && error.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');

    private TimeSpan? RetryAfter(HttpResponseMessage answer) => answer.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > services.Clock.GetUtcNow() => date - services.Clock.GetUtcNow(),
        _ => null,
    };

    private static JsonElement Parse(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 8 });
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return default;
        }
    }
}
