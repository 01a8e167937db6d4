using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>
/// Calls rclone's remote control (rclone.org/rc). Starts rclone at the first call, and again where it has died.
/// </summary>
internal sealed class RcloneClient : IAsyncDisposable
{
    private const int ErrorBytesMax = 64 << 10;

    private readonly AdapterServices services;
    private readonly SemaphoreSlim starting = new(1, 1);
    private readonly HttpClient http;
    private RcloneProcess? process;
    private bool isDisposed;

    public RcloneClient(RcloneSettings settings, AdapterServices services)
    {
        (Settings, this.services) = (settings, services);
        http = new HttpClient(
            new Endpoint(new Uri("http://127.0.0.1/")).CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public RcloneSettings Settings { get; }

    /// <summary>Pid of what is running; null where nothing is.</summary>
    public int? ProcessId => process is { HasExited: false } running ? running.ProcessId : null;

    /// <summary>Answers that are small.</summary>
    public async Task<JsonNode> CallAsync(
        string what, string method, JsonObject arguments, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(services, cancellationToken);
        using var answer = await OpenAsync(what, method, arguments, guard, cancellationToken);
        try
        {
            await using var body = await answer.Content.ReadAsStreamAsync(guard.Token);
            return await JsonNode.ParseAsync(body, cancellationToken: guard.Token) ?? throw new JsonException("null");
        }
        catch (Exception e) when (e is JsonException or IOException or HttpRequestException)
        {
            throw new VirgaException(FailureKind.Unavailable, $"{what}: rclone's answer broke off", inner: e);
        }
    }

    /// <summary>An answer to be read as it comes; it belongs to the caller.</summary>
    public Task<HttpResponseMessage> OpenAsync(
        string what,
        string method,
        JsonObject arguments,
        StallGuard guard,
        CancellationToken cancellationToken) => SendAsync(
            what,
            root => new HttpRequestMessage(HttpMethod.Post, new Uri(root, method))
            {
                // rclone compares the type as text: with a charset it would not read the body.
                Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(arguments))
                {
                    Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
                },
            },
            guard,
            cancellationToken);

    /// <summary>Sends to the running rclone; anything but success throws what rclone says.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        string what, Func<Uri, HttpRequestMessage> make, StallGuard guard, CancellationToken cancellationToken)
    {
        var running = await RunningAsync(cancellationToken);
        using var request = make(running.Address);
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", running.Authorization);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token);
            if (answer.IsSuccessStatusCode) return answer;
            throw await FailureAsync(what, answer, guard.Token);
        }
        catch (Exception) when (answer is { IsSuccessStatusCode: false } && Dispose(answer))
        {
            throw;
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
            if (await running.WhyEndedAsync() is { } why) throw RcloneFailures.Map(what, $"it ended: {why}", 0);
            throw new VirgaException(FailureKind.Unavailable, $"{what}: rclone does not answer", inner: e);
        }
    }

    // A filter, so that the exception goes on untouched.
    private static bool Dispose(HttpResponseMessage answer)
    {
        answer.Dispose();
        return false;
    }

    private static async Task<VirgaException> FailureAsync(
        string what, HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var bytes = new byte[ErrorBytesMax];
        var text = Encoding.UTF8.GetString(
            bytes, 0, await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken));
        try
        {
            text = JsonNode.Parse(text)?["error"]?.GetValue<string>() ?? text;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
        }
        return RcloneFailures.Map(what, text.Trim(), (int)answer.StatusCode);
    }

    private async ValueTask<RcloneProcess> RunningAsync(CancellationToken cancellationToken)
    {
        if (process is { HasExited: false } running) return running;
        await starting.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            if (process is { HasExited: false } other) return other;
            if (process is { } dead) await dead.DisposeAsync();
            process = null;
            return process = await RcloneProcess.StartAsync(Settings, services, cancellationToken);
        }
        finally
        {
            starting.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await starting.WaitAsync(CancellationToken.None);
        try
        {
            if (isDisposed) return;
            isDisposed = true;
            http.Dispose();
            if (process is { } running) await running.DisposeAsync();
            process = null;
        }
        finally
        {
            starting.Release();
        }
    }
}
