using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Virga.Agent.Control;
using Virga.BitTorrent;
using Virga.BitTorrent.Dht;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Tests;

/// <summary>An agent in a DHT whose only other node keeps every packet.</summary>
public sealed class DhtTests
{
    [Fact]
    public async Task Public_shares_are_announced_and_no_packet_names_another()
    {
        await using var network = await Network.StartAsync();
        await using var dht = new WatchedNode();
        var alice = await AgentAsync(network, "alice", dht, torrent: new IPEndPoint(IPAddress.Loopback, 0));
        var folder = network.Folder("data");
        await File.WriteAllBytesAsync(Path.Combine(folder, "talk"), new byte[70_000]);
        await alice.AddAccountAsync("disk", folder);
        var forLink = await alice.ShareAsync(new ShareRequest("disk", "talk", "link", []));
        var forTrusted = await alice.ShareAsync(new ShareRequest("disk", "talk", "trusted", []));
        var forAll = await alice.ShareAsync(new ShareRequest("disk", "talk", "public", [], IsHybrid: true));

        var expected = new IPEndPoint(IPAddress.Loopback, alice.Host.TorrentListens!.Port);
        var found = new ConcurrentDictionary<IPEndPoint, bool>();
        var hash = Hash(forAll);
        while (!found.ContainsKey(expected))
        {
            await dht.Node.FindPeersAsync(hash, 0, false, peer => found[peer] = true, default);
            foreach (var peer in dht.PeersOf(hash)) found[peer] = true;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }

        // Its own swarm, both of the hybrid and that of its v1 part are announced; then nothing else is under way.
        while (dht.Swarms.Count < 4) await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        await network.StopAsync(alice);
        Assert.Equal(4, dht.Swarms.Count);
        foreach (var secret in new[] { forLink, forTrusted })
        {
            var bytes = Hash(secret).ToArray();
            Assert.DoesNotContain(dht.Packets, packet => packet.AsSpan().IndexOf(bytes) >= 0);
        }

        Assert.Contains(dht.Packets, packet => packet.AsSpan().IndexOf(hash.ToArray()) >= 0);
        Assert.True(File.Exists(network.PathOf("agent-alice/dht")));
    }

    [Fact]
    public async Task An_agent_without_it_asks_nobody()
    {
        await using var network = await Network.StartAsync();
        await using var dht = new WatchedNode();
        var alice = await network.AgentAsync("alice", options => options with
        {
            Torrent = new IPEndPoint(IPAddress.Loopback, 0), TorrentAddresses = AddressRules.LocalToo,
        });

        await network.StopAsync(alice);

        Assert.Empty(dht.Packets);
        Assert.False(File.Exists(network.PathOf("agent-alice/dht")));
    }

    private static Task<TestAgent> AgentAsync(Network network, string name, WatchedNode dht, IPEndPoint torrent) =>
        network.AgentAsync(name, options => options with
        {
            Torrent = torrent, TorrentAddresses = AddressRules.LocalToo, Dht = [dht.Place.ToString()],
        });

    /// <summary>By which a share's own swarm is known: the first 20 bytes of its info-hash.</summary>
    private static SwarmHash Hash(ShareInfo share) => SwarmHash.OfV2(ShareLink.Parse(share.Link).InfoHash);

    private sealed class WatchedNode : IAsyncDisposable
    {
        private readonly UdpClient socket = new(new IPEndPoint(IPAddress.Loopback, 0));
        private readonly Task running;

        public WatchedNode()
        {
            Node = new DhtNode(
                new DhtOptions
                {
                    Rules = AddressRules.LocalToo, Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
                }, (packet, to) => socket.Client.SendTo(packet, SocketFlags.None, to));
            running = RunAsync();
        }

        public DhtNode Node { get; }

        public ConcurrentQueue<byte[]> Packets { get; } = new();

        /// <summary>What was announced here.</summary>
        public ConcurrentDictionary<string, IPEndPoint> Swarms { get; } = new();

        public IPEndPoint Place => (IPEndPoint)socket.Client.LocalEndPoint!;

        public IEnumerable<IPEndPoint> PeersOf(SwarmHash swarm) =>
            Swarms.TryGetValue(swarm.ToString(), out var peer) ? [peer] : [];

        public async ValueTask DisposeAsync()
        {
            socket.Dispose();
            await running;
        }

        private async Task RunAsync()
        {
            try
            {
                while (true)
                {
                    var received = await socket.ReceiveAsync();
                    Packets.Enqueue(received.Buffer);
                    Note(received.Buffer, received.RemoteEndPoint);
                    Node.Receive(received.Buffer, received.RemoteEndPoint);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private void Note(byte[] packet, IPEndPoint from)
        {
            var message = Core.Bencoding.BencodeValue.ParseDictionary(
                packet, Core.Bencoding.BencodeLimits.Message, "a packet");
            if (message.OptionalText("q") != "announce_peer") return;
            var arguments = message.Dictionary("a");
            Swarms[Convert.ToHexStringLower(arguments.Bytes("info_hash"))] =
                new IPEndPoint(from.Address, (int)arguments.Integer("port"));
        }
    }
}
