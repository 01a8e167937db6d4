using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Wire;

/// <summary>A peer that says what a test has it say, to a session of ours in a swarm.</summary>
internal sealed class RawPeer : IAsyncDisposable
{
    private readonly MemoryLink link;
    private readonly CancellationTokenSource stop = new();
    private readonly Task reading;

    /// <param name="number">Makes its id.</param>
    /// <param name="maySleep">It is never left for its silence, however time passes.</param>
    public RawPeer(Swarm swarm, int number, TimeProvider time, IPEndPoint place, bool maySleep = false)
    {
        var settings = Pairing.Settings(1, time);
        if (maySleep) settings = settings with { SilenceMax = TimeSpan.FromDays(1) };
        (var ours, link) = MemoryLink.Pair(place);
        var hello = PeerHandshake.Write(
            swarm.Hashes[0], new PeerId(new Seeded((ulong)number + 1000).RandomBytes), hasDht: false);
        Session = new PeerSession(ours, swarm, settings, PeerHandshake.Parse(hello));
        Ended = Session.RunAsync(stop.Token);
        reading = ReadAsync();
    }

    public PeerSession Session { get; }

    public Task<PeerEnd> Ended { get; }

    /// <summary>Who our side told it of, in messages.</summary>
    public ConcurrentQueue<PexMessage> Told { get; } = new();

    public ConcurrentQueue<PeerMessageKind> Kinds { get; } = new();

    /// <summary>A connection that our side has greeted, which takes place at once in memory.</summary>
    public async Task<RawPeer> GreetAsync(int listenPort = 0)
    {
        while (!Session.Swarm.Sessions.Contains(Session)) await Task.Yield();
        if (listenPort == 0) return this;
        await SendAsync(output => PeerCodec.WriteExtended(output, ExtensionHandshake.Id, ExtensionHandshake.Write(
            "raw", 0, listenPort, isUploadOnly: false, hasPex: true, IPAddress.Loopback)));
        while (Session.Listens is null) await Task.Yield();
        return this;
    }

    public async Task<RawPeer> WantAsync(bool isInterested = true)
    {
        await SendAsync(output => PeerCodec.Write(
            output, isInterested ? PeerMessageKind.Interested : PeerMessageKind.NotInterested));
        while (Session.IsPeerInterested != isInterested) await Task.Yield();
        return this;
    }

    /// <summary>Gives a block that our side asks for.</summary>
    public async Task GiveAsync(int piece, int begin, int length)
    {
        var before = Session.ReceivedBytes;
        Assert.True(Session.TryRequest(piece, begin, length));
        var message = new byte[PeerCodec.PieceHeaderBytes + length];
        PeerCodec.WritePieceHeader(message, piece, begin, length);
        await SendAsync(output => output.Write(message));
        while (Session.ReceivedBytes == before) await Task.Yield();
    }

    public async Task SendAsync(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        await link.SendAsync([new ArraySegment<byte>(output.WrittenSpan.ToArray())], stop.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await Ended;
        await reading;
        await link.DisposeAsync();
        stop.Dispose();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[1 << 20];
        var (start, end) = (0, 0);
        try
        {
            while (await link.ReceiveAsync(buffer.AsMemory(end), stop.Token) is var count and > 0)
            {
                end += count;
                if (start == 0 && end < PeerHandshake.ByteCount) continue;
                if (start == 0) start = PeerHandshake.ByteCount;
                while (PeerCodec.TryRead(buffer.AsMemory(start, end - start), out var message, out var size))
                {
                    Note(message);
                    start += size;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private void Note(in PeerMessage message)
    {
        Kinds.Enqueue(message.Kind);
        // By the number that it gave to the extension itself.
        if (message.Kind == PeerMessageKind.Extended && message.Piece == ExtensionHandshake.OurPexId)
            Told.Enqueue(PexMessage.Parse(message.Payload.Span));
    }
}
