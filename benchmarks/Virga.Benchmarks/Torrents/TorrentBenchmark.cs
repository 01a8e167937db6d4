using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Accounts.Adapters.Disk;
using Virga.BitTorrent;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Content.Snapshots;
using Virga.Content.Torrents;
using Virga.Protocol;

namespace Virga.Benchmarks.Torrents;

/// <summary>
/// One file of 1 GiB over loopback, by the BitTorrent protocol: from a share on disk to libtorrent, against from
/// libtorrent to libtorrent, in turns; and the same by uTP. Both are v2, with the same piece length, and write to
/// memory.
/// </summary>
internal sealed class TorrentBenchmark : IBenchmark
{
    private const int Rounds = 5;

    /// <summary>The first transfers meet code that is not compiled yet, or not fully; agents run for weeks.</summary>
    private const int WarmUps = 3;

    /// <summary>libtorrent takes a minute for a GiB by uTP, so that one tells enough.</summary>
    private const int UtpRounds = 1;

    /// <summary>Beyond what a transfer writes.</summary>
    private const int TouchMoreMiB = 256;

    private const int MebibytesDefault = 1024;
    private const string FileName = "film.bin";

    public string Name => "torrent";

    public string Summary => "1 GiB by BitTorrent over loopback, against libtorrent 2.0 (or --mib N)";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var mebibytes = Mebibytes(arguments);
        var root = Directory.CreateDirectory(Path.Combine(
            Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"virga-torrent-{Environment.ProcessId}"));
        try
        {
            var folder = Directory.CreateDirectory(Path.Combine(root.FullName, "data")).FullName;
            MakeFile(Path.Combine(folder, FileName), mebibytes);
            await using var ours = await SeedingShare.StartAsync(folder, FileName, token);
            var ourTorrent = Path.Combine(root.FullName, "ours.torrent");
            await File.WriteAllBytesAsync(ourTorrent, ours.Torrent, token);
            await using var theirs = await LibtorrentProcess.SeedAsync(folder, FileName, ours.PieceBytes, token);
            var theirTorrent = Path.Combine(root.FullName, "theirs.torrent");
            var theirBytes = Convert.FromHexString(theirs.Said.GetProperty("torrent").GetString()!);
            await File.WriteAllBytesAsync(theirTorrent, theirBytes, token);
            var theirPeer = $"127.0.0.1:{theirs.Said.GetProperty("port").GetInt32()}";
            var (rates, theirRates, seconds) = (new List<double>(), new List<double>(), new List<double>());
            var (taken, both, bothSeconds) = (new List<double>(), new List<double>(), new List<double>());
            var theirSeconds = new List<double>();
            var (byUtp, theirsByUtp) = (new List<double>(), new List<double>());
            for (var i = 0; i < WarmUps; i++)
                await TorrentReceiver.GetAsync(ours.Torrent, ours.Peer, root.FullName, token);
            await GetAsync(ourTorrent, ours.Peer, root.FullName, token: token);
            for (var round = 0; round < Rounds; round++)
            {
                await TouchAsync();
                var theirBefore = theirs.ProcessorSeconds;
                var (theirTime, theirWork) = await GetAsync(theirTorrent, theirPeer, root.FullName, token: token);
                theirRates.Add(mebibytes / theirTime);
                // Of both processes, as ours is.
                theirSeconds.Add(theirWork + theirs.ProcessorSeconds - theirBefore);
                await TouchAsync();
                var before = Process.GetCurrentProcess().TotalProcessorTime;
                rates.Add(mebibytes / (await GetAsync(ourTorrent, ours.Peer, root.FullName, token: token)).Seconds);
                seconds.Add((Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds);
                await TouchAsync();
                var (time, _) = await TorrentReceiver.GetAsync(theirBytes, theirPeer, root.FullName, token);
                taken.Add(mebibytes / time);
                await TouchAsync();
                (time, var work) = await TorrentReceiver.GetAsync(ours.Torrent, ours.Peer, root.FullName, token);
                both.Add(mebibytes / time);
                bothSeconds.Add(work);
            }
            var peak = Process.GetCurrentProcess().PeakWorkingSet64;
            for (var round = 0; round < UtpRounds; round++)
            {
                await TouchAsync();
                var (time, _) = await TorrentReceiver.GetAsync(
                    ours.Torrent, ours.UtpPeer, root.FullName, token, isUtp: true);
                byUtp.Add(mebibytes / time);
                await TouchAsync();
                (time, _) = await GetAsync(theirTorrent, theirPeer, root.FullName, isUtp: true, token);
                theirsByUtp.Add(mebibytes / time);
            }
            yield return new BenchLine(
                Name, "libtorrent-to-us", Duel.Median(taken), "MiB/s", "libtorrent-to-libtorrent",
                Duel.Median(taken) / Duel.Median(theirRates));
            yield return new BenchLine(
                Name, "us-to-us", Duel.Median(both), "MiB/s", "libtorrent-to-libtorrent",
                Duel.Median(both) / Duel.Median(theirRates));
            yield return new BenchLine(
                Name, "us-to-us-cpu", Duel.Median(bothSeconds) * 1024 / mebibytes, "s/GiB", "libtorrent-to-libtorrent",
                Duel.Median(bothSeconds) / Duel.Median(theirSeconds));
            yield return new BenchLine(
                Name, "utp", Duel.Median(byUtp), "MiB/s", "libtorrent-to-libtorrent-utp",
                Duel.Median(byUtp) / Duel.Median(theirsByUtp));
            var rate = Duel.Median(rates);
            yield return new BenchLine(
                Name, "us-to-libtorrent", rate, "MiB/s", "libtorrent-to-libtorrent",
                rate / Duel.Median(theirRates));
            var gibibyteSeconds = Duel.Median(seconds) * 1024 / mebibytes;
            yield return new BenchLine(
                Name, "us-to-libtorrent-cpu", gibibyteSeconds, "s/GiB", "the whole of it",
                gibibyteSeconds / (1024 / rate));
            yield return new BenchLine(
                Name, "us-to-libtorrent-rss", peak / (1 << 20), "MiB", "200-mib", peak / (200.0 * (1 << 20)));
        }
        finally
        {
            root.Delete(recursive: true);
        }

        Task TouchAsync() => HostMemory.TouchAsync(
            Path.Combine(root.FullName, "touch"), mebibytes + TouchMoreMiB, token);
    }

    private static int Mebibytes(IReadOnlyList<string> arguments) => arguments switch
    {
        [] => MebibytesDefault,
        ["--mib", var text] when int.TryParse(text, CultureInfo.InvariantCulture, out var count)
            && count is > 0 and <= 4096 => count,
        _ => throw new UsageException("torrent takes --mib N, N from 1 to 4096"),
    };

    private static void MakeFile(string path, int mebibytes)
    {
        using var file = File.Create(path);
        var block = new byte[1 << 20];
        for (var i = 0; i < mebibytes; i++)
        {
            RandomNumberGenerator.Fill(block);
            file.Write(block);
        }
    }

    private static async Task<(double Seconds, double Work)> GetAsync(
        string torrent, string peer, string root, bool isUtp = false, CancellationToken token = default)
    {
        var target = Directory.CreateDirectory(Path.Combine(root, "got"));
        try
        {
            await using var client = await LibtorrentProcess.GetAsync(
                torrent, target.FullName, peer, isUtp, token);
            return (client.Said.GetProperty("seconds").GetDouble(), client.Said.GetProperty("cpu").GetDouble());
        }
        finally
        {
            target.Delete(recursive: true);
        }
    }
}

/// <summary>A public share of one file on disk, served as an agent serves it.</summary>
internal sealed class SeedingShare : IAsyncDisposable
{
    private readonly SeedUpload upload;
    private readonly Choker choker;
    private readonly PeerListener listener;
    private readonly UdpPort port;
    private readonly UtpNode utp;

    private SeedingShare(OwnerIndex index, IAccount account)
    {
        var swarm = new BitTorrent.Swarm(index.Info);
        upload = new SeedUpload(
            swarm.Layout!, index.Layers,
            new ShareSeedSource(new ShareReader(index, account, RandomNumberGenerator.Fill), index.Info),
            new SeedCache(SeedCache.BytesMaxDefault));
        choker = new Choker(swarm, TimeProvider.System, RandomNumberGenerator.Fill);
        (swarm.Upload, swarm.Choker) = (upload, choker);
        var settings = new PeerSettings(
            TimeProvider.System, new PeerId(RandomNumberGenerator.Fill), new Pace(TimeProvider.System));
        listener = PeerListener.Start(
            new IPEndPoint(IPAddress.Loopback, 0), settings,
            (hash, _) => new ValueTask<BitTorrent.Swarm?>(swarm.Hashes.Contains(hash) ? swarm : null),
            () => swarm.Hashes, RandomNumberGenerator.Fill, static _ => { });
        port = UdpPort.Open(new IPEndPoint(IPAddress.Loopback, 0));
        utp = new UtpNode(AddressRules.LocalToo, TimeProvider.System, RandomNumberGenerator.Fill);
        utp.Add(port);
        listener.Add(utp);
        port.Begin();
        Torrent = Content.Torrents.Torrent.Write(index.Info, index.Layers, []);
        PieceBytes = index.Info.PieceBytes;
    }

    public byte[] Torrent { get; }

    public int PieceBytes { get; }

    public string Peer => listener.LocalEndPoint.ToString();

    /// <summary>Where nobody listens by TCP.</summary>
    public string UtpPeer => port.Place.ToString();

    public static async Task<SeedingShare> StartAsync(
        string folder, string name, CancellationToken cancellationToken)
    {
        var adapter = new DiskAdapter(RandomNumberGenerator.Fill);
        var config = adapter.ParseAddress(
            "disk:" + folder, new Dictionary<string, string>(), new Dictionary<string, string>());
        var account = await adapter.OpenAsync(config, cancellationToken);
        var made = await new Snapshotter(RandomNumberGenerator.Fill, TimeProvider.System).CreateAsync(
            account, EntryPath.Parse(name), new SnapshotOptions(false, []), null, cancellationToken);
        return new SeedingShare(made.Index, account);
    }

    public async ValueTask DisposeAsync()
    {
        await listener.DisposeAsync();
        await utp.DisposeAsync();
        await port.DisposeAsync();
        choker.Dispose();
        upload.Dispose();
    }
}
