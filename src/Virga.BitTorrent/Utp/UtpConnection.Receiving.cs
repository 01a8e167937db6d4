using System.Net.Sockets;

namespace Virga.BitTorrent.Utp;

/// <summary>What comes from the peer.</summary>
internal sealed partial class UtpConnection
{
    /// <summary>Packets with the same acknowledgement, until the one behind it counts as lost.</summary>
    private const int SameAcknowledgements = 3;

    /// <summary>Acknowledgements may overtake each other; what is older than that is no packet of this connection.
    /// </summary>
    private const int LatePackets = 256;

    /// <summary>More than the peer's clock drifts in a minute its way does not get shorter by.</summary>
    private const uint DriftMaxMicros = 10_000;

    /// <summary>What some clients write where they have measured nothing.</summary>
    private const uint NotMeasured = int.MaxValue;

    private readonly DelayHistory ours = new();
    private readonly DelayHistory theirs = new();
    private uint peerDifference;
    private uint peerWindow;
    private int sameAcknowledgements;
    private ushort recoverUntil;
    private bool mustAcknowledge;
    private uint saidWindow;

    /// <summary>Bytes that may still come.</summary>
    private int FreeBytes => Math.Max(0, node.WindowBytes - receive.Held);

    /// <summary>A packet with one of its ids. What it brings about leaves with <see cref="EndBatch"/>.</summary>
    /// <param name="now">Microseconds of our clock.</param>
    public void Receive(in UtpPacket packet, long now)
    {
        lock (gate)
        {
            if (phase == Phase.Over) return;
            var header = packet.Header;
            if (header.Kind == UtpKind.Reset) OnReset(header);
            else if (header.Connection != receiveId || header.Kind == UtpKind.Syn) return;
            else if (phase == Phase.Beginning && !OnAnswer(header, now)) return;
            else if (IsInRange(header)) Handle(packet, now);
        }
    }

    /// <summary>Sends what the packets that came brought about, and wakes who waits for them.</summary>
    public void EndBatch(long now)
    {
        lock (gate)
        {
            if (phase == Phase.Over) return;
            Flush(now);
            if (receive.Held > 0 || receive.IsEnded) readable.Set();
            if (phase == Phase.Closing && receive.IsEnded && send.Count == 0) End();
        }
    }

    /// <summary>Only who sees our packets knows their numbers.</summary>
    private void OnReset(in UtpHeader header)
    {
        // What refuses a packet acknowledges it; a STATE has the number that comes next.
        var behind = UtpPacket.Distance(send.Next, header.Acknowledged);
        if (behind < 0 || behind > send.Count + LatePackets) return;
        if (phase == Phase.Beginning && behind != 1) return;
        Fail(phase == Phase.Beginning ? SocketError.ConnectionRefused : SocketError.ConnectionReset);
    }

    /// <summary>The peer has taken the connection: the number that it says is that of its first data.</summary>
    private bool OnAnswer(in UtpHeader header, long now)
    {
        if (header.Acknowledged != send.First || header.Kind is not (UtpKind.State or UtpKind.Data)) return false;
        receive.Begin(header.Sequence);
        phase = Phase.Connected;
        lastHeard = now;
        connected.TrySetResult();
        return true;
    }

    private bool IsInRange(in UtpHeader header)
    {
        var unacknowledged = UtpPacket.Distance((ushort)(send.Next - 1), header.Acknowledged);
        if (unacknowledged < 0 || unacknowledged > send.Count + LatePackets) return false;
        return Math.Abs(UtpPacket.Distance(header.Sequence, receive.Next)) < UtpLimits.SequencesMax;
    }

    private void Handle(in UtpPacket packet, long now)
    {
        var header = packet.Header;
        lastHeard = now;
        peerDifference = (uint)now + node.ClockOffset - header.Time;
        Measure(header, now);
        peerWindow = header.Window;
        OnAcknowledged(packet, now);
        if (header.Kind is not (UtpKind.Data or UtpKind.Fin)) return;
        mustAcknowledge = true;
        receive.Add(
            header.Sequence, packet.Payload, header.Kind == UtpKind.Fin, node.WindowBytes, phase == Phase.Closing);
    }

    private void Measure(in UtpHeader header, long now)
    {
        var (before, wasEmpty) = (theirs.Base, theirs.IsEmpty);
        theirs.Add(peerDifference, now);
        // The way to us seems shorter: its clock goes slower, and the way from us only seems longer.
        var shorter = before - theirs.Base;
        if (!wasEmpty && shorter is > 0 and <= DriftMaxMicros) ours.Shift(shorter);
        if (header.Difference is not (0 or NotMeasured)) ours.Add(header.Difference, now);
    }

    private void OnAcknowledged(in UtpPacket packet, long now)
    {
        var header = packet.Header;
        var isRepeated = send.Count > 0 && header.Acknowledged == (ushort)(send.First - 1);
        var done = send.Acknowledge(header.Acknowledged, packet.Selective, now);
        if (UtpPacket.Distance(send.First, recoverUntil) > 0) recoverUntil = send.First;
        if (done.Packets > 0)
        {
            timerFrom = now;
            hasProbed = false;
            isConfirmed |= done.Bytes > 0;
            sameAcknowledgements = 0;
            roundTrip.OnProgress();
            if (done.Sample > 0) roundTrip.Add(done.Sample);
            var waiting = (uint)Math.Min(ours.Waiting, done.RoundTrip);
            congestion.OnAcknowledged(done.Bytes, waiting, isWindowFull);
        }
        else if (isRepeated && header.Kind == UtpKind.State && packet.Selective.IsEmpty
            && ++sameAcknowledgements == SameAcknowledgements)
        {
            OnLoss(send.First);
            send.OnLost(ref send[send.First]);
        }
        if (!packet.Selective.IsEmpty && send.FindLost(roundTrip.Micros) is { } lost) OnLoss(lost);
    }

    /// <summary>Halves what may be under way, for all losses of one round trip once.</summary>
    private void OnLoss(ushort sequence)
    {
        if (UtpPacket.Distance(sequence, recoverUntil) < 0) return;
        recoverUntil = send.Next;
        congestion.OnLoss();
    }

    /// <summary>The peer is told where much more room is than it knows of.</summary>
    private void OnRead()
    {
        if (phase != Phase.Connected || FreeBytes < saidWindow + (node.WindowBytes / 2)) return;
        SendEmpty(UtpKind.State, node.Now);
    }
}
