using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Content.Torrents;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>Every packet of an agent that has private things, with all ways to find peers switched on.</summary>
[Trait("Needs", "server")]
public sealed class TorrentPrivacyTests
{
    private const int PublicTracker = 7001, OwnTracker = 7002, Agent = 7003, OtherNode = 7004;

    /// <summary>
    /// The agent has a share for whoever has the link, one for those whom it trusts, one for a named agent, and a
    /// torrent for its trackers alone (BEP 27), beside a public share, which the DHT and a tracker get to know.
    /// </summary>
    [Fact]
    public async Task No_packet_names_what_is_private_but_to_the_tracker_and_the_peers_of_a_private_torrent()
    {
        await using var scene = new Scene(inMemory: true);
        await using var island = await Island.CreateAsync(takesAll: true);
        await StartAsync("tracker", ["repository", "--listen", "127.0.0.1:0", "--tracker", Place(PublicTracker)]);
        var own = await StartAsync("own", ["repository", "--listen", "127.0.0.1:0", "--tracker", Place(OwnTracker)]);
        var node = await StartAsync("node", Up(OtherNode, Agent, own));
        FileTree.Write(Path.Combine(scene.Folder("seed"), "secret"), 300_000, 1);
        using var seeder = await TorrentClient.SeedAsync(
            scene.PathOf("seed"), "secret",
            new { kind = "hybrid", @private = true, trackers = new[] { $"http://{Place(OwnTracker)}/announce" } },
            island.Prefix);
        await File.WriteAllBytesAsync(scene.PathOf("secret.torrent"), seeder.Torrent);
        var torrent = Torrent.Parse(seeder.Torrent).Info;
        Assert.True(torrent.IsTrackerOnly);
        var capture = scene.Own(await PacketCapture.StartAsync(scene.PathOf("all.pcap"), island));

        var agent = await StartAsync(
            "agent", [.. Up(Agent, OtherNode, own), "--torrent-tracker", $"http://{Place(PublicTracker)}/announce"]);
        FileTree.Write(Path.Combine(scene.Folder("disk"), "talk"), 200_000, 2);
        await Scene.AddDiskAsync(agent, "disk", scene.PathOf("disk"));
        var secrets = new List<byte[]>();
        string[][] audiences = [["--link"], ["--trusted", "--reach", "1"], ["--with", node.Id]];
        foreach (var audience in audiences) secrets.Add(await ShareAsync(agent, audience));
        var added = await Executable.RunAsync(
            agent.DataFolder,
            ["torrent", "add", scene.PathOf("secret.torrent"), "--to", "disk:in", "--ratio", "100"]);
        Assert.True(added.Exit == 0, $"{added}\n{scene.Logs()}");
        var open = await ShareAsync(agent, "--public");
        byte[][] hashes = [torrent.InfoHashV1!, torrent.InfoHashV2!.Value.ToArray()[..20]];

        // What is public is everywhere: whatever were done with what is private would have been done by now, too.
        List<Packet> packets;
        do
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200));
            packets = Packet.Read(capture.Path);
        }
        while (!packets.Exists(p => p.IsUdp && p.Says("announce_peer") && p.Names(open))
            || !packets.Exists(p => !p.IsUdp && p.To.Port == PublicTracker && p.Names(open))
            || !packets.Exists(p => IsCall(p) && p.Names(open))
            || !hashes.All(hash => packets.Exists(p => !p.IsUdp && p.To.Port == OwnTracker && p.Names(hash))));
        Assert.Equal(0, await agent.StopAsync());
        Assert.Equal(0, await capture.StopAsync());
        packets = Packet.Read(capture.Path);

        Assert.DoesNotContain(packets, p => secrets.Exists(p.Names));
        var ofPrivate = packets.FindAll(p => hashes.Any(p.Names));
        var seederPort = IPEndPoint.Parse(seeder.Place).Port;
        Assert.DoesNotContain(ofPrivate, p => p.IsUdp);
        Assert.All(ofPrivate, p => Assert.Contains(
            [p.From.Port, p.To.Port], port => port is OwnTracker or Agent || port == seederPort));
        // Nobody in its swarm is offered to be told of others.
        var connections = ofPrivate.Select(p => (p.From, p.To)).ToHashSet();
        Assert.DoesNotContain(packets, p => p.Says("ut_pex")
            && (connections.Contains((p.From, p.To)) || connections.Contains((p.To, p.From))));
        // Into the network around is called what is public, and nothing else.
        Assert.All(packets.FindAll(IsToMany), p => Assert.True(IsCall(p) && p.Names(open) && Hashes(p) == 1));

        Task<PeerProcess> StartAsync(string name, IEnumerable<string> arguments) =>
            scene.StartAsync(name, arguments, prefix: island.Prefix);
    }

    private static bool IsToMany(Packet packet) => packet.To.Address.GetAddressBytes()[0] is >= 224;

    private static bool IsCall(Packet packet) => IsToMany(packet) && packet is { IsUdp: true, To.Port: 6771 };

    private static int Hashes(Packet packet) =>
        Encoding.Latin1.GetString(packet.Payload).Split("Infohash: ").Length - 1;

    private static string Place(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    private static string[] Up(int port, int node, PeerProcess repository) =>
    [
        "up", "--repository", repository.Endpoint, "--listen", "127.0.0.1:0", "--torrent", Place(port),
        "--torrent-local", "--torrent-dht", "--torrent-dht-node", Place(node), "--torrent-lsd",
    ];

    /// <summary>By which its swarm is known, or would be.</summary>
    private static async Task<byte[]> ShareAsync(PeerProcess agent, params string[] audience)
    {
        for (var tries = 1; ; tries++)
        {
            var made = await Executable.RunAsync(agent.DataFolder, ["share", "disk:talk", .. audience, "--json"]);
            // Whom it is for may still be on its way to the repository.
            var isEarly = made.Error.Contains("nobody knows agent", StringComparison.Ordinal);
            Assert.True(made.Exit == 0 || (isEarly && tries < 20), made.ToString());
            if (made.Exit != 0) continue;
            using var json = JsonDocument.Parse(made.Out);
            return Convert.FromHexString(json.RootElement.GetProperty("infoHash").GetString()!)[..20];
        }
    }
}
