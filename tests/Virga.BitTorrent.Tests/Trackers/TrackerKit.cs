using System.Net;
using Virga.BitTorrent.Trackers;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Trackers;

internal static class TrackerKit
{
    public static TrackerClients Clients(AddressRules? rules = null, TimeProvider? time = null, ulong seed = 1)
    {
        var random = new Seeded(seed).RandomBytes;
        return new TrackerClients(
            rules ?? AddressRules.LocalToo, time ?? TimeProvider.System, random, new PeerId(random));
    }

    public static SwarmHash Hash(ulong number) => new(Seeded.Bytes(SwarmHash.ByteCount, number));

    public static TrackerAnnounce Announce(
        SwarmHash hash, int port, long left = 0, AnnounceEvent told = AnnounceEvent.Started, ulong peer = 1,
        int wanted = 50) =>
        new(hash, new PeerId(new Seeded(peer).RandomBytes), (uint)peer, new SwarmPart((ushort)port, 1, 2, left), told,
            wanted);

    public static IPEndPoint Local(int port) => new(IPAddress.Loopback, port);
}
