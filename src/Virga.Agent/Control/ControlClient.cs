using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Virga.Core;

namespace Virga.Agent.Control;

/// <summary>
/// Talks to the agent that runs on a data folder, over its Unix socket (docs/reference/control-api.md). Throws only
/// VirgaException (of the agent's own kind, or Unavailable when no agent answers) and OperationCanceledException.
/// </summary>
public sealed partial class ControlClient : IDisposable
{
    public const string SocketName = "control.sock";

    private readonly HttpClient http;
    private readonly string dataFolder;

    public ControlClient(string dataFolder)
    {
        this.dataFolder = dataFolder;
        http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = (_, cancellationToken) => ConnectAsync(cancellationToken),
            UseProxy = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
        })
        {
            BaseAddress = new Uri("http://agent"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public Task<AgentStatus> StatusAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/status", null, ControlJson.Default.AgentStatus, cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "/control/stop", null, cancellationToken);

    /// <summary>Writes the agent's backup; what is there when it throws is no backup.</summary>
    /// <remarks>Failures of the destination come as it throws them.</remarks>
    public async Task BackupAsync(string passphrase, Stream destination, CancellationToken cancellationToken)
    {
        using var answer = await OpenAsync(
            HttpMethod.Post, "/control/backup",
            JsonContent.Create(new BackupRequest(passphrase), ControlJson.Default.BackupRequest), cancellationToken);
        await using var content = await Guard(() => answer.Content.ReadAsStreamAsync(cancellationToken));
        var buffer = new byte[64 << 10];
        // What can't be written is the caller's own matter, and no failure of the agent's.
        while (await Guard(() => content.ReadAsync(buffer, cancellationToken).AsTask()) is > 0 and var read)
            await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
    }

    /// <summary>Has a backup take the place of an agent with which nothing was done yet.</summary>
    /// <param name="form">Parts <c>passphrase</c> and <c>file</c>, in this order.</param>
    /// <param name="session">Stays signed in on the page; null: none.</param>
    public Task<RestoreResult> RestoreAsync(
        HttpContent form, Hash256? session, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/restore" + (session is { } id ? $"?session={id}" : ""), form,
        ControlJson.Default.RestoreResult, cancellationToken);

    public Task<PageLinkInfo> PageLinkAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "/control/page/link", null, ControlJson.Default.PageLinkInfo, cancellationToken);

    public Task<List<AccountInfo>> AccountsAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/accounts", null, ControlJson.Default.ListAccountInfo, cancellationToken);

    public Task<AccountInfo> AddAccountAsync(AccountAddRequest request, CancellationToken cancellationToken) =>
        SendAsync(
        HttpMethod.Post, "/control/accounts", JsonContent.Create(request, ControlJson.Default.AccountAddRequest),
        ControlJson.Default.AccountInfo, cancellationToken);

    /// <param name="probe">quick, read-only or full; null for quick.</param>
    public Task<CheckResult> CheckAccountAsync(
        string name, CancellationToken cancellationToken, string? probe = null) => SendAsync(
        HttpMethod.Post, $"/control/accounts/{Escape(name)}/check{(probe is null ? "" : "?probe=" + probe)}", null,
        ControlJson.Default.CheckResult, cancellationToken);

    public Task<List<UploadInfo>> UploadsAsync(string account, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/accounts/{Escape(account)}/uploads", null, ControlJson.Default.ListUploadInfo,
        cancellationToken);

    public Task<List<UploadInfo>> EndUploadsAsync(
        string account, TimeSpan age, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Delete, $"/control/accounts/{Escape(account)}/uploads?seconds={(long)age.TotalSeconds}", null,
        ControlJson.Default.ListUploadInfo, cancellationToken);

    public Task<AccountRemoved> RemoveAccountAsync(string name, bool force, CancellationToken cancellationToken) =>
        SendAsync(
        HttpMethod.Delete, $"/control/accounts/{Escape(name)}{(force ? "?force=true" : "")}", null,
        ControlJson.Default.AccountRemoved, cancellationToken);

    public IAsyncEnumerable<LinkEvent> LinkAsync(LinkRequest request, CancellationToken cancellationToken) =>
        StreamAsync(
        HttpMethod.Post, "/control/links", JsonContent.Create(request, ControlJson.Default.LinkRequest),
        ControlJson.Default.LinkEvent, cancellationToken);

    public Task SendCodeAsync(string link, string text, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/links/{Escape(link)}/code",
        JsonContent.Create(new LinkCode(text), ControlJson.Default.LinkCode), cancellationToken);

    public Task<List<EntryInfo>> EntriesAsync(
        string account, string path, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/accounts/{Escape(account)}/entries?path={Escape(path)}", null,
        ControlJson.Default.ListEntryInfo, cancellationToken);

    public IAsyncEnumerable<ShareEvent> ShareAsync(ShareRequest request, CancellationToken cancellationToken) =>
        StreamAsync(
        HttpMethod.Post, "/control/shares", JsonContent.Create(request, ControlJson.Default.ShareRequest),
        ControlJson.Default.ShareEvent, cancellationToken);

    public Task<List<ShareInfo>> SharesAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/shares", null, ControlJson.Default.ListShareInfo, cancellationToken);

    public Task UnshareAsync(string infoHash, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, $"/control/shares/{Escape(infoHash)}", null, cancellationToken);

    public async Task TorrentAsync(
        string infoHash, bool isV1, Stream destination, CancellationToken cancellationToken)
    {
        using var answer = await OpenAsync(
            HttpMethod.Get, $"/control/shares/{Escape(infoHash)}/torrent{(isV1 ? "?v1" : "")}", null,
            cancellationToken);
        await Guard(() => answer.Content.CopyToAsync(destination, cancellationToken));
    }

    public Task<TransferInfo> StartTransferAsync(TransferRequest request, CancellationToken cancellationToken) =>
        SendAsync(
        HttpMethod.Post, "/control/transfers", JsonContent.Create(request, ControlJson.Default.TransferRequest),
        ControlJson.Default.TransferInfo,
        cancellationToken);

    public Task<TransferInfo> StartTorrentAsync(TorrentRequest request, CancellationToken cancellationToken) =>
        SendAsync(
            HttpMethod.Post, "/control/torrents", JsonContent.Create(request, ControlJson.Default.TorrentRequest),
            ControlJson.Default.TransferInfo, cancellationToken);

    /// <summary>What is in a share or torrent; ends looking when it is not enumerated on.</summary>
    public IAsyncEnumerable<ContentsEvent> ContentsAsync(
        ContentsRequest request, CancellationToken cancellationToken) => StreamAsync(
        HttpMethod.Post, "/control/contents", JsonContent.Create(request, ControlJson.Default.ContentsRequest),
        ControlJson.Default.ContentsEvent, cancellationToken);

    public Task<List<TransferInfo>> TransfersAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/transfers", null, ControlJson.Default.ListTransferInfo, cancellationToken);

    public IAsyncEnumerable<TransferInfo> WatchAsync(string id, CancellationToken cancellationToken) => StreamAsync(
        HttpMethod.Get, $"/control/transfers/{Escape(id)}/watch", null, ControlJson.Default.TransferInfo,
        cancellationToken);

    public Task<TransferInfo> CancelAsync(string id, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/transfers/{Escape(id)}/cancel", null, ControlJson.Default.TransferInfo,
        cancellationToken);

    public Task<TransferInfo> ResumeAsync(string id, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/transfers/{Escape(id)}/resume", null, ControlJson.Default.TransferInfo,
        cancellationToken);

    public Task<TransferInfo> PauseAsync(string id, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/transfers/{Escape(id)}/pause", null, ControlJson.Default.TransferInfo,
        cancellationToken);

    public Task<TransferInfo> PrioritizeAsync(
        string id, TransferPriority priority, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Put, $"/control/transfers/{Escape(id)}/priority",
        JsonContent.Create(new PriorityRequest(priority), ControlJson.Default.PriorityRequest),
        ControlJson.Default.TransferInfo, cancellationToken);

    public Task<TransferInfo> LimitAsync(string id, long? receive, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Put, $"/control/transfers/{Escape(id)}/limit",
        JsonContent.Create(new TransferLimitRequest(receive), ControlJson.Default.TransferLimitRequest),
        ControlJson.Default.TransferInfo, cancellationToken);

    public Task<HandoverFile> HandOverAsync(string id, string key, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/transfers/{Escape(id)}/handover",
        JsonContent.Create(new HandoverRequest(key), ControlJson.Default.HandoverRequest),
        ControlJson.Default.HandoverFile, cancellationToken);

    public Task<HandoverKey> HandoverKeyAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/takeovers/key", null, ControlJson.Default.HandoverKey, cancellationToken);

    public Task<TransferInfo> TakeOverAsync(TakeoverRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/takeovers", JsonContent.Create(request, ControlJson.Default.TakeoverRequest),
        ControlJson.Default.TransferInfo, cancellationToken);

    public Task<LimitsInfo> LimitsAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/limits", null, ControlJson.Default.LimitsInfo, cancellationToken);

    public Task<LimitsInfo> SetLimitsAsync(LimitsRequest limits, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Put, "/control/limits", JsonContent.Create(limits, ControlJson.Default.LimitsRequest),
        ControlJson.Default.LimitsInfo, cancellationToken);

    public Task<List<WebhookInfo>> WebhooksAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/webhooks", null, ControlJson.Default.ListWebhookInfo, cancellationToken);

    public Task<WebhookAdded> AddWebhookAsync(WebhookRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/webhooks", JsonContent.Create(request, ControlJson.Default.WebhookRequest),
        ControlJson.Default.WebhookAdded, cancellationToken);

    public Task TestWebhookAsync(long id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"/control/webhooks/{id}/test", null, cancellationToken);

    public Task<List<TokenInfo>> TokensAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/tokens", null, ControlJson.Default.ListTokenInfo, cancellationToken);

    public Task<TokenAdded> AddTokenAsync(TokenRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/tokens", JsonContent.Create(request, ControlJson.Default.TokenRequest),
        ControlJson.Default.TokenAdded, cancellationToken);

    public Task RemoveTokenAsync(long id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, $"/control/tokens/{id}", null, cancellationToken);

    public Task RemoveWebhookAsync(long id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, $"/control/webhooks/{id}", null, cancellationToken);

    public IAsyncEnumerable<VerifyEvent> VerifyAsync(VerifyRequest request, CancellationToken cancellationToken) =>
        StreamAsync(
        HttpMethod.Post, "/control/verify", JsonContent.Create(request, ControlJson.Default.VerifyRequest),
        ControlJson.Default.VerifyEvent, cancellationToken);

    public void Dispose() => http.Dispose();

    private static string Escape(string text) => Uri.EscapeDataString(text);

    private async ValueTask<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(
                new UnixDomainSocketEndPoint(Path.Combine(dataFolder, SocketName)), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<T> SendAsync<T>(
        HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var answer = await OpenAsync(method, path, body, cancellationToken);
        return await Guard(() => answer.Content.ReadFromJsonAsync(type, cancellationToken)) ?? throw Garbled();
    }

    private async Task SendAsync(HttpMethod method, string path, HttpContent? body, CancellationToken cancellationToken)
    {
        using var answer = await OpenAsync(method, path, body, cancellationToken);
    }

    private async IAsyncEnumerable<T> StreamAsync<T>(
        HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var answer = await OpenAsync(method, path, body, cancellationToken);
        await using var content = await Guard(() => answer.Content.ReadAsStreamAsync(cancellationToken));
        using var reader = new StreamReader(content);
        while (await Guard(() => reader.ReadLineAsync(cancellationToken).AsTask()) is { } line)
        {
            if (line.Length == 0) continue;
            yield return await Guard(() => Task.FromResult(JsonSerializer.Deserialize(line, type))) ?? throw Garbled();
        }
    }

    /// <summary>An answer whose headers are there and whose status is good.</summary>
    private async Task<HttpResponseMessage> OpenAsync(
        HttpMethod method, string path, HttpContent? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        var answer = await Guard(
            () => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken));
        if (answer.IsSuccessStatusCode) return answer;
        using (answer) throw await ErrorOfAsync(answer, cancellationToken);
    }

    private static async Task<VirgaException> ErrorOfAsync(
        HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        try
        {
            var error = await answer.Content.ReadFromJsonAsync(ControlJson.Default.ControlError, cancellationToken);
            if (error is not null) return ToException(error);
        }
        catch (Exception e) when (
            e is JsonException or HttpRequestException or IOException or InvalidOperationException)
        {
            // What answered has no words of ours; its status has to do.
        }
        var asked = answer.RequestMessage?.RequestUri?.AbsolutePath;
        return new VirgaException(
            FailureKind.Unsupported, $"the agent answered {(int)answer.StatusCode} to {asked}",
            "Agent and command line may be of different versions: stop the agent and start it again with `virga up`.");
    }

    public static VirgaException ToException(ControlError error) => new(
        Enum.TryParse<FailureKind>(error.Kind, out var kind) ? kind : FailureKind.Unsupported,
        error.Message, error.Advice);

    private async Task Guard(Func<Task> call) => await Guard(async () =>
    {
        await call();
        return true;
    });

    private async Task<T> Guard<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (HttpRequestException e) when (
            e.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied })
        {
            throw new VirgaException(
                FailureKind.Denied, $"the agent on {dataFolder} belongs to another user",
                "Run this as the user who started it.", e);
        }
        catch (HttpRequestException e) when (e.InnerException is SocketException)
        {
            throw NoAgent(dataFolder, e);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"the path of the data folder {dataFolder} is too long for a socket in it",
                "Choose a data folder with a path of at most 90 bytes.", e);
        }
        catch (JsonException e)
        {
            throw Garbled(e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"the agent on {dataFolder} stopped answering",
                "Start it again with `virga up`: transfers go on from what is verified.", e);
        }
    }

    public static VirgaException NoAgent(string dataFolder, Exception? inner = null) => new(
        FailureKind.Unavailable, $"no agent runs on {dataFolder}",
        dataFolder == DataFolders.Default(Environment.GetEnvironmentVariable)
            ? "Start one with `virga up`."
            : $"Start one with `virga up --data {dataFolder}`.",
        inner);

    private static VirgaException Garbled(Exception? inner = null) => new(
        FailureKind.Unsupported, "the agent's answer can't be read",
        "Agent and command line may be of different versions: stop the agent and start it again with `virga up`.",
        inner);
}
