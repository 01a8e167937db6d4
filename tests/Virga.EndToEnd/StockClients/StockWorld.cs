using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Content.Torrents;
using Virga.Core.Bencoding;
using Virga.EndToEnd.Harness;
using Virga.Testing.Servers;

namespace Virga.EndToEnd.StockClients;

/// <summary>A row with its torrent.</summary>
/// <param name="Address">Of its client.</param>
/// <param name="File">The .torrent, as the taking side is given it.</param>
/// <param name="Hashes">Of its swarms, 40 hex digits each.</param>
internal sealed record StockTorrent(StockRow Row, string Address, string File, string Magnet, string[] Hashes);

/// <summary>
/// One agent of ours that gives public shares and brings torrents in, and every way of finding peers: our tracker,
/// opentracker, a DHT, somebody who tells of others. In a network of its own; all torrents are different.
/// </summary>
internal sealed class StockWorld : IAsyncDisposable
{
    private const string Ours = "45.1.0.1", OurTracker = "45.2.0.1", TheirTracker = "45.3.0.1", Teller = "45.4.0.1",
        TellersTracker = "45.5.0.1", Watcher = "45.6.0.1";

    private const int TrackerPort = 6969;

    /// <summary>Some clients announce nothing while they know of fewer nodes.</summary>
    private static readonly string[] Nodes = [.. Enumerable.Range(0, 12).Select(i => $"45.{200 + i}.0.1")];

    private readonly Scene scene = new(inMemory: true);
    private readonly StockNetwork network;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> announced = new(StringComparer.Ordinal);
    private PeerProcess? agent;
    private OpenTracker? theirs;

    private StockWorld(StockNetwork network) => this.network = network;

    private static string NodePlace => $"{Nodes[0]}:{StockJob.Port}";

    private static string TellerPlace => $"{Teller}:{StockJob.Port}";

    public ControlClient Control => agent!.Control;

    /// <summary>Makes the torrents of all rows and starts everything that they need.</summary>
    public static async Task<(StockWorld World, IReadOnlyList<StockTorrent> Torrents)> CreateAsync(
        IReadOnlyList<StockRow> rows)
    {
        var world = new StockWorld(await StockNetwork.CreateAsync());
        try
        {
            var torrents = await world.MakeAsync(rows);
            await world.StartAsync(torrents);
            return (world, torrents);
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>The folder in which the content's name is, where it comes from.</summary>
    public string SourceOf(StockRow row) => scene.Folder($"from/{row.Name}");

    /// <summary>The same, where it goes.</summary>
    public string TargetOf(StockRow row) => scene.Folder($"to/{row.Name}");

    public static string NameOf(StockRow row) => row.IsSingle ? "single.bin" : "data";

    /// <summary>Runs the client of a row.</summary>
    /// <param name="attempt">Each begins without what it kept before.</param>
    public async Task<StockProcess> StartAsync(StockTorrent torrent, int attempt)
    {
        var row = torrent.Row;
        var isToUs = row.Course == Course.ToUs;
        var job = new StockJob(
            isToUs || row.Given == Given.File ? torrent.File : torrent.Magnet, isToUs ? SourceOf(row) : TargetOf(row),
            scene.Folder($"own/{row.Name}-{attempt}"), torrent.Address, isToUs, row.Way == Way.Pex, row.Way == Way.Lsd,
            row.Way == Way.Utp, row.Way == Way.Dht ? NodePlace : null);
        foreach (var (path, text) in row.Client.Settings(job))
        {
            var place = Path.Combine(job.Own, path);
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            await File.WriteAllTextAsync(place, text);
        }
        var client = await network.StartAsync([torrent.Address], row.Client.Command(job), job.Own);
        if (isToUs && row.Way == Way.Pex && attempt == 0) await TellAsync(torrent, torrent.Address);
        return client;
    }

    /// <summary>When who looks for it can find who has it.</summary>
    public Task AnnouncedAsync(StockTorrent torrent) => torrent.Row.Way is Way.WebSeed or Way.Lsd ? Task.CompletedTask
        : Task.WhenAny(torrent.Hashes.Select(hash => announced[hash].Task));

    public string Log() => agent?.ReadLog() ?? "";

    public async ValueTask DisposeAsync()
    {
        await network.DisposeAsync();
        if (theirs is not null) await theirs.DisposeAsync();
        await scene.DisposeAsync();
    }

    private async Task<IReadOnlyList<StockTorrent>> MakeAsync(IReadOnlyList<StockRow> rows)
    {
        foreach (var (row, i) in rows.Select((row, i) => (row, i))) Write(row, (ulong)(10 * i));
        var fromUs = rows.Where(row => row.Course == Course.FromUs).ToList();
        agent = await StartAgentAsync();
        await Scene.AddDiskAsync(agent, "from", scene.Folder("from"));
        await Scene.AddDiskAsync(agent, "to", scene.Folder("to"));
        var limits = await Executable.RunAsync(agent.DataFolder, ["limits", "set", "--at-once", "16"]);
        Assert.True(limits.Exit == 0, limits.ToString());
        scene.Folder("torrents");
        var made = new List<StockTorrent>();
        foreach (var row in fromUs) made.Add(await ShareAsync(row, AddressOf(row)));
        made.AddRange(await MakeTheirsAsync(rows.Where(row => row.Course == Course.ToUs).ToList(), AddressOf));
        Assert.Equal(0, await agent.StopAsync());
        return made;

        string AddressOf(StockRow row) => $"45.{20 + rows.ToList().IndexOf(row)}.0.1";
    }

    private void Write(StockRow row, ulong seed)
    {
        var at = Path.Combine(SourceOf(row), NameOf(row));
        if (row.IsSingle)
        {
            FileTree.Write(at, 700_001, seed);
            return;
        }
        FileTree.Write(Path.Combine(at, "large.bin"), 512_345, seed);
        FileTree.Write(Path.Combine(at, "empty"), 0, seed);
        FileTree.Write(Path.Combine(at, "folder/one byte"), 1, seed + 1);
        FileTree.Write(Path.Combine(at, "folder/a piece"), 64 << 10, seed + 2);
        FileTree.Write(Path.Combine(at, "folder/below/odd"), 100_001, seed + 3);
    }

    private async Task<StockTorrent> ShareAsync(StockRow row, string address)
    {
        var control = agent!.Control;
        var request = new ShareRequest(
            "from", $"{row.Name}/{NameOf(row)}", "public", [], IsHybrid: row.Kind != Kind.V2);
        ShareInfo? share = null;
        await foreach (var line in control.ShareAsync(request, CancellationToken.None))
        {
            Assert.True(line.Error is null, line.Error?.ToString());
            share = line.Result ?? share;
        }
        using var written = new MemoryStream();
        await control.TorrentAsync(share!.InfoHash, row.Kind == Kind.V1, written, CancellationToken.None);
        var torrent = Torrent.Parse(written.ToArray());
        var (tracker, info) = (TrackerOf(row), torrent.Info);
        var v1 = row.Kind == Kind.V2 || info.InfoHashV1 is null ? null : Convert.ToHexStringLower(info.InfoHashV1);
        var v2 = row.Kind == Kind.V1 ? null : info.InfoHashV2?.ToString();
        var names = new List<string>();
        if (v1 is not null) names.Add("xt=urn:btih:" + v1);
        if (v2 is not null && (v1 is null || !row.Client.NeedsV1Alone)) names.Add("xt=urn:btmh:1220" + v2);
        if (tracker is not null) names.Add("tr=" + Uri.EscapeDataString(tracker));
        var file = scene.PathOf($"torrents/{row.Name}.torrent");
        var seed = $"https://{Ours}:8470/v1/web/{share.InfoHash}/";
        await File.WriteAllBytesAsync(file, Write(
            torrent, tracker, row.Way == Way.WebSeed ? seed : null, row.Way == Way.Dht));
        return new StockTorrent(
            row, address, file, "magnet:?" + string.Join('&', names), [.. new[] { v1, v2?[..40] }.OfType<string>()]);
    }

    private async Task<IEnumerable<StockTorrent>> MakeTheirsAsync(
        IReadOnlyList<StockRow> rows, Func<StockRow, string> addressOf)
    {
        var wanted = rows.Select(row => new
        {
            path = Path.Combine(SourceOf(row), NameOf(row)), kind = row.Kind.ToString().ToLowerInvariant(),
            tracker = TrackerOf(row), node = row.Way == Way.Dht ? NodePlace : null,
            seed = row.Way != Way.WebSeed ? null
                : $"http://{addressOf(row)}:{StockJob.Port}/" + (row.IsSingle ? NameOf(row) : ""),
            pads = !row.Client.KnowsPads, file = scene.PathOf($"torrents/{row.Name}.torrent"),
        });
        var list = scene.PathOf("torrents/list");
        await File.WriteAllTextAsync(list, JsonSerializer.Serialize(wanted));
        var said = await Executable.ToolAsync(
            "/usr/bin/python3", [StockClient.Script("libtorrent_torrents.py"), list]);
        Assert.True(said.Exit == 0, said.ToString());
        return JsonDocument.Parse(said.Out).RootElement.EnumerateArray().Zip(rows, (made, row) => new StockTorrent(
            row, addressOf(row), scene.PathOf($"torrents/{row.Name}.torrent"), made.GetProperty("magnet").GetString()!,
            [.. made.GetProperty("hashes").EnumerateArray().Select(hash => hash.GetString()!)])).ToList();
    }

    private async Task StartAsync(IReadOnlyList<StockTorrent> torrents)
    {
        var inDht = torrents.Where(t => t.Row.Way == Way.Dht).SelectMany(t => t.Hashes).ToList();
        foreach (var hash in torrents.SelectMany(t => t.Hashes))
            announced[hash] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var atTheirs = torrents.Where(t => t.Row.Way is Way.TheirHttp or Way.TheirUdp).SelectMany(t => t.Hashes);
        theirs = await OpenTracker.StartAsync(
            atTheirs, IPAddress.Parse(TheirTracker), network.At(TheirTracker), isReached: false, port: TrackerPort);
        await network.StartAsync(
            [TellersTracker],
            [
                "/usr/bin/python3", StockClient.Script("one_peer_tracker.py"), $"{TellersTracker}:{TrackerPort}",
                TellerPlace,
            ], scene.Root, "up");
        _ = HearAsync(await network.StartAsync(
            [Teller],
            ["/usr/bin/python3", StockClient.Script("pex_peer.py"), TellerPlace, scene.Folder("told")], scene.Root,
            "up"));
        foreach (var torrent in torrents.Where(t => t.Row is { Way: Way.Pex, Course: Course.FromUs }))
            await TellAsync(torrent, Ours);
        var nodes = await network.StartAsync(
            Nodes,
            ["/usr/bin/python3", StockClient.Script("dht_nodes.py"), string.Join(',', Nodes), string.Join(',', inDht)],
            scene.Root, "up");
        _ = HearAsync(nodes);
        var watched = torrents.ToLookup(
            t => t.Row.Way switch
            {
                Way.OurHttp or Way.OurUdp or Way.Utp => $"{OurTracker}:{TrackerPort}",
                Way.TheirHttp or Way.TheirUdp => $"{TheirTracker}:{TrackerPort}",
                _ => null,
            }, t => t.Hashes).Where(place => place.Key is not null);
        _ = HearAsync(await network.StartAsync(
            [Watcher],
            ["/usr/bin/python3", StockClient.Script("tracker_watch.py"), JsonSerializer.Serialize(
                watched.ToDictionary(place => place.Key!, place => place.SelectMany(hashes => hashes)))],
            scene.Root, "up"));
        await scene.StartAsync(
            "repository",
            ["repository", "--listen", $"{OurTracker}:8471", "--tracker", $"{OurTracker}:{TrackerPort}"],
            prefix: network.At(OurTracker));
        agent = await StartAgentAsync(
            "--torrent", $"{Ours}:{StockJob.Port}", "--torrent-dht-node", NodePlace, "--torrent-lsd",
            "--torrent-tracker", Announce("http", OurTracker),
            "--torrent-tracker", Announce("http", TheirTracker));
    }

    /// <summary>Has the teller connect to who has it.</summary>
    private async Task TellAsync(StockTorrent torrent, string address)
    {
        var name = scene.PathOf($"told/{torrent.Row.Name}");
        await File.WriteAllTextAsync(name, JsonSerializer.Serialize(new
        {
            file = torrent.File, folder = scene.Folder($"nothing/{torrent.Row.Name}"),
            peer = $"{address}:{StockJob.Port}", hash = torrent.Hashes[0],
        }));
        File.Move(name, name + ".json");
    }

    private async Task HearAsync(StockProcess watcher)
    {
        while (await watcher.ReadLineAsync() is { } hash) announced[hash].TrySetResult();
    }

    private Task<PeerProcess> StartAgentAsync(params string[] more) => scene.StartAsync(
        "agent", ["up", "--no-repository", "--listen", $"{Ours}:8470", .. more], prefix: network.At(Ours));

    private static string Announce(string scheme, string host) => $"{scheme}://{host}:{TrackerPort}/announce";

    /// <summary>What the side that looks is told.</summary>
    private string? TrackerOf(StockRow row) => row.Way switch
    {
        Way.OurHttp or Way.Utp => Announce("http", OurTracker),
        Way.OurUdp => Announce("udp", OurTracker),
        Way.TheirHttp => Announce("http", TheirTracker),
        Way.TheirUdp => Announce("udp", TheirTracker),
        Way.Pex => Announce("http", TellersTracker),
        _ => null,
    };

    private static byte[] Write(Torrent torrent, string? tracker, string? seed, bool hasNode) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary();
            if (tracker is not null) writer.Key("announce").Text(tracker);
            writer.Key("info").Raw(torrent.Info.Raw.Span);
            if (hasNode)
                writer.Key("nodes").StartList().StartList().Text(Nodes[0]).Integer(StockJob.Port).End().End();
            if (torrent.Info.InfoHashV2 is not null) writer.Key("piece layers").Raw(torrent.Layers.Encode());
            if (seed is not null) writer.Key("url-list").Text(seed);
            writer.End();
        });
}
