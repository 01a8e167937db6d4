using System.Net;
using Virga.BitTorrent.Wire;
using Virga.Core;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Gets the pieces that reads need from many peers, block by block, each piece checked before a byte of it leaves here.
/// Each peer has as many requests open as its speed needs; it begins pieces of its own while there are some, helps with
/// those of others then, and at last races what is late. Who sent a wrong block is found out and banned; nothing else
/// is held against anybody but time. Safe for many threads; nothing waits in it but reads.
/// </summary>
public sealed partial class BlockScheduler : IDisposable
{
    private static readonly TimeSpan TickEvery = TimeSpan.FromSeconds(1);

    /// <summary>A peer that gave nothing of what was asked for so long: others are asked for the same.</summary>
    private static readonly TimeSpan SnubbedAfter = TimeSpan.FromSeconds(10);

    /// <summary>And after so long it is left: its place is worth more than it is.</summary>
    private static readonly TimeSpan LeftAfter = TimeSpan.FromSeconds(60);

    /// <summary>An idle peer is asked again for a block that another was asked for so long ago.</summary>
    private static readonly TimeSpan LateAfter = TimeSpan.FromSeconds(1);

    /// <summary>Blocks raced by one peer at once: they may come twice.</summary>
    private const int RacedMost = 8;

    /// <summary>
    /// Pieces that are on their way take no more because of one that is begun early: large ones stay two at a time.
    /// </summary>
    private const long AheadBytesMax = 32 << 20;

    /// <summary>Seconds of a peer's own speed for which requests are open at it (libtorrent's default, too).</summary>
    private const double QueueSeconds = 3;

    private readonly Lock gate = new();
    private readonly PieceLayout layout;
    private readonly PieceChecker checker;
    private readonly TimeProvider time;
    private readonly Action<string>? log;
    private readonly PieceCache cache;
    private readonly ITimer timer;
    private readonly List<PieceFetch> active = [];
    private readonly Dictionary<int, PieceFetch> byPiece = [];
    private readonly List<DownloadPeer> peers = [];
    private readonly int[] availability;
    private readonly Bitfield needed;
    private long wasted;

    /// <param name="isNeeded">Pieces that are to be had, for whom to be interested in.</param>
    public BlockScheduler(
        PieceLayout layout, PieceChecker checker, Func<int, bool> isNeeded, TimeProvider time, Action<string>? log)
    {
        this.layout = layout;
        this.checker = checker;
        this.time = time;
        this.log = log;
        cache = new PieceCache(layout.PieceBytes);
        availability = new int[layout.PieceCount];
        needed = new Bitfield(layout.PieceCount);
        for (var piece = 0; piece < layout.PieceCount; piece++)
            if (isNeeded(piece)) needed.Set(piece);
        timer = time.CreateTimer(_ => Tick(), null, TickEvery, TickEvery);
    }

    /// <summary>Peers that gave wrong bytes, with the proof: each is told once, after it was closed.</summary>
    public Action<IBlockPeer, string>? Banned { get; init; }

    /// <summary>Bytes that came and were of no use: twice, late, or wrong.</summary>
    public long WastedBytes => Volatile.Read(ref wasted);

    /// <summary>Peers that are connected now, and those of them that let us download.</summary>
    public (int All, int Open) Peers
    {
        get
        {
            lock (gate) return (peers.Count, peers.Count(p => !p.IsChoked));
        }
    }

    /// <summary>Pieces that are needed and that nobody who is connected has.</summary>
    public int Unavailable
    {
        get
        {
            lock (gate)
            {
                var count = 0;
                for (var piece = 0; piece < availability.Length; piece++)
                    if (availability[piece] == 0 && needed[piece]) count++;
                return count;
            }
        }
    }

    /// <summary>How each peer has done, while it is connected.</summary>
    public IReadOnlyList<(string Name, long Bytes, double BytesPerSecond)> Report()
    {
        lock (gate) return [.. peers.Select(p => (p.Name, p.Bytes, p.Rate))];
    }

    /// <summary>How many peers have all of some pieces.</summary>
    public int Availability(int first, int count)
    {
        var fewest = int.MaxValue;
        lock (gate)
            for (var piece = first; piece < first + count; piece++) fewest = Math.Min(fewest, availability[piece]);
        return fewest;
    }

    /// <summary>These are stored already, or not wanted any more.</summary>
    public void Unneed(int first, int count)
    {
        lock (gate)
            for (var piece = first; piece < first + count; piece++) needed.Clear(piece);
    }

    /// <summary>
    /// Fills a destination with bytes from a place in the row of all pieces on. Waits for peers as long as it takes.
    /// </summary>
    public async Task ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (destination.IsEmpty) return;
        var read = new BlockRead();
        var cached = new List<(PieceCache.Slot Slot, Memory<byte> Destination, int Offset)>();
        lock (gate)
        {
            for (var end = offset + destination.Length; offset < end;)
            {
                var piece = (int)(offset / layout.PieceBytes);
                var at = (int)(offset - (long)piece * layout.PieceBytes);
                var take = (int)Math.Min(layout.PieceLength(piece) - at, end - offset);
                var part = destination[..take];
                if (cache.Take(piece) is { } slot) cached.Add((slot, part, at));
                else Want(read, piece, part, at);
                destination = destination[take..];
                offset += take;
            }
        }
        foreach (var (slot, part, at) in cached) slot.Data.AsMemory(at, part.Length).CopyTo(part);
        lock (gate)
            foreach (var (slot, part, _) in cached) cache.Release(slot, part.Length);
        read.Arrived();
        FillAll();
        try
        {
            await read.Done.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await AbandonAsync(read);
            throw;
        }
    }

    /// <summary>Begins a piece that will be read soon, where there is room to keep it.</summary>
    public void Prefetch(int piece)
    {
        lock (gate)
        {
            if (piece >= layout.PieceCount || !needed[piece] || cache.Contains(piece) || byPiece.ContainsKey(piece))
                return;
            if (byPiece.Count > 0 && (byPiece.Count + 1L) * layout.PieceBytes > AheadBytesMax) return;
            Begin(piece, null, default);
        }
        FillAll();
    }

    /// <summary>A peer joins: nothing is known of it yet, and it chokes us.</summary>
    public DownloadPeer Join(IBlockPeer link)
    {
        var peer = new DownloadPeer(link, layout.PieceCount);
        lock (gate) peers.Add(peer);
        return peer;
    }

    /// <summary>What a peer has, all of it anew.</summary>
    public void SetHave(DownloadPeer peer, Func<int, bool> has)
    {
        lock (gate)
        {
            if (peer.IsGone) return;
            for (var piece = 0; piece < layout.PieceCount; piece++)
            {
                var isNow = has(piece);
                if (isNow == peer.Have.Contains(piece)) continue;
                availability[piece] += isNow ? 1 : -1;
                if (isNow) peer.Have.Add(piece);
                else peer.Have.Remove(piece);
            }
            peer.HasNews = true;
        }
        BecomeInterested(peer);
        Fill(peer);
    }

    public void AddHave(DownloadPeer peer, int piece)
    {
        lock (gate)
        {
            if (peer.IsGone || peer.Have.Contains(piece)) return;
            peer.Have.Add(piece);
            peer.HasNews = true;
            availability[piece]++;
        }
        BecomeInterested(peer);
        Fill(peer);
    }

    public void SetChoked(DownloadPeer peer, bool isChoked)
    {
        lock (gate) peer.IsChoked = isChoked;
        if (!isChoked) Fill(peer);
    }

    public void AllowFast(DownloadPeer peer, int piece)
    {
        // What BEP 6 has peers allow is ten pieces; a list without a bound would only cost memory.
        const int most = 64;
        lock (gate)
            if (peer.AllowedFast.Count < most) peer.AllowedFast.Add(piece);
        Fill(peer);
    }

    /// <summary>The peer won't answer that request.</summary>
    public void Reject(DownloadPeer peer, int piece, int begin)
    {
        lock (gate)
        {
            var block = begin / WireLimits.BlockBytes;
            if (peer.Pending.Remove((piece, block))) Release(peer, piece, block);
            // Not at once the same again.
            peer.Depth = Math.Max(DownloadPeer.DepthLeast, peer.Depth / 2);
        }
        FillAll(except: peer);
    }

    /// <summary>A peer is gone, whoever ended it.</summary>
    public void Leave(DownloadPeer peer)
    {
        lock (gate)
        {
            if (peer.IsGone) return;
            peer.IsGone = true;
            peers.Remove(peer);
            for (var piece = 0; piece < layout.PieceCount; piece++)
                if (peer.Have.Contains(piece)) availability[piece]--;
            ReleaseAll(peer);
            foreach (var fetch in active)
            {
                fetch.Takers.Remove(peer);
                if (fetch.Only == peer) fetch.Only = ChooseOnly(fetch);
            }
        }
        FillAll();
    }

    /// <summary>A block came. What nobody asked for, or came already, is counted and left.</summary>
    public void Deliver(DownloadPeer peer, int piece, int begin, ReadOnlySpan<byte> data)
    {
        List<DownloadPeer>? others = null;
        PieceFetch? fetch;
        var block = begin / WireLimits.BlockBytes;
        lock (gate)
        {
            peer.Pending.Remove((piece, block));
            peer.WaitingSince = time.GetTimestamp();
            peer.IsSnubbed = false;
            peer.Bytes += data.Length;
            if (peer.IsSlowStart) peer.Depth = Math.Min(peer.Depth + 1, DownloadPeer.DepthMost);
            if (peer.IsGone || !byPiece.TryGetValue(piece, out fetch) || block >= fetch.Count
                || begin % WireLimits.BlockBytes != 0 || data.Length != fetch.LengthOf(block)
                || fetch.States[block] == BlockState.Here || (fetch.Only is { } only && only != peer))
            {
                wasted += data.Length;
                fetch = null;
            }
            else
            {
                if (fetch.States[block] != BlockState.Asked || fetch.From[block] != peer)
                    others = peers.FindAll(p => p != peer && p.Pending.Remove((piece, block)));
                fetch.Arrived(block, peer, data);
                if (!fetch.IsWhole) fetch = null;
                else Check(fetch);
            }
        }
        if (others is not null)
            foreach (var other in others) other.Link.Cancel(piece, begin, data.Length);
        Fill(peer);
    }

    /// <summary>All is stored: no buffer is kept any longer.</summary>
    public void Rest()
    {
        lock (gate) cache.Clear();
    }

    public void Dispose() => timer.Dispose();

    /// <summary>Under the lock: a read needs some bytes of a piece that is not here.</summary>
    private void Want(BlockRead read, int piece, Memory<byte> destination, int at)
    {
        read.Expect();
        if (!byPiece.TryGetValue(piece, out var fetch))
        {
            var isWhole = at == 0 && destination.Length == layout.PieceLength(piece);
            fetch = Begin(piece, isWhole ? read : null, destination);
        }
        fetch.Wants.Add((read, destination, at));
        read.Fetches.Add(fetch);
    }

    private PieceFetch Begin(int piece, BlockRead? owner, Memory<byte> destination)
    {
        var bytes = layout.PieceLength(piece);
        var owned = owner is null ? cache.Rent() : null;
        var fetch = new PieceFetch(piece, bytes, owned is null ? destination : owned.AsMemory(0, bytes), owned, owner);
        byPiece.Add(piece, fetch);
        active.Add(fetch);
        return fetch;
    }

    /// <summary>A read is given up: what only it wanted is not fetched any more.</summary>
    private async Task AbandonAsync(BlockRead read)
    {
        foreach (var fetch in read.Fetches)
        {
            // Its destination is the caller's again as soon as this ends: a check must not look into it then.
            while (!TryAbandon(read, fetch, out var checking)) await checking;
        }
    }

    private bool TryAbandon(BlockRead read, PieceFetch fetch, out Task checking)
    {
        lock (gate)
        {
            checking = fetch.Checking ?? Task.CompletedTask;
            if (!checking.IsCompleted) return false;
            fetch.Wants.RemoveAll(want => want.Read == read);
            if (!byPiece.TryGetValue(fetch.Piece, out var current) || current != fetch) return true;
            if (fetch.Wants.Count == 0) Drop(fetch);
            else if (fetch.Owner == read) fetch.MoveTo(cache.Rent());
            return true;
        }
    }

    /// <summary>Under the lock.</summary>
    private void Drop(PieceFetch fetch)
    {
        byPiece.Remove(fetch.Piece);
        active.Remove(fetch);
        foreach (var peer in peers)
        {
            for (var block = 0; block < fetch.Count; block++)
            {
                if (!peer.Pending.Remove((fetch.Piece, block))) continue;
                peer.Link.Cancel(fetch.Piece, block * WireLimits.BlockBytes, fetch.LengthOf(block));
            }
        }
        if (fetch.Owned is { } owned) cache.Return(owned);
    }

    private void BecomeInterested(DownloadPeer peer)
    {
        lock (gate)
        {
            var isInterested = IsWorthAsking(peer);
            if (isInterested == peer.IsInterested) return;
            peer.IsInterested = isInterested;
        }
        peer.Link.SetInterested(peer.IsInterested);
    }

    private bool IsWorthAsking(DownloadPeer peer)
    {
        if (byPiece.Keys.Any(peer.Have.Contains)) return true;
        // What is needed only becomes less: the search goes on where it ended, and who has nothing is looked at again
        // when it has something new.
        if (needed.Count == 0 || (!peer.IsInterested && !peer.HasNews)) return false;
        peer.HasNews = false;
        for (var i = 0; i < layout.PieceCount; i++)
        {
            var piece = (peer.WantedAt + i) % layout.PieceCount;
            if (!needed[piece] || !peer.Have.Contains(piece)) continue;
            peer.WantedAt = piece;
            return true;
        }
        return false;
    }
}
