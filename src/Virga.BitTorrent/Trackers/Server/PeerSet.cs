using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>
/// The peers of one swarm and family in flat arrays: 10 bytes each, IPv6 28. Leechers stand in front of seeders, so
/// that both are counted by where the border is. Not safe for several threads.
/// </summary>
internal struct PeerSet
{
    private const int CapacityFirst = 4;

    /// <summary>IPv4: address and port, which is the whole peer. IPv6: a hash of both.</summary>
    private ulong[]? prints;

    /// <summary>The minute of each one's last announce, modulo 2^16.</summary>
    private ushort[]? seen;

    /// <summary>IPv6 only: 18 bytes each, as they are given out.</summary>
    private byte[]? places;

    private int count, leechers;

    public readonly int Count => count;

    public readonly int Leechers => leechers;

    public readonly int Seeders => count - leechers;

    /// <summary>The index of a peer; -1 when it is not here.</summary>
    public readonly int Find(PeerPlace place)
    {
        if (count == 0) return -1;
        var print = Print(place);
        var from = 0;
        while (true)
        {
            var at = prints.AsSpan(from, count - from).IndexOf(print);
            if (at < 0) return -1;
            at += from;
            if (places is null || Is(at, place)) return at;
            from = at + 1;
        }
    }

    /// <summary>How many peers one address has here, counted no further than needed.</summary>
    public readonly int CountOf(PeerPlace place, int enough)
    {
        var found = 0;
        if (places is null)
        {
            var address = Print(place) >> 16;
            for (var i = 0; i < count && found < enough; i++)
            {
                if (prints![i] >> 16 == address) found++;
            }

            return found;
        }

        for (var i = 0; i < count && found < enough; i++)
        {
            if (BinaryPrimitives.ReadUInt64BigEndian(places.AsSpan(i * CompactAddress.V6Bytes)) == place.High) found++;
        }

        return found;
    }

    /// <returns>Where it stands now.</returns>
    public int Add(PeerPlace place, bool isSeeder, ushort minute)
    {
        Reserve(place.IsV4);
        var at = count++;
        prints![at] = Print(place);
        seen![at] = minute;
        if (places is not null) WritePlace(places.AsSpan(at * CompactAddress.V6Bytes), place);
        if (isSeeder) return at;
        Swap(at, leechers);
        return leechers++;
    }

    /// <returns>Where it stands now.</returns>
    public int Touch(int index, bool isSeeder, ushort minute)
    {
        seen![index] = minute;
        if (isSeeder == index >= leechers) return index;
        var to = isSeeder ? --leechers : leechers++;
        Swap(index, to);
        return to;
    }

    public void RemoveAt(int index)
    {
        if (index < leechers)
        {
            Move(--leechers, index);
            index = leechers;
        }

        Move(--count, index);
    }

    /// <summary>Removes those who were not heard of for so long; says for how many minutes the oldest wasn't.</summary>
    public int Sweep(ushort now, int lifetime)
    {
        var oldest = 0;
        for (var i = count - 1; i >= 0; i--)
        {
            var age = (ushort)(now - seen![i]);
            if (age >= lifetime) RemoveAt(i);
            else oldest = Math.Max(oldest, age);
        }

        if (count == 0) (prints, seen, places) = (null, null, null);
        else if (count < prints!.Length / 4) Resize(Math.Max(CapacityFirst, count + (count / 2)));
        return oldest;
    }

    /// <summary>
    /// Writes up to so many peers, spread over the whole set from a random place on; a seeder gets leechers alone.
    /// </summary>
    /// <param name="self">The index of who asks; -1 for none.</param>
    /// <returns>The bytes written.</returns>
    public readonly int Write(Span<byte> destination, int wanted, int self, bool isSeeder, uint random)
    {
        var all = isSeeder ? leechers : count;
        if (all == 0) return 0;
        var size = places is null ? CompactAddress.V4Bytes : CompactAddress.V6Bytes;
        wanted = Math.Min(wanted, destination.Length / size);
        var looked = Math.Min(all, wanted + 1);
        var start = (int)((ulong)random * (uint)all >> 32);
        var written = 0;
        for (var i = 0; i < looked && written < wanted * size; i++)
        {
            var at = start + (int)((long)i * all / looked);
            if (at >= all) at -= all;
            if (at == self) continue;
            if (places is null)
            {
                BinaryPrimitives.WriteUInt32BigEndian(destination[written..], (uint)(prints![at] >> 16));
                BinaryPrimitives.WriteUInt16BigEndian(destination[(written + 4)..], (ushort)prints[at]);
            }
            else
            {
                places.AsSpan(at * CompactAddress.V6Bytes, CompactAddress.V6Bytes).CopyTo(destination[written..]);
            }

            written += size;
        }

        return written;
    }

    private static ulong Print(PeerPlace place) => place.IsV4
        ? (place.Low << 16) | place.Port
        : (place.High * 0x9E3779B97F4A7C15) ^ BitOperations.RotateLeft(place.Low * 0xC2B2AE3D27D4EB4F, 31) ^ place.Port;

    private static void WritePlace(Span<byte> destination, PeerPlace place)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, place.High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], place.Low);
        BinaryPrimitives.WriteUInt16BigEndian(destination[16..], place.Port);
    }

    private readonly bool Is(int index, PeerPlace place)
    {
        Span<byte> bytes = stackalloc byte[CompactAddress.V6Bytes];
        WritePlace(bytes, place);
        return places.AsSpan(index * CompactAddress.V6Bytes, CompactAddress.V6Bytes).SequenceEqual(bytes);
    }

    private void Reserve(bool isV4)
    {
        if (prints is null)
        {
            prints = new ulong[CapacityFirst];
            seen = new ushort[CapacityFirst];
            if (!isV4) places = new byte[CapacityFirst * CompactAddress.V6Bytes];
        }
        else if (count == prints.Length)
        {
            Resize(count + Math.Max(CapacityFirst, count / 2));
        }
    }

    private void Resize(int capacity)
    {
        Array.Resize(ref prints, capacity);
        Array.Resize(ref seen, capacity);
        if (places is not null) Array.Resize(ref places, capacity * CompactAddress.V6Bytes);
    }

    private readonly void Swap(int a, int b)
    {
        if (a == b) return;
        (prints![a], prints[b]) = (prints[b], prints[a]);
        (seen![a], seen[b]) = (seen[b], seen[a]);
        if (places is null) return;
        var all = MemoryMarshal.Cast<byte, Compact6>(places.AsSpan());
        (all[a], all[b]) = (all[b], all[a]);
    }

    private readonly void Move(int from, int to)
    {
        if (from == to) return;
        prints![to] = prints[from];
        seen![to] = seen[from];
        if (places is null) return;
        var all = MemoryMarshal.Cast<byte, Compact6>(places.AsSpan());
        all[to] = all[from];
    }

    [System.Runtime.CompilerServices.InlineArray(CompactAddress.V6Bytes)]
    private struct Compact6
    {
        private byte first;
    }
}
