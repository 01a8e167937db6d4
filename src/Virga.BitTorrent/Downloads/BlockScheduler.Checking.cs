using System.Security.Cryptography;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Downloads;

/// <summary>Whether a piece is right, and who sent what was wrong.</summary>
public sealed partial class BlockScheduler
{
    /// <summary>Wrong attempts at one piece that are remembered: more would only cost memory.</summary>
    private const int AttemptsMost = 8;

    /// <summary>Under the lock: all blocks are here.</summary>
    private void Check(PieceFetch fetch)
    {
        active.Remove(fetch);
        // Off the peer's thread: it goes on receiving meanwhile.
        fetch.Checking = Task.Run(() => RunCheck(fetch), CancellationToken.None);
    }

    private void RunCheck(PieceFetch fetch)
    {
        try
        {
            if (checker.IsRight(fetch.Piece, fetch.Buffer.Span)) Right(fetch);
            else Wrong(fetch);
        }
        catch (Exception e)
        {
            // A fault of ours: no read may wait for ever.
            foreach (var want in fetch.Wants) want.Read.Fail(e);
        }
    }

    private void Right(PieceFetch fetch)
    {
        PieceCache.Slot? slot = null;
        List<(BlockRead Read, Memory<byte> Destination, int Offset)> wants;
        lock (gate)
        {
            byPiece.Remove(fetch.Piece);
            needed.Clear(fetch.Piece);
            if (fetch.Owned is { } owned) slot = cache.Put(fetch.Piece, owned, fetch.Bytes);
            wants = [.. fetch.Wants];
        }
        foreach (var (read, destination, offset) in wants)
            if (fetch.Owner != read) fetch.Buffer.Slice(offset, destination.Length).CopyTo(destination);
        var liars = Liars(fetch);
        if (slot is not null)
            lock (gate) cache.Release(slot, wants.Sum(want => want.Destination.Length));
        foreach (var (liar, proof) in liars) Ban(liar, proof);
        foreach (var want in wants) want.Read.Arrived();
    }

    /// <summary>Now that the right bytes are here: who sent other ones before.</summary>
    private static List<(DownloadPeer Peer, string Proof)> Liars(PieceFetch fetch)
    {
        var liars = new List<(DownloadPeer, string)>();
        if (fetch.WrongAttempts.Count == 0) return liars;
        var right = BlockHashes(fetch);
        foreach (var (from, hashes) in fetch.WrongAttempts)
        {
            for (var block = 0; block < right.Length; block++)
            {
                if (from[block] is not { } peer || hashes[block].AsSpan().SequenceEqual(right[block])) continue;
                if (liars.Exists(l => l.Item1 == peer)) continue;
                liars.Add((peer, $"sent a wrong block {block} of piece {fetch.Piece}: its SHA-1 is "
                    + $"{Convert.ToHexStringLower(hashes[block])}, and not {Convert.ToHexStringLower(right[block])}"));
            }
        }
        return liars;
    }

    private void Wrong(PieceFetch fetch)
    {
        DownloadPeer? liar = null;
        List<DownloadPeer> senders;
        lock (gate)
        {
            var from = (DownloadPeer?[])fetch.From.Clone();
            senders = from.OfType<DownloadPeer>().Distinct().ToList();
            if (senders.Count == 1) liar = senders[0];
            else if (fetch.WrongAttempts.Count < AttemptsMost) fetch.WrongAttempts.Add((from, BlockHashes(fetch)));
            wasted += fetch.Bytes;
        }
        log?.Invoke($"piece {fetch.Piece} came wrong");
        if (liar is not null)
            Ban(liar, $"sent all of piece {fetch.Piece}, which is not what the torrent's hash says");
        lock (gate)
        {
            fetch.StartAgain();
            fetch.Checking = null;
            // From one alone: either it is right, or it is known who is wrong.
            if (liar is null || fetch.Only is not null) fetch.Only = ChooseOnly(fetch, liar, senders);
            if (fetch.Wants.Count == 0 && fetch.Owned is { } owned)
            {
                byPiece.Remove(fetch.Piece);
                cache.Return(owned);
            }
            else
            {
                active.Insert(0, fetch);
            }
        }
        FillAll();
    }

    private static byte[][] BlockHashes(PieceFetch fetch)
    {
        var hashes = new byte[fetch.Count][];
        for (var block = 0; block < hashes.Length; block++)
            hashes[block] = SHA1.HashData(
                fetch.Buffer.Span.Slice(block * WireLimits.BlockBytes, fetch.LengthOf(block)));
        return hashes;
    }

    /// <summary>
    /// Under the lock: who shall send a whole piece alone, rather one who did not send of it before. Null where nobody
    /// can now: then whoever can.
    /// </summary>
    private DownloadPeer? ChooseOnly(
        PieceFetch fetch, DownloadPeer? not = null, List<DownloadPeer>? before = null) =>
        peers.Where(p => p != not && p.MayAsk(fetch.Piece) && !p.IsSnubbed)
            .OrderBy(p => before?.Contains(p) == true ? 1 : 0).ThenByDescending(p => p.Rate).FirstOrDefault();

    private void Ban(DownloadPeer peer, string proof)
    {
        lock (gate)
        {
            // Several of its pieces may have been on their way: one proof is enough.
            if (peer.IsBanned) return;
            peer.IsBanned = true;
        }
        log?.Invoke($"{peer.Name} banned: {proof}");
        peer.Link.Close($"banned: it {proof}");
        Leave(peer);
        Banned?.Invoke(peer.Link, $"{peer.Name} {proof}");
    }
}
