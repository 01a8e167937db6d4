using Virga.BitTorrent;
using Virga.BitTorrent.Downloads;
using Virga.Content.Torrents;

namespace Virga.Agent.Torrents;

/// <summary>What a magnet link names, before any of it is brought over.</summary>
internal sealed partial class TorrentRuns
{
    /// <summary>Info dicts that are kept for who then wants what is in them.</summary>
    private const int LookedMost = 8;

    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(500);

    private readonly Lock lookedGate = new();
    private readonly List<TorrentInfo> looked = [];
    private int looks;

    public TorrentInfo ReadInfo(string transfer) => Read(transfer).Info;

    /// <summary>What was looked up before; null where it was not, or long ago.</summary>
    public TorrentInfo? FindLooked(MagnetLink link)
    {
        lock (lookedGate)
        {
            return looked.Find(info => link.InfoHashV2 is { } v2
                ? info.InfoHashV2 == v2
                : link.InfoHashV1 is { } v1 && info.InfoHashV1.SequenceEqual(v1.ToArray()));
        }
    }

    /// <summary>Fetches what a magnet link names from peers, for as long as its caller waits.</summary>
    /// <param name="peers">That the user named, by "host:port".</param>
    /// <param name="step">Told what is tried, and what came of it.</param>
    public async Task<TorrentInfo> LookAsync(
        MagnetLink link, IReadOnlyList<string> peers, Action<string> step, CancellationToken cancellationToken)
    {
        if (FindLooked(link) is { } known) return known;
        var id = $"look {Interlocked.Increment(ref looks)}";
        var tried = new TriedWays();
        var download = new TorrentDownload(
            link, null, hub.SettingsOfDownloads, options.TorrentAddresses, options.Random, log);
        try
        {
            swarms[id] = download.Swarm;
            var wish = new TorrentWish([], peers, 0, 0, false);
            await StartAsync(download, link, wish, tried, isKnown: false, cancellationToken);
            var found = GetInfoAsync(download, tried, cancellationToken);
            while (!found.IsCompleted)
            {
                step(download.WhyWaiting(tried.Describe) ?? "looking for what the link names");
                await Task.WhenAny(found, Task.Delay(TellEvery, options.Time, cancellationToken));
            }
            var info = await found;
            lock (lookedGate)
            {
                if (looked.Count == LookedMost) looked.RemoveAt(0);
                looked.Add(info);
            }
            return info;
        }
        finally
        {
            await EndAsync(id, download);
        }
    }
}
