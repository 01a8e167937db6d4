using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Virga.EndToEnd.Harness;

/// <summary>One packet of TCP or UDP, of IPv4 or IPv6, as it was captured.</summary>
internal sealed record Packet(bool IsUdp, IPEndPoint From, IPEndPoint To, byte[] Payload)
{
    private const int FileHeaderBytes = 24, PacketHeaderBytes = 16, EthernetBytes = 14, IPv6Bytes = 40, UdpBytes = 8;

    /// <summary>Of a file of libpcap's; one that is still written ends with its last whole packet.</summary>
    public static List<Packet> Read(string path)
    {
        var packets = new List<Packet>();
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var all = new byte[file.Length];
        ReadOnlySpan<byte> rest = all.AsSpan(0, file.ReadAtLeast(all, all.Length, throwOnEndOfStream: false));
        if (rest.Length < FileHeaderBytes) return packets;
        rest = rest[FileHeaderBytes..];
        while (rest.Length >= PacketHeaderBytes)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(rest[8..]);
            if (rest.Length < PacketHeaderBytes + length) break;
            if (Parse(rest.Slice(PacketHeaderBytes, length)) is { } packet) packets.Add(packet);
            rest = rest[(PacketHeaderBytes + length)..];
        }
        return packets;
    }

    /// <summary>Whether bytes stand in it as they are, as text, or as a URL has them.</summary>
    public bool Names(byte[] hash)
    {
        if (Payload.AsSpan().IndexOf(hash) >= 0 || FromUrl(Payload).AsSpan().IndexOf(hash) >= 0) return true;
        var text = Encoding.Latin1.GetString(Payload);
        return text.Contains(Convert.ToHexString(hash), StringComparison.OrdinalIgnoreCase)
            || text.Contains(Convert.ToBase64String(hash)[..24], StringComparison.Ordinal);
    }

    public bool Says(string text) => Payload.AsSpan().IndexOf(Encoding.ASCII.GetBytes(text)) >= 0;

    private static byte[] FromUrl(byte[] payload)
    {
        var bytes = new List<byte>(payload.Length);
        for (var i = 0; i < payload.Length; i++)
        {
            if (payload[i] == '%' && i + 2 < payload.Length && char.IsAsciiHexDigit((char)payload[i + 1])
                && char.IsAsciiHexDigit((char)payload[i + 2]))
            {
                bytes.Add(Convert.FromHexString(Encoding.ASCII.GetString(payload, i + 1, 2))[0]);
                i += 2;
            }
            else
            {
                bytes.Add(payload[i]);
            }
        }
        return [.. bytes];
    }

    private static Packet? Parse(ReadOnlySpan<byte> frame)
    {
        var ip = frame[EthernetBytes..];
        if (ip.IsEmpty) return null;
        var isV4 = ip[0] >> 4 == 4;
        var (protocol, from, to) = isV4
            ? (ip[9], new IPAddress(ip.Slice(12, 4)), new IPAddress(ip.Slice(16, 4)))
            : (ip[6], new IPAddress(ip.Slice(8, 16)), new IPAddress(ip.Slice(24, 16)));
        var inside = ip[(isV4 ? 4 * (ip[0] & 15) : IPv6Bytes)..];
        if (protocol is not (6 or 17)) return null;
        var header = protocol == 17 ? UdpBytes : 4 * (inside[12] >> 4);
        return new Packet(
            protocol == 17, new IPEndPoint(from, BinaryPrimitives.ReadUInt16BigEndian(inside)),
            new IPEndPoint(to, BinaryPrimitives.ReadUInt16BigEndian(inside[2..])), inside[header..].ToArray());
    }
}
