using System.Net;
using System.Net.Sockets;
using System.Numerics;
using Virga.Core;

namespace Virga.BitTorrent.Dht;

/// <summary>A place in the DHT: 20 bytes, of a node, a swarm or an item; near is what differs late (BEP 5).</summary>
public readonly record struct NodeId
{
    public const int ByteCount = Bytes20.ByteCount;

    private readonly Bytes20 value;

    /// <param name="bytes">Exactly 20 bytes; anything else is a bug of the caller.</param>
    public NodeId(ReadOnlySpan<byte> bytes) => value = new Bytes20(bytes);

    public static NodeId Of(SwarmHash swarm) => new(swarm.ToArray());

    public static NodeId Random(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[ByteCount];
        random(bytes);
        return new NodeId(bytes);
    }

    /// <summary>An id that fits an address (BEP 42): nobody can choose where in the DHT it stands.</summary>
    public static NodeId Random(RandomBytes random, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[ByteCount];
        random(bytes);
        var prefix = Prefix(address, bytes[19]);
        bytes[0] = (byte)(prefix >> 24);
        bytes[1] = (byte)(prefix >> 16);
        bytes[2] = (byte)(((prefix >> 8) & 0xf8) | (bytes[2] & 7u));
        return new NodeId(bytes);
    }

    /// <summary>Whether the id is one that the address may have (BEP 42).</summary>
    public bool Fits(IPAddress address) => (uint)(value.A >> 43) == Prefix(address, (byte)value.C) >> 11;

    /// <summary>How many bits both begin with.</summary>
    public int CommonBits(NodeId other)
    {
        var (own, its) = (value, other.value);
        if (own.A != its.A) return BitOperations.LeadingZeroCount(own.A ^ its.A);
        return own.B != its.B
            ? 64 + BitOperations.LeadingZeroCount(own.B ^ its.B)
            : 128 + BitOperations.LeadingZeroCount(own.C ^ its.C);
    }

    /// <summary>Below 0 where x is nearer to this than y is.</summary>
    public int CompareDistance(NodeId x, NodeId y)
    {
        var order = (x.value.A ^ value.A).CompareTo(y.value.A ^ value.A);
        if (order == 0) order = (x.value.B ^ value.B).CompareTo(y.value.B ^ value.B);
        return order == 0 ? (x.value.C ^ value.C).CompareTo(y.value.C ^ value.C) : order;
    }

    /// <summary>A random id that begins with so many bits of this one, and then differs.</summary>
    public NodeId Beside(int bits, RandomBytes random)
    {
        Span<byte> own = stackalloc byte[ByteCount], made = stackalloc byte[ByteCount];
        CopyTo(own);
        random(made);
        for (var i = 0; i <= bits; i++)
        {
            var mask = (byte)(0x80 >> (i & 7));
            var bit = own[i >> 3] & mask;
            if (i == bits) bit ^= mask;
            made[i >> 3] = (byte)((made[i >> 3] & ~mask) | bit);
        }

        return new NodeId(made);
    }

    public void CopyTo(Span<byte> destination) => value.CopyTo(destination);

    public byte[] ToArray() => value.ToArray();

    public override string ToString() => value.ToString();

    private static uint Prefix(IPAddress address, byte random)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        var isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        ReadOnlySpan<byte> mask = isV4 ? [0x03, 0x0f, 0x3f, 0xff] : [1, 3, 7, 0xf, 0x1f, 0x3f, 0x7f, 0xff];
        for (var i = 0; i < mask.Length; i++) bytes[i] &= mask[i];
        bytes[0] |= (byte)((random & 7) << 5);
        var crc = uint.MaxValue;
        foreach (var b in bytes[..mask.Length]) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
