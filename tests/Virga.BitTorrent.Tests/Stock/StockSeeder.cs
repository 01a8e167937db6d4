using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Virga.BitTorrent.Downloads;
using Virga.Content.Torrents;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Stock;

/// <summary>libtorrent as a process of its own, with files that it seeds; stopped and removed with it.</summary>
internal sealed class StockSeeder : IDisposable
{
    private readonly Process process;
    private readonly string folder;

    private StockSeeder(Process process, string folder, JsonElement answer, Dictionary<string, byte[]> files)
    {
        this.process = process;
        this.folder = folder;
        Place = new IPEndPoint(IPAddress.Loopback, answer.GetProperty("port").GetInt32());
        Magnet = answer.GetProperty("magnet").GetString()!;
        TorrentFile = Convert.FromHexString(answer.GetProperty("torrent").GetString()!);
        Torrent = Torrent.Parse(TorrentFile);
        Files = files;
    }

    public IPEndPoint Place { get; }

    public string Magnet { get; }

    public MagnetLink Link => MagnetLink.Parse(Magnet);

    public byte[] TorrentFile { get; }

    public Torrent Torrent { get; }

    /// <summary>By path from the target's folder on.</summary>
    public Dictionary<string, byte[]> Files { get; }

    /// <param name="files">Paths below a folder, with their lengths; one without a slash and alone is a single file.
    /// </param>
    public static async Task<StockSeeder> StartAsync(object options, params (string Path, int Length)[] files)
    {
        var folder = Directory.CreateTempSubdirectory("virga-seed-").FullName;
        var made = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (path, length) in files)
        {
            var at = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(at)!);
            made[path] = Seeded.Bytes(length, Seeded.Hash(1, path));
            await File.WriteAllBytesAsync(at, made[path]);
        }
        var script = Path.Combine(AppContext.BaseDirectory, "Stock", "libtorrent_seed.py");
        var name = files[0].Path.Split('/')[0];
        var start = new ProcessStartInfo(
            "/usr/bin/python3", [script, folder, name, JsonSerializer.Serialize(options)])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var process = StockClient.Start(start, "python3-libtorrent");
        var errors = process.StandardError.ReadToEndAsync();
        var line = await process.StandardOutput.ReadLineAsync();
        if (line is null) throw new InvalidOperationException($"libtorrent ended:\n{await errors}");
        return new StockSeeder(process, folder, JsonDocument.Parse(line).RootElement, made);
    }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
