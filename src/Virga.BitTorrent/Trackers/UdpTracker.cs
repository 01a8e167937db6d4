using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>
/// A tracker over UDP (BEP 15, 41). A packet that gets no answer is sent again after 15 * 2^n seconds, but not so often
/// that the next tracker of a list would wait for an hour: see <see cref="SendsMax"/>.
/// </summary>
public sealed class UdpTracker : ITracker
{
    /// <summary>
    /// BEP 15 sends nine times within two hours; after three (15 + 30 + 60 s) the next tracker is asked, and
    /// <see cref="TrackerTiers"/> backs off further.
    /// </summary>
    internal const int SendsMax = 3;

    private const int PacketBytesMax = 64 << 10;

    /// <summary>A path longer than that is nobody's; it must fit into a packet.</summary>
    private const int PathBytesMax = 1_000;

    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(15);

    private readonly AddressRules rules;
    private readonly TimeProvider time;
    private readonly RandomBytes random;
    private readonly byte[] path;
    private readonly Lock gate = new();
    private readonly Dictionary<IPAddress, (ulong Id, long Since)> connections = [];

    internal UdpTracker(Uri address, AddressRules rules, TimeProvider time, RandomBytes random)
    {
        Address = address;
        this.rules = rules;
        this.time = time;
        this.random = random;
        var text = address.PathAndQuery is "/" ? "" : address.PathAndQuery;
        path = Encoding.ASCII.GetBytes(text.Length > PathBytesMax ? "" : text);
    }

    public Uri Address { get; }

    public async Task<TrackerAnswer> AnnounceAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        var places = await PlacesAsync(cancellationToken);
        return await EachFamily.AskAsync(
            places, (place, token) => AnnounceAsync(place, announce, token), time, cancellationToken);
    }

    public async Task<IReadOnlyDictionary<SwarmHash, SwarmCounts>> ScrapeAsync(
        IReadOnlyList<SwarmHash> hashes, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfZero(hashes.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hashes.Count, TrackerLimits.ScrapeHashes);
        var place = (await PlacesAsync(cancellationToken))[0];
        var answer = await AskAsync(place, UdpPackets.Scrape, (packet, connection, transaction) =>
        {
            var at = UdpPackets.WriteHead(packet, connection, UdpPackets.Scrape, transaction);
            foreach (var hash in hashes)
            {
                hash.CopyTo(packet[at..]);
                at += SwarmHash.ByteCount;
            }

            return at;
        }, cancellationToken);
        var found = new Dictionary<SwarmHash, SwarmCounts>();
        for (var i = 0; i < hashes.Count; i++)
        {
            var entry = UdpPackets.ScrapeAnswerHead + (i * UdpPackets.ScrapeAnswerEntry);
            if (entry + UdpPackets.ScrapeAnswerEntry > answer.Length) break;
            found[hashes[i]] = new SwarmCounts(
                Count(answer, entry), Count(answer, entry + 8), Count(answer, entry + 4));
        }

        return found;
    }

    /// <summary>A place for each family that the tracker's name has: each hears of its own address of ours.</summary>
    private async Task<List<IPEndPoint>> PlacesAsync(CancellationToken cancellationToken)
    {
        var addresses = await rules.ResolveAsync(Address.IdnHost, cancellationToken);
        return [.. addresses.DistinctBy(address => address.AddressFamily)
            .Select(address => new IPEndPoint(address, Address.Port))];
    }

    private async Task<TrackerAnswer> AnnounceAsync(
        IPEndPoint place, TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(place, UdpPackets.Announce, (packet, connection, transaction) =>
            UdpPackets.WriteAnnounce(packet, connection, transaction, announce, path), cancellationToken);
        if (answer.Length < UdpPackets.AnnounceAnswerHead) throw Senseless();
        var interval = BinaryPrimitives.ReadInt32BigEndian(answer.AsSpan(8));
        var counts = new SwarmCounts(Count(answer, 16), Count(answer, 12), null);
        var peers = CompactAddress.ReadAll(answer.AsSpan(UdpPackets.AnnounceAnswerHead), place.AddressFamily)
            .Where(rules.Allows).Take(TrackerLimits.Peers).ToList();
        return new TrackerAnswer(
            TrackerAnswers.Interval(TimeSpan.FromSeconds(interval)), TimeSpan.Zero, counts, peers, null);
    }

    /// <summary>The whole answer to a request, with a connection made first where there is none.</summary>
    private async Task<byte[]> AskAsync(
        IPEndPoint place, int action, WriteRequest write, CancellationToken cancellationToken)
    {
        using var socket = new Socket(place.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        var packet = ArrayPool<byte>.Shared.Rent(PacketBytesMax);
        try
        {
            // Connected: packets from anywhere else never arrive.
            await socket.ConnectAsync(place, cancellationToken);
            var sends = 0;
            for (var wait = FirstWait; sends < SendsMax; wait *= 2, sends++)
            {
                var until = time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency);
                if (await TryAskAsync(socket, place, packet, action, write, until, cancellationToken) is { } answer)
                    return answer;
            }
        }
        catch (SocketException e)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"nothing answers at the tracker {Address.Host}:{Address.Port}", inner: e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packet);
        }

        throw new VirgaException(
            FailureKind.Timeout, $"the tracker {Address.Host}:{Address.Port} gave no answer to {SendsMax} packets");
    }

    private async Task<byte[]?> TryAskAsync(
        Socket socket, IPEndPoint place, byte[] packet, int action, WriteRequest write, long until,
        CancellationToken cancellationToken)
    {
        if (ConnectionOf(place.Address) is not { } connection)
        {
            var hello = await ExchangeAsync(
                socket, packet, UdpPackets.Connect, UdpPackets.ProtocolId,
                (bytes, id, transaction) => UdpPackets.WriteHead(bytes, id, UdpPackets.Connect, transaction), until,
                cancellationToken);
            if (hello is null) return null;
            if (hello.Length < UdpPackets.ConnectAnswer) throw Senseless();
            connection = BinaryPrimitives.ReadUInt64BigEndian(hello.AsSpan(8));
            lock (gate) connections[place.Address] = (connection, time.GetTimestamp());
        }

        try
        {
            var answer = await ExchangeAsync(socket, packet, action, connection, write, until, cancellationToken);
            if (answer is null) Forget(place.Address);
            return answer;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Denied)
        {
            Forget(place.Address);
            throw;
        }
    }

    /// <summary>Sends one packet and waits for what answers it; null when the time is over.</summary>
    private async Task<byte[]?> ExchangeAsync(
        Socket socket, byte[] packet, int action, ulong connection, WriteRequest write, long until,
        CancellationToken cancellationToken)
    {
        var transaction = Number();
        var count = write(packet, connection, transaction);
        await socket.SendAsync(packet.AsMemory(0, count), cancellationToken);
        var left = time.GetElapsedTime(time.GetTimestamp(), until);
        if (left <= TimeSpan.Zero) return null;
        using var late = new CancellationTokenSource(left, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            while (true)
            {
                var received = await socket.ReceiveAsync(packet.AsMemory(), either.Token);
                if (received < UdpPackets.ErrorHead
                    || BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(4)) != transaction) continue;
                var answered = BinaryPrimitives.ReadInt32BigEndian(packet);
                if (answered == action) return packet[..received];
                if (answered == UdpPackets.Error)
                    throw new VirgaException(
                        FailureKind.Denied, "the tracker refuses: "
                        + TrackerAnswers.Clean(packet.AsSpan(UdpPackets.ErrorHead, received - UdpPackets.ErrorHead)));
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private ulong? ConnectionOf(IPAddress address)
    {
        lock (gate)
        {
            return connections.TryGetValue(address, out var known)
                && time.GetElapsedTime(known.Since) < UdpPackets.ClientLife ? known.Id : null;
        }
    }

    private void Forget(IPAddress address)
    {
        lock (gate) connections.Remove(address);
    }

    private uint Number()
    {
        Span<byte> bytes = stackalloc byte[4];
        random(bytes);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private static int Count(byte[] answer, int at) =>
        Math.Max(0, BinaryPrimitives.ReadInt32BigEndian(answer.AsSpan(at)));

    private VirgaException Senseless() =>
        new(FailureKind.BadInput, $"the tracker {Address.Host} answers with a packet that is too short");

    private delegate int WriteRequest(Span<byte> packet, ulong connection, uint transaction);
}
