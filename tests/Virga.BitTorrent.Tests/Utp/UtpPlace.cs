using System.Net;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Utp;
using Virga.BitTorrent.Wire;
using Virga.Core;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Utp;

/// <summary>uTP on a real port.</summary>
internal sealed class UtpPlace : IAsyncDisposable
{
    private readonly UdpPort port;

    private UtpPlace(UdpPort port, AddressRules rules)
    {
        this.port = port;
        Node = new UtpNode(rules, TimeProvider.System, new Seeded((ulong)port.Place.Port).RandomBytes);
        Node.Add(port);
        port.Begin();
    }

    public UtpNode Node { get; }

    public IPEndPoint Place => port.Place;

    public static UtpPlace Open(IPEndPoint place, AddressRules? rules = null) =>
        new(UdpPort.Open(place), rules ?? AddressRules.LocalToo);

    /// <summary>With a listener by TCP on the same port; another port is taken where somebody has that.</summary>
    public static (PeerListener Listener, UtpPlace Utp) Beside(Func<IPEndPoint, PeerListener> start)
    {
        while (true)
        {
            var port = UdpPort.Open(new IPEndPoint(IPAddress.Loopback, 0));
            try
            {
                return (start(port.Place), new UtpPlace(port, AddressRules.LocalToo));
            }
            catch (VirgaException)
            {
                port.Close();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        await port.DisposeAsync();
    }
}
