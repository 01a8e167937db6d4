using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Utp;

namespace Virga.BitTorrent.Wire;

/// <summary>
/// Takes datagrams of one protocol from a port that several share. Called by one thread at a time for each port, and
/// must not wait.
/// </summary>
public interface IDatagramSink
{
    /// <summary>Whether it was one of this protocol; the memory is the caller's again afterwards.</summary>
    bool Receive(ReadOnlySpan<byte> datagram, in UdpPlace from);

    /// <summary>Nothing more lies there just now: what waits to be sent for what came may be sent at once.</summary>
    void EndBatch();
}

/// <summary>
/// One UDP socket of one family, for all that is spoken on its port: uTP and the DHT. Sending is safe for many threads
/// and never waits; receiving begins with <see cref="Begin"/>.
/// </summary>
public sealed class UdpPort : IDatagramSender, IAsyncDisposable
{
    /// <summary>What came at most before it is answered.</summary>
    private const int BatchMax = 32;

    private const int DatagramBytesMax = 64 << 10;

    /// <summary>
    /// What the system keeps of datagrams while nobody takes them; it gives what its settings allow.
    /// </summary>
    private const int BufferBytes = 4 << 20;

    /// <summary>UDP_SEGMENT of Linux: one call sends many datagrams.</summary>
    private const int LevelUdp = 17, OptionSegment = 103;

    /// <summary>More segments Linux takes in no call.</summary>
    private const int SegmentsMax = 64;

    private readonly Socket socket;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock segmenting = new();
    private IDatagramSink[] sinks = [];
    private Task running = Task.CompletedTask;

    /// <summary>The length of segments that the socket is set to: 0 for none yet, -1 where the system can't.</summary>
    private int segmentBytes;

    private UdpPort(Socket socket)
    {
        this.socket = socket;
        Place = (IPEndPoint)socket.LocalEndPoint!;
        segmentBytes = OperatingSystem.IsLinux() ? 0 : -1;
    }

    public IPEndPoint Place { get; }

    public AddressFamily Family => socket.AddressFamily;

    /// <summary>[::] takes IPv6 alone: another port takes IPv4 beside it.</summary>
    /// <exception cref="SocketException">Another program has the port, or it may not be taken.</exception>
    public static UdpPort Open(IPEndPoint place)
    {
        var socket = new Socket(place.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (place.AddressFamily == AddressFamily.InterNetworkV6) socket.DualMode = false;
            // Routers may cut packets up: what is too long for a line on the way arrives all the same.
            else socket.DontFragment = false;
            socket.Blocking = false;
            socket.Bind(place);
            socket.ReceiveBufferSize = BufferBytes;
            socket.SendBufferSize = BufferBytes;
            return new UdpPort(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The ports of an address: [::] is taken for both families, with one number.
    /// </summary>
    /// <exception cref="SocketException">None stays open then.</exception>
    public static IReadOnlyList<UdpPort> OpenAll(IPEndPoint place)
    {
        if (!place.Address.Equals(IPAddress.IPv6Any)) return [Open(place)];
        var v4 = Open(new IPEndPoint(IPAddress.Any, place.Port));
        try
        {
            return Socket.OSSupportsIPv6 ? [v4, Open(place)] : [v4];
        }
        catch
        {
            v4.Close();
            throw;
        }
    }

    /// <summary>Asked in the order in which they were added; all of them before <see cref="Begin"/>.</summary>
    public void Add(IDatagramSink sink) => sinks = [.. sinks, sink];

    public void Begin()
    {
        if (sinks.Length > 0) running = Task.Run(ReceiveAsync, CancellationToken.None);
    }

    /// <summary>Several datagrams to one place.</summary>
    /// <param name="datagrams">End to end, each as long as a segment, the last perhaps shorter.</param>
    /// <returns>False where the system can take no more just now; what gets lost on the way is sent.</returns>
    public bool Send(ReadOnlySpan<byte> datagrams, int segment, SocketAddress to)
    {
        if (datagrams.Length > segment && segment == UtpLimits.PacketBytes(Family))
        {
            switch (SendSegments(ref datagrams, segment, to))
            {
                case SocketError.Success: return true;
                case SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable: return false;
                // They go one by one.
            }
        }
        while (datagrams.Length > 0)
        {
            var part = datagrams[..Math.Min(datagrams.Length, segment)];
            if (!SendOne(part, to)) return false;
            datagrams = datagrams[part.Length..];
        }
        return true;
    }

    /// <summary>One datagram; false where the system can take no more just now.</summary>
    public bool Send(ReadOnlySpan<byte> datagram, IPEndPoint to) => SendOne(datagram, to.Serialize());

    /// <summary>One that has not begun.</summary>
    public void Close() => socket.Dispose();

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        socket.Dispose();
        await running;
        stop.Dispose();
    }

    /// <summary>In calls of many segments each; what has left is taken away from the datagrams.</summary>
    private SocketError SendSegments(ref ReadOnlySpan<byte> datagrams, int segment, SocketAddress to)
    {
        // Nobody may change the length meanwhile: all would leave as a single one.
        lock (segmenting)
        {
            if (segmentBytes == 0) segmentBytes = Set(segment) ? segment : -1;
            if (segmentBytes != segment) return SocketError.OperationNotSupported;
            try
            {
                while (datagrams.Length > 0)
                {
                    var part = datagrams[..Math.Min(datagrams.Length, segment * SegmentsMax)];
                    socket.SendTo(part, SocketFlags.None, to);
                    datagrams = datagrams[part.Length..];
                }
                return SocketError.Success;
            }
            catch (ObjectDisposedException)
            {
                return SocketError.Success;
            }
            catch (SocketException e)
            {
                // This way out does not cut them up.
                if (e.SocketErrorCode is SocketError.InvalidArgument or SocketError.MessageSize
                    or SocketError.OperationNotSupported or SocketError.SocketError)
                    segmentBytes = Set(0) ? -1 : segmentBytes;
                return e.SocketErrorCode;
            }
        }
    }

    private bool SendOne(ReadOnlySpan<byte> datagram, SocketAddress to)
    {
        try
        {
            if (datagram.Length <= UtpLimits.PacketBytes(Family))
            {
                socket.SendTo(datagram, SocketFlags.None, to);
                return true;
            }
            // Else the system would cut it up as if it were several.
            lock (segmenting)
            {
                if (segmentBytes > 0) Set(0);
                try
                {
                    socket.SendTo(datagram, SocketFlags.None, to);
                }
                finally
                {
                    if (segmentBytes > 0 && !Set(segmentBytes)) segmentBytes = -1;
                }
            }
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is not (SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable);
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    private bool Set(int segment)
    {
        try
        {
            socket.SetRawSocketOption(LevelUdp, OptionSegment, BitConverter.GetBytes(segment));
            return true;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private async Task ReceiveAsync()
    {
        var buffer = GC.AllocateUninitializedArray<byte>(DatagramBytesMax, pinned: true);
        var from = new SocketAddress(socket.AddressFamily);
        var count = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var receiving = socket.ReceiveFromAsync(buffer, SocketFlags.None, from, stop.Token);
                // What lies there already has come by now: where nothing has, this was all.
                if (count > 0 && (count >= BatchMax || !receiving.IsCompleted))
                {
                    count = 0;
                    foreach (var sink in sinks) sink.EndBatch();
                }
                var bytes = await receiving;
                count++;
                Dispatch(buffer.AsSpan(0, bytes), UdpPlace.Read(from));
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

    private void Dispatch(ReadOnlySpan<byte> datagram, in UdpPlace from)
    {
        foreach (var sink in sinks)
            if (sink.Receive(datagram, from)) return;
    }
}
