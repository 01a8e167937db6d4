using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Accounts.Adapters.Disk;
using Virga.BitTorrent;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Protocol;
using Virga.Testing.Transfers;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.Benchmarks.Torrents;

/// <summary>Brings a torrent into a folder as an agent does, from one peer.</summary>
internal static class TorrentReceiver
{
    /// <summary>One for all transfers, as an agent has: its buffers are used again and again.</summary>
    private static readonly TransferEngine Engine = new(EngineLimits.Default);

    /// <returns>
    /// Seconds from the first connection to the last recorded file, and those of processor time of this process.
    /// </returns>
    public static async Task<(double Seconds, double Work)> GetAsync(
        byte[] torrent, string peer, string root, CancellationToken cancellationToken, bool isUtp = false)
    {
        var target = Directory.CreateDirectory(Path.Combine(root, "got")).FullName;
        try
        {
            var adapter = new DiskAdapter(RandomNumberGenerator.Fill);
            var config = adapter.ParseAddress(
                "disk:" + target, new Dictionary<string, string>(), new Dictionary<string, string>());
            await using var account = await adapter.OpenAsync(config, cancellationToken);
            var (started, worked) = (Stopwatch.GetTimestamp(), Work());
            await RunAsync(Torrent.Parse(torrent), peer, account, isUtp, cancellationToken);
            return (Stopwatch.GetElapsedTime(started).TotalSeconds, Work() - worked);
        }
        finally
        {
            Directory.Delete(target, recursive: true);
        }
    }

    private static double Work() => Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;

    private static async Task RunAsync(
        Torrent torrent, string peer, IAccount account, bool isUtp, CancellationToken cancellationToken)
    {
        await using var port = UdpPort.Open(new IPEndPoint(IPAddress.Loopback, 0));
        await using var utp = new UtpNode(
            AddressRules.LocalToo, TimeProvider.System, RandomNumberGenerator.Fill);
        utp.Add(port);
        port.Begin();
        var settings = new PeerSettings(
            TimeProvider.System, new PeerId(RandomNumberGenerator.Fill), new Pace(TimeProvider.System))
        {
            Utp = isUtp ? utp : null,
        };
        await using var download = new TorrentDownload(
            new MagnetLink { InfoHashV2 = torrent.Info.InfoHashV2 }, torrent.Info, settings, AddressRules.LocalToo,
            RandomNumberGenerator.Fill);
        download.Start([], [IPEndPoint.Parse(peer)]);
        var source = download.Begin(torrent.Layers, static _ => true, EngineLimits.Default.RangeBytes);
        var content = TorrentContent.Open(torrent.Info, torrent.Layers);
        var job = new TransferJob(
            content, new SourceSet(new TorrentSourceFinder(source), TimeProvider.System), account, EntryPath.Root,
            CollisionPolicy.Fail, new MemoryJournal(), new TransferStatus())
        {
            UnitBytes = 64 << 10,
            Scarcity = (file, range) => source.Availability(file.Blob!.Value.Root, range),
        };
        var result = await Engine.RunAsync(job, cancellationToken);
        if (result.Failed.Count > 0) throw new InvalidOperationException(result.Failed[0].Note.Reason);
    }
}
