using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using Virga.Core;
using Virga.Protocol;

namespace Virga.BitTorrent;

/// <summary>
/// Which addresses that others named (a peer, tracker, web seed or DHT node) may be spoken to. Public unicast
/// addresses are allowed; the loopback, private and link-local ranges, documentation ranges, cloud metadata services
/// and IPv6 forms that carry such an IPv4 address are not, so that no torrent, tracker, redirect or name in the DNS
/// makes this machine ask its own network. Multicast, broadcast and unspecified addresses are never allowed.
/// </summary>
public sealed class AddressRules
{
    private static readonly IPNetwork[] NeverV4 = Networks("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4");

    /// <summary>Who may ask these can take over the machine in many clouds: only a named network opens them.</summary>
    private static readonly IPNetwork[] Metadata = Networks(
        "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32", "fe80::/10");

    /// <summary>Public addresses alone: what holds unless a setting says otherwise.</summary>
    public static readonly AddressRules PublicOnly = new();

    /// <summary>Loopback and private ranges too, for tests and swarms inside one's own network.</summary>
    public static readonly AddressRules LocalToo = new() { AllowsLocal = true };

    /// <summary>Loopback and private ranges are allowed; metadata services and link-local ones still not.</summary>
    public bool AllowsLocal { get; init; }

    /// <summary>Networks that are allowed although they are special.</summary>
    public IReadOnlyList<IPNetwork> Allowed { get; init; } = [];

    /// <summary>Who is refused whatever else is said: the user's IP filter.</summary>
    public AddressFilter Blocked { get; init; } = AddressFilter.Nobody;

    /// <summary>Whether the user's filter refuses it, also where it comes to us.</summary>
    public bool Blocks(IPAddress address) => Blocked.Contains(address);

    /// <summary>Whether something may be sent there; port 0 is nobody's.</summary>
    public bool Allows(IPEndPoint place) => place.Port is > 0 and <= ushort.MaxValue && Allows(place.Address);

    public bool Allows(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (IsNever(address) || Blocks(address)) return false;
        if (IsIn(Allowed, address)) return true;
        if (PublicAddresses.Embedded(address) is { } inner) return Allows(inner);
        return AllowsLocal ? !IsIn(Metadata, address) : PublicAddresses.Contains(address);
    }

    /// <summary>The addresses of a host, by the DNS if it is a name, without those that are not allowed.</summary>
    /// <param name="host">A name or an address, as <see cref="Uri.IdnHost"/> writes it.</param>
    /// <exception cref="VirgaException">Denied when no address is allowed; Unavailable when there is none.</exception>
    public async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        IPAddress[] found;
        try
        {
            found = IPAddress.TryParse(host.Trim('[', ']'), out var literal)
                ? [literal]
                : await Dns.GetHostAddressesAsync(host, cancellationToken);
        }
        catch (SocketException e)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"the name '{host}' leads to no address", "Check the name.", e);
        }

        var allowed = found.Where(Allows).ToArray();
        if (allowed.Length > 0) return allowed;
        if (found.Length == 0)
            throw new VirgaException(
                FailureKind.Unavailable, $"the name '{host}' leads to no address", "Check the name.");
        throw new VirgaException(
            FailureKind.Denied, $"'{host}' is the address {found[0]}, which is not public",
            "Nothing that a torrent or a tracker names may reach into your own network; a setting allows it.");
    }

    /// <summary>
    /// A handler whose every connection, after redirects too, leads to an allowed address: names are resolved here, and
    /// what was checked is what is connected to. Redirects are not followed by themselves and no proxy is used, since
    /// behind one nobody could check.
    /// </summary>
    /// <param name="family">Only addresses of this family are connected to; null for any.</param>
    public SocketsHttpHandler CreateHandler(AddressFamily? family = null) => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ConnectCallback = async (context, cancellationToken) =>
        {
            var addresses = await ResolveAsync(context.DnsEndPoint.Host, cancellationToken);
            if (family is not null)
                addresses = [.. addresses.Where(address => address.AddressFamily == family)];
            if (addresses.Length == 0) throw new SocketException((int)SocketError.AddressFamilyNotSupported);
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };

    private static bool IsNever(IPAddress address) => address.AddressFamily switch
    {
        AddressFamily.InterNetwork => IsIn(NeverV4, address),
        AddressFamily.InterNetworkV6 => address.IsIPv6Multicast || address.Equals(IPAddress.IPv6Any),
        _ => true,
    };

    private static bool IsIn(IReadOnlyList<IPNetwork> networks, IPAddress address)
    {
        for (var i = 0; i < networks.Count; i++)
        {
            if (networks[i].Contains(address)) return true;
        }

        return false;
    }

    private static IPNetwork[] Networks(params string[] networks) => Array.ConvertAll(networks, IPNetwork.Parse);
}
