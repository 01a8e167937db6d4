using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text;

namespace Virga.BitTorrent.Neighbours;

/// <summary>What is called into the network around (BEP 14): who is in which swarms. Immutable.</summary>
/// <param name="Port">Where connections are taken, at the address from which it comes.</param>
/// <param name="Cookie">By which who sent it knows its own; null where it says none.</param>
internal sealed record LocalAnnounce(ushort Port, IReadOnlyList<SwarmHash> Swarms, string? Cookie)
{
    /// <summary>Longer packets might be cut up on their way (BEP 14).</summary>
    public const int PacketBytes = 1_400;

    /// <summary>Swarms of one packet: so many lines, with all others, stay below its length.</summary>
    public const int SwarmsMax = 24;

    private const int CookieMax = 64;
    private const string Start = "BT-SEARCH * HTTP/1.1";

    /// <summary>False for what is no announce, or names no swarm or no port.</summary>
    public static bool TryRead(ReadOnlySpan<byte> packet, [NotNullWhen(true)] out LocalAnnounce? announce)
    {
        announce = null;
        if (packet.Length > PacketBytes || !packet.StartsWith("BT-SEARCH "u8)) return false;
        ushort port = 0;
        string? cookie = null;
        var swarms = new List<SwarmHash>();
        foreach (var line in Encoding.Latin1.GetString(packet).Split('\n').Skip(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0) continue;
            var value = line[(colon + 1)..].Trim();
            switch (line[..colon].Trim().ToUpperInvariant())
            {
                case "PORT" when !ushort.TryParse(
                    value, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port == 0:
                    return false;
                case "INFOHASH" when SwarmHash.TryParse(value, out var hash):
                    swarms.Add(hash);
                    break;
                case "COOKIE" when value.Length <= CookieMax:
                    cookie = value;
                    break;
            }
        }

        if (port == 0 || swarms.Count == 0) return false;
        announce = new LocalAnnounce(port, swarms, cookie);
        return true;
    }

    /// <param name="group">Where it is sent.</param>
    public byte[] Write(IPEndPoint group)
    {
        var text = new StringBuilder();
        text.Append(Start).Append("\r\nHost: ").Append(group).Append("\r\nPort: ").Append(Port).Append("\r\n");
        foreach (var swarm in Swarms) text.Append("Infohash: ").Append(swarm).Append("\r\n");
        if (Cookie is not null) text.Append("cookie: ").Append(Cookie).Append("\r\n");
        return Encoding.ASCII.GetBytes(text.Append("\r\n\r\n").ToString());
    }
}
