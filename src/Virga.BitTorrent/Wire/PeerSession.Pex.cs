using System.Net;
using Virga.BitTorrent.Wire.Extensions;

namespace Virga.BitTorrent.Wire;

/// <summary>Telling peers of each other (BEP 11).</summary>
public sealed partial class PeerSession
{
    private static readonly TimeSpan PexEvery = TimeSpan.FromMinutes(1);

    private readonly HashSet<IPEndPoint> told = [];
    private long lastPex;

    private bool HasPex => settings.HasPex && !swarm.IsTrackerOnly && swarm.Layout is not null;

    private void SendPex()
    {
        if (!HasPex || Extensions.PexId == 0) return;
        var now = settings.Time.GetTimestamp();
        if (lastPex != 0 && settings.Time.GetElapsedTime(lastPex, now) < PexEvery) return;
        lastPex = now;
        // Who is far away has no use for what lies in our own network, and no business knowing of it.
        var isFar = AddressRules.PublicOnly.Allows(Remote);
        var current = swarm.Sessions.Where(s => s != this).Select(s => s.Listens).OfType<IPEndPoint>()
            .Where(p => !p.Equals(Listens) && (!isFar || AddressRules.PublicOnly.Allows(p))).Distinct()
            .Take(Swarm.SessionsMax).ToHashSet();
        var added = current.Except(told).Take(WireLimits.PexPeersMax).ToList();
        var dropped = told.Except(current).Take(WireLimits.PexPeersMax).ToList();
        if (added.Count == 0 && dropped.Count == 0) return;
        told.UnionWith(added);
        told.ExceptWith(dropped);
        var message = new PexMessage(added, dropped).Write();
        Control(output => PeerCodec.WriteExtended(output, Extensions.PexId, message));
    }
}
