using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Virga.Benchmarks.Transfer;
using Virga.Content.Torrents;
using Virga.Protocol;

namespace Virga.Benchmarks.Web;

/// <summary>
/// What people without Virga get: a file of a link share, saved by a browser on the share page, which verifies and
/// decrypts it, against curl, which writes what the agent sends as it comes. And what the agent's own page takes.
/// </summary>
internal sealed class WebBenchmark : IBenchmark
{
    private const string Download = "browser-download";
    private const int Rounds = 3;
    private const double MemoryMiBMax = 300;

    public string Name => "web";

    public string Summary =>
        $"[{Download}[=MIB] | {string.Join(" | ", PageCases.Names)}]...: what a browser saves on the share page, "
            + "against curl; the agent's page, against an empty one";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var wanted = (arguments.Count == 0 ? [Download, .. PageCases.Names] : arguments)
            .Select(a => a.Split('=', 2)).ToDictionary(a => a[0], a => a.ElementAtOrDefault(1));
        if (wanted.Keys.FirstOrDefault(w => w != Download && !PageCases.Names.Contains(w)) is { } unknown)
            throw new UsageException($"web has no case '{unknown}'");
        var size = wanted.GetValueOrDefault(Download) ?? "1024";
        if (!int.TryParse(size, CultureInfo.InvariantCulture, out var mebibytes) || mebibytes is < 1 or > 16_384)
            throw new UsageException($"web {Download}=MIB");
        var root = Directory.CreateDirectory($"/dev/shm/virga-bench-{Environment.ProcessId}").FullName;
        try
        {
            if (wanted.ContainsKey(Download))
                await foreach (var line in RunAsync(root, mebibytes, token)) yield return line;
            if (wanted.Keys.Any(w => w != Download))
            {
                var cases = new PageCases(root, wanted.Keys.ToHashSet());
                await foreach (var line in cases.RunAsync(token)) yield return line;
            }
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
        var page = new DownloadPage(browser, await BrowserPage.OpenAsync(browser, token), root);
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
            "web", Download, rate, "MiB/s", "curl of the same blob", theirs / ours);
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
