using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Virga.Agent;
using Virga.Agent.Control;

namespace Virga.Accounts.Adapters.Tests.Matrix;

/// <summary>An agent in this process, with places for accounts, asked by its local API.</summary>
internal sealed class MatrixAgent : IAsyncDisposable
{
    private readonly AgentHost host;
    private readonly HttpClient http;

    private MatrixAgent(AgentHost host, string folder)
    {
        this.host = host;
        var socket = Path.Combine(folder, AgentHost.ControlSocketName);
        http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), token);
                return new NetworkStream(connection, ownsSocket: true);
            },
        })
        {
            BaseAddress = new Uri("http://control"), Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public static async Task<MatrixAgent> StartAsync(string folder, PlaceAdapter places) => new(
        await AgentHost.StartAsync(
            new AgentOptions
            {
                DataFolder = folder, Repositories = [], Adapters = [places], Time = TimeProvider.System,
                Random = RandomNumberGenerator.Fill, Version = "test",
            },
            CancellationToken.None),
        folder);

    public Task AddAsync(string place) => PostAsync(
        "/control/accounts", new AccountAddRequest(place, "place:" + place, TestServices.None, TestServices.None),
        ControlJson.Default.AccountAddRequest, ControlJson.Default.AccountInfo);

    public async Task<string> ShareAsync(string place, string folder)
    {
        var lines = await SendAsync(
            "/control/shares", new ShareRequest(place, folder, "link", []), ControlJson.Default.ShareRequest);
        var last = JsonSerializer.Deserialize(lines.TrimEnd().Split('\n')[^1], ControlJson.Default.ShareEvent)!;
        return last.Result?.Link ?? throw new InvalidOperationException(last.Error?.Message);
    }

    public async Task<TransferInfo> GetAsync(string link, string place, string folder)
    {
        var begun = await PostAsync(
            "/control/transfers", new TransferRequest(link, place, folder), ControlJson.Default.TransferRequest,
            ControlJson.Default.TransferInfo);
        var lines = await http.GetStringAsync($"/control/transfers/{begun.Id}/watch");
        return JsonSerializer.Deserialize(lines.TrimEnd().Split('\n')[^1], ControlJson.Default.TransferInfo)!;
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await host.DisposeAsync();
    }

    private async Task<TOut> PostAsync<TIn, TOut>(
        string path, TIn body, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output) =>
        JsonSerializer.Deserialize(await SendAsync(path, body, input), output)!;

    private async Task<string> SendAsync<TIn>(string path, TIn body, JsonTypeInfo<TIn> input)
    {
        using var answer = await http.PostAsync(path, new StringContent(JsonSerializer.Serialize(body, input)));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {text}");
        return text;
    }
}
