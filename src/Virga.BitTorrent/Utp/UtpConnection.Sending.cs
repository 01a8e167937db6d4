namespace Virga.BitTorrent.Utp;

/// <summary>What goes to the peer.</summary>
internal sealed partial class UtpConnection
{
    /// <summary>A mask of 256 packets behind a gap: those that it does not tell of are told of later.</summary>
    private const int MaskBytesMax = 32;

    /// <summary>Packets that leave in one call of the system.</summary>
    private const int BurstBytes = 60 << 10;

    /// <summary>Packets are put together here: sending is over before another connection begins with it.</summary>
    [ThreadStatic]
    private static byte[]? burst;

    private IList<ArraySegment<byte>>? pending;
    private int pendingAt;
    private int pendingOffset;

    /// <summary>Since when nothing was acknowledged of what is under way; or since when nothing is.</summary>
    private long timerFrom;
    private bool hasProbed;
    private bool mayProbe;
    private bool isWindowFull;

    /// <summary>The peer has the connection: it has acknowledged data, or began it.</summary>
    private bool isConfirmed;

    /// <summary>Sends all that may leave now: what was lost, then what is new, then what only acknowledges.</summary>
    private void Flush(long now)
    {
        var leaving = new Burst(this, now);
        var isWaited = pending is not null;
        if (SendLost(ref leaving, now) && phase != Phase.Beginning) SendNew(ref leaving, now);
        leaving.Leave();
        if (leaving.IsHeld) HoldBack(now);
        // Who waits for what is behind a gap has to be told of it by a packet of its own.
        if (mustAcknowledge && (receive.HasGap || leaving.Packets == 0)) SendEmpty(UtpKind.State, now);
        mustAcknowledge = false;
        if (isWaited && pending is null) writable.Set();
    }

    /// <returns>False where more is lost than may be sent again now.</returns>
    private bool SendLost(ref Burst leaving, long now)
    {
        for (var sequence = send.First; send.Lost > 0 && sequence != send.Next; sequence++)
        {
            ref var packet = ref send[sequence];
            if (!packet.IsLost) continue;
            if (send.FlightBytes > 0 && send.FlightBytes + packet.Payload > congestion.Bytes) return false;
            Dispatch(ref packet, sequence, ref leaving, now);
            if (leaving.IsHeld) return false;
        }
        return true;
    }

    private void SendNew(ref Burst leaving, long now)
    {
        isWindowFull = false;
        while (pending is not null && !leaving.IsHeld)
        {
            var size = Math.Min(packetBytes, PendingBytes(packetBytes));
            if (size == 0)
            {
                pending = null;
                return;
            }
            var room = Math.Min(peerWindow, (uint)node.WindowBytes) - send.SpanBytes;
            if (send.Count == 0 && mayProbe) room = size;
            if (room < size && (room <= 0 || send.Count > 0)) return;
            isWindowFull = send.Count >= (isConfirmed ? UtpLimits.PacketsMax : UtpLimits.FirstPackets)
                || (send.FlightBytes > 0 && send.FlightBytes + size > congestion.Bytes);
            if (isWindowFull) return;
            mayProbe = false;
            if (send.Count == 0) timerFrom = now;
            size = (int)Math.Min(size, room);
            ref var packet = ref send.Add(UtpKind.Data, size);
            TakePending(packet.Bytes.AsSpan(UtpHeader.ByteCount, size));
            Dispatch(ref packet, (ushort)(send.Next - 1), ref leaving, now);
        }
    }

    private void Dispatch(ref SentPacket packet, ushort sequence, ref Burst leaving, long now)
    {
        send.OnSent(ref packet, now);
        Header(packet.Kind, sequence, now).Write(packet.Bytes);
        leaving.Add(packet.Bytes.AsSpan(0, packet.Length));
    }

    /// <summary>The system takes no more now: nothing was lost for it, and the next tick tries again.</summary>
    private void HoldBack(long now)
    {
        for (var sequence = send.First; sequence != send.Next; sequence++)
        {
            ref var packet = ref send[sequence];
            if (packet.Bytes is null || packet.SentAt != now) continue;
            packet.Transmissions--;
            send.OnLost(ref packet);
        }
    }

    /// <summary>A packet without payload and without a number of its own.</summary>
    private void SendEmpty(UtpKind kind, long now)
    {
        Span<byte> packet = stackalloc byte[UtpHeader.ByteCount + 2 + MaskBytesMax];
        var length = UtpHeader.ByteCount;
        var hasMask = kind == UtpKind.State && receive.HasGap;
        if (hasMask)
        {
            var mask = receive.WriteMask(packet.Slice(length + 2, MaskBytesMax));
            (packet[length], packet[length + 1]) = (0, (byte)mask);
            length += 2 + mask;
        }
        Header(kind, send.Next, now).Write(packet, hasMask ? UtpPacket.SelectiveKind : (byte)0);
        lastSent = now;
        sender.Send(packet[..length], length, to);
    }

    /// <summary>What begins a connection says by which id it is answered.</summary>
    private UtpHeader Header(UtpKind kind, ushort sequence, long now)
    {
        saidWindow = (uint)FreeBytes;
        return new UtpHeader(
            kind, kind == UtpKind.Syn ? receiveId : sendId, (uint)now + node.ClockOffset, peerDifference, saidWindow,
            sequence, phase == Phase.Beginning ? (ushort)0 : (ushort)(receive.Next - 1));
    }

    /// <summary>How much waits, of which no more than a packet matters.</summary>
    private int PendingBytes(int most)
    {
        var bytes = -pendingOffset;
        for (var i = pendingAt; i < pending!.Count && bytes < most; i++) bytes += pending[i].Count;
        return bytes;
    }

    private void TakePending(Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var rest = pending![pendingAt].AsSpan(pendingOffset);
            var count = Math.Min(rest.Length, destination.Length);
            rest[..count].CopyTo(destination);
            destination = destination[count..];
            pendingOffset += count;
            if (pendingOffset < pending[pendingAt].Count) continue;
            pendingAt++;
            pendingOffset = 0;
        }
        if (pendingAt == pending!.Count) pending = null;
    }

    /// <summary>Packets on their way to one call of the system: all of one length, but the last.</summary>
    private struct Burst(UtpConnection connection, long now)
    {
        private int length;
        private int segment;

        public int Packets { get; private set; }

        /// <summary>The system takes no more.</summary>
        public bool IsHeld { get; private set; }

        public void Add(ReadOnlySpan<byte> packet)
        {
            burst ??= GC.AllocateUninitializedArray<byte>(BurstBytes);
            if (length > 0 && (packet.Length > segment || length + packet.Length > BurstBytes)) Leave();
            if (length == 0) segment = packet.Length;
            packet.CopyTo(burst.AsSpan(length));
            length += packet.Length;
            Packets++;
            if (packet.Length < segment) Leave();
        }

        public void Leave()
        {
            if (length == 0) return;
            connection.lastSent = now;
            if (!connection.sender.Send(burst.AsSpan(0, length), segment, connection.to)) IsHeld = true;
            length = 0;
        }
    }
}
