using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.BitTorrent.Dht;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Dht;

/// <summary>Hundreds of nodes in memory, from a seed.</summary>
public sealed class DhtNetworkTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 50)]
    public async Task Who_announces_is_found_from_anywhere(ulong seed, int lossPerMille)
    {
        var world = new DhtWorld(seed);
        await world.GrowAsync(250);
        world.LossPerMille = lossPerMille;
        var random = new Seeded(seed);
        for (ulong swarm = 0; swarm < 20; swarm++)
        {
            var announcer = (int)random.Next(250);
            var taken = await world.RunAsync(() => world.Nodes[announcer].FindPeersAsync(
                Hash(swarm), 7000, false, _ => { }, default));
            Assert.InRange(taken, 1, DhtLimits.BucketNodes);
            var found = new List<IPEndPoint>();
            var looker = (announcer + 1 + (int)random.Next(249)) % 250;
            await world.RunAsync(() => world.Nodes[looker].FindPeersAsync(Hash(swarm), 0, false, found.Add, default));
            Assert.True(
                found.Contains(new IPEndPoint(world.Places[announcer].Address, 7000)), $"seed {seed}, swarm {swarm}");
        }

        Assert.All(world.Nodes, node => Assert.InRange(node.Nodes, 5, 8 * 160));
        // Questions that got lost are forgotten when their time is over.
        await world.RunAsync(() => Task.Delay(DhtLimits.AnswerWait * 2, world.Time));
        Assert.All(world.Nodes, node => Assert.Equal(0, node.PendingCount));
    }

    [Fact]
    public async Task A_third_of_the_nodes_may_vanish()
    {
        var world = new DhtWorld(4, AddressRules.PublicOnly);
        await world.GrowAsync(150);
        await world.RunAsync(() => world.Nodes[0].FindPeersAsync(Hash(1), 7000, false, _ => { }, default));
        // Those that are gone are found out by asking them.
        var gone = world.Places.Skip(100).ToHashSet();
        foreach (var place in gone) world.Replace(place, (_, _) => { });

        var found = new List<IPEndPoint>();
        await world.RunAsync(() => world.Nodes[50].FindPeersAsync(Hash(1), 0, false, found.Add, default));

        Assert.Contains(new IPEndPoint(world.Places[0].Address, 7000), found);
    }

    [Fact]
    public async Task Items_are_put_and_got_and_the_newest_wins()
    {
        var world = new DhtWorld(5);
        await world.GrowAsync(100);
        using var key = SigningKey.FromSeed(Seeded.Bytes(32, 1));
        var immutable = DhtItem.Immutable("5:hello"u8);

        Assert.InRange(await world.RunAsync(() => world.Nodes[1].PutAsync(immutable, default)), 4, 8);
        var got = await world.RunAsync(() => world.Nodes[77].GetAsync(immutable.Target, default));
        Assert.Equal("5:hello", Encoding.ASCII.GetString(got!.Value.Span));

        var salt = "feed"u8.ToArray();
        for (var sequence = 1; sequence <= 3; sequence++)
        {
            var item = DhtItem.Sign(key, salt, sequence, DhtItem.FeedValue(Hash((ulong)sequence)));
            Assert.InRange(await world.RunAsync(() => world.Nodes[sequence].PutAsync(item, default)), 4, 8);
        }

        var old = DhtItem.Sign(key, salt, 2, DhtItem.FeedValue(Hash(9)));
        Assert.Equal(0, await world.RunAsync(() => world.Nodes[4].PutAsync(old, default)));
        var feed = await world.RunAsync(() => world.Nodes[90].GetAsync(key.PublicKey, salt, default));
        Assert.Equal((3L, Hash(3)), (feed!.Sequence, feed.FeedTorrent()!.Value));
        Assert.Null(await world.RunAsync(() => world.Nodes[90].GetAsync(key.PublicKey, "other"u8.ToArray(), default)));

        // Nobody keeps them for ever.
        world.Time.Advance(DhtLimits.ItemLife);
        foreach (var node in world.Nodes) await world.RunAsync(() => node.MaintainAsync(default));
        Assert.All(world.Nodes, node => Assert.Equal(0, node.Items));
    }

    [Fact]
    public async Task Who_only_reads_finds_and_is_in_nobodys_table()
    {
        var world = new DhtWorld(6);
        await world.GrowAsync(60);
        await world.RunAsync(() => world.Nodes[0].FindPeersAsync(Hash(1), 7000, false, _ => { }, default));
        var reader = world.Add(isReadOnly: true);
        await world.RunAsync(() => reader.BootstrapAsync([world.Places[3]], default));
        var found = new List<IPEndPoint>();

        await world.RunAsync(() => reader.FindPeersAsync(Hash(1), 0, false, found.Add, default));

        Assert.NotEmpty(found);
        Assert.DoesNotContain(world.Nodes.SelectMany(node => node.Contacts), contact => contact.Id == reader.Id);
    }

    [Fact]
    public async Task IPv6_has_a_network_of_its_own()
    {
        var world = new DhtWorld(7, AddressRules.PublicOnly);
        for (var i = 0; i < 40; i++)
        {
            var node = world.Add(family: AddressFamily.InterNetworkV6);
            if (i > 0) await world.RunAsync(() => node.BootstrapAsync([world.Places[i / 2]], default));
        }

        await world.RunAsync(() => world.Nodes[1].FindPeersAsync(Hash(1), 7000, false, _ => { }, default));
        var found = new List<IPEndPoint>();
        await world.RunAsync(() => world.Nodes[30].FindPeersAsync(Hash(1), 0, false, found.Add, default));

        Assert.Equal([new IPEndPoint(world.Places[1].Address, 7000)], found);
    }

    [Fact]
    public async Task An_id_is_made_to_fit_the_address_that_others_see()
    {
        var world = new DhtWorld(8, AddressRules.PublicOnly);
        await world.GrowAsync(40);
        foreach (var node in world.Nodes)
        {
            for (var i = 0; i < 3; i++) await world.RunAsync(() => node.MaintainAsync(default));
        }

        for (var i = 30; i < 40; i++) Assert.True(world.Nodes[i].Id.Fits(world.Places[i].Address), $"node {i}");
        Assert.All(world.Nodes.Skip(30), node => Assert.InRange(node.Nodes, 5, 200));
    }

    /// <summary>A fifth of the network lies about who is near, and where.</summary>
    [Fact]
    public async Task Liars_lead_nobody_astray_and_into_no_private_network()
    {
        var world = new DhtWorld(9, AddressRules.PublicOnly);
        await world.GrowAsync(100);
        var random = new Seeded(10);
        var strangers = new List<IPEndPoint>();
        for (var i = 0; i < 25; i++)
        {
            IPEndPoint? own = null;
            own = world.AddStranger((packet, from) =>
            {
                if (!DhtMessage.TryRead(packet, out var asked) || asked.Kind != (byte)'q') return;
                var target = asked.Target("info_hash") ?? asked.Target("target") ?? asked.Id;
                // Just what was asked for, at addresses that are not to be spoken to, or are one and the same.
                var lies = Enumerable.Range(0, 8).Select(n => new DhtContact(
                    target.Beside(150 - n, random.RandomBytes), n % 2 == 0
                        ? new IPEndPoint(new IPAddress([10, 0, 0, (byte)n]), 80)
                        : new IPEndPoint(own!.Address, 7000 + n))).ToList();
                world.Send(DhtMessage.Answer(asked.Transaction, from, w => w
                    .Key("id").Bytes(target.Beside(155, random.RandomBytes).ToArray())
                    .Key("nodes").Bytes(DhtMessage.Nodes(lies))
                    .Key("token").Text("x")
                    .Key("values").StartList().Bytes([10, 0, 0, 1, 0, 80]).Bytes([1, 2, 3]).End()), own!, from);
            });
            strangers.Add(own);
        }

        foreach (var node in world.Nodes)
        {
            var liar = strangers[(int)random.Next(25)];
            await world.RunAsync(() => node.BootstrapAsync([liar, world.Places[0]], default));
        }

        await world.RunAsync(() => world.Nodes[3].FindPeersAsync(Hash(1), 7000, false, _ => { }, default));
        var found = new List<IPEndPoint>();
        await world.RunAsync(() => world.Nodes[80].FindPeersAsync(Hash(1), 0, false, found.Add, default));

        Assert.Equal([new IPEndPoint(world.Places[3].Address, 7000)], found);
        Assert.DoesNotContain(world.Traffic.Keys, place => place.Address.GetAddressBytes()[0] == 10);
        Assert.All(world.Nodes, node => Assert.InRange(
            node.Contacts.GroupBy(contact => contact.Place.Address).Max(group => group.Count()), 1, 1));
    }
}
