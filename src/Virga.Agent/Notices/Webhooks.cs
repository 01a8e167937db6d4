using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.Notices;

/// <summary>
/// Tells URLs of the user's choice what happened, signed as Standard Webhooks says: each event once it is recorded, in
/// their order, again and again until the receiver takes it. An event and its messages are one write, so that a crash
/// loses none; one can be delivered twice, with the same id.
/// </summary>
internal sealed class Webhooks : IDisposable
{
    private const int SecretBytes = 32;
    private const int IdBytes = 12;
    private const int GoneStatus = 410;

    /// <summary>From one try to the next (Standard Webhooks); after the last it is given up.</summary>
    private static readonly TimeSpan[] Pauses =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2),
        TimeSpan.FromHours(5), TimeSpan.FromHours(10), TimeSpan.FromHours(10),
    ];

    private static readonly TimeSpan AnswerIn = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PauseMax = TimeSpan.FromDays(1);

    private readonly WebhookTable table;
    private readonly TimeProvider time;
    private readonly RandomBytes random;
    private readonly Action<string> log;
    private readonly HttpClient http;
    private readonly SemaphoreSlim wake = new(0, 1);
    private volatile IReadOnlyList<WebhookRow> hooks = [];

    public Webhooks(WebhookTable table, TimeProvider time, RandomBytes random, Action<string> log)
    {
        (this.table, this.time, this.random, this.log) = (table, time, random, log);
        http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseProxy = false, UseCookies = false, ActivityHeadersPropagator = null,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30), ConnectTimeout = AnswerIn,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = 1 << 16,
        };
    }

    public async Task LoadAsync(CancellationToken cancellationToken) =>
        hooks = await table.ListAsync(cancellationToken);

    /// <exception cref="VirgaException">BadInput: no URL that can be told; Full.</exception>
    public async Task<WebhookAdded> AddAsync(WebhookRequest request, CancellationToken cancellationToken)
    {
        var url = Checked(request.Url);
        foreach (var type in request.Events)
        {
            if (WebhookEvents.All.Any(e => e == type || e.StartsWith(type + ".", StringComparison.Ordinal))) continue;
            throw new VirgaException(
                FailureKind.BadInput, $"there is no event '{type}'",
                $"There are: {string.Join(", ", WebhookEvents.All)}.");
        }
        var secret = new byte[SecretBytes];
        random(secret);
        var id = await table.AddAsync(url, secret, request.Events, time.GetUtcNow(), cancellationToken);
        await LoadAsync(cancellationToken);
        return new WebhookAdded(id, "whsec_" + Convert.ToBase64String(secret));
    }

    public async Task<List<WebhookInfo>> DescribeAsync(CancellationToken cancellationToken)
    {
        var list = new List<WebhookInfo>();
        foreach (var hook in await table.ListAsync(cancellationToken))
        {
            list.Add(new WebhookInfo(
                hook.Id, hook.Shown, hook.Events, hook.Created, hook.LastTold, hook.Problem,
                await table.CountAsync(hook.Id, cancellationToken)));
        }
        return list;
    }

    public async Task RemoveAsync(long id, CancellationToken cancellationToken)
    {
        if (!await table.RemoveAsync(id, cancellationToken)) throw NoSuch(id);
        await LoadAsync(cancellationToken);
    }

    /// <summary>Tells one webhook that it works, right now.</summary>
    /// <exception cref="VirgaException">NotFound; Unavailable: what was wrong with the answer.</exception>
    public async Task TestAsync(long id, CancellationToken cancellationToken)
    {
        var hook = hooks.FirstOrDefault(h => h.Id == id) ?? throw NoSuch(id);
        var body = Body(WebhookEvents.Test, writer => writer.WriteString("message", "this webhook works"));
        var (problem, _, _) = await SendAsync(hook, NewId(), body, cancellationToken);
        if (problem is null) return;
        throw new VirgaException(
            FailureKind.Unavailable, $"{hook.Shown} did not take it: {problem}",
            "It must answer a POST with a status of 200 to 299 within 15 s.");
    }

    /// <summary>
    /// What records an event's messages, to be run in the write that records the event itself; null when nobody wants
    /// it.
    /// </summary>
    /// <param name="data">Writes the members of the event's data.</param>
    public Action<SqlSession>? Record(string type, Action<Utf8JsonWriter> data)
    {
        var wanting = hooks.Where(h => h.Wants(type)).ToList();
        if (wanting.Count == 0) return null;
        var (id, body, now) = (NewId(), Body(type, data), time.GetUtcNow());
        return db =>
        {
            foreach (var hook in wanting)
            {
                // It may have been removed at this moment.
                if (db.Scalar("SELECT COUNT(*) FROM webhooks WHERE id = ?", hook.Id) > 0)
                    WebhookTable.Enqueue(db, hook.Id, id, body, now);
            }
        };
    }

    /// <summary>After a write with what <see cref="Record"/> gave.</summary>
    public void Wake()
    {
        try
        {
            wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake already.
        }
    }

    /// <summary>Delivers until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var messages = await table.NextAsync(cancellationToken);
            var now = time.GetUtcNow();
            var due = messages.Where(m => m.Next <= now).ToList();
            await Task.WhenAll(due.Select(m => DeliverAsync(m, cancellationToken)));
            if (due.Count > 0) continue;
            var wait = messages.Count == 0 ? Timeout.InfiniteTimeSpan : Later(messages[0].Next - now);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(wake.WaitAsync(stop.Token), Task.Delay(wait, time, stop.Token));
            await stop.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
        http.Dispose();
        wake.Dispose();
    }

    private static TimeSpan Later(TimeSpan wait) => wait > PauseMax ? PauseMax : wait;

    private async Task DeliverAsync(WebhookMessage message, CancellationToken cancellationToken)
    {
        if (hooks.FirstOrDefault(h => h.Id == message.Hook) is not { } hook)
        {
            await table.EndAsync(message, null, null, cancellationToken);
            return;
        }
        var (problem, status, after) = await SendAsync(hook, message.Id, message.Body, cancellationToken);
        if (problem is null)
        {
            await table.EndAsync(message, time.GetUtcNow(), null, cancellationToken);
            return;
        }
        if (status == GoneStatus)
        {
            log($"the webhook {hook.Shown} said that it is gone, and was removed");
            await table.RemoveAsync(hook.Id, cancellationToken);
            await LoadAsync(cancellationToken);
            return;
        }
        if (message.Tries >= Pauses.Length)
        {
            log($"the webhook {hook.Shown} was not told of an event, after {message.Tries + 1} tries: {problem}");
            await table.EndAsync(message, null, problem, cancellationToken);
            return;
        }
        var pause = Later(after > Pauses[message.Tries] ? after.Value : Pauses[message.Tries]);
        await table.PutOffAsync(message, time.GetUtcNow() + pause, problem, cancellationToken);
    }

    /// <summary>What was wrong, null for nothing; the status; how long the receiver asks to wait.</summary>
    private async Task<(string? Problem, int Status, TimeSpan? After)> SendAsync(
        WebhookRow hook, string id, byte[] body, CancellationToken cancellationToken)
    {
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        using var request = new HttpRequestMessage(HttpMethod.Post, hook.Url)
        {
            Content = new ByteArrayContent(body)
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", timestamp);
        request.Headers.Add("webhook-signature", Sign(hook.Secret, id, timestamp, body));
        using var limit = new CancellationTokenSource(AnswerIn, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (answer.IsSuccessStatusCode) return (null, (int)answer.StatusCode, null);
            return ($"it answered {(int)answer.StatusCode}", (int)answer.StatusCode, answer.Headers.RetryAfter?.Delta);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ($"it did not answer within {AnswerIn.TotalSeconds:0} s", 0, null);
        }
        catch (HttpRequestException e)
        {
            return ($"it can't be reached ({e.HttpRequestError})", 0, null);
        }
    }

    /// <summary>The header of Standard Webhooks: HMAC-SHA256 over id, time and body.</summary>
    internal static string Sign(byte[] secret, string id, string timestamp, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hmac.AppendData(Encoding.UTF8.GetBytes($"{id}.{timestamp}."));
        hmac.AppendData(body);
        return "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
    }

    private byte[] Body(string type, Action<Utf8JsonWriter> data)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("type", type);
            writer.WriteString("timestamp", time.GetUtcNow());
            writer.WriteStartObject("data");
            data(writer);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private string NewId()
    {
        var bytes = new byte[IdBytes];
        random(bytes);
        return "msg_" + Convert.ToHexStringLower(bytes);
    }

    private static Uri Checked(string text)
    {
        const string advice = "Give an https URL, or one of this machine: http://127.0.0.1:8080/hook.";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http"))
            throw new VirgaException(FailureKind.BadInput, "that is no URL that can be told", advice);
        if (url.UserInfo.Length > 0 || url.Fragment.Length > 0)
        {
            throw new VirgaException(
                FailureKind.BadInput, "a webhook's URL has no user and no fragment",
                "A token belongs into its path or query.");
        }
        var isHere = url.Host == "localhost"
            || (IPAddress.TryParse(url.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
        return url.Scheme == "https" || isHere ? url : throw new VirgaException(
            FailureKind.BadInput, "what is sent to an http URL can be read on the way", advice);
    }

    private static VirgaException NoSuch(long id) =>
        new(FailureKind.NotFound, $"there is no webhook {id}", "See them with: virga webhook list");
}
