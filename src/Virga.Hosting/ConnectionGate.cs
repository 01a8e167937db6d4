using System.Diagnostics.Metrics;
using System.Net;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Virga.Hosting;

/// <summary>
/// Bounds connections from the network, together and by address, before anything is read from them. The control socket
/// has its own listener, so that a flood never shuts out the machine's owner.
/// </summary>
internal sealed class ConnectionGate(PeerLimits limits)
{
    private static readonly UpDownCounter<long> Open =
        Telemetry.Meter.CreateUpDownCounter<long>("virga.connections", "{connection}");
    private static readonly Counter<long> Refused =
        Telemetry.Meter.CreateCounter<long>("virga.connections.refused", "{connection}");

    private readonly Dictionary<ClientAddress, int> byAddress = [];
    private readonly Lock gate = new();
    private int total;

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = ClientAddress.Of((connection.RemoteEndPoint as IPEndPoint)?.Address);
        if (!TryEnter(address))
        {
            Refused.Add(1);
            connection.Abort(new ConnectionAbortedException("too many connections"));
            return;
        }

        Open.Add(1);
        try
        {
            await next(connection);
        }
        finally
        {
            Open.Add(-1);
            Leave(address);
        }
    }

    private bool TryEnter(ClientAddress address)
    {
        lock (gate)
        {
            if (total >= limits.ConnectionsMax) return false;
            ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(byAddress, address, out _);
            if (count >= limits.ConnectionsPerAddressMax) return false;
            count++;
            total++;
            return true;
        }
    }

    private void Leave(ClientAddress address)
    {
        lock (gate)
        {
            total--;
            if (--CollectionsMarshal.GetValueRefOrNullRef(byAddress, address) == 0) byAddress.Remove(address);
        }
    }
}
