using System.Buffers.Binary;

namespace Virga.BitTorrent;

/// <summary>20 bytes by value, as swarms and places in the DHT are known by; big-endian in three numbers.</summary>
internal readonly record struct Bytes20
{
    public const int ByteCount = 20;

    /// <param name="bytes">Exactly 20 bytes; anything else is a bug of the caller.</param>
    public Bytes20(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != ByteCount)
            throw new ArgumentException($"20 bytes are needed, not {bytes.Length}", nameof(bytes));
        A = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        B = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        C = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

    public ulong A { get; }

    public ulong B { get; }

    public uint C { get; }

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, A);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], B);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], C);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[ByteCount];
        CopyTo(bytes);
        return bytes;
    }

    public override string ToString() => Convert.ToHexStringLower(ToArray());
}
