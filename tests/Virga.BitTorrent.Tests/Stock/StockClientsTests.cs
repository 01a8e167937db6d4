using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Virga.BitTorrent.Tests.Seeding;
using Virga.Content.Torrents;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Stock;

/// <summary>
/// Stock clients take a public share from us, all at once; docs/reference/torrent-clients.md lists what they did.
/// </summary>
[Trait("Needs", "server")]
public sealed partial class StockClientsTests : IDisposable
{
    private static readonly string[] Columns =
    [
        "v2, magnet link", "v2, .torrent", "hybrid, magnet link", "hybrid, .torrent", "v1, magnet link", "v1, .torrent",
    ];

    private const string Page = "docs/reference/torrent-clients.md";

    // ./test BitTorrent with this set writes the page.
    private const string WriteVariable = "VIRGA_WRITE_PAGES";

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>Far beyond what the slowest takes; who is not done then never will be.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-clients");

    /// <summary>What a client is given.</summary>
    private enum Given { V2Magnet, V2Torrent, HybridMagnet, HybridTorrent, V1Magnet, V1Torrent }

    /// <param name="Command">Gets a source into a folder; the second folder is for whatever else it keeps.</param>
    private sealed record Client(
        string Name, string Program, bool KnowsV2, bool TakesHybrids, Func<string, string, string, string[]> Command)
    {
        /// <summary>It refuses magnet links that name a v2 hash beside the v1 one.</summary>
        public bool NeedsV1Alone { get; init; }

        /// <summary>Files that it must find in its folder.</summary>
        public Func<string, string, string, (string Path, string Text)[]> Settings { get; init; } = (_, _, _) => [];
    }

    private static readonly Client[] Clients =
    [
        new("aria2", "aria2c", false, false, (source, target, _) =>
        [
            "--no-conf", "--dir=" + target, "--seed-time=0", "--enable-dht=false", "--enable-dht6=false",
            "--bt-enable-lpd=false", "--file-allocation=none", source,
        ]),
        new("qBittorrent", "qbittorrent-nox", true, true, (source, target, own) =>
            [
                "--profile=" + own, "--save-path=" + target, "--add-paused=false", "--webui-port=" + PortFor(own),
                source,
            ])
        {
            Settings = (_, target, _) =>
            [
                ("qBittorrent/config/qBittorrent.conf", $"""
                    [LegalNotice]
                    Accepted=true
                    [BitTorrent]
                    Session\DHTEnabled=false
                    Session\LSDEnabled=false
                    Session\PeXEnabled=false
                    Session\AddExtensionToIncompleteFiles=true
                    Session\DefaultSavePath={target}
                    [Preferences]
                    General\UseRandomPort=true
                    """),
            ],
        },
        new("rTorrent", "rtorrent", false, true, (source, _, own) =>
            ["-n", "-o", "import=" + Path.Combine(own, "rc"), source])
        {
            NeedsV1Alone = true,
            Settings = (_, target, own) =>
            [
                ("rc", $"""
                    directory.default.set = {target}
                    session.path.set = {own}
                    system.daemon.set = true
                    dht.mode.set = disable
                    protocol.pex.set = no
                    network.port_range.set = 30000-39999
                    network.port_random.set = yes

                    """),
            ],
        },
    ];

    [Fact]
    public async Task Each_client_gets_every_file_from_what_it_understands()
    {
        var files = ServingTests.Files;
        await using var share = await SeededShare.CreateAsync(files, hasV1: true);
        var hybrid = HybridTorrent.Create(share.Index);
        share.Serve(hybrid);
        var v1 = HybridTorrent.CreateV1(share.Index);
        share.Serve(v1);
        await using var island = await StockIsland.CreateAsync(folder, share.Peer);
        var tracker = Uri.EscapeDataString(StockIsland.Tracker);
        var sources = new Dictionary<Given, string>
        {
            [Given.V2Magnet] = $"magnet:?xt=urn:btmh:1220{share.Index.InfoHash}&tr={tracker}",
            [Given.V2Torrent] = await WriteAsync("v2.torrent", share.Index.Info, share),
            [Given.HybridMagnet] = $"magnet:?xt=urn:btih:{Convert.ToHexStringLower(hybrid.InfoHashV1!)}"
                + $"&xt=urn:btmh:1220{hybrid.InfoHashV2}&tr={tracker}",
            [Given.HybridTorrent] = await WriteAsync("hybrid.torrent", hybrid, share),
            [Given.V1Magnet] = $"magnet:?xt=urn:btih:{Convert.ToHexStringLower(v1.InfoHashV1!)}&tr={tracker}",
            [Given.V1Torrent] = await WriteAsync("v1.torrent", v1, share),
        };
        var runs = new List<Task<(Client Client, Given Given, bool Ok)>>();
        foreach (var client in Clients)
        {
            foreach (var (given, source) in sources)
            {
                if (!client.KnowsV2 && given is Given.V2Magnet or Given.V2Torrent) continue;
                if (!client.TakesHybrids && given is Given.HybridMagnet or Given.HybridTorrent) continue;
                var taken = client.NeedsV1Alone && given == Given.HybridMagnet
                    ? source.Replace($"&xt=urn:btmh:1220{hybrid.InfoHashV2}", "", StringComparison.Ordinal) : source;
                runs.Add(RunAsync(island, client, given, taken, files));
            }
        }
        var results = await Task.WhenAll(runs);
        var page = await PageAsync(results);
        var path = Path.Combine(Root(), Page);
        Assert.Equal("", string.Join(", ", results.Where(r => !r.Ok).Select(r => $"{r.Client.Name} {r.Given}")));
        if (Environment.GetEnvironmentVariable(WriteVariable) is "1")
        {
            await File.WriteAllTextAsync(path, page);
            return;
        }
        Assert.True(
            File.Exists(path) && await File.ReadAllTextAsync(path) == page,
            $"{Page} is out of date: {WriteVariable}=1 ./test BitTorrent");
    }

    public void Dispose() => folder.Delete(recursive: true);

    /// <summary>One for each, in a network of their own.</summary>
    private static int PortFor(string folder) =>
        40_000 + (folder.Aggregate(7, static (sum, c) => ((sum * 31) + c) & 0xffff) % 20_000);

    private async Task<string> WriteAsync(string name, TorrentInfo info, SeededShare share)
    {
        var path = Path.Combine(folder.FullName, name);
        await File.WriteAllBytesAsync(
            path, Torrent.Write(info, share.Index.Layers, [], [StockIsland.Tracker]));
        return path;
    }

    private async Task<(Client, Given, bool)> RunAsync(
        StockIsland island, Client client, Given given, string source, IReadOnlyDictionary<string, byte[]> files)
    {
        var target = folder.CreateSubdirectory($"{client.Program}-{given}").FullName;
        var own = folder.CreateSubdirectory($"{client.Program}-{given}-own").FullName;
        foreach (var (path, text) in client.Settings(source, target, own))
        {
            var place = Path.Combine(own, path);
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            await File.WriteAllTextAsync(place, text);
        }
        var process = island.Begin(client.Program, client.Command(source, target, own), home: own);
        process.BeginOutputReadLine();
        var began = Stopwatch.GetTimestamp();
        while (!HasAll(Path.Combine(target, "data"), files))
        {
            if (Stopwatch.GetElapsedTime(began) > Longest) return (client, given, false);
            await Task.Delay(LookEvery, TimeProvider.System);
        }
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        return (client, given, true);
    }

    private static bool HasAll(string folder, IReadOnlyDictionary<string, byte[]> files)
    {
        try
        {
            return files.All(file => new FileInfo(Path.Combine(folder, file.Key)) is { Exists: true } found
                && found.Length == file.Value.Length
                && file.Value.AsSpan().SequenceEqual(File.ReadAllBytes(found.FullName)));
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task<string> PageAsync((Client Client, Given Given, bool Ok)[] results)
    {
        var text = new StringBuilder("# BitTorrent clients\n")
            .Append("Each client, unmodified, took one public share from us: files of odd sizes, an empty one, one of ")
            .Append("a single byte, one of exactly a piece, folders; nothing but the magnet link or the .torrent ")
            .Append("file, and a tracker that knows us. Made by `tests/Virga.BitTorrent.Tests` ")
            .Append("(`StockClientsTests`).\n\n| client |");
        foreach (var column in Columns) text.Append($" {column} |");
        text.Append("\n|---|---|---|---|---|---|---|\n");
        foreach (var client in Clients)
        {
            text.Append($"| {client.Name} {await VersionAsync(client.Program)} |");
            foreach (var given in Enum.GetValues<Given>())
            {
                var result = results.Where(r => r.Client == client && r.Given == given).Select(r => (bool?)r.Ok)
                    .SingleOrDefault();
                var isV1Alone = client.NeedsV1Alone && given == Given.HybridMagnet;
                text.Append(result switch
                {
                    true when isV1Alone => " yes, without `urn:btmh` |",
                    true => " yes |",
                    false => " **no** |",
                    null when given is Given.V2Magnet or Given.V2Torrent => " knows no v2 |",
                    null => " stumbles over it |",
                });
            }
            text.Append('\n');
        }
        text.Append("\naria2 1.36 and Transmission 3.00 stumble over hybrids, whoever made them: a v2 file tree has ");
        text.Append("empty keys, which the one loses, so that it computes another info-hash, and the other refuses. ");
        text.Append("`--hybrid` makes a v1 torrent for them beside it.\n");
        text.Append("\nlibtorrent 2.0 itself is tried in `ServingTests` and `HybridTests`: v2 and hybrids by either ");
        text.Append("hash, from the magnet link and from the .torrent file, in plain and obfuscated (MSE).\n");
        return text.ToString();
    }

    private static async Task<string> VersionAsync(string program)
    {
        using var process = StockClient.Start(
            new ProcessStartInfo(program, [program == "rtorrent" ? "-h" : "--version"])
            {
                UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            }, program);
        var said = process.StandardOutput.ReadToEndAsync();
        var complained = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return Numbers().Match(await said + complained).Value;
    }

    private static string Root()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Virga.slnx"))) at = at.Parent!;
        return at.FullName;
    }

    [GeneratedRegex(@"\d+\.\d+(\.\d+)?", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Numbers();
}
