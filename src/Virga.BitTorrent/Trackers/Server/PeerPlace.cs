using System.Buffers.Binary;
using System.Net;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>The address that a request came from, and the port that it names. IPv4 is mapped into IPv6.</summary>
/// <param name="High">The first 8 bytes of the address.</param>
/// <param name="Low">The last 8.</param>
public readonly record struct PeerPlace(ulong High, ulong Low, ushort Port)
{
    private const ulong Mapped = 0xffff_0000_0000;

    public bool IsV4 => High == 0 && Low >> 32 == Mapped >> 32;

    /// <summary>The bytes in the forms of BEP 23 and BEP 7.</summary>
    public int CompactBytes => IsV4 ? CompactAddress.V4Bytes : CompactAddress.V6Bytes;

    /// <summary>Who is counted as one: an IPv4 address, or an IPv6 network of 64 bits.</summary>
    public PeerPlace Network => new(High, IsV4 ? Low : 0, 0);

    public static PeerPlace OfV4(uint address, ushort port) => new(0, Mapped | address, port);

    public static PeerPlace Of(IPAddress address, ushort port)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var count);
        return count == 4
            ? OfV4(BinaryPrimitives.ReadUInt32BigEndian(bytes), port)
            : new PeerPlace(
                BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), port);
    }
}
