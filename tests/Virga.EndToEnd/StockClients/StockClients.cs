using System.Text.Json;

namespace Virga.EndToEnd.StockClients;

/// <summary>
/// The clients. Each is told to find peers in one way alone; nothing else of how it is set up has to do with us.
/// </summary>
internal static class Clients
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Adds one torrent as its own command line client does it; $0 holds its settings.</summary>
    private const string Transmission = """
        rpc=http://127.0.0.1:9091/transmission/rpc
        TR_CURL_SSL_NO_VERIFY=1 transmission-daemon --foreground --config-dir "$0" >&2 &
        id=
        while [ -z "$id" ]; do
            sleep 0.1
            id=$(curl -s $rpc | sed -n 's/.*-Session-Id: \([A-Za-z0-9]*\)<.*/\1/p')
        done
        curl -s -H "X-Transmission-Session-Id: $id" --data "$1" $rpc >&2
        wait
        """;

    private static readonly string[] EveryWay =
    [
        "v1 file ourhttp", "v1 magnet ourudp", "v1 magnet theirhttp single", "v1 file theirudp", "v1 magnet dht",
        "v1 file pex", "v1 file webseed",
    ];

    private static readonly string[] EveryWayBack =
    [
        "v1 magnet ourhttp", "padded file ourudp", "v1 file theirhttp single", "v1 magnet theirudp",
        "padded magnet dht", "v1 file pex",
    ];

    private static readonly string[] AllFromUs =
    [
        "v1 magnet ourhttp", "v1 file webseed", "hybrid magnet dht", "hybrid file ourudp", "v2 magnet pex",
        "v2 file theirhttp single", "v2 magnet theirudp", "v2 file lsd", "v1 magnet utp",
    ];

    private static readonly string[] AllToUs =
    [
        "v1 magnet dht", "padded file ourudp", "hybrid magnet ourhttp", "hybrid file pex", "v2 magnet theirudp",
        "v2 file theirhttp single", "hybrid file lsd", "v1 file utp",
    ];

    private const string NoV2 = "knows no v2", NotTried = "not tried", NoUtp = "knows no uTP",
        TcpToo = "always takes TCP, too";

    public static readonly IReadOnlyList<StockClient> All =
    [
        new("aria2", "aria2c", job =>
        [
            "aria2c", "--no-conf", "--dir=" + job.Folder, $"--listen-port={StockJob.Port}",
            // Without it, it knows no trackers over UDP; it then knows no node.
            "--enable-dht=true", $"--dht-listen-port={StockJob.Port}",
            "--dht-file-path=" + Path.Combine(job.Own, "dht.dat"),
            .. job.Node is { } node ? ["--dht-entry-point=" + node] : Array.Empty<string>(),
            "--enable-dht6=false", "--bt-enable-lpd=" + (job.CallsAround ? "true" : "false"),
            "--file-allocation=none", "--check-certificate=false",
            "--enable-peer-exchange=" + (job.UsesPex ? "true" : "false"),
            .. job.Seeds ? ["--check-integrity=true", "--seed-ratio=0.0"] : new[] { "--seed-time=0" }, job.Source,
        ])
        {
            FromUs = EveryWay, ToUs = EveryWayBack,
            Not = [("v2", NoV2), ("hybrid", "stumbles over it"), ("Lsd", NotTried), ("Utp", NoUtp)],
        },
        new("libtorrent", "libtorrent", job =>
        [
            Python, StockClient.Script("libtorrent_client.py"), JsonSerializer.Serialize(new
            {
                source = job.Source, folder = job.Folder, listen = $"{job.Address}:{StockJob.Port}",
                pex = job.UsesPex, lsd = job.CallsAround, utp = job.IsUtpAlone, dht = job.Node,
            }),
        ])
        {
            VersionOf = [Python, "-c", "import libtorrent; print(libtorrent.version)"], FromUs = AllFromUs,
            ToUs = AllToUs, KnowsPads = true,
        },
        new("qBittorrent", "qbittorrent-nox", job =>
        [
            "qbittorrent-nox", "--profile=" + job.Own, "--save-path=" + job.Folder, "--add-paused=false", job.Source,
        ])
        {
            // Nobody can tell it of a node but a .torrent file.
            FromUs = [.. AllFromUs.Where(r => !r.Contains("hybrid")), "hybrid file dht", "hybrid magnet ourudp"],
            ToUs = AllToUs, KnowsPads = true,
            Settings = job =>
            [
                ("qBittorrent/config/qBittorrent.conf", $"""
                    [LegalNotice]
                    Accepted=true
                    [BitTorrent]
                    Session\BTProtocol={(job.IsUtpAlone ? "UTP" : "Both")}
                    Session\DHTEnabled={(job.Node is null ? "false" : "true")}
                    Session\LSDEnabled={(job.CallsAround ? "true" : "false")}
                    Session\PeXEnabled={(job.UsesPex ? "true" : "false")}
                    Session\AddExtensionToIncompleteFiles=true
                    Session\DefaultSavePath={job.Folder}
                    Session\Port={StockJob.Port}
                    Session\ValidateHTTPSTrackerCertificate=false
                    """),
            ],
        },
        new("rTorrent", "rtorrent", job =>
            ["rtorrent", "-n", "-o", "import=" + Path.Combine(job.Own, "rc"), job.Source])
        {
            VersionOf = ["rtorrent", "-h"], NeedsV1Alone = true,
            FromUs =
            [
                "v1 file ourhttp", "hybrid file ourudp", "v1 magnet theirhttp single", "hybrid magnet theirudp",
                "v1 file pex",
            ],
            ToUs =
            [
                "v1 magnet ourhttp", "hybrid file ourudp", "padded file theirhttp", "v1 magnet theirudp single",
                "hybrid magnet dht", "v1 file pex",
            ],
            Not =
            [
                ("v2", NoV2), ("Lsd", "knows no LSD"), ("WebSeed", "knows no web seeds"),
                ("FromUs Dht", "misreads where we are"), ("Utp", NoUtp),
            ],
            Settings = job =>
            [
                ("rc", $"""
                    directory.default.set = {job.Folder}
                    session.path.set = {job.Own}
                    system.daemon.set = true
                    network.bind_address.set = {job.Address}
                    network.port_range.set = {StockJob.Port}-{StockJob.Port}
                    protocol.pex.set = {(job.UsesPex ? "yes" : "no")}
                    dht.mode.set = {(job.Node is null ? "disable" : "on")}
                    dht.port.set = {StockJob.Port}
                    {(job.Node is { } node ? $"schedule2 = join, 1, 20, ((dht.add_node, \"{node}\"))" : "")}

                    """),
            ],
        },
        new("Transmission", "transmission-daemon", job =>
        [
            "sh", "-c", Transmission, job.Own, JsonSerializer.Serialize(new
            {
                method = "torrent-add", arguments = new Dictionary<string, string>
                {
                    ["filename"] = job.Source, ["download-dir"] = job.Folder,
                },
            }),
        ])
        {
            FromUs = EveryWay, ToUs = EveryWayBack,
            Not = [("v2", NoV2), ("hybrid", "refuses it"), ("Lsd", NotTried), ("Utp", TcpToo)], LeavesOutEmpty = true,
            Settings = job =>
            [
                ("settings.json", JsonSerializer.Serialize(new Dictionary<string, object>
                {
                    ["dht-enabled"] = job.Node is not null, ["pex-enabled"] = job.UsesPex,
                    ["lpd-enabled"] = job.CallsAround,
                    ["peer-port"] = StockJob.Port, ["port-forwarding-enabled"] = false,
                    ["utp-enabled"] = true,
                    ["download-dir"] = job.Folder, ["rpc-bind-address"] = "127.0.0.1",
                })),
                ("dht.bootstrap", job.Node?.Replace(':', ' ') + "\n"),
            ],
        },
        new("WebTorrent", "webtorrent", job =>
        [
            "node", StockClient.Script("webtorrent_client.js"), JsonSerializer.Serialize(new
            {
                source = job.Source, folder = job.Folder, port = StockJob.Port, pex = job.UsesPex,
                lsd = job.CallsAround, dht = job.Node,
                package = WebTorrent,
            }),
        ])
        {
            VersionOf = ["node", "-p", $"require('{WebTorrent}/package.json').version"], LeavesOutEmpty = true,
            FromUs =
            [
                "v1 magnet ourhttp", "hybrid file ourudp", "v1 file theirhttp single", "hybrid magnet theirudp",
                "v1 magnet dht", "v1 file pex", "hybrid file webseed",
            ],
            ToUs =
            [
                "v1 magnet ourhttp", "hybrid file ourudp", "padded file theirhttp", "v1 magnet theirudp single",
                "hybrid magnet dht", "v1 file pex",
            ],
            Not = [("v2", NoV2), ("Lsd", NotTried), ("Utp", TcpToo)],
        },
    ];

    private static readonly string[] EverySeed =
        ["v1 file webseed single", "v1 file webseed", "padded file webseed", "hybrid file webseed", "v2 file webseed"];

    /// <summary>Web servers that have the files of a torrent, and know nothing of torrents.</summary>
    public static readonly IReadOnlyList<StockClient> Servers =
    [
        new("Apache", "apache2", job => ["apache2", "-D", "FOREGROUND", "-f", Path.Combine(job.Own, "conf")])
        {
            VersionOf = ["apache2", "-v"], ToUs = EverySeed, KnowsPads = true,
            Settings = job =>
            [
                ("conf", $"""
                    LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
                    LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
                    ServerName {job.Address}
                    Listen {job.Address}:{StockJob.Port}
                    PidFile {job.Own}/pid
                    ErrorLog /dev/stderr
                    DocumentRoot {job.Folder}

                    """),
            ],
        },
        new("nginx", "nginx", job => ["nginx", "-p", job.Own, "-c", Path.Combine(job.Own, "conf")])
        {
            VersionOf = ["nginx", "-v"], ToUs = EverySeed, KnowsPads = true,
            Settings = job =>
            [
                ("conf", $$"""
                    daemon off;
                    master_process off;
                    pid {{job.Own}}/pid;
                    error_log stderr;
                    events { }
                    http {
                        access_log off;
                        server { listen {{job.Address}}:{{StockJob.Port}}; root {{job.Folder}}; }
                    }

                    """),
            ],
        },
    ];

    private static string WebTorrent =>
        Path.Combine(StockClient.Root(), "artifacts", "webtorrent", "node_modules", "webtorrent");
}
