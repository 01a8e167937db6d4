using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Virga.Benchmarks.Web;

/// <summary>
/// Debian's Chromium without a window, spoken to by its debugging protocol alone: what watches a page's network for
/// tests keeps a copy of what it reads, and would be measured.
/// </summary>
internal sealed partial class HeadlessBrowser : IAsyncDisposable
{
    private const string Program = "/usr/bin/chromium";

    private readonly Process process;
    private readonly ClientWebSocket socket = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> asked = [];
    private readonly SemaphoreSlim sending = new(1, 1);
    private Task reading = Task.CompletedTask;
    private int last;

    private HeadlessBrowser(Process process) => this.process = process;

    /// <summary>Told of each event, by its method and what it says.</summary>
    public Action<string, JsonNode>? Happened { get; set; }

    public static async Task<HeadlessBrowser> StartAsync(string folder, CancellationToken token)
    {
        if (!File.Exists(Program)) throw new UsageException($"there is no {Program}: apt-get install chromium");
        var start = new ProcessStartInfo(
            Program,
            ["--headless", "--no-sandbox", "--disable-gpu", "--disable-smooth-scrolling", "--remote-debugging-port=0",
                "--window-size=1280,860", $"--user-data-dir={folder}", "about:blank"])
        {
            UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        var browser = new HeadlessBrowser(Process.Start(start)!);
        while (await browser.process.StandardError.ReadLineAsync(token) is { } line)
        {
            if (Address().Match(line) is not { Success: true } match) continue;
            await browser.socket.ConnectAsync(new Uri(match.Value), token);
            _ = browser.process.StandardError.ReadToEndAsync(CancellationToken.None);
            browser.reading = Task.Run(browser.ReadAsync, CancellationToken.None);
            return browser;
        }
        throw new InvalidOperationException("the browser did not start");
    }

    /// <summary>What the browser answers to one command.</summary>
    /// <param name="session">Of a page; null for the browser itself.</param>
    public async Task<JsonNode> SendAsync(
        string method, JsonObject parameters, CancellationToken token, string? session = null)
    {
        var id = Interlocked.Increment(ref last);
        var answer = asked[id] = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        var message = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        if (session is not null) message["sessionId"] = session;
        await sending.WaitAsync(token);
        try
        {
            await socket.SendAsync(
                System.Text.Encoding.UTF8.GetBytes(message.ToJsonString()), WebSocketMessageType.Text, true, token);
        }
        finally
        {
            sending.Release();
        }
        return await answer.Task.WaitAsync(token);
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        await reading;
        socket.Dispose();
        process.Dispose();
        sending.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            using var message = new MemoryStream();
            var buffer = new byte[64 << 10];
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) return;
                message.Write(buffer, 0, part.Count);
                if (!part.EndOfMessage) continue;
                Take(JsonNode.Parse(message.GetBuffer().AsSpan(0, (int)message.Length))!);
                message.SetLength(0);
            }
        }
        catch (WebSocketException)
        {
            foreach (var waiting in asked.Values) waiting.TrySetException(new IOException("the browser is gone"));
        }
    }

    private void Take(JsonNode node)
    {
        if (node["id"] is not { } id)
        {
            Happened?.Invoke(node["method"]!.GetValue<string>(), node["params"]!);
            return;
        }
        if (!asked.TryRemove(id.GetValue<int>(), out var waiting)) return;
        if (node["error"] is { } error) waiting.TrySetException(new InvalidOperationException(error.ToJsonString()));
        else waiting.TrySetResult(node["result"]!);
    }

    [GeneratedRegex(@"ws://\S+")]
    private static partial Regex Address();
}
