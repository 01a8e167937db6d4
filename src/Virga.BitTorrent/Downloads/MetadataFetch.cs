using System.Security.Cryptography;
using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Core;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Gets the info dict that a magnet link names from peers (BEP 9). Each peer that is asked is asked for all of it, a
/// few at once, so that one whose answer has another hash is known for a liar. Safe for many threads.
/// </summary>
internal sealed class MetadataFetch(MagnetLink link, Action<PeerDownload, string> ban)
{
    /// <summary>Peers that are asked at once: one that lies or stalls holds up nobody.</summary>
    private const int AskedMost = 3;

    /// <summary>Larger ones are asked for one at a time, so that all that lie take no more than the largest.</summary>
    private const int LargeBytes = 4 << 20;

    /// <summary>Requests open at a peer.</summary>
    private const int RequestsMost = 32;

    private readonly Lock gate = new();
    private readonly Dictionary<PeerDownload, Attempt> asked = [];
    private readonly List<PeerDownload> waiting = [];
    private readonly TaskCompletionSource<byte[]> done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Attempt(int bytes)
    {
        /// <summary>Takes memory as it is filled.</summary>
        public readonly byte[] Info = new byte[bytes];
        public readonly bool[] Pieces =
            new bool[(bytes + MetadataMessage.PieceBytes - 1) / MetadataMessage.PieceBytes];

        public int Next;
        public int Have;

        public Span<byte> Piece(int number)
        {
            var from = number * MetadataMessage.PieceBytes;
            return Info.AsSpan(from, Math.Min(MetadataMessage.PieceBytes, Info.Length - from));
        }
    }

    /// <summary>The info dict, its hash checked.</summary>
    public Task<byte[]> Info => done.Task;

    /// <summary>Peers that have answered so far, or are asked now.</summary>
    public int Asked
    {
        get
        {
            lock (gate) return asked.Count;
        }
    }

    /// <summary>A peer has said what it offers.</summary>
    public void Offered(PeerDownload peer)
    {
        if (peer.Session.Extensions is not { MetadataId: > 0, MetadataBytes: > 0 } || done.Task.IsCompleted) return;
        lock (gate)
        {
            if (asked.ContainsKey(peer) || waiting.Contains(peer)) return;
            waiting.Add(peer);
        }
        AskMore();
    }

    public void Arrived(PeerDownload peer, int piece, ReadOnlyMemory<byte>? data)
    {
        Attempt? attempt;
        lock (gate)
        {
            if (!asked.TryGetValue(peer, out attempt) || piece >= attempt.Pieces.Length) return;
            var place = attempt.Piece(piece);
            if (data is { } there && there.Length == place.Length)
            {
                if (attempt.Pieces[piece]) return;
                attempt.Have++;
                attempt.Pieces[piece] = true;
                there.Span.CopyTo(place);
            }
            else
            {
                // It has none to give, or another length than it said: others are asked.
                asked.Remove(peer);
                attempt = null;
            }
        }
        if (attempt is null) AskMore();
        else if (attempt.Have == attempt.Pieces.Length) Finish(peer, attempt);
        else Ask(peer, attempt);
    }

    public void Ended(PeerDownload peer)
    {
        lock (gate)
        {
            asked.Remove(peer);
            waiting.Remove(peer);
        }
        AskMore();
    }

    /// <summary>Asks others beside those that are asked: they have had their time.</summary>
    public void Hurry()
    {
        lock (gate)
        {
            // Who has given nothing since makes room; what it sends later is not waited for.
            foreach (var (peer, attempt) in asked.ToList())
            {
                if (attempt.Have > attempt.Pieces.Length / 2 || waiting.Count == 0) continue;
                asked.Remove(peer);
            }
        }
        AskMore();
    }

    private void AskMore()
    {
        while (true)
        {
            PeerDownload peer;
            Attempt attempt;
            lock (gate)
            {
                if (done.Task.IsCompleted || waiting.Count == 0 || asked.Count >= AskedMost) return;
                // Info dicts of what several say is their length are likelier to be right.
                var isFull = asked.Values.Any(a => a.Info.Length > LargeBytes);
                var next = waiting.Where(w => !isFull || w.Session.Extensions.MetadataBytes <= LargeBytes)
                    .GroupBy(w => w.Session.Extensions.MetadataBytes).MaxBy(g => g.Count())?.First();
                if (next is null) return;
                peer = next;
                waiting.Remove(peer);
                asked[peer] = attempt = new Attempt(peer.Session.Extensions.MetadataBytes);
            }
            Ask(peer, attempt);
        }
    }

    private void Ask(PeerDownload peer, Attempt attempt)
    {
        while (true)
        {
            int piece;
            lock (gate)
            {
                if (attempt.Next >= attempt.Pieces.Length || attempt.Next - attempt.Have >= RequestsMost) return;
                piece = attempt.Next++;
            }
            if (peer.Session.TryRequestMetadata(piece)) continue;
            lock (gate) attempt.Next--;
            return;
        }
    }

    private void Finish(PeerDownload peer, Attempt attempt)
    {
        var info = attempt.Info;
        if (WhyWrong(info) is { } wrong)
        {
            lock (gate) asked.Remove(peer);
            ban(peer, wrong);
            AskMore();
            return;
        }
        if (!done.TrySetResult(info)) return;
        lock (gate)
        {
            asked.Clear();
            waiting.Clear();
        }
    }

    private string? WhyWrong(byte[] info)
    {
        if (link.InfoHashV1 is { } v1 && new SwarmHash(SHA1.HashData(info)) is var hash && hash != v1)
            return $"sent metadata with the hash {hash}, and not {v1}";
        if (link.InfoHashV2 is { } v2 && new Hash256(SHA256.HashData(info)) is var hash2 && hash2 != v2)
            return $"sent metadata with the hash {hash2}, and not {v2}";
        return null;
    }
}
