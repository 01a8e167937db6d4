using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>
/// One bucket as the account's parts see it: calls of the native API (www.backblaze.com/apidocs) whose failures are
/// ours. A session that has ended is begun anew, once for all who wait.
/// </summary>
internal sealed class B2Client : IDisposable
{
    private const string Entry = "https://api.backblazeb2.com";
    private const int BodyBytesMax = 64 << 20;
    private const int UploadTries = 3;

    private readonly HttpClient http;
    private readonly Lock gate = new();
    private readonly ConcurrentBag<B2UploadUrl> uploadUrls = [];
    private Task<B2Session>? session;

    public B2Client(B2Settings settings, AdapterServices services)
    {
        Settings = settings;
        Services = services;
        Endpoint = new Endpoint(new Uri(Entry), route: services.Route);
        http = new HttpClient(Endpoint.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public B2Settings Settings { get; }

    public AdapterServices Services { get; }

    public Endpoint Endpoint { get; }

    public string Name(EntryPath path) => Settings.Prefix + path.Value;

    public string FolderName(EntryPath folder) => folder.IsRoot ? Settings.Prefix : Name(folder) + "/";

    public bool TryPath(string name, out EntryPath path)
    {
        path = EntryPath.Root;
        return name.StartsWith(Settings.Prefix, StringComparison.Ordinal)
            && EntryPath.TryParse(name[Settings.Prefix.Length..], out path);
    }

    /// <summary>Calls an operation; the bucket's id is among the arguments where <paramref name="ofBucket"/>.</summary>
    public async Task<JsonObject> CallAsync(
        string what, string operation, JsonObject arguments, CancellationToken cancellationToken, bool ofBucket = false)
    {
        using var guard = new StallGuard(Services, cancellationToken);
        using var answer = await SendAsync(what, Request, guard, cancellationToken);
        return await ReadAsync(what, answer, guard, cancellationToken);

        HttpRequestMessage Request(B2Session now)
        {
            var all = (JsonObject)arguments.DeepClone();
            if (ofBucket) all["bucketId"] = now.BucketId;
            return Post(now.ApiUrl, operation, now.Token, all);
        }
    }

    /// <summary>Sends in the name of the session; a good answer belongs to the caller, others are thrown.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        string what, Func<B2Session, HttpRequestMessage> make, StallGuard guard, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var (running, now) = await SessionAsync(what, cancellationToken);
            using var request = make(now);
            var answer = await SendOnceAsync(what, request, guard, cancellationToken);
            if (answer.IsSuccessStatusCode) return answer;
            using (answer)
            {
                var failure = await FailureAsync(what, answer, guard, cancellationToken);
                if (tries > 1 || !B2Failures.IsExpired(failure)) throw failure;
            }
            lock (gate)
            {
                if (session == running) session = null;
            }
        }
    }

    /// <summary>
    /// Uploads by a URL of the pool. One that fails is thrown away and another one asked for, as the service wants it
    /// ("Uploading files": 401, 408, 429 and 5xx mean a new URL).
    /// </summary>
    public async Task<JsonObject> UploadAsync(
        string what, ConcurrentBag<B2UploadUrl>? pool, Func<Task<B2UploadUrl>> renew, ReadOnlyMemory<byte> content,
        Action<HttpRequestMessage> describe, CancellationToken cancellationToken)
    {
        pool ??= uploadUrls;
        var sha1 = Sha1(content.Span);
        for (var tries = 1; ; tries++)
        {
            var url = pool.TryTake(out var known) ? known : await renew();
            using var guard = new StallGuard(Services, cancellationToken);
            using var request = new HttpRequestMessage(HttpMethod.Post, url.Url);
            request.Content = new MemoryContent(content, guard);
            request.Headers.TryAddWithoutValidation("Authorization", url.Token);
            request.Headers.Add("X-Bz-Content-Sha1", sha1);
            describe(request);
            using var answer = await SendOnceAsync(what, request, guard, cancellationToken);
            if (answer.IsSuccessStatusCode)
            {
                var stored = await ReadAsync(what, answer, guard, cancellationToken);
                pool.Add(url);
                return stored;
            }
            var failure = await FailureAsync(what, answer, guard, cancellationToken);
            if (tries == UploadTries || !(failure.IsTransient || B2Failures.IsExpired(failure))
                || failure.RetryAfter is not null) throw failure;
        }
    }

    public async Task<B2UploadUrl> NewUrlAsync(
        string what, string operation, JsonObject arguments, bool ofBucket, CancellationToken cancellationToken)
    {
        var answer = await CallAsync(what, operation, arguments, cancellationToken, ofBucket);
        return Uri.TryCreate((string?)answer["uploadUrl"], UriKind.Absolute, out var url)
            && (string?)answer["authorizationToken"] is { } token
            ? new B2UploadUrl(url, token) : throw B2Failures.NotB2(what);
    }

    public static string Sha1(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA1.HashData(content));

    public void Dispose() => http.Dispose();

    private async Task<(Task<B2Session> Running, B2Session Now)> SessionAsync(
        string what, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Task<B2Session> running;
        lock (gate)
        {
            if (session is { IsFaulted: true }) session = null;
            running = session ??= Task.Run(() => AuthorizeAsync(what), CancellationToken.None);
        }
        return (running, await running.WaitAsync(cancellationToken));
    }

    private async Task<B2Session> AuthorizeAsync(string what)
    {
        using var guard = new StallGuard(Services, CancellationToken.None);
        using var request = new HttpRequestMessage(HttpMethod.Get, Entry + "/b2api/v2/b2_authorize_account");
        var pair = Encoding.UTF8.GetBytes($"{Settings.KeyId}:{Settings.ApplicationKey}");
        request.Headers.TryAddWithoutValidation("Authorization", "Basic " + Convert.ToBase64String(pair));
        using var answer = await SendOnceAsync(what, request, guard, CancellationToken.None);
        if (!answer.IsSuccessStatusCode)
        {
            var failure = await FailureAsync(what, answer, guard, CancellationToken.None);
            throw failure.Kind == FailureKind.Unauthenticated ? B2Failures.WrongKey(what) : failure;
        }
        var fields = await ReadAsync(what, answer, guard, CancellationToken.None);
        if ((string?)fields["authorizationToken"] is not { } token || (string?)fields["apiUrl"] is not { } api
            || (string?)fields["downloadUrl"] is not { } download || (string?)fields["accountId"] is not { } account)
            throw B2Failures.NotB2(what);
        // A key for one bucket says which, and may not list any.
        var allowed = fields["allowed"];
        if ((string?)allowed?["bucketId"] is { } only && (string?)allowed?["bucketName"] is var name)
        {
            return name is null || name.Equals(Settings.Bucket, StringComparison.OrdinalIgnoreCase)
                ? new B2Session(token, api, download, account, only)
                : throw B2Failures.OtherBucket(what, Settings.Bucket, name);
        }
        using var list = Post(
            api, "b2_list_buckets", token,
            new JsonObject { ["accountId"] = account, ["bucketName"] = Settings.Bucket });
        using var listed = await SendOnceAsync(what, list, guard, CancellationToken.None);
        if (!listed.IsSuccessStatusCode) throw await FailureAsync(what, listed, guard, CancellationToken.None);
        var buckets = (await ReadAsync(what, listed, guard, CancellationToken.None))["buckets"]?.AsArray() ?? [];
        return buckets.Count > 0 && (string?)buckets[0]?["bucketId"] is { } id
            ? new B2Session(token, api, download, account, id)
            : throw B2Failures.NoBucket(what, Settings.Bucket);
    }

    private static HttpRequestMessage Post(string api, string operation, string token, JsonObject arguments)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{api}/b2api/v2/{operation}")
        {
            Content = new StringContent(arguments.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation("Authorization", token);
        return request;
    }

    private async Task<VirgaException> FailureAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken)
    {
        var body = await GuardedAsync(what, () => ReadAllAsync(answer, guard), guard, cancellationToken);
        return B2Failures.Of(what, answer, body, this);
    }

    private async Task<JsonObject> ReadAsync(
        string what, HttpResponseMessage answer, StallGuard guard, CancellationToken cancellationToken)
    {
        var body = await GuardedAsync(what, () => ReadAllAsync(answer, guard), guard, cancellationToken);
        try
        {
            return JsonNode.Parse(body)?.AsObject() ?? throw B2Failures.NotB2(what);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw B2Failures.NotB2(what, e);
        }
    }

    private Task<HttpResponseMessage> SendOnceAsync(
        string what, HttpRequestMessage request, StallGuard guard, CancellationToken cancellationToken) =>
        GuardedAsync(
            what, () => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token), guard,
            cancellationToken);

    private async Task<T> GuardedAsync<T>(
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

    private static async Task<byte[]> ReadAllAsync(HttpResponseMessage answer, StallGuard guard)
    {
        await answer.Content.LoadIntoBufferAsync(BodyBytesMax, guard.Token);
        return await answer.Content.ReadAsByteArrayAsync(guard.Token);
    }
}
