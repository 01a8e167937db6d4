using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Virga.Benchmarks.Transfer;
using Virga.Content.Torrents;
using Virga.Protocol;

namespace Virga.Benchmarks.Web;

/// <summary>
/// What people without Virga get: a file of a link share, saved by a browser on the share page, which verifies and
/// decrypts it, against curl, which writes what the agent sends as it comes.
/// </summary>
internal sealed class WebBenchmark : IBenchmark
{
    private const int Rounds = 3;
    private const double MemoryMiBMax = 300;

    public string Name => "web";

    public string Summary => "[MIB]: a file of that size (default 1024) saved by a browser, against curl";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var mebibytes = arguments.Count == 0 ? 1024
            : arguments.Count == 1 && int.TryParse(arguments[0], CultureInfo.InvariantCulture, out var given)
                && given is > 0 and < 16_384 ? given
            : throw new UsageException("web [MIB]");
        var root = Directory.CreateDirectory($"/dev/shm/virga-bench-{Environment.ProcessId}").FullName;
        try
        {
            await foreach (var line in RunAsync(root, mebibytes, token)) yield return line;
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static async IAsyncEnumerable<BenchLine> RunAsync(
        string root, int mebibytes, [EnumeratorCancellation] CancellationToken token)
    {
        var shared = Directory.CreateDirectory(root + "/in").FullName;
        var wanted = await WriteAsync(shared + "/file.bin", mebibytes, token);
        var origin = $"http://127.0.0.1:{FreePort()}";
        await using var agent = await AgentProcess.StartAsync(
            root + "/agent", token, null, ["--no-repository", "--no-page", "--share-page", origin["http://".Length..]]);
        await agent.AddAccountAsync("a", shared, token);
        var link = ShareLink.Parse(await agent.ShareAsync("a", "file.bin", token));
        await using var browser = await HeadlessBrowser.StartAsync(root + "/browser", token);
        var page = new DownloadPage(browser, root);
        await page.OpenAsync(
            WebAddress.Of(origin, link.InfoHash, Core.AudienceKind.Link, link.Secret), token);
        var (url, pass) = await BlobAsync(origin, link, token);
        double ours = 0, theirs = 0, memory = 0;
        for (var round = 0; round < Rounds; round++)
        {
            theirs += await CurlAsync(url, pass, root + "/curl.bin", token);
            File.Delete(root + "/curl.bin");
            var (seconds, file, most) = await page.SaveAsync(token);
            if (await HashAsync(file, token) != wanted)
                throw new InvalidOperationException("the browser saved something else");
            File.Delete(file);
            ours += seconds;
            memory = Math.Max(memory, most);
        }
        var rate = Rounds * mebibytes / ours;
        yield return new BenchLine(
            "web", "browser-download", rate, "MiB/s", "curl of the same blob", theirs / ours);
        yield return new BenchLine(
            "web", "browser-download-memory", memory, "MiB", "limit of 300 MiB for the page", memory / MemoryMiBMax);
    }

    private static async Task<string> HashAsync(string path, CancellationToken token)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, token));
    }

    private static async Task<string> WriteAsync(string path, int mebibytes, CancellationToken token)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = new byte[1 << 20];
        new Random(1).NextBytes(block);
        await using var file = File.Create(path);
        for (var i = 0; i < mebibytes; i++)
        {
            BitConverter.TryWriteBytes(block, i);
            hash.AppendData(block);
            await file.WriteAsync(block, token);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Where the file's blob is, and what lets a guest read it.</summary>
    private static async Task<(string Url, string Pass)> BlobAsync(
        string origin, ShareLink link, CancellationToken token)
    {
        using var http = new HttpClient();
        var place = $"{origin}/v1/guest/{link.InfoHash}";
        var pass = LinkPass.Make(
            link.Secret!, link.InfoHash, link.Agents[0], TimeProvider.System.GetUtcNow().AddMinutes(50));
        http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", pass);
        var info = TorrentInfo.ParseShare(await http.GetByteArrayAsync(place + "/info", token));
        return ($"{place}/blobs/{info.Files[1].Root}", pass);
    }

    private static async Task<double> CurlAsync(string url, string pass, string file, CancellationToken token)
    {
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(
            new ProcessStartInfo("curl", ["-sS", "--fail", "-H", $"Authorization: {pass}", "-o", file, url])
            {
                UseShellExecute = false,
            }) ?? throw new UsageException("curl is not installed");
        await process.WaitForExitAsync(token);
        return process.ExitCode == 0 ? clock.Elapsed.TotalSeconds
            : throw new InvalidOperationException($"curl ended with {process.ExitCode}");
    }

    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}

/// <summary>The share page of one file, in a browser that saves into a folder.</summary>
internal sealed class DownloadPage(HeadlessBrowser browser, string folder)
{
    private string session = "";

    public async Task OpenAsync(string address, CancellationToken token)
    {
        var target = await browser.SendAsync(
            "Target.createTarget", new JsonObject { ["url"] = "about:blank" }, token);
        var attached = await browser.SendAsync(
            "Target.attachToTarget",
            new JsonObject { ["targetId"] = target["targetId"]!.GetValue<string>(), ["flatten"] = true }, token);
        session = attached["sessionId"]!.GetValue<string>();
        await browser.SendAsync(
            "Browser.setDownloadBehavior",
            new JsonObject { ["behavior"] = "allowAndName", ["downloadPath"] = folder, ["eventsEnabled"] = true },
            token);
        await browser.SendAsync("Page.navigate", new JsonObject { ["url"] = address }, token, session);
        while (!await EvaluateAsync("!!document.querySelector('#files')", token)) await Task.Delay(50, token);
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
        await EvaluateAsync("document.querySelector('#files button.first').click() ?? true", token);
        double most = 0;
        while (!ended.Task.IsCompleted)
        {
            most = Math.Max(most, await MemoryAsync(token));
            await Task.WhenAny(ended.Task, Task.Delay(200, token));
        }
        return (clock.Elapsed.TotalSeconds, Path.Combine(folder, await ended.Task), most);
    }

    private async Task<bool> EvaluateAsync(string expression, CancellationToken token)
    {
        var answer = await browser.SendAsync(
            "Runtime.evaluate",
            new JsonObject { ["expression"] = expression, ["returnByValue"] = true, ["userGesture"] = true },
            token, session);
        return answer["result"]?["value"]?.GetValue<bool>() ?? false;
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
