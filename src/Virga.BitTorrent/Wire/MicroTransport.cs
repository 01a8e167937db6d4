using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Virga.BitTorrent.Wire;

/// <summary>
/// uTP (BEP 29) is not spoken here, and who tries it first is told so at once: else libtorrent waits for seconds before
/// it comes by TCP. Transmission 3.00 waits a quarter of an hour in any case: its first connection by TCP is closed by
/// the very failure that made it. No answer is longer than what it answers.
/// </summary>
public sealed class MicroTransport : IAsyncDisposable
{
    /// <summary>Of every packet (BEP 29, header format).</summary>
    public const int HeaderBytes = 20;

    /// <summary>Type in the high half, version in the low one.</summary>
    private const byte Syn = 0x41, Reset = 0x31;

    private const int PacketBytes = 1_500, ConnectionAt = 2, SequenceAt = 16, AcknowledgedAt = 18;

    private readonly Socket socket;
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;

    private MicroTransport(Socket socket)
    {
        this.socket = socket;
        running = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Refuses where TCP connections are taken; null where another program has the port.</summary>
    public static MicroTransport? Start(IPEndPoint place)
    {
        var socket = new Socket(place.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (place.Address.Equals(IPAddress.IPv6Any)) socket.DualMode = true;
            socket.Bind(place);
            return new MicroTransport(socket);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    /// <summary>Whether a packet begins a connection; then what refuses it is written.</summary>
    /// <param name="refusal">At least <see cref="HeaderBytes"/>.</param>
    public static bool Refuse(ReadOnlySpan<byte> packet, Span<byte> refusal)
    {
        if (packet.Length < HeaderBytes || packet[0] != Syn) return false;
        refusal = refusal[..HeaderBytes];
        refusal.Clear();
        refusal[0] = Reset;
        packet.Slice(ConnectionAt, 2).CopyTo(refusal[ConnectionAt..]);
        var sequence = BinaryPrimitives.ReadUInt16BigEndian(packet[SequenceAt..]);
        BinaryPrimitives.WriteUInt16BigEndian(refusal[AcknowledgedAt..], sequence);
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        socket.Dispose();
        await running;
        stop.Dispose();
    }

    private async Task RunAsync()
    {
        var packet = GC.AllocateUninitializedArray<byte>(PacketBytes);
        var refusal = new byte[HeaderBytes];
        var any = new IPEndPoint(
            socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(packet, SocketFlags.None, any, stop.Token);
                if (Refuse(packet.AsSpan(0, received.ReceivedBytes), refusal))
                    await socket.SendToAsync(refusal, SocketFlags.None, received.RemoteEndPoint, stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // A packet of ours could not be delivered, or one was too long: neither matters.
            }
        }
    }
}
