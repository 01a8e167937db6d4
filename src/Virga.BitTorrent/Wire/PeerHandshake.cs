namespace Virga.BitTorrent.Wire;

/// <summary>What a peer says first (BEP 3): 68 bytes.</summary>
public readonly struct PeerHandshake
{
    public const int ByteCount = 68;

    /// <summary>As far as it is known which swarm is meant: all but the peer's id, which some send later.</summary>
    public const int HashEnd = 48;

    private const int ReservedAt = 20;
    private const int HashAt = 28;
    private const int ExtendedByte = 5;
    private const byte ExtendedBit = 0x10;
    private const int LastByte = 7;
    private const byte FastBit = 0x04;
    private const byte DhtBit = 0x01;
    private const byte V2Bit = 0x10;

    private readonly byte[] id;

    private PeerHandshake(SwarmHash swarm, byte[] id, ReadOnlySpan<byte> reserved)
    {
        Swarm = swarm;
        this.id = id;
        HasExtensions = (reserved[ExtendedByte] & ExtendedBit) != 0;
        HasFast = (reserved[LastByte] & FastBit) != 0;
        HasDht = (reserved[LastByte] & DhtBit) != 0;
        HasV2 = (reserved[LastByte] & V2Bit) != 0;
    }

    public SwarmHash Swarm { get; }

    public ReadOnlySpan<byte> Id => id;

    /// <summary>BEP 10.</summary>
    public bool HasExtensions { get; }

    /// <summary>BEP 6.</summary>
    public bool HasFast { get; }

    /// <summary>BEP 5.</summary>
    public bool HasDht { get; }

    /// <summary>BEP 52.</summary>
    public bool HasV2 { get; }

    private static ReadOnlySpan<byte> Protocol => "\u0013BitTorrent protocol"u8;

    /// <summary>Whether bytes may be the start of a plain handshake, and no obfuscated one.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> start) =>
        Protocol.StartsWith(start[..Math.Min(start.Length, Protocol.Length)]);

    /// <summary>Null where the 68 bytes are something else.</summary>
    public static PeerHandshake? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != ByteCount || !bytes.StartsWith(Protocol)) return null;
        return new PeerHandshake(
            new SwarmHash(bytes.Slice(HashAt, SwarmHash.ByteCount)), bytes[HashEnd..].ToArray(),
            bytes.Slice(ReservedAt, 8));
    }

    /// <summary>Ours: extensions and the fast extension; the DHT where we take part.</summary>
    /// <param name="hasV2">
    /// The torrent has a v2 part. libtorrent 2.0.8 ends a connection that says so of one that has none.
    /// </param>
    public static byte[] Write(SwarmHash swarm, PeerId id, bool hasDht, bool hasV2 = true)
    {
        var bytes = new byte[ByteCount];
        Protocol.CopyTo(bytes);
        bytes[ReservedAt + ExtendedByte] = ExtendedBit;
        bytes[ReservedAt + LastByte] = (byte)(FastBit | (hasV2 ? V2Bit : 0) | (hasDht ? DhtBit : 0));
        swarm.CopyTo(bytes.AsSpan(HashAt));
        id.Bytes.CopyTo(bytes.AsSpan(HashEnd));
        return bytes;
    }
}
