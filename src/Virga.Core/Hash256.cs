using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Virga.Core;

/// <summary>32 bytes that name something, such as a SHA-256 digest. Text form: 64 lower-case hex digits.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct Hash256 : IComparable<Hash256>
{
    public const int ByteCount = 32;

    private readonly ulong a, b, c, d;

    /// <param name="bytes">Exactly 32 bytes; anything else is a bug of the caller.</param>
    public Hash256(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != ByteCount)
            throw new ArgumentException($"a hash has 32 bytes, not {bytes.Length}", nameof(bytes));
        a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>
    /// The first 8 bytes as a big-endian number: sorts as the whole does, and spreads evenly for digests.
    /// </summary>
    public ulong LeadingBits => a;

    public bool IsZero => (a | b | c | d) == 0;

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], d);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[ByteCount];
        CopyTo(bytes);
        return bytes;
    }

    public bool Matches(ReadOnlySpan<byte> bytes) => bytes.Length == ByteCount && new Hash256(bytes) == this;

    public static bool TryParse(ReadOnlySpan<char> hex, out Hash256 hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[ByteCount];
        if (hex.Length != 64 || Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done)
            return false;
        hash = new Hash256(bytes);
        return true;
    }

    public int CompareTo(Hash256 other)
    {
        var order = a.CompareTo(other.a);
        if (order == 0) order = b.CompareTo(other.b);
        if (order == 0) order = c.CompareTo(other.c);
        return order != 0 ? order : d.CompareTo(other.d);
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[ByteCount];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
