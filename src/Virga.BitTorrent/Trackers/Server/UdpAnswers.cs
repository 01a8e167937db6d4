using System.Buffers.Binary;
using Virga.Core;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>
/// Answers one packet of BEP 15. Connection ids are keyed hashes of the asker's address and the time, so that nothing
/// is remembered of anybody; until such an id has come back, no answer is longer than its question. Options (BEP 41)
/// are passed over: no path means anything here. Safe for many threads; allocates nothing.
/// </summary>
public sealed class UdpAnswers
{
    /// <summary>
    /// The longest answer: its head and 200 IPv4 peers, or 74 swarms; below 1,280 bytes but for IPv6.
    /// </summary>
    public const int AnswerBytesMax = 1_232;

    private readonly SwarmTable table;
    private readonly TimeProvider time;
    private readonly KeyedHash ids;
    private readonly long origin;
    private long announces, scrapes, refusals;

    public UdpAnswers(SwarmTable table, TimeProvider time, RandomBytes random)
    {
        this.table = table;
        this.time = time;
        ids = new KeyedHash(random);
        origin = time.GetTimestamp();
    }

    public long Announces => Volatile.Read(ref announces);

    public long Scrapes => Volatile.Read(ref scrapes);

    public long Refusals => Volatile.Read(ref refusals);

    /// <param name="answer">At least <see cref="AnswerBytesMax"/>.</param>
    /// <returns>The answer's bytes; 0 for none.</returns>
    public int Answer(ReadOnlySpan<byte> packet, PeerPlace asker, Span<byte> answer)
    {
        if (packet.Length < UdpPackets.RequestHead) return 0;
        var id = BinaryPrimitives.ReadUInt64BigEndian(packet);
        var action = BinaryPrimitives.ReadInt32BigEndian(packet[8..]);
        var isConnect = action == UdpPackets.Connect && id == UdpPackets.ProtocolId;
        if (!isConnect && action is not (UdpPackets.Announce or UdpPackets.Scrape)) return 0;
        var slot = Slot;
        var isProven = !isConnect && (id == IdOf(asker, slot) || id == IdOf(asker, slot - 1));
        if (!table.MayAsk(asker)) return isProven ? Refuse(packet, answer, "too many requests; wait a minute"u8) : 0;
        if (isConnect)
        {
            WriteHead(packet, answer, UdpPackets.Connect);
            BinaryPrimitives.WriteUInt64BigEndian(answer[8..], IdOf(asker, slot));
            return UdpPackets.ConnectAnswer;
        }

        if (!isProven) return Refuse(packet, answer, "connection id expired"u8);
        return action == UdpPackets.Announce
            ? Announce(packet, asker, answer)
            : Scrape(packet, answer);
    }

    private long Slot => time.GetElapsedTime(origin).Ticks / UdpPackets.ServerLife.Ticks;

    private ulong IdOf(PeerPlace asker, long slot) => ids.Of(asker.High, asker.Low, (ulong)slot);

    private int Announce(ReadOnlySpan<byte> packet, PeerPlace asker, Span<byte> answer)
    {
        if (packet.Length < UdpPackets.AnnounceRequest) return Refuse(packet, answer, "the announce is cut short"u8);
        var port = BinaryPrimitives.ReadUInt16BigEndian(packet[96..]);
        if (port == 0) return Refuse(packet, answer, "nobody can be reached at port 0"u8);
        var told = BinaryPrimitives.ReadInt32BigEndian(packet[80..]);
        var announce = new SwarmAnnounce(
            new SwarmHash(packet.Slice(16, SwarmHash.ByteCount)), asker with { Port = port },
            told is >= 0 and <= 3 ? (AnnounceEvent)told : AnnounceEvent.None,
            BinaryPrimitives.ReadInt64BigEndian(packet[64..]) == 0,
            BinaryPrimitives.ReadInt32BigEndian(packet[92..]));
        var room = answer[UdpPackets.AnnounceAnswerHead..AnswerBytesMax];
        var found = asker.IsV4 ? table.Announce(announce, room, []) : table.Announce(announce, [], room);
        if (found.Verdict == AnnounceVerdict.Full)
            return Refuse(packet, answer, "this tracker has no room for another swarm"u8);
        WriteHead(packet, answer, UdpPackets.Announce);
        BinaryPrimitives.WriteInt32BigEndian(answer[8..], found.IntervalSeconds);
        BinaryPrimitives.WriteInt32BigEndian(answer[12..], found.Leechers);
        BinaryPrimitives.WriteInt32BigEndian(answer[16..], found.Seeders);
        Interlocked.Increment(ref announces);
        return UdpPackets.AnnounceAnswerHead + found.V4Bytes + found.V6Bytes;
    }

    private int Scrape(ReadOnlySpan<byte> packet, Span<byte> answer)
    {
        var hashes = packet[UdpPackets.RequestHead..];
        if (hashes.Length < SwarmHash.ByteCount) return Refuse(packet, answer, "a scrape names swarms"u8);
        var at = UdpPackets.ScrapeAnswerHead;
        for (var i = 0; i < TrackerLimits.ScrapeHashes && hashes.Length >= SwarmHash.ByteCount; i++)
        {
            var counts = table.Count(new SwarmHash(hashes[..SwarmHash.ByteCount]));
            BinaryPrimitives.WriteInt32BigEndian(answer[at..], counts.Seeders);
            BinaryPrimitives.WriteInt32BigEndian(answer[(at + 4)..], counts.Completed ?? 0);
            BinaryPrimitives.WriteInt32BigEndian(answer[(at + 8)..], counts.Leechers);
            at += UdpPackets.ScrapeAnswerEntry;
            hashes = hashes[SwarmHash.ByteCount..];
        }

        WriteHead(packet, answer, UdpPackets.Scrape);
        Interlocked.Increment(ref scrapes);
        return at;
    }

    /// <summary>A refusal in words, never longer than what was asked.</summary>
    private int Refuse(ReadOnlySpan<byte> packet, Span<byte> answer, ReadOnlySpan<byte> words)
    {
        Interlocked.Increment(ref refusals);
        words = words[..Math.Min(words.Length, packet.Length - UdpPackets.ErrorHead)];
        WriteHead(packet, answer, UdpPackets.Error);
        words.CopyTo(answer[UdpPackets.ErrorHead..]);
        return UdpPackets.ErrorHead + words.Length;
    }

    private static void WriteHead(ReadOnlySpan<byte> packet, Span<byte> answer, int action)
    {
        BinaryPrimitives.WriteInt32BigEndian(answer, action);
        packet.Slice(12, 4).CopyTo(answer[4..]);
    }
}
