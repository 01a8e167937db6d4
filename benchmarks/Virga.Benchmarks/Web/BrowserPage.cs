using System.Text.Json.Nodes;

namespace Virga.Benchmarks.Web;

/// <summary>One page of a headless browser.</summary>
internal sealed class BrowserPage(HeadlessBrowser browser, string target, string session)
{
    public static async Task<BrowserPage> OpenAsync(HeadlessBrowser browser, CancellationToken token)
    {
        var made = await browser.SendAsync(
            "Target.createTarget", new JsonObject { ["url"] = "about:blank" }, token);
        var target = made["targetId"]!.GetValue<string>();
        var attached = await browser.SendAsync(
            "Target.attachToTarget", new JsonObject { ["targetId"] = target, ["flatten"] = true }, token);
        return new BrowserPage(browser, target, attached["sessionId"]!.GetValue<string>());
    }

    public Task<JsonNode> SendAsync(string method, JsonObject parameters, CancellationToken token) =>
        browser.SendAsync(method, parameters, token, session);

    public Task NavigateAsync(string url, CancellationToken token) =>
        SendAsync("Page.navigate", new JsonObject { ["url"] = url }, token);

    public Task CloseAsync(CancellationToken token) =>
        browser.SendAsync("Target.closeTarget", new JsonObject { ["targetId"] = target }, token);

    /// <summary>What the expression, or the promise that it is, comes to.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression, CancellationToken token)
    {
        var answer = await SendAsync(
            "Runtime.evaluate",
            new JsonObject
            {
                ["expression"] = expression, ["returnByValue"] = true, ["userGesture"] = true, ["awaitPromise"] = true,
            },
            token);
        return answer["exceptionDetails"] is { } thrown ? throw new InvalidOperationException(thrown.ToJsonString())
            : answer["result"]?["value"];
    }

    public async Task<double> NumberAsync(string expression, CancellationToken token) =>
        (await EvaluateAsync(expression, token))!.GetValue<double>();

    public async Task<bool> IsAsync(string expression, CancellationToken token) =>
        (await EvaluateAsync($"!!({expression})", token))!.GetValue<bool>();

    /// <summary>Asks the page until it is so; a page that goes elsewhere meanwhile is asked again.</summary>
    public async Task UntilAsync(string expression, CancellationToken token)
    {
        while (true)
        {
            try
            {
                if (await IsAsync(expression, token)) return;
            }
            catch (InvalidOperationException)
            {
                // Between two documents.
            }
            await Task.Delay(20, token);
        }
    }
}
