using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Utp;

/// <summary>
/// One connection of uTP: a stream of bytes in both directions over datagrams that get lost, doubled and mixed up.
/// Everything of it happens under one lock, for moments; nothing in it waits but its reader and its writer.
/// </summary>
internal sealed partial class UtpConnection : IPeerLink
{
    private enum Phase
    {
        Beginning,
        Connected,

        /// <summary>Nobody here uses it any more; what was sent may still arrive.</summary>
        Closing,
        Over,
    }

    private readonly UtpNode node;
    private readonly IDatagramSender sender;
    private readonly SocketAddress to;
    private readonly ushort receiveId;
    private readonly ushort sendId;
    private readonly int packetBytes;
    private readonly Lock gate = new();
    private readonly Signal readable = new();
    private readonly Signal writable = new();
    private readonly TaskCompletionSource connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ReceiveBuffer receive = new();
    private readonly SendWindow send = new();
    private readonly CongestionWindow congestion;
    private readonly RoundTrip roundTrip = new();
    private Phase phase;
    private SocketError? failure;
    private bool isDisposed;
    private long lastHeard;
    private long lastSent;
    private long closingSince;

    public UtpConnection(UtpNode node, IDatagramSender sender, UdpPlace place, ushort receiveId, ushort sendId)
    {
        this.node = node;
        this.sender = sender;
        this.receiveId = receiveId;
        this.sendId = sendId;
        Remote = place.ToEndPoint();
        to = Remote.Serialize();
        Key = new UtpKey(place, receiveId);
        packetBytes = UtpLimits.PacketBytes(Remote.AddressFamily) - UtpHeader.ByteCount;
        congestion = new CongestionWindow(packetBytes);
        lastHeard = lastSent = timerFrom = node.Now;
    }

    public UtpKey Key { get; }

    public IPEndPoint Remote { get; }

    /// <summary>Ends when the peer has answered; fails with a SocketException where it does not.</summary>
    public Task Connected => connected.Task;

    /// <summary>Memory of what came and what was sent, in bytes.</summary>
    public int KeptBytes
    {
        get
        {
            lock (gate) return receive.KeptBytes + send.SpanBytes;
        }
    }

    /// <summary>Its id is in packets to us, or, in what refuses one, also that of packets from us.</summary>
    public bool IsNamedBy(ushort id) => id == receiveId || id == sendId;

    /// <summary>Asks for a connection.</summary>
    public void Begin(ushort sequence)
    {
        lock (gate)
        {
            send.Begin(sequence);
            recoverUntil = sequence;
            send.Add(UtpKind.Syn, 0);
            Flush(node.Now);
        }
    }

    /// <summary>The peer has asked for it, and proved that it is where it says.</summary>
    public void Begin(ushort theirs, ushort ours, long now)
    {
        lock (gate)
        {
            receive.Begin(theirs);
            send.Begin(ours);
            recoverUntil = ours;
            phase = Phase.Connected;
            isConfirmed = true;
            lastHeard = now;
            connected.SetResult();
        }
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (TryRead(buffer.Span, cancellationToken) is { } there) return there;
        await using var cancelling = cancellationToken.UnsafeRegister(
            static connection => ((UtpConnection)connection!).readable.Set(), this);
        while (true)
        {
            await readable.WaitAsync();
            if (TryRead(buffer.Span, cancellationToken) is { } came) return came;
        }
    }

    public async ValueTask SendAsync(IList<ArraySegment<byte>> buffers, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (gate)
        {
            ThrowIfOver();
            (pending, pendingAt, pendingOffset) = (buffers, 0, 0);
            Flush(node.Now);
            if (pending is null) return;
        }
        await using var cancelling = cancellationToken.UnsafeRegister(
            static connection => ((UtpConnection)connection!).writable.Set(), this);
        while (true)
        {
            await writable.WaitAsync();
            lock (gate)
            {
                if (pending is null && failure is null && !isDisposed) return;
                if (!cancellationToken.IsCancellationRequested && failure is null && !isDisposed) continue;
                // The memory is the caller's again.
                pending = null;
                cancellationToken.ThrowIfCancellationRequested();
                ThrowIfOver();
            }
        }
    }

    /// <summary>Says so to the peer behind all that was sent; who waits here is told at once.</summary>
    public ValueTask DisposeAsync()
    {
        lock (gate)
        {
            if (isDisposed) return ValueTask.CompletedTask;
            isDisposed = true;
            pending = null;
            receive.Clear();
            readable.Set();
            writable.Set();
            if (phase == Phase.Beginning) End();
            if (phase != Phase.Connected) return ValueTask.CompletedTask;
            phase = Phase.Closing;
            closingSince = node.Now;
            if (send.Count == 0) timerFrom = closingSince;
            send.Add(UtpKind.Fin, 0);
            Flush(closingSince);
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends it on both sides at once, without anything more being sent.</summary>
    public void Abort()
    {
        lock (gate)
        {
            if (phase is Phase.Connected or Phase.Closing) SendEmpty(UtpKind.Reset, node.Now);
            Fail(SocketError.ConnectionAborted);
        }
    }

    /// <summary>Looks after the clock, as often as <see cref="UtpLimits.TickEvery"/>.</summary>
    public void Tick(long now)
    {
        lock (gate)
        {
            if (phase == Phase.Over) return;
            if (phase == Phase.Closing && now - closingSince > UtpLimits.ClosingMaxMicros)
            {
                SendEmpty(UtpKind.Reset, now);
                End();
                return;
            }
            if (now - lastHeard > UtpLimits.SilenceMaxMicros)
            {
                Fail(SocketError.TimedOut);
                return;
            }
            receive.Trim();
            if (send.Count > 0) WatchFlight(now);
            else if (pending is not null && now - timerFrom > roundTrip.TimeoutMicros) mayProbe = true;
            if (phase == Phase.Over) return;
            Flush(now);
            if (now - lastSent > UtpLimits.KeepAliveMicros) SendEmpty(UtpKind.State, now);
        }
    }

    private void WatchFlight(long now)
    {
        var waited = now - timerFrom;
        if (waited > roundTrip.TimeoutMicros)
        {
            var isGone = phase == Phase.Beginning ? roundTrip.Timeouts + 1 >= UtpLimits.SynsMax
                : roundTrip.Timeouts >= UtpLimits.TimeoutsMax && now - lastHeard > UtpLimits.TimeoutMaxMicros;
            if (isGone)
            {
                Fail(SocketError.TimedOut);
                return;
            }
            roundTrip.OnTimeout();
            congestion.OnTimeout();
            send.LoseAll();
            recoverUntil = send.Next;
            timerFrom = now;
            return;
        }
        // Behind the last packets of a burst comes nothing that tells that they were lost.
        if (hasProbed || roundTrip.Micros == 0 || waited < 2 * roundTrip.Micros) return;
        hasProbed = true;
        send.OnLost(ref send[send.First]);
        send.OnLost(ref send[(ushort)(send.Next - 1)]);
    }

    private int? TryRead(Span<byte> buffer, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            if (receive.Held > 0)
            {
                var count = receive.Read(buffer);
                OnRead();
                return count;
            }
            if (receive.IsEnded) return 0;
            ThrowIfOver();
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    private void ThrowIfOver()
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        if (failure is { } error) throw new SocketException((int)error);
    }

    private void Fail(SocketError error)
    {
        if (phase == Phase.Over) return;
        failure = error;
        End();
        connected.TrySetException(new SocketException((int)error));
        readable.Set();
        writable.Set();
    }

    /// <summary>What came and was not read yet can still be read.</summary>
    private void End()
    {
        phase = Phase.Over;
        pending = null;
        send.Clear();
        node.Remove(this);
    }
}
