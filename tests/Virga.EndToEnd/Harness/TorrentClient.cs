using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Virga.EndToEnd.Harness;

/// <summary>libtorrent as a process of its own, on loopback; it ends when this is disposed.</summary>
internal sealed class TorrentClient : IDisposable
{
    private const string Python = "/usr/bin/python3";

    private readonly Process process;

    private TorrentClient(Process process) => this.process = process;

    private TorrentClient(Process process, JsonElement answer) : this(process)
    {
        Place = "127.0.0.1:" + answer.GetProperty("port").GetInt32().ToString(CultureInfo.InvariantCulture);
        Magnet = answer.GetProperty("magnet").GetString()!;
        Torrent = Convert.FromHexString(answer.GetProperty("torrent").GetString()!);
    }

    public string Place { get; } = "";

    public string Magnet { get; } = "";

    public byte[] Torrent { get; } = [];

    /// <summary>Seeds a folder or a file.</summary>
    /// <param name="options">kind (v1, v2 or hybrid), piece (bytes).</param>
    /// <param name="prefix">What its command line begins with, e.g. to run it in another network.</param>
    public static async Task<TorrentClient> SeedAsync(
        string folder, string name, object options, IReadOnlyList<string>? prefix = null)
    {
        var (process, said) = await RunAsync(
            prefix ?? [], "libtorrent_seed.py", folder, name, JsonSerializer.Serialize(options));
        return new TorrentClient(process, said);
    }

    /// <summary>Downloads from one peer; ends when all is there.</summary>
    public static Task<TorrentClient> TakeAsync(string torrent, string folder, int port) =>
        TakeAsync(torrent, folder, new { peers = new[] { $"127.0.0.1:{port}" } });

    /// <summary>Downloads from whoever is found; ends when all is there.</summary>
    /// <param name="options">peers (host:port), settings (libtorrent's).</param>
    public static async Task<TorrentClient> TakeAsync(string torrent, string folder, object options)
    {
        var (process, said) = await RunAsync(
            [], "libtorrent_get.py", torrent, folder, JsonSerializer.Serialize(options));
        Assert.False(said.TryGetProperty("error", out var error), error.ToString());
        return new TorrentClient(process);
    }

    private static async Task<(Process Process, JsonElement Said)> RunAsync(
        IReadOnlyList<string> prefix, string script, params string[] arguments)
    {
        string[] line = [.. prefix, Python, Path.Combine(AppContext.BaseDirectory, "Stock", script), .. arguments];
        var process = Executable.Begin(new ProcessStartInfo(line[0], line[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        });
        var errors = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadLineAsync();
        Assert.True(said is not null, said is null
            ? $"libtorrent's Python module failed (./test installs python3-libtorrent):\n{await errors}" : "");
        return (process, JsonDocument.Parse(said!).RootElement);
    }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
    }
}
