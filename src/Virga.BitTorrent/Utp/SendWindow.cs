using System.Buffers;
using System.Numerics;

namespace Virga.BitTorrent.Utp;

/// <summary>A packet that was sent and not acknowledged.</summary>
internal struct SentPacket
{
    /// <summary>With room for the header; null once it was acknowledged out of turn.</summary>
    public byte[]? Bytes;

    /// <summary>With the header.</summary>
    public int Length;

    public int Payload => Length - UtpHeader.ByteCount;

    public UtpKind Kind;

    /// <summary>Microseconds.</summary>
    public long SentAt;

    public int Transmissions;

    /// <summary>It has to be sent again, and does not count as under way.</summary>
    public bool IsLost;
}

/// <summary>What came of an acknowledgement.</summary>
/// <param name="Bytes">Acknowledged for the first time.</param>
/// <param name="Packets">The same, in packets.</param>
/// <param name="RoundTrip">The shortest of them in microseconds; long.MaxValue for none.</param>
/// <param name="Sample">Of the latest one that was sent once; 0 for none.</param>
internal readonly record struct Acknowledged(int Bytes, int Packets, long RoundTrip, long Sample);

/// <summary>Packets under way, from the first that was not acknowledged on. For one thread at a time.</summary>
internal sealed class SendWindow
{
    private const int FirstSlots = 16;

    /// <summary>So many packets behind it came: it is lost, and not only late (BEP 29, "packet loss").</summary>
    private const int LaterPackets = 3;

    private const long ReorderMinMicros = 10_000;

    private SentPacket[] slots = new SentPacket[FirstSlots];
    private long latestAcknowledged;

    /// <summary>The first that was not acknowledged.</summary>
    public ushort First { get; private set; }

    /// <summary>The number of the next one.</summary>
    public ushort Next { get; private set; }

    public int Count => (ushort)(Next - First);

    /// <summary>Payload that counts as under way: neither lost nor acknowledged.</summary>
    public int FlightBytes { get; private set; }

    /// <summary>Payload of all from the first on that was not acknowledged in turn: what the peer's window is for.
    /// </summary>
    public int SpanBytes { get; private set; }

    /// <summary>Packets that have to be sent again.</summary>
    public int Lost { get; private set; }

    public void Begin(ushort next) => (First, Next) = (next, next);

    public ref SentPacket this[ushort sequence] => ref slots[sequence & (slots.Length - 1)];

    /// <summary>Room for one more, whose payload is written behind the header by the caller.</summary>
    public ref SentPacket Add(UtpKind kind, int payload)
    {
        if (Count + 1 >= slots.Length) Widen();
        ref var slot = ref this[Next];
        slot = new SentPacket
        {
            Bytes = ArrayPool<byte>.Shared.Rent(UtpHeader.ByteCount + payload), Kind = kind,
            Length = UtpHeader.ByteCount + payload, IsLost = true,
        };
        Next++;
        SpanBytes += payload;
        Lost++;
        return ref slot;
    }

    /// <summary>It leaves now.</summary>
    public void OnSent(ref SentPacket packet, long now)
    {
        packet.SentAt = now;
        packet.Transmissions++;
        if (!packet.IsLost) return;
        packet.IsLost = false;
        Lost--;
        FlightBytes += packet.Payload;
    }

    public void OnLost(ref SentPacket packet)
    {
        if (packet.IsLost || packet.Bytes is null) return;
        packet.IsLost = true;
        Lost++;
        FlightBytes -= packet.Payload;
    }

    /// <param name="last">All up to this one came.</param>
    /// <param name="mask">And those of it, from the second behind it on.</param>
    public Acknowledged Acknowledge(ushort last, ReadOnlySpan<byte> mask, long now)
    {
        var done = new Acknowledged(0, 0, long.MaxValue, 0);
        for (var left = UtpPacket.Distance(last, First) + 1; left > 0 && Count > 0; left--)
        {
            ref var slot = ref this[First];
            SpanBytes -= slot.Payload;
            if (slot.Bytes is not null) done = Free(ref slot, done, now);
            slot = default;
            First++;
        }
        for (var bit = 0; bit < mask.Length * 8; bit++)
        {
            if ((mask[bit / 8] & (1 << (bit % 8))) == 0) continue;
            var sequence = (ushort)(last + 2 + bit);
            if ((ushort)(sequence - First) >= Count) continue;
            ref var slot = ref this[sequence];
            if (slot.Bytes is not null) done = Free(ref slot, done, now);
        }
        return done;
    }

    /// <summary>
    /// Finds those that are lost: three packets behind it came, or one that was sent clearly later.
    /// </summary>
    /// <param name="roundTrip">Microseconds.</param>
    /// <returns>The first of them that was not known to be lost; null for none.</returns>
    public ushort? FindLost(long roundTrip)
    {
        var later = 0;
        ushort? first = null;
        var before = latestAcknowledged - Math.Max(ReorderMinMicros, roundTrip / 4);
        for (var sequence = (ushort)(Next - 1); (ushort)(sequence - First) < Count; sequence--)
        {
            ref var slot = ref this[sequence];
            if (slot.Bytes is null)
            {
                later++;
                continue;
            }
            if (later == 0 || slot.IsLost) continue;
            if ((later < LaterPackets || slot.Transmissions > 1) && slot.SentAt >= before) continue;
            OnLost(ref slot);
            first = sequence;
        }
        return first;
    }

    /// <summary>Nothing of all came in time.</summary>
    public void LoseAll()
    {
        for (var sequence = First; sequence != Next; sequence++) OnLost(ref this[sequence]);
    }

    public void Clear()
    {
        for (; First != Next; First++)
        {
            ref var slot = ref this[First];
            if (slot.Bytes is not null) ArrayPool<byte>.Shared.Return(slot.Bytes);
            slot = default;
        }
        (FlightBytes, SpanBytes, Lost) = (0, 0, 0);
    }

    private Acknowledged Free(ref SentPacket slot, Acknowledged done, long now)
    {
        if (slot.IsLost) Lost--;
        else FlightBytes -= slot.Payload;
        latestAcknowledged = Math.Max(latestAcknowledged, slot.SentAt);
        ArrayPool<byte>.Shared.Return(slot.Bytes!);
        slot.Bytes = null;
        slot.IsLost = false;
        var took = Math.Max(0, now - slot.SentAt);
        return new Acknowledged(
            done.Bytes + slot.Payload, done.Packets + 1, Math.Min(done.RoundTrip, took),
            slot.Transmissions == 1 ? Math.Max(1, took) : done.Sample);
    }

    private void Widen()
    {
        var wider = new SentPacket[(int)BitOperations.RoundUpToPowerOf2((uint)slots.Length + 1)];
        for (var sequence = First; sequence != Next; sequence++)
            wider[sequence & (wider.Length - 1)] = this[sequence];
        slots = wider;
    }
}
