using System.Net;
using Virga.BitTorrent.Neighbours;
using Virga.Testing;
using static Virga.BitTorrent.Tests.Neighbours.LocalAnnounceTests;

namespace Virga.BitTorrent.Tests.Neighbours;

public sealed class LocalScheduleTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void A_few_swarms_have_a_packet_each_one_a_minute_and_each_every_five()
    {
        var schedule = new LocalSchedule(time);
        foreach (var number in new ulong[] { 1, 2, 3 }) schedule.Add(Hash(number));
        var said = new List<(int Minute, SwarmHash Swarm)>();

        var began = time.GetUtcNow();
        while (time.GetUtcNow() - began < TimeSpan.FromMinutes(10))
        {
            foreach (var swarm in schedule.Take()) said.Add(((int)(time.GetUtcNow() - began).TotalMinutes, swarm));
            Assert.Empty(schedule.Take());
            time.Advance(schedule.NextIn());
        }

        Assert.Equal([0, 1, 2, 5, 6, 7], said.Select(one => one.Minute));
        Assert.Equal(3, said.Take(3).Select(one => one.Swarm).Distinct().Count());
    }

    [Fact]
    public void Many_share_packets_and_all_have_their_turn()
    {
        const int swarms = 100;
        var schedule = new LocalSchedule(time);
        for (var i = 0; i < swarms; i++) schedule.Add(Hash((ulong)i));
        var said = new List<SwarmHash>();

        for (var packet = 0; packet < 5; packet++)
        {
            said.AddRange(schedule.Take());
            time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(swarms, said.Count);
        Assert.Equal(swarms, said.Distinct().Count());
        Assert.Equal(LocalAnnounce.SwarmsMax, schedule.Take().Count);
    }

    [Fact]
    public void Who_is_new_is_answered_first_and_once()
    {
        var (one, other) = (Peer(1), Peer(2));
        var schedule = new LocalSchedule(time);
        for (var i = 0; i < 60; i++) schedule.Add(Hash((ulong)i));
        schedule.Take();

        Assert.False(schedule.Heard(Hash(1000), one));
        Assert.True(schedule.Heard(Hash(55), one));
        Assert.True(schedule.Heard(Hash(1), other));
        Assert.False(schedule.Heard(Hash(55), one));
        // Not before its minute, whoever calls.
        Assert.Empty(schedule.Take());
        Assert.Equal(TimeSpan.FromMinutes(1), schedule.NextIn());
        time.Advance(TimeSpan.FromMinutes(1));
        var first = schedule.Take();
        Assert.Equal(2, first.Take(2).Intersect([Hash(55), Hash(1)]).Count());
        // Each is the first of a packet once, since older programs read no further.
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(first[1], schedule.Take()[0]);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Empty(schedule.Take().Intersect([Hash(55), Hash(1)]));
    }

    [Fact]
    public void What_nobody_wants_any_more_is_not_announced()
    {
        var schedule = new LocalSchedule(time);
        schedule.Add(Hash(1));
        schedule.Add(Hash(1));
        schedule.Remove(Hash(1));
        Assert.Equal([Hash(1)], schedule.Take());
        schedule.Remove(Hash(1));
        time.Advance(TimeSpan.FromHours(1));
        Assert.Empty(schedule.Take());
        Assert.False(schedule.Heard(Hash(1), Peer(1)));
    }

    private static IPEndPoint Peer(int number) => new(IPAddress.Parse($"192.168.0.{number}"), 6881);
}
