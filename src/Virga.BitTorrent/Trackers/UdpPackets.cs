using System.Buffers.Binary;

namespace Virga.BitTorrent.Trackers;

/// <summary>The numbers and offsets of BEP 15 and 41, for both sides.</summary>
internal static class UdpPackets
{
    public const ulong ProtocolId = 0x41727101980;

    public const int Connect = 0, Announce = 1, Scrape = 2, Error = 3;

    public const int RequestHead = 16;
    public const int ConnectRequest = 16, ConnectAnswer = 16;
    public const int AnnounceRequest = 98, AnnounceAnswerHead = 20;
    public const int ScrapeAnswerHead = 8, ScrapeAnswerEntry = 12;
    public const int ErrorHead = 8;

    /// <summary>Options behind an announce (BEP 41).</summary>
    public const byte EndOfOptions = 0, NoOption = 1, UrlData = 2;

    /// <summary>How long a client may use a connection id, and how long a tracker must take it.</summary>
    public static readonly TimeSpan ClientLife = TimeSpan.FromMinutes(1);

    public static readonly TimeSpan ServerLife = TimeSpan.FromMinutes(2);

    public static int WriteHead(Span<byte> packet, ulong connection, int action, uint transaction)
    {
        BinaryPrimitives.WriteUInt64BigEndian(packet, connection);
        BinaryPrimitives.WriteInt32BigEndian(packet[8..], action);
        BinaryPrimitives.WriteUInt32BigEndian(packet[12..], transaction);
        return RequestHead;
    }

    /// <returns>The bytes written; at most 98 and as many options as the path needs.</returns>
    public static int WriteAnnounce(
        Span<byte> packet, ulong connection, uint transaction, TrackerAnnounce announce, ReadOnlySpan<byte> path)
    {
        WriteHead(packet, connection, Announce, transaction);
        announce.Hash.CopyTo(packet[16..]);
        announce.PeerId.Bytes.CopyTo(packet[36..]);
        BinaryPrimitives.WriteInt64BigEndian(packet[56..], announce.Part.Downloaded);
        BinaryPrimitives.WriteInt64BigEndian(packet[64..], announce.Part.Left);
        BinaryPrimitives.WriteInt64BigEndian(packet[72..], announce.Part.Uploaded);
        BinaryPrimitives.WriteInt32BigEndian(packet[80..], (int)announce.Event);
        BinaryPrimitives.WriteUInt32BigEndian(packet[84..], 0);
        BinaryPrimitives.WriteUInt32BigEndian(packet[88..], announce.Key);
        BinaryPrimitives.WriteInt32BigEndian(packet[92..], announce.Wanted);
        BinaryPrimitives.WriteUInt16BigEndian(packet[96..], announce.Part.Port);
        var at = AnnounceRequest;
        while (path.Length > 0)
        {
            var part = path[..Math.Min(path.Length, byte.MaxValue)];
            packet[at++] = UrlData;
            packet[at++] = (byte)part.Length;
            part.CopyTo(packet[at..]);
            at += part.Length;
            path = path[part.Length..];
        }

        return at;
    }
}
