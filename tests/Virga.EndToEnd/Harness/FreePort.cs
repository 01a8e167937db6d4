using System.Net;
using System.Net.Sockets;

namespace Virga.EndToEnd.Harness;

internal static class FreePort
{
    /// <summary>Free at this moment.</summary>
    public static int Take()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
