using System.Diagnostics;
using System.Text.Json;

namespace Virga.Benchmarks.Torrents;

/// <summary>libtorrent 2.0 in a process of its own, as the tests have it. Ends when it is disposed.</summary>
internal sealed class LibtorrentProcess : IAsyncDisposable
{
    private readonly Process process;
    private volatile string lastError = "";

    private LibtorrentProcess(string script, params IEnumerable<string> arguments)
    {
        var path = Path.Combine(AppContext.BaseDirectory, "Stock", script);
        process = Process.Start(new ProcessStartInfo("/usr/bin/python3", [path, .. arguments])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new UsageException("python3 does not start");
        process.ErrorDataReceived += (_, line) =>
        {
            if (!string.IsNullOrWhiteSpace(line.Data)) lastError = line.Data;
        };
        process.BeginErrorReadLine();
    }

    /// <summary>Seconds of processor time so far, of all its threads.</summary>
    public double ProcessorSeconds
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime.TotalSeconds;
        }
    }

    /// <summary>What it says first.</summary>
    public JsonElement Said { get; private set; }

    /// <summary>Seeds a file of a folder, v2 alone, by TCP and uTP; says port and torrent.</summary>
    public static Task<LibtorrentProcess> SeedAsync(
        string folder, string name, int pieceBytes, CancellationToken cancellationToken) => ListenAsync(
        new LibtorrentProcess(
            "libtorrent_seed.py", folder, name, JsonSerializer.Serialize(new
            {
                kind = "v2", piece = pieceBytes, settings = new { enable_incoming_utp = true },
            })),
        cancellationToken);

    /// <summary>
    /// Downloads from one peer; when it has everything, says the seconds and the processor time that it took.
    /// </summary>
    public static Task<LibtorrentProcess> GetAsync(
        string torrent, string folder, string peer, bool isUtp, CancellationToken cancellationToken) => ListenAsync(
        new LibtorrentProcess(
            "libtorrent_get.py", torrent, folder, JsonSerializer.Serialize(new
            {
                peers = new[] { peer },
                settings = new { enable_outgoing_tcp = !isUtp, enable_outgoing_utp = isUtp },
            })),
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static async Task<LibtorrentProcess> ListenAsync(
        LibtorrentProcess started, CancellationToken cancellationToken)
    {
        try
        {
            if (await started.process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
            {
                started.Said = JsonDocument.Parse(line).RootElement;
                return started;
            }
            await started.process.WaitForExitAsync(cancellationToken);
            throw new UsageException(
                $"libtorrent ended without a word, with {started.process.ExitCode} ({started.lastError}); where it is "
                + "missing: apt-get install python3-libtorrent");
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }
    }
}
