using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Virga.BitTorrent.Dht;
using Virga.Core.Keys;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Dht;

/// <summary>Our DHT and libtorrent's, on loopback, each knowing nobody but the other.</summary>
[Trait("Needs", "server")]
public sealed class LibtorrentDhtTests
{
    private const string Python = "/usr/bin/python3";

    /// <summary>
    /// Announces one swarm and looks for another, puts an item and looks for another, again and again until both were
    /// found; says what it put, and what it found.
    /// </summary>
    private const string Script = """
        import sys, time
        import libtorrent as lt
        port, ours, theirs, key = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
        s = lt.session({'listen_interfaces': '127.0.0.2:0', 'enable_dht': True, 'enable_lsd': False,
            'enable_upnp': False, 'enable_natpmp': False, 'dht_bootstrap_nodes': '', 'dht_restrict_routing_ips': False,
            'dht_restrict_search_ips': False, 'dht_ignore_dark_internet': False,
            'alert_mask': lt.alert.category_t.all_categories})
        s.add_dht_node(('127.0.0.1', port))
        print(s.listen_port(), s.dht_put_immutable_item('from libtorrent'), flush=True)
        magnet = lt.parse_magnet_uri('magnet:?xt=urn:btih:' + theirs)
        magnet.save_path = '/nowhere'
        torrent = s.add_torrent(magnet)
        wanted = {'peer', 'item'}
        give_up = time.time() + 240
        while wanted and time.time() < give_up:
            torrent.force_dht_announce()
            s.dht_get_peers(lt.sha1_hash(bytes.fromhex(ours)))
            s.dht_get_mutable_item(bytes.fromhex(key), b'salt')
            s.dht_put_immutable_item('from libtorrent')
            s.add_dht_node(('127.0.0.1', port))
            time.sleep(0.5)
            for alert in s.pop_alerts():
                if isinstance(alert, lt.dht_get_peers_reply_alert) and ('127.0.0.1', 7002) in alert.peers():
                    wanted.discard('peer')
                if isinstance(alert, lt.dht_mutable_item_alert) and alert.seq == 4:
                    wanted.discard('item')
        print(' '.join(wanted) or 'found', flush=True)
        sys.stdin.read()
        """;

    [Fact]
    public async Task Each_finds_what_the_other_announced_and_put()
    {
        await using var ours = DhtService.Start(new DhtServiceOptions
        {
            Listen = [Local(0)], Rules = AddressRules.LocalToo, Bootstrap = [], Time = TimeProvider.System,
            Random = RandomNumberGenerator.Fill,
        });
        using var key = SigningKey.FromSeed(Seeded.Bytes(32, 3));
        using var python = Start(
            $"{ours.Places[0].Port}", $"{Hash(1)}", $"{Hash(2)}", Convert.ToHexString(key.PublicKey.Bytes.ToArray()));
        var errors = python.StandardError.ReadToEndAsync();
        try
        {
            var said = (await python.StandardOutput.ReadLineAsync())?.Split(' ') ?? throw new InvalidOperationException(
                await errors);
            var node = ours.Nodes[0];
            var item = DhtItem.Sign(key, "salt"u8, 4, "10:from virga"u8);
            var theirItem = new NodeId(Convert.FromHexString(said[1]));
            var theirPeer = IPEndPoint.Parse($"127.0.0.2:{said[0]}");
            var verdict = python.StandardOutput.ReadLineAsync();
            var (isPeerFound, isItemFound) = (false, false);
            while (!isPeerFound || !isItemFound || !verdict.IsCompleted)
            {
                Assert.False(python.HasExited, "libtorrent has ended");
                if (verdict.IsCompleted) Assert.Equal("found", await verdict);
                // Either may have lost the other's first packet, as packets get lost.
                ours.Add(theirPeer);
                await node.FindPeersAsync(Hash(1), 7002, true, _ => { }, default);
                await node.FindPeersAsync(Hash(2), 0, false, peer => isPeerFound |= peer.Equals(theirPeer), default);
                await node.PutAsync(item, default);
                if (await node.GetAsync(theirItem, default) is { } got)
                {
                    Assert.Equal("15:from libtorrent"u8.ToArray(), got.Value.ToArray());
                    isItemFound = true;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System);
            }

            Assert.Equal("found", await verdict);
        }
        finally
        {
            python.StandardInput.Close();
            await python.WaitForExitAsync();
        }
    }

    private static Process Start(params string[] arguments)
    {
        Assert.True(File.Exists(Python), $"{Python} is missing: run ./test, which installs what the tests need");
        return Process.Start(new ProcessStartInfo(Python, ["-c", Script, .. arguments])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }
}
