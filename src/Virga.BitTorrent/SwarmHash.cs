using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Virga.Core;

namespace Virga.BitTorrent;

/// <summary>
/// The 20 bytes by which trackers, the DHT and handshakes know a swarm: the SHA-1 of a v1 info dictionary (BEP 3), or
/// the first 20 bytes of a v2 one's SHA-256 (BEP 52). Text form: 40 lower-case hex digits.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct SwarmHash
{
    public const int ByteCount = 20;

    private readonly ulong a, b;
    private readonly uint c;

    /// <param name="bytes">Exactly 20 bytes; anything else is a bug of the caller.</param>
    public SwarmHash(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != ByteCount)
            throw new ArgumentException($"a swarm's hash has 20 bytes, not {bytes.Length}", nameof(bytes));
        a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        c = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

    /// <summary>What a v2 swarm is known by where only 20 bytes fit.</summary>
    public static SwarmHash OfV2(Hash256 infoHash)
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        infoHash.CopyTo(bytes);
        return new SwarmHash(bytes[..ByteCount]);
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

    public static bool TryParse(ReadOnlySpan<char> hex, out SwarmHash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[ByteCount];
        if (hex.Length != 2 * ByteCount
            || Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done) return false;
        hash = new SwarmHash(bytes);
        return true;
    }

    /// <summary>A hash that nobody can foretell: for tables whose keys strangers choose.</summary>
    internal ulong Keyed(KeyedHash key) => key.Of(a, b, c);

    public override string ToString() => Convert.ToHexStringLower(ToArray());
}
