using System.Buffers.Binary;

namespace Virga.BitTorrent.Utp;

/// <summary>What a packet is for (BEP 29, "type").</summary>
internal enum UtpKind : byte
{
    Data = 0,
    Fin = 1,
    State = 2,
    Reset = 3,
    Syn = 4,
}

/// <summary>The 20 bytes that every packet begins with (BEP 29, "header format").</summary>
/// <param name="Time">When it was sent, in microseconds of the sender's own clock.</param>
/// <param name="Difference">
/// How long the last packet of the other direction was under way, in microseconds, between two clocks that do not
/// agree.
/// </param>
/// <param name="Window">Bytes that may be under way to the sender.</param>
/// <param name="Sequence">Its number; of a STATE the next one's.</param>
/// <param name="Acknowledged">The last number that came without a gap.</param>
internal readonly record struct UtpHeader(
    UtpKind Kind, ushort Connection, uint Time, uint Difference, uint Window, ushort Sequence, ushort Acknowledged)
{
    public const int ByteCount = 20;

    private const byte Version = 1;

    /// <summary>Whether it may be a packet of uTP at all; a message of the DHT begins with another letter.</summary>
    public static bool IsHeader(ReadOnlySpan<byte> packet) =>
        packet.Length >= ByteCount && (packet[0] & 15) == Version && packet[0] >> 4 <= (int)UtpKind.Syn;

    public static UtpHeader Read(ReadOnlySpan<byte> packet) => new(
        (UtpKind)(packet[0] >> 4), BinaryPrimitives.ReadUInt16BigEndian(packet[2..]),
        BinaryPrimitives.ReadUInt32BigEndian(packet[4..]), BinaryPrimitives.ReadUInt32BigEndian(packet[8..]),
        BinaryPrimitives.ReadUInt32BigEndian(packet[12..]), BinaryPrimitives.ReadUInt16BigEndian(packet[16..]),
        BinaryPrimitives.ReadUInt16BigEndian(packet[18..]));

    /// <param name="extension">The kind of the first extension behind it; 0 for none.</param>
    public void Write(Span<byte> packet, byte extension = 0)
    {
        packet[0] = (byte)(((int)Kind << 4) | Version);
        packet[1] = extension;
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], Connection);
        BinaryPrimitives.WriteUInt32BigEndian(packet[4..], Time);
        BinaryPrimitives.WriteUInt32BigEndian(packet[8..], Difference);
        BinaryPrimitives.WriteUInt32BigEndian(packet[12..], Window);
        BinaryPrimitives.WriteUInt16BigEndian(packet[16..], Sequence);
        BinaryPrimitives.WriteUInt16BigEndian(packet[18..], Acknowledged);
    }
}

/// <summary>A packet that came, in the memory that it came in.</summary>
internal readonly ref struct UtpPacket
{
    /// <summary>Selective acknowledgement: a bit for each packet from the second behind the gap's first on.</summary>
    public const byte SelectiveKind = 1;

    /// <summary>A mask has whole words.</summary>
    private const int MaskMultiple = 4;

    public UtpHeader Header { get; private init; }

    /// <summary>Empty for none.</summary>
    public ReadOnlySpan<byte> Selective { get; private init; }

    public ReadOnlySpan<byte> Payload { get; private init; }

    /// <summary>False for what is no packet of uTP, or whose extensions are longer than it is.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out UtpPacket packet)
    {
        packet = default;
        if (!UtpHeader.IsHeader(bytes)) return false;
        var header = UtpHeader.Read(bytes);
        var kind = bytes[1];
        var rest = bytes[UtpHeader.ByteCount..];
        var selective = default(ReadOnlySpan<byte>);
        while (kind != 0)
        {
            if (rest.Length < 2 || rest.Length < 2 + rest[1]) return false;
            var content = rest.Slice(2, rest[1]);
            if (kind == SelectiveKind && content.Length > 0 && content.Length % MaskMultiple == 0) selective = content;
            kind = rest[0];
            rest = rest[(2 + content.Length)..];
        }
        packet = new UtpPacket { Header = header, Selective = selective, Payload = rest };
        return true;
    }

    /// <summary>a − b of numbers that wrap around.</summary>
    public static int Distance(ushort a, ushort b) => (short)(a - b);
}
