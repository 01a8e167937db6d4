using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

/// <summary>
/// The agent's local API on a Unix socket in a data folder of its own, answering with the real messages: what the
/// command line
/// does with them is tested without an agent.
/// </summary>
internal sealed class FakeAgent : IAsyncDisposable
{
    private readonly WebApplication server;
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-cli-");

    private FakeAgent()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.ListenUnixSocket(Path.Combine(folder.FullName, "control.sock")));
        server = builder.Build();
        server.Run(AnswerAsync);
    }

    public string DataFolder => folder.FullName;

    /// <summary>Method and path, to what is answered.</summary>
    public Dictionary<string, Func<HttpContext, Task>> Routes { get; } = new(StringComparer.Ordinal);

    /// <summary>Requests as they came, method and path.</summary>
    public List<string> Requests { get; } = [];

    public static async Task<FakeAgent> StartAsync()
    {
        var agent = new FakeAgent();
        await agent.server.StartAsync();
        return agent;
    }

    public void Answer<T>(string route, T value, JsonTypeInfo<T> type) =>
        Routes[route] = http => http.Response.WriteAsJsonAsync(value, type);

    public void Fail(string route, FailureKind kind, string message, string? advice = null, int status = 409) =>
        Routes[route] = http =>
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(
            new ControlError(kind.ToString(), message, advice), ControlJson.Default.ControlError);
    };

    public void Stream<T>(string route, JsonTypeInfo<T> type, params T[] lines) => Routes[route] = async http =>
    {
        foreach (var line in lines) await LineAsync(http, line, type);
    };

    /// <summary>Writes some lines, then leaves the stream open until the client goes away.</summary>
    public void StreamWithoutEnd<T>(string route, JsonTypeInfo<T> type, Action written, params T[] lines) =>
        Routes[route] = async http =>
    {
        foreach (var line in lines) await LineAsync(http, line, type);
        written();
        await Task.Delay(Timeout.InfiniteTimeSpan, http.RequestAborted);
    };

    public static async Task<T> BodyAsync<T>(HttpContext http, JsonTypeInfo<T> type) =>
        (await JsonSerializer.DeserializeAsync(http.Request.Body, type))!;

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        folder.Delete(recursive: true);
    }

    private static async Task LineAsync<T>(HttpContext http, T line, JsonTypeInfo<T> type)
    {
        await http.Response.WriteAsync(JsonSerializer.Serialize(line, type) + "\n");
        await http.Response.Body.FlushAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        var route = $"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}";
        lock (Requests) Requests.Add(route);
        if (Routes.TryGetValue(route, out var answer)) await answer(http);
        else http.Response.StatusCode = 404;
    }
}
