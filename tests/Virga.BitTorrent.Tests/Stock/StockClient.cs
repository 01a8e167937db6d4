using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Virga.BitTorrent.Tests.Stock;

/// <summary>Stock BitTorrent clients as processes of their own.</summary>
internal static class StockClient
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Downloads with libtorrent 2.0; ends with what it says of it.</summary>
    /// <param name="source">A magnet link or a .torrent file.</param>
    /// <param name="options">See libtorrent_get.py.</param>
    public static async Task<JsonElement> LibtorrentAsync(string source, string folder, object options)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Stock", "libtorrent_get.py");
        var start = new ProcessStartInfo(Python, [script, source, folder, JsonSerializer.Serialize(options)])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Start(start, "python3-libtorrent");
        var errors = new StringBuilder();
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.BeginErrorReadLine();
        var answer = await process.StandardOutput.ReadLineAsync();
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        if (answer is null) throw new InvalidOperationException($"libtorrent ended without a result:\n{errors}");
        var result = JsonDocument.Parse(answer).RootElement;
        Assert.False(result.TryGetProperty("error", out var error), $"{error}\n{errors}");
        return result;
    }

    /// <summary>SHA-256 of the info dict of the hybrid torrent that libtorrent makes of a file or folder.</summary>
    public static async Task<string> LibtorrentMakeAsync(string path, int pieceBytes)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Stock", "libtorrent_make.py");
        using var process = Start(
            new ProcessStartInfo(Python, [script, path, $"{pieceBytes}"])
            {
                UseShellExecute = false, RedirectStandardOutput = true,
            }, "python3-libtorrent");
        var answer = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return answer.Trim();
    }

    public static Process Start(ProcessStartInfo start, string package)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException(
                $"{start.FileName} is missing: it comes with {package}. Run ./test, which installs it.", e);
        }
    }
}
