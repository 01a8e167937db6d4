using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Virga.Agent.Control;

namespace Virga.Benchmarks.Transfer;

/// <summary>An agent as its users run it: a process of the executable, spoken to over its control socket.</summary>
internal sealed class AgentProcess : IAsyncDisposable
{
    private const int TicksPerSecond = 100; // sysconf(_SC_CLK_TCK) on Linux

    private readonly Process process;
    private readonly HttpClient http;

    private AgentProcess(Process process, HttpClient http, double startSeconds)
    {
        this.process = process;
        this.http = http;
        StartSeconds = startSeconds;
    }

    /// <summary>From the start of the process to its first answer.</summary>
    public double StartSeconds { get; }

    /// <param name="prefix">A command that runs the agent where it should run; null for here.</param>
    /// <param name="more">Options beyond the data folder; null for an agent without any repository.</param>
    public static async Task<AgentProcess> StartAsync(
        string dataFolder, CancellationToken token, string[]? prefix = null, string[]? more = null)
    {
        var clock = Stopwatch.StartNew();
        var (process, output) = Start(prefix, ["up", "--data", dataFolder, .. more ?? ["--no-repository"]]);
        var http = Connect(Path.Combine(dataFolder, Agent.AgentHost.ControlSocketName));
        while (true)
        {
            try
            {
                using var answer = await http.GetAsync("/control/status", token);
                if (answer.IsSuccessStatusCode) return new AgentProcess(process, http, clock.Elapsed.TotalSeconds);
            }
            catch (HttpRequestException) when (!process.HasExited && clock.Elapsed < TimeSpan.FromSeconds(30))
            {
            }
            if (process.HasExited) throw new InvalidOperationException($"the agent ended: {output}");
            await Task.Delay(5, token);
        }
    }

    /// <summary>A repository alone, and the address under which agents use it.</summary>
    public static async Task<(AgentProcess Process, string Address)> StartRepositoryAsync(
        string dataFolder, string[] prefix, string listen, CancellationToken token)
    {
        var clock = Stopwatch.StartNew();
        var (process, output) = Start(prefix, ["repository", "--data", dataFolder, "--listen", listen]);
        while (true)
        {
            Match found;
            lock (output) found = Regex.Match(output.ToString(), @"https://[^\s!]+![0-9a-f]{64}");
            if (found.Success)
                return (new AgentProcess(process, new HttpClient(), clock.Elapsed.TotalSeconds), found.Value);
            if (process.HasExited || clock.Elapsed > TimeSpan.FromSeconds(30))
                throw new InvalidOperationException($"the repository did not start: {output}");
            await Task.Delay(5, token);
        }
    }

    public Task AddAccountAsync(string name, string folder, CancellationToken token)
    {
        var nothing = new Dictionary<string, string>();
        return PostAsync(
            "/control/accounts", new AccountAddRequest(name, "disk:" + folder, nothing, nothing),
            ControlJson.Default.AccountAddRequest, ControlJson.Default.AccountInfo, token);
    }

    public Task AddS3Async(string name, string url, string key, string secret, CancellationToken token) => PostAsync(
        "/control/accounts",
        new AccountAddRequest(
            name, "s3:" + url, new Dictionary<string, string>(),
            new Dictionary<string, string> { ["accessKey"] = key, ["secretKey"] = secret }),
        ControlJson.Default.AccountAddRequest, ControlJson.Default.AccountInfo, token);

    public async Task<string> ShareAsync(
        string account, string path, CancellationToken token, bool isCopyable = false)
    {
        var done = await PostAsync(
            "/control/shares", new ShareRequest(account, path, "link", [], IsCopyable: isCopyable),
            ControlJson.Default.ShareRequest, ControlJson.Default.ShareEvent, token);
        return done.Result?.Link ?? throw new InvalidOperationException(done.Error?.Message);
    }

    /// <summary>Wall seconds from asking for the transfer to its completion.</summary>
    public async Task<double> GetAsync(string link, string account, string path, CancellationToken token) =>
        (await GetInfoAsync(link, account, path, token)).Seconds;

    /// <summary>The same, and how it ended.</summary>
    public async Task<(double Seconds, TransferInfo Info)> GetInfoAsync(
        string link, string account, string path, CancellationToken token)
    {
        var clock = Stopwatch.StartNew();
        var begun = await PostAsync(
            "/control/transfers", new TransferRequest(link, account, path),
            ControlJson.Default.TransferRequest, ControlJson.Default.TransferInfo, token);
        var line = await LastLineAsync(HttpMethod.Get, $"/control/transfers/{begun.Id}/watch", null, token);
        var seconds = clock.Elapsed.TotalSeconds;
        var done = JsonSerializer.Deserialize(line, ControlJson.Default.TransferInfo)!;
        return done.State == TransferState.Completed
            ? (seconds, done)
            : throw new InvalidOperationException($"{done.State}: {done.Error?.Message}");
    }

    /// <summary>User and system seconds of the process so far.</summary>
    public double CpuSeconds()
    {
        var stat = File.ReadAllText($"/proc/{process.Id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = fields[11..13].Sum(f => long.Parse(f, CultureInfo.InvariantCulture));
        return ticks / (double)TicksPerSecond;
    }

    /// <summary>MiB: VmRSS, or VmHWM for the highest ever.</summary>
    public double MiB(string field)
    {
        var line = File.ReadLines($"/proc/{process.Id}/status")
            .First(l => l.StartsWith(field + ":", StringComparison.Ordinal));
        var kib = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return long.Parse(kib, CultureInfo.InvariantCulture) / 1024.0;
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static (Process Process, StringBuilder Output) Start(string[]? prefix, string[] arguments)
    {
        string[] command =
        [
            .. prefix ?? [], Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, "virga.dll"),
            .. arguments,
        ];
        var info = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var process = Process.Start(info) ?? throw new InvalidOperationException("the agent did not start");
        var output = new StringBuilder();
        process.OutputDataReceived += (_, line) => Append(line.Data);
        process.ErrorDataReceived += (_, line) => Append(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return (process, output);

        void Append(string? line)
        {
            lock (output) output.AppendLine(line);
        }
    }

    private static HttpClient Connect(string socket) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, token) =>
        {
            var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), token);
                return new NetworkStream(connection, ownsSocket: true);
            }
            catch
            {
                connection.Dispose();
                throw;
            }
        },
    }) { BaseAddress = new Uri("http://control"), Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>The answer, or the last line of one that streams.</summary>
    private async Task<TOut> PostAsync<TIn, TOut>(
        string path, TIn body, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output, CancellationToken token)
    {
        var line = await LastLineAsync(HttpMethod.Post, path, JsonContent.Create(body, input), token);
        return JsonSerializer.Deserialize(line, output)!;
    }

    private async Task<string> LastLineAsync(
        HttpMethod method, string path, HttpContent? body, CancellationToken token)
    {
        using var answer = await http.SendAsync(new HttpRequestMessage(method, path) { Content = body }, token);
        var text = await answer.Content.ReadAsStringAsync(token);
        if (!answer.IsSuccessStatusCode) throw new InvalidOperationException($"{path}: {text}");
        return text.TrimEnd().Split('\n')[^1];
    }
}
