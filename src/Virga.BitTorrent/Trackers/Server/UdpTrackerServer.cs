using System.Net;
using System.Net.Sockets;
using Virga.Core;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>
/// A tracker's UDP port. Listening on <c>[::]</c> takes IPv4 as well. One that listens on all addresses of a machine
/// with several may answer from another than was asked, which clients don't take: name the address then.
/// </summary>
public sealed class UdpTrackerServer : IAsyncDisposable
{
    /// <summary>A burst of announces waits in the system rather than being lost; it may allow less.</summary>
    private const int ReceiveBufferBytes = 4 << 20;

    /// <summary>Batches after which other work of the process gets its turn.</summary>
    private const int BatchesInTurn = 32;

    private readonly Socket socket;
    private readonly UdpAnswers answers;
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;

    private UdpTrackerServer(Socket socket, UdpAnswers answers)
    {
        this.socket = socket;
        this.answers = answers;
        Place = (IPEndPoint)socket.LocalEndPoint!;
        running = RunAsync(stop.Token);
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Place { get; }

    /// <param name="place">Port 0 takes a free one.</param>
    /// <exception cref="VirgaException">InUse (the port), Denied (a port below 1024), BadInput (not our
    /// address).</exception>
    public static UdpTrackerServer Start(IPEndPoint place, UdpAnswers answers)
    {
        var socket = new Socket(place.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (place.AddressFamily == AddressFamily.InterNetworkV6)
                socket.DualMode = place.Address.Equals(IPAddress.IPv6Any);
            socket.ReceiveBufferSize = ReceiveBufferBytes;
            socket.Bind(place);
            return new UdpTrackerServer(socket, answers);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw Failure(place, e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running;
        socket.Dispose();
        stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var batch = new DatagramBatch(socket);
        var look = new byte[1];
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                // Looking takes nothing away, and waits without a thread.
                await socket.ReceiveAsync(look.AsMemory(), SocketFlags.Peek, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // What was sent before could not be delivered, or a packet is longer than the look: neither matters.
            }

            for (var i = 0; i < BatchesInTurn; i++)
            {
                if (!Answer(batch)) break;
            }
        }
    }

    private bool Answer(DatagramBatch batch)
    {
        try
        {
            var count = batch.Receive();
            for (var i = 0; i < count; i++)
            {
                if (!batch.TryFrom(i, out var from) || from.Port == 0) continue;
                var bytes = answers.Answer(batch.Request(i), from, batch.Room);
                if (bytes > 0) batch.Reply(i, bytes);
            }

            batch.Send();
            return count > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static VirgaException Failure(IPEndPoint place, SocketException e) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse => new VirgaException(
            FailureKind.InUse, $"UDP port {place.Port} on {place.Address} is in use by another program",
            "Stop that program, or let the tracker listen on another port.", e),
        SocketError.AccessDenied => new VirgaException(
            FailureKind.Denied, $"not allowed to listen on UDP port {place.Port}",
            "Ports below 1024 need a privilege: choose a higher one.", e),
        SocketError.AddressNotAvailable => new VirgaException(
            FailureKind.BadInput, $"{place.Address} is not an address of this machine",
            "Listen on one of its addresses, or on 0.0.0.0 or [::] for all of them.", e),
        _ => new VirgaException(
            FailureKind.Unavailable, $"UDP can't be listened for on {place} ({e.SocketErrorCode})", inner: e),
    };
}
