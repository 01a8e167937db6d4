using System.Buffers;
using System.Numerics;

namespace Virga.BitTorrent.Utp;

/// <summary>
/// What came from a peer: bytes in order that wait to be read, and packets behind a gap. It takes no more than it is
/// told, whatever a peer sends. For one thread at a time.
/// </summary>
internal sealed class ReceiveBuffer
{
    private const int FirstBytes = 16 << 10;
    private const int FirstSlots = 16;

    private byte[] ring = [];
    private int start;
    private Early[] early = [];
    private int earlyCount;
    private int earlyBytes;

    /// <summary>A packet behind a gap.</summary>
    private struct Early
    {
        public byte[]? Bytes;
        public int Length;
        public bool IsEnd;
    }

    /// <summary>The number that is expected next.</summary>
    public ushort Next { get; private set; }

    /// <summary>Bytes that wait to be read.</summary>
    public int Held { get; private set; }

    /// <summary>All came, up to the peer's end of it.</summary>
    public bool IsEnded { get; private set; }

    public bool HasGap => earlyCount > 0;

    /// <summary>Memory that is taken, in bytes.</summary>
    public int KeptBytes => ring.Length + earlyBytes;

    public void Begin(ushort next) => Next = next;

    /// <param name="bytesMax">What may be kept in each of both.</param>
    /// <param name="isDropped">Nobody will read it: only its number is taken.</param>
    /// <returns>False where there is no room for it: it has to come again.</returns>
    public bool Add(ushort sequence, ReadOnlySpan<byte> payload, bool isEnd, int bytesMax, bool isDropped)
    {
        var ahead = (ushort)(sequence - Next);
        if (IsEnded || ahead >= UtpLimits.SequencesMax) return true;
        if (ahead > 0) return AddEarly(sequence, ahead, payload, isEnd, bytesMax, isDropped);
        if (!isDropped && Held + payload.Length > bytesMax) return false;
        Append(payload, isEnd, isDropped);
        while (earlyCount > 0 && !IsEnded)
        {
            ref var slot = ref early[Next & (early.Length - 1)];
            if (slot.Bytes is not { } bytes) break;
            Append(bytes.AsSpan(0, slot.Length), slot.IsEnd, isDropped);
            Free(ref slot);
        }
        if (IsEnded) FreeEarly();
        return true;
    }

    public int Read(Span<byte> destination)
    {
        var count = Math.Min(destination.Length, Held);
        var first = Math.Min(count, ring.Length - start);
        ring.AsSpan(start, first).CopyTo(destination);
        ring.AsSpan(0, count - first).CopyTo(destination[first..]);
        Held -= count;
        start = Held == 0 ? 0 : (start + count) & (ring.Length - 1);
        return count;
    }

    /// <summary>
    /// A bit for each packet from the second behind <see cref="Next"/> on that came, in whole words of 32 bits.
    /// </summary>
    /// <returns>Bytes of the mask that are used.</returns>
    public int WriteMask(Span<byte> mask)
    {
        mask.Clear();
        var (found, used) = (0, 0);
        for (var bit = 0; bit < mask.Length * 8 && found < earlyCount; bit++)
        {
            if (early[(ushort)(Next + 1 + bit) & (early.Length - 1)].Bytes is null) continue;
            mask[bit / 8] |= (byte)(1 << (bit % 8));
            found++;
            used = bit + 1;
        }
        return (used + 31) / 32 * 4;
    }

    /// <summary>Gives memory back that is not needed now.</summary>
    public void Trim()
    {
        if (Held == 0) FreeRing();
        if (earlyCount == 0) early = [];
    }

    public void Clear()
    {
        Held = 0;
        FreeRing();
        FreeEarly();
    }

    private bool AddEarly(
        ushort sequence, int ahead, ReadOnlySpan<byte> payload, bool isEnd, int bytesMax, bool isDropped)
    {
        if (isDropped || Held + earlyBytes + payload.Length > bytesMax) return false;
        Widen(ahead + 1);
        ref var slot = ref early[sequence & (early.Length - 1)];
        if (slot.Bytes is not null) return true;
        slot = new Early
        {
            Bytes = ArrayPool<byte>.Shared.Rent(Math.Max(1, payload.Length)), Length = payload.Length, IsEnd = isEnd,
        };
        payload.CopyTo(slot.Bytes);
        earlyCount++;
        earlyBytes += slot.Bytes.Length;
        return true;
    }

    private void Append(ReadOnlySpan<byte> payload, bool isEnd, bool isDropped)
    {
        Next++;
        IsEnded = isEnd;
        if (isDropped || payload.IsEmpty) return;
        Grow(Held + payload.Length);
        var at = (start + Held) & (ring.Length - 1);
        var first = Math.Min(payload.Length, ring.Length - at);
        payload[..first].CopyTo(ring.AsSpan(at));
        payload[first..].CopyTo(ring);
        Held += payload.Length;
    }

    /// <summary>The ring's length is a power of two, as those of the pool are.</summary>
    private void Grow(int bytes)
    {
        if (bytes <= ring.Length) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBytes, bytes));
        var held = Read(larger);
        if (ring.Length > 0) ArrayPool<byte>.Shared.Return(ring);
        (ring, start, Held) = (larger, 0, held);
    }

    private void Widen(int slots)
    {
        if (slots < early.Length) return;
        var wider = new Early[Math.Max(FirstSlots, (int)BitOperations.RoundUpToPowerOf2((uint)slots + 1))];
        for (var i = 0; i < early.Length; i++)
        {
            var sequence = (ushort)(Next + i);
            wider[sequence & (wider.Length - 1)] = early[sequence & (early.Length - 1)];
        }
        early = wider;
    }

    private void FreeRing()
    {
        if (ring.Length > 0) ArrayPool<byte>.Shared.Return(ring);
        (ring, start) = ([], 0);
    }

    private void FreeEarly()
    {
        foreach (ref var slot in early.AsSpan())
            if (slot.Bytes is not null) Free(ref slot);
        early = [];
    }

    private void Free(ref Early slot)
    {
        earlyCount--;
        earlyBytes -= slot.Bytes!.Length;
        ArrayPool<byte>.Shared.Return(slot.Bytes);
        slot = default;
    }
}
