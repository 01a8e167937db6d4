using System.Net;
using System.Net.Sockets;

namespace Virga.Hosting;

/// <summary>
/// Who is counted as one: an IPv4 address, or an IPv6 network of 64 bits, since a single host has one of those at
/// least.
/// </summary>
internal readonly record struct ClientAddress(UInt128 Network)
{
    public static ClientAddress Of(IPAddress? address)
    {
        if (address is null) return default;
        Span<byte> bytes = stackalloc byte[16];
        if (address.AddressFamily == AddressFamily.InterNetwork) address = address.MapToIPv6();
        address.TryWriteBytes(bytes, out _);
        if (!address.IsIPv4MappedToIPv6) bytes[8..].Clear();
        return new ClientAddress(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes));
    }
}
