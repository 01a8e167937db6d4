using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Virga.BitTorrent;

/// <summary>
/// An address and a port as trackers, peer exchange and the DHT write them: 4 or 16 bytes of address, 2 of port, in
/// network order (BEP 23, BEP 7, BEP 5).
/// </summary>
public static class CompactAddress
{
    public const int V4Bytes = 6;

    public const int V6Bytes = 18;

    /// <summary>The bytes written: 6 for IPv4 (also mapped into IPv6), 18 for IPv6.</summary>
    public static int Write(IPEndPoint peer, Span<byte> destination)
    {
        var address = peer.Address.IsIPv4MappedToIPv6 ? peer.Address.MapToIPv4() : peer.Address;
        if (!address.TryWriteBytes(destination, out var written))
            throw new ArgumentException("no room for an address", nameof(destination));
        BinaryPrimitives.WriteUInt16BigEndian(destination[written..], (ushort)peer.Port);
        return written + 2;
    }

    /// <param name="bytes">Exactly 6 or 18 bytes; anything else is a bug of the caller.</param>
    public static IPEndPoint Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is not (V4Bytes or V6Bytes))
            throw new ArgumentException($"a compact address has 6 or 18 bytes, not {bytes.Length}", nameof(bytes));
        return new IPEndPoint(new IPAddress(bytes[..^2]), BinaryPrimitives.ReadUInt16BigEndian(bytes[^2..]));
    }

    /// <summary>
    /// All whole addresses of a list. A rest that is no whole address, and peers at port 0, which nobody can reach, are
    /// left out: a list that others wrote is used as far as it makes sense.
    /// </summary>
    public static List<IPEndPoint> ReadAll(ReadOnlySpan<byte> bytes, AddressFamily family)
    {
        var size = family == AddressFamily.InterNetworkV6 ? V6Bytes : V4Bytes;
        var peers = new List<IPEndPoint>(bytes.Length / size);
        for (; bytes.Length >= size; bytes = bytes[size..])
        {
            var peer = Read(bytes[..size]);
            if (peer.Port != 0) peers.Add(peer);
        }
        return peers;
    }
}
