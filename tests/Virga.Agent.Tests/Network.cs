using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Virga.Accounts.Adapters;
using Virga.Accounts.Adapters.Disk;
using Virga.Accounts.Adapters.S3;
using Virga.Agent.Control;
using Virga.Protocol;
using Virga.Repository;

namespace Virga.Agent.Tests;

/// <summary>
/// A repository and any number of agents in this process, with real HTTP over loopback and real folders.
/// </summary>
internal sealed class Network : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> running = [];

    public DirectoryInfo Root { get; } = Directory.CreateTempSubdirectory("virga-");

    public RepositoryHost? Repository { get; private set; }

    /// <summary>What agents have beside disk and S3.</summary>
    public List<Accounts.IAccountAdapter> MoreAdapters { get; } = [];

    public static async Task<Network> StartAsync()
    {
        var network = new Network();
        network.Repository = await RepositoryHost.StartAsync(new RepositoryOptions
        {
            DataFolder = network.PathOf("repository"), Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
        }, CancellationToken.None);
        network.running.Add(network.Repository);
        return network;
    }

    public string PathOf(string name) => Path.Combine(Root.FullName, name);

    public string Folder(string name) => Directory.CreateDirectory(PathOf(name)).FullName;

    public Task<TestAgent> AgentAsync(
        string name, bool usesRepository = true, Action<string>? notice = null, IPEndPoint? torrent = null,
        params string[] trackers) =>
        AgentAsync(name, options => options with { Torrent = torrent, Trackers = trackers }, usesRepository, notice);

    public async Task<TestAgent> AgentAsync(
        string name, Func<AgentOptions, AgentOptions> change, bool usesRepository = true,
        Action<string>? notice = null)
    {
        var host = await AgentHost.StartAsync(change(new AgentOptions
        {
            DataFolder = PathOf("agent-" + name), Repositories = usesRepository ? [Repository!.Endpoint] : [],
            Adapters =
            [
                new DiskAdapter(RandomNumberGenerator.Fill),
                new S3Adapter(new AdapterServices(TimeProvider.System, RandomNumberGenerator.Fill)),
                .. MoreAdapters,
            ],
            Time = TimeProvider.System, Random = RandomNumberGenerator.Fill, Version = "test",
            Notice = notice,
        }), CancellationToken.None);
        running.Add(host);
        return new TestAgent(host, Path.Combine(PathOf("agent-" + name), AgentHost.ControlSocketName));
    }

    /// <summary>Stops an agent and starts it again in its data folder.</summary>
    public async Task<TestAgent> RestartAsync(TestAgent agent, string name)
    {
        running.Remove(agent.Host);
        await agent.Host.DisposeAsync();
        return await AgentAsync(name, Repository is not null);
    }

    public async Task StopAsync(TestAgent agent)
    {
        running.Remove(agent.Host);
        await agent.Host.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var item in Enumerable.Reverse(running)) await item.DisposeAsync();
        Root.Delete(recursive: true);
    }
}

/// <summary>An agent and its local API.</summary>
internal sealed class TestAgent(AgentHost host, string socket)
{
    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, token) =>
        {
            var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), token);
            return new NetworkStream(connection, ownsSocket: true);
        },
    }) { BaseAddress = new Uri("http://control") };

    public AgentHost Host { get; } = host;

    /// <summary>A client of its local API, as the command line has it.</summary>
    public ControlClient Client => new(Path.GetDirectoryName(socket)!);

    public string Id => Host.Id.ToString();

    public string Address => new AgentAddress(Host.Id, Host.Endpoint).ToText();

    public async Task<AgentStatus> StatusAsync() => JsonSerializer.Deserialize(
        await http.GetStringAsync("/control/status"), ControlJson.Default.AgentStatus)!;

    public Task<AccountInfo> AddAccountAsync(string name, string folder) => PostAsync(
        "/control/accounts", new AccountAddRequest(
            name, "disk:" + folder, new Dictionary<string, string>(), new Dictionary<string, string>()),
        ControlJson.Default.AccountAddRequest, ControlJson.Default.AccountInfo);

    /// <summary>The last line of the linking's stream; the invitation is acted on as it comes.</summary>
    public async Task<LinkEvent> LinkAsync(
        LinkRequest request, Func<LinkInvitationInfo, Task> act, CancellationToken cancellationToken = default)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, "/control/links")
        {
            Content = new StringContent(JsonSerializer.Serialize(request, ControlJson.Default.LinkRequest)),
        };
        using var answer = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellationToken));
        while (true)
        {
            var line = await reader.ReadLineAsync(cancellationToken);
            var happened = JsonSerializer.Deserialize(line!, ControlJson.Default.LinkEvent)!;
            if (happened.Invitation is not { } invitation) return happened;
            await act(invitation);
        }
    }

    public async Task<AccountRemoved> RemoveAccountAsync(string name, bool force = false)
    {
        using var answer = await SendAsync(
            HttpMethod.Delete, $"/control/accounts/{name}{(force ? "?force=true" : "")}");
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonSerializer.Deserialize(text, ControlJson.Default.AccountRemoved)!;
    }

    public Task<ShareInfo> ShareAsync(string account, string path, string audience, params string[] readers) =>
        ShareAsync(new ShareRequest(account, path, audience, readers));

    public async Task<ShareInfo> ShareAsync(ShareRequest request)
    {
        var lines = await LinesAsync(
            "/control/shares", request, ControlJson.Default.ShareRequest, ControlJson.Default.ShareEvent);
        return lines[^1].Result ?? throw new InvalidOperationException(lines[^1].Error?.Message);
    }

    public async Task<List<ShareInfo>> SharesAsync() => JsonSerializer.Deserialize(
        await http.GetStringAsync("/control/shares"), ControlJson.Default.ListShareInfo)!;

    public async Task UnshareAsync(string infoHash) =>
        (await http.DeleteAsync($"/control/shares/{infoHash}")).EnsureSuccessStatusCode();

    public Task<byte[]> TorrentAsync(string infoHash) => http.GetByteArrayAsync(
        $"/control/shares/{infoHash}/torrent");

    /// <summary>What a client gets that knows nothing but a public share's address on the web.</summary>
    public async Task<HttpStatusCode> WebSeedAsync(string infoHash, string path)
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });
        using var answer = await client.GetAsync($"{Host.Endpoint.Origin}/v1/web/{infoHash}/{path}");
        return answer.StatusCode;
    }

    /// <summary>Why a share was refused.</summary>
    public async Task<string> RefusedShareAsync(ShareRequest request) => (await LinesAsync(
        "/control/shares", request, ControlJson.Default.ShareRequest, ControlJson.Default.ShareEvent))[^1]
        .Error!.Message;

    public async Task<TransferInfo> GetAsync(
        string link, string account, string path, string serve = "while-running")
    {
        var begun = await PostAsync(
            "/control/transfers", new TransferRequest(link, account, path, Serve: serve),
            ControlJson.Default.TransferRequest,
            ControlJson.Default.TransferInfo);
        return await WatchAsync(begun.Id);
    }

    public Task<ShareInfo> ShareAsync(string account, string path, string audience, int reach) =>
        ShareAsync(new ShareRequest(account, path, audience, [], Reach: reach));

    public Task<TransferInfo> BeginAsync(
        string link, string account, string path, TransferPriority priority = TransferPriority.Normal,
        long? receive = null) => PostAsync(
        "/control/transfers", new TransferRequest(link, account, path, Priority: priority, Receive: receive),
        ControlJson.Default.TransferRequest, ControlJson.Default.TransferInfo);

    public Task<TransferInfo> BeginAsync(TransferRequest request) => PostAsync(
        "/control/transfers", request, ControlJson.Default.TransferRequest, ControlJson.Default.TransferInfo);

    public async Task<TransferInfo> PauseAsync(string id)
    {
        using var answer = await SendAsync(HttpMethod.Post, $"/control/transfers/{id}/pause");
        return JsonSerializer.Deserialize(
            await answer.Content.ReadAsStringAsync(), ControlJson.Default.TransferInfo)!;
    }

    public async Task<TransferInfo> LimitAsync(string id, long? receive) => JsonSerializer.Deserialize(
        await LimitTextAsync(id, receive, true), ControlJson.Default.TransferInfo)!;

    public Task<string> LimitRefusalAsync(string id, long receive) => LimitTextAsync(id, receive, false);

    private async Task<string> LimitTextAsync(string id, long? receive, bool isGood)
    {
        var request = new TransferLimitRequest(receive);
        using var answer = await SendAsync(
            HttpMethod.Put, $"/control/transfers/{id}/limit",
            new StringContent(JsonSerializer.Serialize(request, ControlJson.Default.TransferLimitRequest)));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode == isGood, text);
        return text;
    }

    public async Task<LimitsInfo> SetLimitsAsync(LimitsRequest limits)
    {
        using var answer = await SendAsync(
            HttpMethod.Put, "/control/limits",
            new StringContent(JsonSerializer.Serialize(limits, ControlJson.Default.LimitsRequest)));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonSerializer.Deserialize(text, ControlJson.Default.LimitsInfo)!;
    }

    /// <summary>Looks until a transfer is as it should be.</summary>
    public async Task<TransferInfo> UntilAsync(string id, Func<TransferInfo, bool> isSo)
    {
        for (var tries = 0; ; tries++)
        {
            var now = await TransferAsync(id);
            if (isSo(now)) return now;
            Assert.True(tries < 1_200, $"it is still {now.State}: {now.Status}");
            await Task.Delay(50);
        }
    }

    public Task<PlanInfo> PlanAsync(PlanRequest request) => PostAsync(
        "/control/plan", request, ControlJson.Default.PlanRequest, ControlJson.Default.PlanInfo);

    public async Task<PricesInfo> PricesAsync() => JsonSerializer.Deserialize(
        await http.GetStringAsync("/control/prices"), ControlJson.Default.PricesInfo)!;

    public async Task<TransferInfo> GetAsync(TransferRequest request)
    {
        var begun = await PostAsync(
            "/control/transfers", request, ControlJson.Default.TransferRequest, ControlJson.Default.TransferInfo);
        return await WatchAsync(begun.Id);
    }

    /// <summary>Writes the agent's own prices, or takes them away.</summary>
    public void Prices(string? json)
    {
        var path = Path.Combine(Path.GetDirectoryName(socket)!, "prices.json");
        if (json is null) File.Delete(path);
        else File.WriteAllText(path, json);
    }

    public async Task<TransferInfo> TransferAsync(string id) => JsonSerializer.Deserialize(
        await http.GetStringAsync($"/control/transfers/{id}"), ControlJson.Default.TransferInfo)!;

    public async Task<TransferInfo> ResumeAsync(string id)
    {
        using var answer = await SendAsync(HttpMethod.Post, $"/control/transfers/{id}/resume");
        Assert.True(answer.IsSuccessStatusCode);
        return await WatchAsync(id);
    }

    public async Task<TrustInfo> TrustAsync() => JsonSerializer.Deserialize(
        await http.GetStringAsync("/control/trust"), ControlJson.Default.TrustInfo)!;

    public async Task<TrustWhy> WhyAsync(string who) => JsonSerializer.Deserialize(
        await http.GetStringAsync($"/control/trust/agents/{who}"), ControlJson.Default.TrustWhy)!;

    public Task<TrustWhy> SidesAsync(string who) => GetAsync(
        $"/control/trust/sides?who={Uri.EscapeDataString(who)}", ControlJson.Default.TrustWhy);

    public Task<List<RequestInfo>> RequestsAsync() =>
        GetAsync("/control/trust/requests", ControlJson.Default.ListRequestInfo);

    public Task<List<AskedInfo>> AskedAsync() => GetAsync("/control/trust/asked", ControlJson.Default.ListAskedInfo);

    public Task<AskedInfo> AskAsync(string who, int depth = 0, string? note = null, params string[] scopes) =>
        PostAsync(
            "/control/trust/asked",
            new AskRequest(who, scopes.Length > 0 ? scopes : ["exchange"], depth, 30, note),
            ControlJson.Default.AskRequest, ControlJson.Default.AskedInfo);

    public Task<TrustResult> AnswerAsync(long id, AnswerRequest answer) => PostAsync(
        $"/control/trust/requests/{id}", answer, ControlJson.Default.AnswerRequest, ControlJson.Default.TrustResult);

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(await http.GetStringAsync(path), type)!;

    public Task<TrustResult> RevokeAsync(string who) => PostAsync(
        "/control/trust/revoke", new RevokeRequest(who, []), ControlJson.Default.RevokeRequest,
        ControlJson.Default.TrustResult);

    public Task<TrustResult> WhatIfRevokedAsync(string who) => PostAsync(
        "/control/trust/what-if", new WhatIfRequest("revoke", who, []), ControlJson.Default.WhatIfRequest,
        ControlJson.Default.TrustResult);

    public Task<TrustResult> SetAsync(string list, string who, bool isOn) => PostAsync(
        "/control/trust/" + list, new TrustListRequest(who, isOn), ControlJson.Default.TrustListRequest,
        ControlJson.Default.TrustResult);

    /// <summary>Sends what must be refused; returns the answer's text.</summary>
    public async Task<string> RefusedAsync<T>(string path, T body, JsonTypeInfo<T> type)
    {
        using var answer = await SendAsync(
            HttpMethod.Post, path, new StringContent(JsonSerializer.Serialize(body, type)));
        Assert.False(answer.IsSuccessStatusCode);
        return await answer.Content.ReadAsStringAsync();
    }

    public async Task<ControlError> WhyRefusedAsync<T>(string path, T body, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(await RefusedAsync(path, body, type), ControlJson.Default.ControlError)!;

    public async Task<TransferInfo> WatchAsync(string id)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var text = await http.GetStringAsync($"/control/transfers/{id}/watch", limit.Token);
        return JsonSerializer.Deserialize(text.TrimEnd().Split('\n')[^1], ControlJson.Default.TransferInfo)!;
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? body = null) =>
        http.SendAsync(new HttpRequestMessage(method, path) { Content = body });

    public async Task<TOut> PostAsync<TIn, TOut>(
        string path, TIn body, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output)
    {
        using var answer = await SendAsync(
            HttpMethod.Post, path, new StringContent(JsonSerializer.Serialize(body, input)));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {text}");
        return JsonSerializer.Deserialize(text, output)!;
    }

    private async Task<List<TLine>> LinesAsync<TIn, TLine>(
        string path, TIn body, JsonTypeInfo<TIn> input, JsonTypeInfo<TLine> line)
    {
        using var answer = await SendAsync(
            HttpMethod.Post, path, new StringContent(JsonSerializer.Serialize(body, input)));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {text}");
        return [.. text.TrimEnd().Split('\n').Select(l => JsonSerializer.Deserialize(l, line)!)];
    }
}
