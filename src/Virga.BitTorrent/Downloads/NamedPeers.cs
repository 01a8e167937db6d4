using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Virga.BitTorrent.Downloads;

/// <summary>Peers that a magnet link names by "host:port" (x.pe); names are asked of the DNS.</summary>
public sealed class NamedPeers(IReadOnlyList<string> peers) : IPeerFinder
{
    public async IAsyncEnumerable<IPEndPoint> FindAsync(
        SwarmHash swarm, SwarmProgress progress, int listenPort,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var text in peers)
        {
            foreach (var place in await ResolveAsync(text, cancellationToken)) yield return place;
        }
    }

    /// <summary>Empty for what names nobody.</summary>
    public static async Task<IReadOnlyList<IPEndPoint>> ResolveAsync(string text, CancellationToken cancellationToken)
    {
        if (IPEndPoint.TryParse(text, out var place)) return place.Port == 0 ? [] : [place];
        var colon = text.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(text[(colon + 1)..], out var port) || port == 0) return [];
        try
        {
            var found = await Dns.GetHostAddressesAsync(text[..colon], cancellationToken);
            return [.. found.Select(address => new IPEndPoint(address, port))];
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return [];
        }
    }
}
