using System.Net;
using System.Net.Http.Headers;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>
/// Sends requests to one service in the name of a linked account. A token that is refused is renewed once and the
/// request made again; what goes wrong on the way becomes our kinds of failure.
/// </summary>
internal sealed class BearerClient : IDisposable
{
    private readonly HttpClient http;
    private readonly IAccessTokens tokens;

    /// <param name="service">The service's main address, for messages.</param>
    public BearerClient(Uri service, IAccessTokens tokens, AdapterServices services)
    {
        this.tokens = tokens;
        Services = services;
        Endpoint = new Endpoint(service, route: services.Route);
        http = new HttpClient(Endpoint.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public AdapterServices Services { get; }

    public Endpoint Endpoint { get; }

    public StallGuard Guard(CancellationToken cancellationToken) => new(Services, cancellationToken);

    /// <summary>
    /// Returns as soon as the headers are there. Every status but one 401 is an answer; it belongs to the caller.
    /// </summary>
    /// <param name="make">Makes the request; a second time when the token was refused.</param>
    public async Task<HttpResponseMessage> SendAsync(
        string what, Func<HttpRequestMessage> make, StallGuard guard, CancellationToken cancellationToken)
    {
        var token = await tokens.GetAsync(cancellationToken);
        var answer = await SendOnceAsync(what, make, token, guard, cancellationToken);
        if (answer.StatusCode != HttpStatusCode.Unauthorized) return answer;
        tokens.Refused(token);
        string next;
        try
        {
            next = await tokens.GetAsync(cancellationToken);
        }
        catch
        {
            answer.Dispose();
            throw;
        }
        if (next == token) return answer;
        answer.Dispose();
        guard.Touch();
        return await SendOnceAsync(what, make, next, guard, cancellationToken);
    }

    /// <summary>To a URL that opens by itself: no token goes there.</summary>
    public async Task<HttpResponseMessage> SendBareAsync(
        string what, HttpRequestMessage request, StallGuard guard, CancellationToken cancellationToken)
    {
        using var owned = request;
        return await GuardedAsync(
            what, () => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token), guard,
            cancellationToken);
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        string what, Func<HttpRequestMessage> make, string token, StallGuard guard,
        CancellationToken cancellationToken)
    {
        using var request = make();
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await GuardedAsync(
            what, () => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token), guard,
            cancellationToken);
    }

    /// <summary>An answer's whole body, which must be short.</summary>
    public Task<byte[]> ReadAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken) =>
        GuardedAsync(what, () => ReadAllAsync(answer, guard), guard, cancellationToken);

    private static async Task<byte[]> ReadAllAsync(HttpResponseMessage answer, StallGuard guard)
    {
        await using var body = await answer.Content.ReadAsStreamAsync(guard.Token);
        using var all = new MemoryStream((int)Math.Min(answer.Content.Headers.ContentLength ?? 1024, BodyBytesMax));
        var buffer = new byte[64 << 10];
        int count;
        while ((count = await body.ReadAsync(buffer, guard.Token)) > 0)
        {
            guard.Touch();
            if (all.Length + count > BodyBytesMax)
                throw new VirgaException(FailureKind.Unavailable, "the service's answer is absurdly long");
            all.Write(buffer, 0, count);
        }
        return all.ToArray();
    }

    private const int BodyBytesMax = 64 << 20;

    /// <summary>Runs a part of a request; failures of the network and stalls get their kinds.</summary>
    public async Task<T> GuardedAsync<T>(
        string what, Func<Task<T>> call, StallGuard guard, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
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
    }

    /// <summary>The Retry-After header (RFC 9110, 10.2.3); null where there is none.</summary>
    public TimeSpan? RetryAfter(HttpResponseMessage answer)
    {
        var wait = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - Services.Clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    public void Dispose() => http.Dispose();
}
