using System.Globalization;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// How much disk an agent uses: the most that its folders ever held, and all that it ever had the kernel write to a
/// disk, whether or not it is still there or ever had a name.
/// </summary>
internal sealed class DiskUse : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(50);

    private readonly IReadOnlyList<string> folders;
    private readonly CancellationTokenSource stop = new();
    private readonly Task watching;
    private long most;

    public DiskUse(params IReadOnlyList<string> folders)
    {
        this.folders = folders;
        watching = Task.Run(WatchAsync);
    }

    /// <summary>Bytes, as far as they take up room.</summary>
    public long Most => Interlocked.Read(ref most);

    /// <summary>Bytes that a process had written to disks since it began.</summary>
    public static long WrittenBy(PeerProcess peer) => Number(peer, "io", "write_bytes:");

    /// <summary>The most memory that a process ever held, in bytes.</summary>
    public static long PeakMemoryOf(PeerProcess peer) => 1024 * Number(peer, "status", "VmHWM:");

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await watching;
        stop.Dispose();
    }

    private static long Number(PeerProcess peer, string file, string name)
    {
        var id = peer.ProcessId.ToString(CultureInfo.InvariantCulture);
        var line = File.ReadLines($"/proc/{id}/{file}").First(l => l.StartsWith(name, StringComparison.Ordinal));
        var value = line[name.Length..].Replace("kB", "", StringComparison.Ordinal);
        return long.Parse(value, CultureInfo.InvariantCulture);
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Every);
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
                Interlocked.Exchange(ref most, Math.Max(Most, folders.Sum(Held)));
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static long Held(string folder)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 };
        long held = 0;
        try
        {
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", options))
                held += file.Exists ? file.Length : 0;
        }
        catch (IOException)
        {
            // It went away while it was looked at: the next look sees the rest.
        }
        return held;
    }
}
