using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.BitTorrent;
using Virga.BitTorrent.Trackers;
using Virga.Testing;

namespace Virga.Benchmarks.Tracker;

/// <summary>
/// Peers that announce themselves, the same to every tracker: a million of them in 100,000 swarms. Over UDP so many are
/// under way at once; over HTTP each opens a connection of its own, as clients do.
/// </summary>
internal sealed class TrackerLoad
{
    public const int Swarms = 100_000;
    public const int PeersEach = 10;

    private const int UnderWay = 128;
    private const int HttpClients = 8;
    private const int Wanted = 50;
    private const int LostAfterMs = 100;

    private readonly PeerId peerId = new(new Seeded(9).RandomBytes);
    private long next;

    public static SwarmHash Hash(int number) => new(Seeded.Bytes(SwarmHash.ByteCount, (ulong)number + 1));

    public SwarmHash[] Hashes { get; } = [.. Enumerable.Range(0, Swarms).Select(Hash)];

    /// <summary>Announces every peer once, over UDP, so that none is lost.</summary>
    public void Fill(IPEndPoint place, CancellationToken token)
    {
        using var client = new UdpLoad(this, place);
        for (long at = 0; at < (long)Swarms * PeersEach; at += UnderWay)
        {
            token.ThrowIfCancellationRequested();
            client.Exchange(at, (int)Math.Min(UnderWay, ((long)Swarms * PeersEach) - at), isWhole: true);
        }
    }

    /// <summary>Announces answered a second.</summary>
    public double Udp(IPEndPoint place, TimeSpan time, CancellationToken token)
    {
        using var client = new UdpLoad(this, place);
        var (begun, answered) = (Stopwatch.GetTimestamp(), 0L);
        while (Stopwatch.GetElapsedTime(begun) < time)
        {
            token.ThrowIfCancellationRequested();
            answered += client.Exchange(next, UnderWay, isWhole: false);
            next += UnderWay;
        }

        return answered / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    /// <summary>Announces answered a second.</summary>
    public double Http(IPEndPoint place, TimeSpan time, CancellationToken token)
    {
        var (begun, answered) = (Stopwatch.GetTimestamp(), 0L);
        Exception? failure = null;
        var threads = Enumerable.Range(0, HttpClients).Select(_ => new Thread(() =>
        {
            var answer = new byte[16 << 10];
            try
            {
                while (Stopwatch.GetElapsedTime(begun) < time && !token.IsCancellationRequested)
                {
                    Ask(place, Interlocked.Increment(ref next), answer);
                    Interlocked.Increment(ref answered);
                }
            }
            catch (Exception e)
            {
                failure = e;
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        token.ThrowIfCancellationRequested();
        if (failure is not null) throw new InvalidOperationException("the load over HTTP broke", failure);
        return answered / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    private void Ask(IPEndPoint place, long number, byte[] answer)
    {
        var query = new StringBuilder("GET /announce?info_hash=");
        Escape(query, Hashes[number % Swarms].ToArray());
        Escape(query.Append("&peer_id="), peerId.Bytes);
        query.Append($"&port={PortOf(number)}&uploaded=0&downloaded=0&left={number % 2}&compact=1&numwant={Wanted}");
        query.Append($" HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(place);
        socket.Send(Encoding.ASCII.GetBytes(query.ToString()));
        var count = 0;
        while (socket.Receive(answer.AsSpan(count)) is var more and > 0) count += more;
        if (answer.AsSpan(0, count).IndexOf("8:interval"u8) < 0)
            throw new InvalidOperationException(Encoding.ASCII.GetString(answer, 0, count));
    }

    private static void Escape(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes) text.Append('%').Append(b.ToString("x2"));
    }

    private static ushort PortOf(long number) => (ushort)(1_000 + (number / Swarms % PeersEach));

    private sealed class UdpLoad : IDisposable
    {
        private readonly TrackerLoad load;
        private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly byte[] packet = new byte[200];
        private readonly byte[] answer = new byte[2_048];
        private readonly byte[] answered = new byte[UnderWay];
        private readonly ulong connection;

        public UdpLoad(TrackerLoad load, IPEndPoint place)
        {
            this.load = load;
            socket.ReceiveBufferSize = 1 << 20;
            socket.ReceiveTimeout = LostAfterMs;
            socket.Connect(place);
            UdpPackets.WriteHead(packet, UdpPackets.ProtocolId, UdpPackets.Connect, 1);
            do socket.Send(packet.AsSpan(0, UdpPackets.ConnectRequest));
            while (!socket.Poll(TimeSpan.FromMilliseconds(LostAfterMs), SelectMode.SelectRead));
            socket.Receive(answer);
            connection = BinaryPrimitives.ReadUInt64BigEndian(answer.AsSpan(8));
        }

        public void Dispose() => socket.Dispose();

        /// <summary>
        /// Sends so many announces at once and takes the answers; lost ones again, where all must come.
        /// </summary>
        public int Exchange(long from, int count, bool isWhole)
        {
            answered.AsSpan().Clear();
            var left = count;
            do
            {
                for (var i = 0; i < count; i++)
                {
                    if (answered[i] != 0) continue;
                    var number = from + i;
                    var announce = new TrackerAnnounce(
                        load.Hashes[number % Swarms], load.peerId, 1, new SwarmPart(PortOf(number), 0, 0, number % 2),
                        AnnounceEvent.None, Wanted);
                    socket.Send(packet.AsSpan(0, UdpPackets.WriteAnnounce(
                        packet, connection, (uint)(number & 0xffffffff), announce, [])));
                }

                while (left > 0 && TryReceive() is { } transaction)
                {
                    var index = (uint)(transaction - (from & 0xffffffff));
                    if (index >= (uint)count || answered[index] != 0) continue;
                    answered[index] = 1;
                    left--;
                }
            }
            while (isWhole && left > 0);
            return count - left;
        }

        private uint? TryReceive()
        {
            try
            {
                var bytes = socket.Receive(answer);
                if (bytes < 20 || answer[3] != UdpPackets.Announce)
                    throw new InvalidOperationException("refused: " + Encoding.ASCII.GetString(answer, 0, bytes));
                return BinaryPrimitives.ReadUInt32BigEndian(answer.AsSpan(4));
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                return null;
            }
        }
    }
}
