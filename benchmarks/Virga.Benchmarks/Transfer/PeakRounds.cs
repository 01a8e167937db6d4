using System.Diagnostics;
using System.Globalization;

namespace Virga.Benchmarks.Transfer;

/// <summary>
/// The most memory that either agent takes for one private transfer, disk to disk: of one sparse file of 1 to 100 GiB,
/// or of 100,000 small files. What has arrived of a sparse file is made sparse again while more arrives, so that any
/// disk will do.
/// </summary>
internal sealed class PeakRounds(string bench, string root)
{
    private const double PeakMiBMax = 200;
    private const int ManyFiles = 100_000, FilesPerFolder = 1000, ManyBytes = 1000;
    private static readonly TimeSpan PunchEvery = TimeSpan.FromMilliseconds(300);

    public static readonly string[] Cases =
        ["peak-mib-1gib", "peak-mib-10gib", "peak-mib-20gib", "peak-mib-100gib", "peak-mib-100k-files"];

    public async Task<BenchLine> RunAsync(string name, CancellationToken token)
    {
        var from = Directory.CreateDirectory($"{root}/from/it").FullName;
        var to = Directory.CreateDirectory($"{root}/to").FullName;
        await MakeAsync(name, from, token);
        await using var a = await AgentProcess.StartAsync($"{root}/agent-a", token);
        await using var b = await AgentProcess.StartAsync($"{root}/agent-b", token);
        await a.AddAccountAsync("disk", $"{root}/from", token);
        await b.AddAccountAsync("disk", to, token);
        var link = await a.ShareAsync("disk", "it", token);
        var shared = a.MiB("VmHWM");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var punching = PunchAsync(to, stop.Token);
        var seconds = await b.GetAsync(link, "disk", "it", token);
        await stop.CancelAsync();
        await punching;
        var (sender, receiver) = (a.MiB("VmHWM"), b.MiB("VmHWM"));
        await Console.Error.WriteLineAsync(
            $"{name}: sender {sender:f0} MiB ({shared:f0} once it was shared), receiver {receiver:f0} MiB; "
                + $"{seconds:f0} s");
        Directory.Delete(root, recursive: true);
        var peak = Math.Max(sender, receiver);
        return new BenchLine(bench, name, peak, "MiB", "bar", peak / PeakMiBMax);
    }

    private static async Task MakeAsync(string name, string folder, CancellationToken token)
    {
        if (!name.EndsWith("gib", StringComparison.Ordinal))
        {
            var bytes = new byte[ManyBytes];
            for (var i = 0; i < ManyFiles; i++)
            {
                var inner = $"{folder}/{i / FilesPerFolder}";
                if (i % FilesPerFolder == 0) Directory.CreateDirectory(inner);
                BitConverter.TryWriteBytes(bytes, i);
                await File.WriteAllBytesAsync($"{inner}/{i % FilesPerFolder}", bytes, token);
            }
            return;
        }
        var gibibytes = long.Parse(name["peak-mib-".Length..^"gib".Length], CultureInfo.InvariantCulture);
        await using var sparse = new FileStream($"{folder}/data.bin", FileMode.CreateNew);
        sparse.SetLength(gibibytes << 30);
    }

    /// <summary>What arrives is zeros: without them the file reads the same, and takes no room.</summary>
    private static async Task PunchAsync(string folder, CancellationToken token)
    {
        try
        {
            while (true)
            {
                await Task.Delay(PunchEvery, token);
                foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
                {
                    var length = new FileInfo(file) is { Exists: true, Length: > 1 << 20 and var bytes } ? bytes : 0;
                    if (length == 0) continue;
                    string[] punch =
                    [
                        "--punch-hole", "--offset", "0",
                        "--length", length.ToString(CultureInfo.InvariantCulture), file,
                    ];
                    using var process = Process.Start(
                        new ProcessStartInfo("fallocate", punch) { UseShellExecute = false })!;
                    await process.WaitForExitAsync(token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // All has arrived.
        }
    }
}
