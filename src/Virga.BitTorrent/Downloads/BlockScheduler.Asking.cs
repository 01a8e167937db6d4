using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Downloads;

/// <summary>Whom to ask for what, and what to do when it doesn't come.</summary>
public sealed partial class BlockScheduler
{
    private void FillAll(DownloadPeer? except = null)
    {
        DownloadPeer[] all;
        lock (gate) all = [.. peers];
        foreach (var peer in all)
            if (peer != except) Fill(peer);
    }

    /// <summary>Asks a peer for as much as its speed needs.</summary>
    private void Fill(DownloadPeer peer)
    {
        List<(int Piece, int Begin, int Length)>? requests = null;
        lock (gate)
        {
            // Half of its requests at a time: to look for one block after the other costs more than it brings.
            var room = peer.Room;
            if (peer.IsGone || active.Count == 0 || room <= 0 || (room < peer.Depth / 4 && peer.Pending.Count > 0))
                return;
            var now = time.GetTimestamp();
            if (peer.Pending.Count == 0 && !peer.IsSnubbed) peer.WaitingSince = now;
            while (room > 0 && Choose(peer) is { } fetch)
            {
                if (!fetch.Takers.Contains(peer)) fetch.Takers.Add(peer);
                for (; room > 0 && fetch.MissingCount > 0; room--)
                    Ask(peer, fetch, fetch.TakeMissing(peer, now), now, requests ??= []);
            }
            if (room > 0 && peer.Pending.Count < RacedMost) Race(peer, now, requests ??= []);
        }
        if (requests is null) return;
        foreach (var (piece, begin, length) in requests)
            if (!peer.Link.Request(piece, begin, length)) NotAsked(peer, piece, begin);
    }

    /// <summary>The peer takes no more now: as many as it has are what it gets at once from now on.</summary>
    private void NotAsked(DownloadPeer peer, int piece, int begin)
    {
        lock (gate)
        {
            var block = begin / WireLimits.BlockBytes;
            if (!peer.Pending.Remove((piece, block))) return;
            Release(peer, piece, block);
            peer.Depth = Math.Max(DownloadPeer.DepthLeast, peer.Pending.Count);
        }
    }

    private static void Ask(
        DownloadPeer peer, PieceFetch fetch, int block, long now, List<(int Piece, int Begin, int Length)> requests)
    {
        peer.Pending[(fetch.Piece, block)] = now;
        requests.Add((fetch.Piece, block * WireLimits.BlockBytes, fetch.LengthOf(block)));
    }

    /// <summary>
    /// Under the lock: what it began itself, else what nobody has begun, else what others have; the oldest first. So
    /// most pieces come from one peer, who is known for a liar if one is wrong.
    /// </summary>
    private PieceFetch? Choose(DownloadPeer peer)
    {
        PieceFetch? best = null;
        var bestClass = int.MaxValue;
        foreach (var fetch in active)
        {
            if (fetch.MissingCount == 0 || !peer.MayAsk(fetch.Piece)) continue;
            if (fetch.Only is { } only && only != peer) continue;
            var kind = fetch.Takers.Contains(peer) ? 0 : fetch.Takers.Count == 0 ? 1 : 2;
            if (kind >= bestClass) continue;
            (best, bestClass) = (fetch, kind);
            if (kind == 0) break;
        }
        return best;
    }

    /// <summary>Under the lock: asks an idle peer for what others are late with.</summary>
    private void Race(DownloadPeer peer, long now, List<(int Piece, int Begin, int Length)> requests)
    {
        foreach (var fetch in active)
        {
            if (fetch.HereCount == fetch.Count || !peer.MayAsk(fetch.Piece) || fetch.Only is not null) continue;
            for (var block = 0; block < fetch.Count; block++)
            {
                if (fetch.States[block] != BlockState.Asked || fetch.From[block] == peer) continue;
                if (time.GetElapsedTime(fetch.AskedAt[block], now) < LateAfter) continue;
                fetch.States[block] = BlockState.Raced;
                Ask(peer, fetch, block, now, requests);
                if (peer.Pending.Count >= RacedMost || peer.Room <= 0) return;
            }
        }
    }

    /// <summary>Under the lock: a request of a peer is over without an answer.</summary>
    private void Release(DownloadPeer peer, int piece, int block)
    {
        if (!byPiece.TryGetValue(piece, out var fetch) || block >= fetch.Count) return;
        switch (fetch.States[block])
        {
            case BlockState.Asked when fetch.From[block] == peer:
                fetch.GiveBack(block);
                break;
            case BlockState.Raced:
                var other = peers.Find(p => p != peer && p.Pending.ContainsKey((piece, block)));
                if (other is null)
                {
                    fetch.GiveBack(block);
                    break;
                }
                fetch.States[block] = BlockState.Asked;
                fetch.From[block] = other;
                break;
        }
    }

    /// <summary>Under the lock.</summary>
    private void ReleaseAll(DownloadPeer peer)
    {
        foreach (var (piece, block) in peer.Pending.Keys.ToList())
        {
            peer.Pending.Remove((piece, block));
            Release(peer, piece, block);
        }
    }

    /// <summary>Once a second: measures, gives up what does not come, asks for what is late.</summary>
    internal void Tick()
    {
        var left = new List<DownloadPeer>();
        DownloadPeer[] all;
        lock (gate)
        {
            all = [.. peers];
            var now = time.GetTimestamp();
            foreach (var fetch in active)
            {
                if (fetch.Only is { } only && (only.IsSnubbed || !only.MayAsk(fetch.Piece)))
                    fetch.Only = ChooseOnly(fetch, only);
            }
            foreach (var peer in all)
            {
                Measure(peer);
                if (peer.Pending.Count == 0 && !peer.IsSnubbed) continue;
                var waited = time.GetElapsedTime(peer.WaitingSince, now);
                if (waited > LeftAfter && !peer.IsChoked)
                {
                    left.Add(peer);
                }
                else if (waited > SnubbedAfter && peer.Pending.Count > 0)
                {
                    // What it was asked for may still come; others are asked for it now.
                    peer.IsSnubbed = true;
                    peer.IsSlowStart = false;
                    peer.Depth = 1;
                    ReleaseAll(peer);
                }
            }
        }
        foreach (var peer in left) peer.Link.Close("it sends nothing of what it was asked for");
        // What a slow one gave up is for others first.
        foreach (var peer in all.OrderBy(p => p.IsSnubbed))
        {
            BecomeInterested(peer);
            Fill(peer);
        }
    }

    private void Measure(DownloadPeer peer)
    {
        var bytes = peer.Bytes - peer.BytesAtTick;
        peer.BytesAtTick = peer.Bytes;
        var rate = bytes / TickEvery.TotalSeconds;
        // As long as each second brings more than the one before, nobody knows how fast it can be.
        if (peer.IsSlowStart && peer.Rate > 0 && rate < 1.1 * peer.Rate) peer.IsSlowStart = false;
        peer.Rate = peer.Rate == 0 ? rate : (0.5 * peer.Rate) + (0.5 * rate);
        if (peer.IsSlowStart || peer.IsSnubbed) return;
        var depth = (int)Math.Min(int.MaxValue / 2, peer.Rate * QueueSeconds / WireLimits.BlockBytes);
        peer.Depth = Math.Clamp(depth, DownloadPeer.DepthLeast, DownloadPeer.DepthMost);
    }
}
