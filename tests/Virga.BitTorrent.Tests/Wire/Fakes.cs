using System.Collections.Concurrent;
using System.Net;
using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Merkle;
using Virga.Protocol;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Wire;

/// <summary>A v2 torrent of one file in memory, and both sides of a swarm of it.</summary>
internal sealed class MemoryTorrent : IUploadSide
{
    public const int PieceBytes = 64 << 10;

    public readonly byte[] Content;
    public readonly TorrentInfo Info;
    public readonly byte[] Layer;
    private readonly PieceLayout layout;

    public MemoryTorrent(int bytes, ulong seed = 1)
    {
        Content = Seeded.Bytes(bytes, seed);
        var hasher = new BlobHasher(PieceBytes);
        hasher.Append(Content);
        (var blob, Layer) = hasher.Finish();
        Info = TorrentInfo.Create("file", PieceBytes, [new TorrentFile(["file"], bytes, blob.Root)], true);
        layout = new PieceLayout(Info);
    }

    public int HeldPieces => layout.PieceCount;

    public TaskCompletionSource? ReadsWaitFor { get; set; }

    public int Leased;

    public bool Has(int piece) => true;

    public void Expect(int piece)
    {
    }

    public async ValueTask<UploadBlock> ReadAsync(
        int piece, int begin, int length, CancellationToken cancellationToken)
    {
        if (ReadsWaitFor is { } wait) await wait.Task.WaitAsync(cancellationToken);
        Interlocked.Increment(ref Leased);
        return new UploadBlock(new ArraySegment<byte>(Content, (piece * PieceBytes) + begin, length), new Lease(this));
    }

    public ValueTask<ReadOnlyMemory<byte>?> HashesAsync(HashRequest request, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte>? hashes = null;
        if (request.Root == Info.Files[0].Root && request.BaseLayer == layout.PieceLevel)
            hashes = MerkleProof.Build(Layer, request.BaseLayer, Content.Length, request.Index, request.Length).Hashes;
        return new(hashes);
    }

    private sealed class Lease(MemoryTorrent of) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref of.Leased);
    }
}

/// <summary>Writes down what it is told, and can wait for it.</summary>
internal sealed class RecordingDownload(PeerSession session) : IDownloadSide
{
    private readonly TaskCompletionSource<PeerEnd> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim news = new(0);

    public readonly ConcurrentQueue<string> Events = new();
    public readonly ConcurrentDictionary<(int Piece, int Begin), byte[]> Blocks = [];
    public readonly ConcurrentDictionary<int, byte[]> Metadata = [];
    public readonly ConcurrentQueue<(HashRequest Request, byte[]? Hashes)> Hashes = new();

    public PeerSession Session => session;

    public Task<PeerEnd> Ended => ended.Task;

    public Action<RecordingDownload>? WhenUnchoked { get; set; }

    public Action<RecordingDownload, int, int>? WhenBlock { get; set; }

    /// <summary>Until an event begins so, from now or before.</summary>
    public async Task UntilAsync(string start)
    {
        while (!Events.Any(e => e.StartsWith(start, StringComparison.Ordinal)))
        {
            if (ended.Task.IsCompleted) throw new InvalidOperationException($"ended: {await ended.Task}");
            await news.WaitAsync();
        }
    }

    public void OnExtensions() => Note($"extensions {session.Extensions.Client}");

    public void OnPieces() => Note($"pieces {session.PeerHas!.Count}");

    public void OnHave(int piece) => Note($"have {piece}");

    public void OnChoked() => Note("choked");

    public void OnUnchoked()
    {
        WhenUnchoked?.Invoke(this);
        Note("unchoked");
    }

    public void OnAllowedFast(int piece) => Note($"fast {piece}");

    public void OnSuggested(int piece) => Note($"suggested {piece}");

    public void OnBlock(int piece, int begin, ReadOnlyMemory<byte> block)
    {
        Blocks[(piece, begin)] = block.ToArray();
        WhenBlock?.Invoke(this, piece, begin);
        Note($"block {piece} {begin}");
    }

    public void OnRejected(int piece, int begin, int length) => Note($"rejected {piece} {begin} {length}");

    public void OnHashes(HashRequest request, ReadOnlyMemory<byte>? hashes)
    {
        Hashes.Enqueue((request, hashes?.ToArray()));
        Note($"hashes {request.Index}");
    }

    public void OnMetadata(int piece, ReadOnlyMemory<byte>? data)
    {
        if (data is { } found) Metadata[piece] = found.ToArray();
        Note($"metadata {piece} {data is not null}");
    }

    public void OnPeers(IReadOnlyList<IPEndPoint> peers) => Note($"peers {string.Join(' ', peers)}");

    public void OnEnded(PeerEnd end)
    {
        ended.TrySetResult(end);
        Note($"ended {end.Reason}");
    }

    private void Note(string text)
    {
        Events.Enqueue(text);
        news.Release();
    }
}

/// <summary>A seed and a leech that are connected.</summary>
internal sealed class Pairing : IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource<RecordingDownload> began = new();
    private readonly Task<PeerEnd> seeding;
    private readonly Task<PeerEnd> leeching;

    public Pairing(MemoryTorrent torrent, bool knowsInfo = true, TimeProvider? time = null, bool isUnchoked = true)
    {
        Torrent = torrent;
        SeedSwarm = new Swarm(torrent.Info)
        {
            Upload = torrent,
            Choker = isUnchoked ? new Unchoker() : null,
        };
        LeechSwarm = knowsInfo ? new Swarm(torrent.Info) : new Swarm(null, torrent.Info.InfoHashV2);
        LeechSwarm.Downloads = session =>
        {
            var side = new RecordingDownload(session);
            began.SetResult(side);
            return side;
        };
        var (a, b) = MemoryLink.Pair();
        seeding = RunSeedAsync(a, time ?? TimeProvider.System);
        leeching = new PeerSession(b, LeechSwarm, Settings(2, time), null).RunAsync(stop.Token);
    }

    public MemoryTorrent Torrent { get; }

    public Swarm SeedSwarm { get; }

    public Swarm LeechSwarm { get; }

    public Task<RecordingDownload> Download => began.Task;

    public Task<PeerEnd> SeedEnd => seeding;

    public static PeerSettings Settings(byte number, TimeProvider? time = null) => new(
        time ?? TimeProvider.System, new PeerId(bytes => bytes.Fill(number)), new Pace(time ?? TimeProvider.System))
    {
        ListenPort = 7000 + number,
    };

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await Task.WhenAll(seeding, leeching);
        stop.Dispose();
        Assert.Equal(0, Torrent.Leased);
    }

    private async Task<PeerEnd> RunSeedAsync(MemoryLink link, TimeProvider time)
    {
        var handshake = await PeerSession.ReadHandshakeAsync(link, CancellationToken.None);
        return await new PeerSession(link, SeedSwarm, Settings(1, time), handshake).RunAsync(stop.Token);
    }

    private sealed class Unchoker : IChoker
    {
        public void Changed(PeerSession session) => session.SetChoking(!session.IsPeerInterested);
    }
}
