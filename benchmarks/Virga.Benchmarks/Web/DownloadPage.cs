using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Virga.Benchmarks.Web;

/// <summary>The share page of one file, in a browser that saves into a folder.</summary>
internal sealed class DownloadPage(HeadlessBrowser browser, BrowserPage page, string folder)
{
    public async Task OpenAsync(string address, CancellationToken token)
    {
        await browser.SendAsync(
            "Browser.setDownloadBehavior",
            new JsonObject { ["behavior"] = "allowAndName", ["downloadPath"] = folder, ["eventsEnabled"] = true },
            token);
        await page.NavigateAsync(address, token);
        await page.UntilAsync("document.querySelector('#files')", token);
    }

    /// <summary>
    /// Seconds from the click to the saved file, the file, and the most memory that the page took, in MiB.
    /// </summary>
    public async Task<(double Seconds, string File, double MiB)> SaveAsync(CancellationToken token)
    {
        var ended = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        browser.Happened = (method, what) =>
        {
            if (method != "Browser.downloadProgress") return;
            var state = what["state"]!.GetValue<string>();
            if (state == "completed") ended.TrySetResult(what["guid"]!.GetValue<string>());
            else if (state == "canceled") ended.TrySetException(new IOException("the browser gave up"));
        };
        var clock = Stopwatch.StartNew();
        await page.EvaluateAsync("document.querySelector('#files button.first').click()", token);
        double most = 0;
        while (!ended.Task.IsCompleted)
        {
            most = Math.Max(most, await MemoryAsync(token));
            await Task.WhenAny(ended.Task, Task.Delay(200, token));
        }
        return (clock.Elapsed.TotalSeconds, Path.Combine(folder, await ended.Task), most);
    }

    /// <summary>
    /// Proportional set size of the largest page process: what it shares with others counts for its part.
    /// </summary>
    private async Task<double> MemoryAsync(CancellationToken token)
    {
        var processes = await browser.SendAsync("SystemInfo.getProcessInfo", [], token);
        double most = 0;
        foreach (var process in processes["processInfo"]!.AsArray())
        {
            if (process!["type"]!.GetValue<string>() != "renderer") continue;
            try
            {
                var line = File.ReadLines($"/proc/{process["id"]!.GetValue<int>()}/smaps_rollup")
                    .First(l => l.StartsWith("Pss:", StringComparison.Ordinal));
                var kib = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
                most = Math.Max(most, long.Parse(kib, CultureInfo.InvariantCulture) / 1024.0);
            }
            catch (IOException)
            {
                // It has ended meanwhile.
            }
        }
        return most;
    }
}
