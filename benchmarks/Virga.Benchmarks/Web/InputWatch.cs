using System.Globalization;
using System.Text.Json.Nodes;

namespace Virga.Benchmarks.Web;

/// <summary>How long a page takes from what a person does to the picture that shows it.</summary>
internal sealed class InputWatch(BrowserPage page)
{
    /// <summary>
    /// From the time stamp that the browser gave the input to the first task behind the frame that holds the change.
    /// </summary>
    private const string Script = """
        window.watchInput = (type, isShown) => {
          window.inputMs = new Promise(done => window.addEventListener(type, event => {
            const look = () => {
              if (isShown()) setTimeout(() => done(performance.now() - event.timeStamp));
              else requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
          }, { capture: true, once: true }));
        }; true
        """;

    /// <summary>To be called once the page is there.</summary>
    public Task BeginAsync(CancellationToken token) => page.EvaluateAsync(Script, token);

    /// <summary>Types one letter into what has the focus.</summary>
    public Task<double> TypeAsync(string letter, string isShown, CancellationToken token) => WatchAsync(
        "input", isShown,
        () => page.SendAsync("Input.insertText", new JsonObject { ["text"] = letter }, token), token);

    /// <summary>Takes the last letter back.</summary>
    public Task<double> BackspaceAsync(string isShown, CancellationToken token) => WatchAsync(
        "input", isShown,
        async () =>
        {
            foreach (var type in new[] { "keyDown", "keyUp" })
            {
                await page.SendAsync(
                    "Input.dispatchKeyEvent",
                    new JsonObject
                    {
                        ["type"] = type, ["key"] = "Backspace", ["code"] = "Backspace",
                        ["windowsVirtualKeyCode"] = 8,
                    },
                    token);
            }
        },
        token);

    public Task<double> ClickAsync(string selector, string isShown, CancellationToken token) => WatchAsync(
        "click", isShown,
        async () =>
        {
            var (x, y) = await MiddleAsync(selector, token);
            foreach (var type in new[] { "mousePressed", "mouseReleased" })
                await MouseAsync(type, x, y, [new("button", "left"), new("clickCount", 1)], token);
        },
        token);

    public Task<double> ScrollAsync(string selector, double pixels, string isShown, CancellationToken token) =>
        WatchAsync(
            "wheel", isShown,
            async () =>
            {
                var (x, y) = await MiddleAsync(selector, token);
                await MouseAsync("mouseWheel", x, y, [new("deltaX", 0), new("deltaY", pixels)], token);
            },
            token);

    private async Task<double> WatchAsync(
        string type, string isShown, Func<Task> act, CancellationToken token)
    {
        await page.EvaluateAsync($"watchInput('{type}', {isShown})", token);
        await act();
        return await page.NumberAsync("inputMs", token);
    }

    private async Task<(double X, double Y)> MiddleAsync(string selector, CancellationToken token)
    {
        var place = await page.EvaluateAsync(
            $$"""
            (() => {
              const element = document.querySelector({{JsonValue.Create(selector).ToJsonString()}});
              element.scrollIntoView({ block: 'nearest' });
              const box = element.getBoundingClientRect();
              return `${box.x + box.width / 2} ${box.y + box.height / 2}`;
            })()
            """, token);
        var numbers = place!.GetValue<string>().Split(' ');
        return (double.Parse(numbers[0], CultureInfo.InvariantCulture),
            double.Parse(numbers[1], CultureInfo.InvariantCulture));
    }

    private Task MouseAsync(
        string type, double x, double y, KeyValuePair<string, JsonNode?>[] more, CancellationToken token)
    {
        var happening = new JsonObject { ["type"] = type, ["x"] = x, ["y"] = y };
        foreach (var (name, value) in more) happening[name] = value;
        return page.SendAsync("Input.dispatchMouseEvent", happening, token);
    }
}
