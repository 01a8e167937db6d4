using System.Net;
using System.Net.Sockets;

namespace Virga.Protocol;

/// <summary>
/// Which addresses belong to the public Internet: nothing that somebody else named (a signed URL, a tracker, a peer)
/// may make this machine ask its own network, or a cloud's metadata service.
/// </summary>
public static class PublicAddresses
{
    /// <summary>
    /// IANA's registry of special-purpose IPv4 addresses (RFC 6890), multicast and reserved ones, and Azure's metadata
    /// host.
    /// </summary>
    private static readonly IPNetwork[] SpecialV4 = Networks(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32");

    /// <summary>Special ranges inside 2000::/3, outside of which no address is public (RFC 6890, 9637).</summary>
    private static readonly IPNetwork[] SpecialV6 = Networks("2001::/23", "2001:db8::/32", "3fff::/20");

    private static readonly IPNetwork GlobalV6 = IPNetwork.Parse("2000::/3");

    /// <summary>Translated (RFC 6052) and 6to4 (RFC 3056) addresses: the IPv4 address inside decides.</summary>
    private static readonly IPNetwork TranslatedV6 = IPNetwork.Parse("64:ff9b::/96");

    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");

    public static bool Contains(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return Embedded(address) is { } inner ? Contains(inner)
            : address.AddressFamily == AddressFamily.InterNetwork ? !IsIn(SpecialV4, address)
            : GlobalV6.Contains(address) && !IsIn(SpecialV6, address);
    }

    /// <summary>The IPv4 address that an IPv6 address carries and leads to; null where it carries none.</summary>
    public static IPAddress? Embedded(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return null;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        if (TranslatedV6.Contains(address)) return new IPAddress(bytes[12..]);
        return SixToFour.Contains(address) ? new IPAddress(bytes[2..6]) : null;
    }

    private static bool IsIn(IPNetwork[] networks, IPAddress address) =>
        Array.Exists(networks, network => network.Contains(address));

    private static IPNetwork[] Networks(params string[] networks) => Array.ConvertAll(networks, IPNetwork.Parse);
}
