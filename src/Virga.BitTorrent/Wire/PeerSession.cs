using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Core;

namespace Virga.BitTorrent.Wire;

/// <summary>
/// One connection to a peer, from the handshake to its end: what each side has, wants and allows, in both directions.
/// It decides nothing: whom to unchoke and what to ask for is said by others, from any thread. Nothing in it waits for
/// a slow peer but its own two loops, and all that it keeps is bounded (<see cref="WireLimits"/>).
/// </summary>
public sealed partial class PeerSession
{
    private static readonly TimeSpan TickEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeepAliveAfter = TimeSpan.FromSeconds(90);

    private readonly IPeerLink link;
    private readonly Swarm swarm;
    private readonly PeerSettings settings;
    private readonly PeerHandshake? received;
    private readonly CancellationTokenSource ending = new();
    private readonly Lock gate = new();

    /// <summary>One message, or one piece of news for the download side, is handled at a time.</summary>
    private readonly Lock handling = new();

    private PeerHandshake theirs;
    private IDownloadSide? download;
    private PeerEnd? end;
    private long lastMessage;
    private bool isRunning;

    /// <param name="link">Disposed by <see cref="RunAsync"/>.</param>
    /// <param name="received">
    /// The handshake of who connected to us, of which the swarm was found; null where we connected.
    /// </param>
    public PeerSession(IPeerLink link, Swarm swarm, PeerSettings settings, PeerHandshake? received)
    {
        this.link = link;
        this.swarm = swarm;
        this.settings = settings;
        this.received = received;
    }

    public Swarm Swarm => swarm;

    public IPEndPoint Remote => link.Remote;

    public bool IsOutgoing => received is null;

    /// <summary>Where the peer takes connections, as far as known.</summary>
    public IPEndPoint? Listens => IsOutgoing ? Remote
        : Extensions.ListenPort > 0 ? new IPEndPoint(Remote.Address, Extensions.ListenPort) : null;

    public bool HasFast => theirs.HasFast;

    /// <summary>It says so, or it came for the v2 swarm: there not all say so (libtorrent doesn't).</summary>
    public bool HasV2 => theirs.HasV2
        || (swarm.InfoHashV2 is { } v2 && theirs.Swarm == SwarmHash.OfV2(v2));

    /// <summary>As the peer described itself; <see cref="ExtensionHandshake.None"/> until it has.</summary>
    public ExtensionHandshake Extensions { get; private set; } = ExtensionHandshake.None;

    /// <summary>What the peer has; null until the torrent's pieces are known.</summary>
    public Bitfield? PeerHas { get; private set; }

    /// <summary>The peer wants something of us.</summary>
    public bool IsPeerInterested { get; private set; }

    /// <summary>The peer answers no requests.</summary>
    public bool IsPeerChoking { get; private set; } = true;

    /// <summary>We answer no requests.</summary>
    public bool IsChoking { get; private set; } = true;

    public bool IsInterested { get; private set; }

    /// <summary>Payload bytes of blocks that came and were asked for.</summary>
    public long ReceivedBytes => Volatile.Read(ref receivedBytes);

    /// <summary>Payload bytes of blocks that were sent.</summary>
    public long SentBytes => Volatile.Read(ref sentBytes);

    /// <summary>
    /// Runs the connection; ends with why it ended, and never throws. What was going on is over then, and the download
    /// side was told so.
    /// </summary>
    public async Task<PeerEnd> RunAsync(CancellationToken cancellationToken)
    {
        using var cancelling = cancellationToken.Register(() => End(PeerEndReason.Local, "stopped"));
        var isJoined = false;
        try
        {
            await ShakeHandsAsync();
            isJoined = swarm.TryAdd(this);
            if (isJoined) await TalkAsync();
            else End(PeerEndReason.Local, "the swarm has as many connections as it may have");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Fail(e);
        }
        finally
        {
            ending.Cancel();
            await link.DisposeAsync();
            if (isJoined) swarm.Remove(this);
            await ReleaseAsync();
        }
        var why = end ?? new PeerEnd(PeerEndReason.Closed, "closed");
        lock (handling)
        {
            if (isJoined) TellEnd(why);
        }
        swarm.Choker?.Changed(this);
        return why;
    }

    /// <summary>Ends the session soon; the first reason counts.</summary>
    public void End(PeerEndReason reason, string detail)
    {
        lock (gate) end ??= new PeerEnd(reason, detail);
        ending.Cancel();
    }

    private void TellEnd(PeerEnd why)
    {
        try
        {
            download?.OnEnded(why);
        }
        catch (VirgaException)
        {
            // It is over either way.
        }
    }

    private async Task ShakeHandsAsync()
    {
        using var limit = new CancellationTokenSource(settings.HandshakeWithin, settings.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ending.Token);
        try
        {
            // Who knows v2 is answered by the v2 hash of a hybrid, whichever it came by (BEP 52): libtorrent may have
            // learnt of it since it sent the other, and then takes nothing else.
            var hash = received is { HasV2: true } && swarm.InfoHashV2 is { } v2 ? SwarmHash.OfV2(v2)
                : received?.Swarm ?? swarm.Hashes[0];
            var ours = PeerHandshake.Write(
                hash, settings.Id, settings.DhtNode is not null, swarm.InfoHashV2 is not null);
            await link.SendAsync([ours], stop.Token);
            theirs = received ?? await ReadHandshakeAsync(link, stop.Token)
                ?? throw PeerCodec.Bad("no handshake of BitTorrent");
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            End(PeerEndReason.TimedOut, "no handshake came");
            throw;
        }
        if (!swarm.Hashes.Contains(theirs.Swarm)) Refuse("it serves another swarm");
        if (theirs.Id.SequenceEqual(settings.Id.Bytes)) Refuse("that are we ourselves");
    }

    private void Refuse(string why)
    {
        End(PeerEndReason.WrongSwarm, why);
        throw new OperationCanceledException(why);
    }

    /// <summary>Null where something else came; IOException where the stream ends before.</summary>
    internal static async ValueTask<PeerHandshake?> ReadHandshakeAsync(
        IPeerLink link, CancellationToken cancellationToken) => (await ReadStartAsync(link, cancellationToken)).Plain;

    /// <summary>A plain handshake, or what came instead of one: the start of an obfuscated one, perhaps.</summary>
    internal static async ValueTask<(PeerHandshake? Plain, ReadOnlyMemory<byte> Other)> ReadStartAsync(
        IPeerLink link, CancellationToken cancellationToken)
    {
        var bytes = new byte[PeerHandshake.ByteCount];
        for (var got = 0; got < bytes.Length;)
        {
            var count = await link.ReceiveAsync(bytes.AsMemory(got), cancellationToken);
            if (count == 0) throw new IOException("the peer closed the connection");
            got += count;
            if (!PeerHandshake.IsPlain(bytes.AsSpan(0, got))) return (null, bytes.AsMemory(0, got));
        }
        return (PeerHandshake.Parse(bytes), default);
    }

    private async Task TalkAsync()
    {
        lastMessage = lastSent = settings.Time.GetTimestamp();
        download = swarm.Downloads?.Invoke(this);
        Greet();
        lock (handling)
        {
            isRunning = true;
            PrepareBits();
        }
        swarm.Choker?.Changed(this);
        using var timer = settings.Time.CreateTimer(_ => Tick(), null, TickEvery, TickEvery);
        var receiving = ReceiveLoopAsync(ending.Token);
        var sending = SendLoopAsync(ending.Token);
        try
        {
            await await Task.WhenAny(receiving, sending);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Fail(e);
        }
        ending.Cancel();
        await link.DisposeAsync();
        signal.Set();
        await Task.WhenAll(receiving, sending).ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    private void Fail(Exception e)
    {
        var (reason, detail) = e switch
        {
            VirgaException { Kind: FailureKind.BadInput } bad => (PeerEndReason.BrokeProtocol, bad.Message),
            OperationCanceledException or ObjectDisposedException => (PeerEndReason.Local, "stopped"),
            IOException or SocketException => (PeerEndReason.Closed, e.Message),
            _ => (PeerEndReason.Failed, $"{e.GetType().Name}: {e.Message}"),
        };
        End(reason, detail);
    }

    /// <summary>Looks after the clock: who is silent, who does not read, what is due.</summary>
    private void Tick()
    {
        var time = settings.Time;
        if (time.GetElapsedTime(Volatile.Read(ref lastMessage)) > settings.SilenceMax)
            End(PeerEndReason.TimedOut, "nothing came from it");
        else if (Volatile.Read(ref sendBegan) is var began && began != 0
            && time.GetElapsedTime(began) > settings.SendWithin)
            End(PeerEndReason.TimedOut, "it does not read what it asked for");
        else if (time.GetElapsedTime(Volatile.Read(ref lastSent)) > KeepAliveAfter)
            Control(PeerCodec.WriteKeepAlive);
        SendPex();
    }
}
