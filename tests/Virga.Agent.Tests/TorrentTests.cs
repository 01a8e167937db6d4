using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Content.Torrents;
using Virga.Testing;

namespace Virga.Agent.Tests;

/// <summary>Public shares, and how stock libtorrent gets them from a real agent.</summary>
[Trait("Needs", "server")]
public sealed class TorrentTests
{
    private static readonly IPEndPoint Loopback = new(IPAddress.Loopback, 0);

    private static readonly (string Path, byte[] Content)[] Files =
    [
        ("talks/large.bin", Seeded.Bytes(2_000_003, 1)), ("talks/sub/odd ü+%#?name.bin", Seeded.Bytes(300_000, 2)),
        ("talks/empty", []),
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_with_nothing_but_the_magnet_link_gets_a_public_share(bool isHybrid)
    {
        await using var network = await Network.StartAsync();
        var alice = await AliceAsync(network);
        var share = await ShareAsync(alice, "public", isHybrid);
        Assert.Equal(isHybrid, share.IsHybrid);
        Assert.Equal(isHybrid, share.Magnet!.Contains("urn:btih:", StringComparison.Ordinal));
        Assert.Equal(isHybrid, share.MagnetV1 is not null);
        // The web seed's certificate is the agent's own, which the client has no reason to believe: peers alone.
        var magnet = string.Join(
            '&', share.Magnet.Split('&').Where(p => !p.StartsWith("ws=", StringComparison.Ordinal)));
        await GetAsync(magnet, network.Folder("got"));
        AssertGot(network);
    }

    [Fact]
    public async Task The_web_seed_of_the_torrent_has_each_file_under_its_name_whole_and_in_ranges()
    {
        await using var network = await Network.StartAsync();
        var alice = await AliceAsync(network, takesPeers: false);
        var share = await ShareAsync(alice, "public", isHybrid: true);
        var torrent = await alice.TorrentAsync(share.InfoHash);
        var seed = Torrent.Parse(torrent).WebSeeds.Single();
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });
        foreach (var (path, content) in Files)
        {
            var url = seed + string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
            Assert.Equal(content, await client.GetByteArrayAsync(url));
            if (content.Length == 0) continue;
            using var part = new HttpRequestMessage(HttpMethod.Get, url)
            {
                Headers = { Range = new RangeHeaderValue(1000, content.Length + 5) },
            };
            using var answer = await client.SendAsync(part);
            Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
            Assert.Equal(content[1000..], await answer.Content.ReadAsByteArrayAsync());
            using var beyond = new HttpRequestMessage(HttpMethod.Head, url)
            {
                Headers = { Range = new RangeHeaderValue(content.Length, null) },
            };
            using var refused = await client.SendAsync(beyond);
            Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, refused.StatusCode);
        }
    }

    [Theory]
    [InlineData(true, HttpStatusCode.OK)]
    [InlineData(false, HttpStatusCode.NotFound)]
    public async Task The_web_seed_has_the_pad_files_of_a_v1_part(bool isHybrid, HttpStatusCode expected)
    {
        await using var network = await Network.StartAsync();
        var alice = await AliceAsync(network, takesPeers: false);
        var share = await ShareAsync(alice, "public", isHybrid);
        var seed = Torrent.Parse(await alice.TorrentAsync(share.InfoHash)).WebSeeds.Single();
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });

        using var whole = await client.GetAsync(seed + "talks/.pad/12345");
        Assert.Equal(expected, whole.StatusCode);
        if (isHybrid) Assert.Equal(new byte[12_345], await whole.Content.ReadAsByteArrayAsync());
        foreach (var name in new[] { "0", "-1", "x", "99999999", "12345/1" })
        {
            using var none = await client.GetAsync($"{seed}talks/.pad/{name}");
            Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
        }
    }

    [Fact]
    public async Task What_is_not_public_has_no_swarm_and_no_web_seed_and_what_is_withdrawn_loses_them()
    {
        await using var network = await Network.StartAsync();
        var alice = await AliceAsync(network);
        var secret = await ShareAsync(alice, "link", isHybrid: false);
        Assert.Null(secret.Magnet);
        var shared = await ShareAsync(alice, "public", isHybrid: true);
        Assert.Equal(HttpStatusCode.NotFound, await alice.WebSeedAsync(secret.InfoHash, "talks/large.bin"));
        Assert.Equal(HttpStatusCode.OK, await alice.WebSeedAsync(shared.InfoHash, "talks/large.bin"));
        Assert.Equal(HttpStatusCode.NotFound, await alice.WebSeedAsync(shared.InfoHash, "talks/../large.bin"));
        Assert.True(await KnowsAsync(alice, Torrent.Parse(await alice.TorrentAsync(shared.InfoHash)).Info.InfoHashV1!));
        Assert.True(await KnowsAsync(alice, Convert.FromHexString(shared.InfoHash)[..20]));
        Assert.False(await KnowsAsync(alice, Convert.FromHexString(secret.InfoHash)[..20]));
        await alice.UnshareAsync(shared.InfoHash);
        Assert.False(await KnowsAsync(alice, Convert.FromHexString(shared.InfoHash)[..20]));
        Assert.Equal(HttpStatusCode.NotFound, await alice.WebSeedAsync(shared.InfoHash, "talks/large.bin"));
    }

    [Fact]
    public async Task A_share_becomes_hybrid_when_it_is_asked_for_and_stays_so_after_a_restart()
    {
        await using var network = await Network.StartAsync();
        var alice = await AliceAsync(network);
        var plain = await ShareAsync(alice, "public", isHybrid: false);
        var hybrid = await ShareAsync(alice, "public", isHybrid: true);
        Assert.Equal((plain.InfoHash, plain.Link), (hybrid.InfoHash, hybrid.Link));
        Assert.NotEqual(plain.Magnet, hybrid.Magnet);
        alice = await network.RestartAsync(alice, "alice");
        Assert.True((await alice.SharesAsync()).Single().IsHybrid);
        Assert.NotNull(Torrent.Parse(await alice.TorrentAsync(hybrid.InfoHash)).Info.InfoHashV1);
    }

    [Fact]
    public async Task A_public_share_alone_is_announced_at_the_tracker_and_found_there()
    {
        await using var network = await Network.StartAsync();
        await using var repository = await Repository.RepositoryHost.StartAsync(new Repository.RepositoryOptions
        {
            DataFolder = network.PathOf("tracker"), Time = TimeProvider.System,
            Random = System.Security.Cryptography.RandomNumberGenerator.Fill,
            Tracker = new Repository.Tracker.TrackerOptions { Listen = [Loopback] },
        }, CancellationToken.None);
        var tracker = repository.Tracker!;
        var alice = await AliceAsync(network, trackers: [$"http://{tracker.Places[0]}/announce"]);
        await ShareAsync(alice, "link", isHybrid: false);
        var share = await ShareAsync(alice, "public", isHybrid: true);
        Assert.Contains("&tr=http", share.Magnet!, StringComparison.Ordinal);
        // Its own swarm, the two hashes of the hybrid, and its v1 part alone.
        while (tracker.Peers < 4) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        Assert.Equal(4, tracker.Swarms);
        // Without the peer that the link names: the tracker alone knows it.
        var magnet = string.Join('&', share.Magnet!.Split('&').Where(p => p[..3] is not ("ws=" or "x.p")));
        await GetAsync(magnet, network.Folder("got"));
        AssertGot(network);
        Assert.Equal(4, tracker.Swarms);
    }

    private static async Task<TestAgent> AliceAsync(Network network, bool takesPeers = true, string[]? trackers = null)
    {
        var alice = await network.AgentAsync("alice", torrent: takesPeers ? Loopback : null, trackers: trackers ?? []);
        var folder = network.Folder("data");
        foreach (var (path, content) in Files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
            await File.WriteAllBytesAsync(Path.Combine(folder, path), content);
        }
        await alice.AddAccountAsync("disk", folder);
        return alice;
    }

    private static Task<ShareInfo> ShareAsync(TestAgent agent, string audience, bool isHybrid) =>
        agent.ShareAsync(new ShareRequest("disk", "talks", audience, [], IsHybrid: isHybrid));

    private static void AssertGot(Network network)
    {
        foreach (var (path, content) in Files)
            Assert.True(content.AsSpan().SequenceEqual(File.ReadAllBytes(network.PathOf("got/" + path))), path);
    }

    /// <summary>Whether the agent answers a handshake for a swarm.</summary>
    private static async Task<bool> KnowsAsync(TestAgent agent, byte[] hash)
    {
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(agent.Host.TorrentListens!);
        var stream = socket.GetStream();
        byte[] handshake = [.. "\u0013BitTorrent protocol"u8, .. new byte[8], .. hash, .. "-XX0000-abcdefghijkl"u8];
        await stream.WriteAsync(handshake);
        try
        {
            return await stream.ReadAsync(new byte[68]) > 0;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task GetAsync(string source, string folder)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Stock", "libtorrent_get.py");
        using var process = Process.Start(new ProcessStartInfo(
            "/usr/bin/python3", [script, source, folder, JsonSerializer.Serialize(new { })])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
        var line = await process.StandardOutput.ReadLineAsync();
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.True(line?.Contains("seconds", StringComparison.Ordinal), line ?? "python3-libtorrent: run ./test");
    }
}
