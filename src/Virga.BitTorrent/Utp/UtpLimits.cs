using System.Net.Sockets;

namespace Virga.BitTorrent.Utp;

/// <summary>Bounds of uTP: what a connection may take, and all of them together.</summary>
internal static class UtpLimits
{
    /// <summary>
    /// A datagram that fits what most lines carry: Ethernet's 1,500 bytes without the headers of IP, UDP and of tunnels
    /// such as PPPoE and GRE; for IPv6 without those of what every line of it carries (1,280).
    /// </summary>
    public static int PacketBytes(AddressFamily family) => family == AddressFamily.InterNetwork ? 1_402 : 1_232;

    /// <summary>
    /// Packets that are under way to a peer, or that came from it before one that is missing. Others keep no more than
    /// about a thousand.
    /// </summary>
    public const int PacketsMax = 900;

    /// <summary>
    /// Packets that are under way before the peer is known to have the connection: they may overtake each other, and
    /// each of them begins it.
    /// </summary>
    public const int FirstPackets = 4;

    /// <summary>Numbers that are looked at, ahead of what is expected and behind it.</summary>
    public const int SequencesMax = 1_024;

    /// <summary>Bytes that a connection keeps in each direction: 10 MB/s with 100 ms there and back.</summary>
    public const int WindowBytesMax = 1 << 20;

    /// <summary>However many connections there are: what one needs to get on at all.</summary>
    public const int WindowBytesMin = 16 << 10;

    /// <summary>Bytes that all connections together may keep in each direction.</summary>
    public const int AllWindowsBytes = 48 << 20;

    /// <summary>Connections at once, those that are closing among them.</summary>
    public const int ConnectionsMax = 2_000;

    /// <summary>Connections at once that we began and that were not answered yet.</summary>
    public const int BeginningMax = 100;

    /// <summary>Times that a connection is begun: after 1, 2 and 4 seconds nobody is there.</summary>
    public const int SynsMax = 3;

    /// <summary>Times in a row that nothing was acknowledged in time, until the peer is gone: after about a minute.
    /// </summary>
    public const int TimeoutsMax = 6;

    /// <summary>How often timers are looked at; all that they measure is longer.</summary>
    public static readonly TimeSpan TickEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>Before anything is known of the line (BEP 29).</summary>
    public const long TimeoutFirstMicros = 1_000_000;

    public const long TimeoutMinMicros = 500_000;

    public const long TimeoutMaxMicros = 30_000_000;

    /// <summary>Routers forget who speaks UDP, some after 30 seconds.</summary>
    public const long KeepAliveMicros = 29_000_000;

    /// <summary>Peers send something every two minutes (BEP 3).</summary>
    public const long SilenceMaxMicros = 180_000_000;

    /// <summary>What was sent last may still arrive, and the peer may close, too.</summary>
    public const long ClosingMaxMicros = 15_000_000;

    /// <summary>What a connection may keep in each direction while there are so many.</summary>
    public static int WindowBytes(int connections) =>
        Math.Clamp(AllWindowsBytes / Math.Max(1, connections), WindowBytesMin, WindowBytesMax);
}
