using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Virga.BitTorrent.Wire;

/// <summary>
/// Address and port of who sent a datagram, without an object for each: an <see cref="IPEndPoint"/> is made only of who
/// is spoken with.
/// </summary>
/// <param name="Address">An IPv4 address in its lowest 32 bits.</param>
/// <param name="Scope">Of IPv6 alone; 0 for none.</param>
public readonly record struct UdpPlace(UInt128 Address, ushort Port, uint Scope, bool IsV4)
{
    /// <summary>Where the parts of both families lie in what the system fills in.</summary>
    private const int PortAt = 2, AddressV4At = 4, AddressV6At = 8, ScopeAt = 24;

    /// <summary>As the system wrote it; of another family than both nothing is made.</summary>
    public static UdpPlace Read(SocketAddress from)
    {
        var bytes = from.Buffer.Span;
        var port = BinaryPrimitives.ReadUInt16BigEndian(bytes[PortAt..]);
        return from.Family switch
        {
            AddressFamily.InterNetwork =>
                new UdpPlace(BinaryPrimitives.ReadUInt32BigEndian(bytes[AddressV4At..]), port, 0, true),
            AddressFamily.InterNetworkV6 => new UdpPlace(
                BinaryPrimitives.ReadUInt128BigEndian(bytes[AddressV6At..]), port,
                BitConverter.ToUInt32(bytes[ScopeAt..]), false),
            _ => default,
        };
    }

    public static UdpPlace Of(IPEndPoint place)
    {
        var isV4 = place.AddressFamily == AddressFamily.InterNetwork;
        Span<byte> bytes = stackalloc byte[16];
        place.Address.TryWriteBytes(bytes, out var count);
        return isV4
            ? new UdpPlace(BinaryPrimitives.ReadUInt32BigEndian(bytes[..count]), (ushort)place.Port, 0, true)
            : new UdpPlace(
                BinaryPrimitives.ReadUInt128BigEndian(bytes), (ushort)place.Port, (uint)place.Address.ScopeId, false);
    }

    public IPAddress ToAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Address);
        return IsV4 ? new IPAddress(bytes[12..]) : new IPAddress(bytes, Scope);
    }

    public IPEndPoint ToEndPoint() => new(ToAddress(), Port);
}
