using System.Net;
using Virga.BitTorrent.Utp;
using Virga.Protocol;

namespace Virga.BitTorrent.Wire;

/// <summary>What all sessions of a process have in common.</summary>
/// <param name="Pace">Bounds what goes out, with everything else that shares it.</param>
public sealed record PeerSettings(TimeProvider Time, PeerId Id, Pace Pace)
{
    /// <summary>What we call ourselves to peers; empty tells nothing.</summary>
    public string Client { get; init; } = "Virga";

    /// <summary>Where we take connections; 0 where we take none.</summary>
    public int ListenPort { get; init; }

    /// <summary>A peer's node of the DHT (BEP 5); null where we take no part.</summary>
    public Action<IPEndPoint>? DhtNode { get; init; }

    /// <summary>By which peers are reached that take no TCP; null where nothing is to be sent by uTP.</summary>
    public UtpNode? Utp { get; init; }

    /// <summary>Peers are told of each other (BEP 11); never in torrents of trackers alone.</summary>
    public bool HasPex { get; init; } = true;

    /// <summary>Until both handshakes are through. Also bounds who sends byte by byte.</summary>
    public TimeSpan HandshakeWithin { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Without a whole message. Peers send a keep-alive every two minutes (BEP 3).</summary>
    public TimeSpan SilenceMax { get; init; } = TimeSpan.FromSeconds(150);

    /// <summary>For one go of at most a few hundred KiB: who takes less than that does not read.</summary>
    public TimeSpan SendWithin { get; init; } = TimeSpan.FromSeconds(60);
}
