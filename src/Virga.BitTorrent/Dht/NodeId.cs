using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using Virga.Core;

namespace Virga.BitTorrent.Dht;

/// <summary>A place in the DHT: 20 bytes, of a node, a swarm or an item; near is what differs late (BEP 5).</summary>
public readonly record struct NodeId
{
    public const int ByteCount = 20;

    private readonly ulong a, b;
    private readonly uint c;

    /// <param name="bytes">Exactly 20 bytes; anything else is a bug of the caller.</param>
    public NodeId(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != ByteCount)
            throw new ArgumentException($"a node's id has 20 bytes, not {bytes.Length}", nameof(bytes));
        a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        c = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

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
    public bool Fits(IPAddress address) => (uint)(a >> 43) == Prefix(address, (byte)c) >> 11;

    /// <summary>How many bits both begin with.</summary>
    public int CommonBits(NodeId other)
    {
        if (a != other.a) return BitOperations.LeadingZeroCount(a ^ other.a);
        return b != other.b
            ? 64 + BitOperations.LeadingZeroCount(b ^ other.b)
            : 128 + BitOperations.LeadingZeroCount(c ^ other.c);
    }

    /// <summary>Below 0 where x is nearer to this than y is.</summary>
    public int CompareDistance(NodeId x, NodeId y)
    {
        var order = (x.a ^ a).CompareTo(y.a ^ a);
        if (order == 0) order = (x.b ^ b).CompareTo(y.b ^ b);
        return order == 0 ? (x.c ^ c).CompareTo(y.c ^ c) : order;
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

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], b);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], c);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[ByteCount];
        CopyTo(bytes);
        return bytes;
    }

    public override string ToString() => Convert.ToHexStringLower(ToArray());

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
