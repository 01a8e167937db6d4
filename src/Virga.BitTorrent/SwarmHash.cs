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
    public const int ByteCount = Bytes20.ByteCount;

    private readonly Bytes20 value;

    /// <param name="bytes">Exactly 20 bytes; anything else is a bug of the caller.</param>
    public SwarmHash(ReadOnlySpan<byte> bytes) => value = new Bytes20(bytes);

    /// <summary>What a v2 swarm is known by where only 20 bytes fit.</summary>
    public static SwarmHash OfV2(Hash256 infoHash)
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        infoHash.CopyTo(bytes);
        return new SwarmHash(bytes[..ByteCount]);
    }

    public void CopyTo(Span<byte> destination) => value.CopyTo(destination);

    public byte[] ToArray() => value.ToArray();

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
    internal ulong Keyed(KeyedHash key) => key.Of(value.A, value.B, value.C);

    public override string ToString() => value.ToString();
}
