using System.Numerics;
using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Merkle;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Gets the piece layers that a v2 torrent came without (a magnet link brings none) from peers, each run of hashes with
/// the uncles that prove it (BEP 52): who sends wrong ones is banned. Safe for many threads.
/// </summary>
internal sealed class LayerFetch
{
    /// <summary>Runs of hashes asked of a peer at once.</summary>
    private const int RequestsMost = 16;

    private readonly TorrentInfo info;
    private readonly Action<PeerDownload, string> ban;
    private readonly Lock gate = new();
    private readonly Dictionary<Hash256, byte[]> layers = [];
    private readonly Dictionary<Hash256, long> lengths = [];
    private readonly List<Run> missing = [];
    private readonly HashSet<PeerDownload> peers = [];
    private readonly TaskCompletionSource<PieceLayers> done =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Run(HashRequest request)
    {
        public readonly HashRequest Request = request;
        public readonly HashSet<PeerDownload> Refused = [];
        public PeerDownload? Asked;
    }

    /// <param name="have">Layers that are there already.</param>
    /// <param name="isNeeded">By place in the torrent's list of files.</param>
    public LayerFetch(
        TorrentInfo info, PieceLayers have, Func<int, bool> isNeeded, Action<PeerDownload, string> ban)
    {
        this.info = info;
        this.ban = ban;
        var level = MerkleTree.PieceLevel(info.PieceBytes);
        for (var i = 0; i < info.Files.Count; i++)
        {
            if (info.Files[i] is not { Root: { } root } file || file.Length <= info.PieceBytes
                || !lengths.TryAdd(root, file.Length)) continue;
            if (have.Contains(root))
            {
                layers[root] = have[root].ToArray();
                continue;
            }
            if (!isNeeded(i)) continue;
            var count = MerkleTree.PieceCount(file.Length, info.PieceBytes);
            var padded = (int)BitOperations.RoundUpToPowerOf2((uint)count);
            var length = Math.Min(padded, WireLimits.HashesMax);
            layers[root] = new byte[count * Hash256.ByteCount];
            for (var index = 0; index < count; index += length)
                missing.Add(new Run(new HashRequest(root, level, index, length, BitOperations.Log2((uint)padded) - 1)));
        }
        if (missing.Count == 0) Finish();
    }

    /// <summary>All that were asked for, checked against their roots.</summary>
    public Task<PieceLayers> Layers => done.Task;

    /// <summary>A peer that speaks v2 and has something joins.</summary>
    public void Joined(PeerDownload peer)
    {
        if (!peer.Session.HasV2) return;
        lock (gate) peers.Add(peer);
        Ask(peer);
    }

    public void Ended(PeerDownload peer)
    {
        lock (gate)
        {
            peers.Remove(peer);
            foreach (var run in missing)
            {
                run.Refused.Remove(peer);
                if (run.Asked == peer) run.Asked = null;
            }
        }
        AskAll();
    }

    /// <summary>Asks again whoever said no, and others for what does not come.</summary>
    public void Hurry()
    {
        lock (gate)
        {
            foreach (var run in missing)
            {
                run.Asked = null;
                run.Refused.Clear();
            }
        }
        AskAll();
    }

    public void Arrived(PeerDownload peer, HashRequest request, ReadOnlyMemory<byte>? hashes)
    {
        string? wrong = null;
        lock (gate)
        {
            var run = missing.Find(r => r.Request == request);
            if (run is null) return;
            run.Asked = null;
            run.Refused.Add(peer);
            if (hashes is { } there)
            {
                if (IsRight(request, there.Span))
                {
                    var layer = layers[request.Root].AsSpan(request.Index * Hash256.ByteCount);
                    there.Span[..Math.Min(layer.Length, request.Length * Hash256.ByteCount)].CopyTo(layer);
                    missing.Remove(run);
                }
                else
                {
                    wrong = $"sent wrong hashes of blob {request.Root}";
                }
            }
            if (missing.Count == 0) Finish();
        }
        if (wrong is not null) ban(peer, wrong);
        AskAll();
    }

    private bool IsRight(HashRequest request, ReadOnlySpan<byte> hashes)
    {
        var blob = new BlobName(request.Root, lengths[request.Root]);
        if (hashes.Length != (request.Length + request.UncleCount) * Hash256.ByteCount) return false;
        try
        {
            return MerkleProof.FromHashes(request.BaseLayer, request.Index, request.Length, blob.Length, hashes)
                .Verify(blob);
        }
        catch (VirgaException)
        {
            return false;
        }
    }

    private void AskAll()
    {
        PeerDownload[] all;
        lock (gate) all = [.. peers];
        foreach (var peer in all) Ask(peer);
    }

    private void Ask(PeerDownload peer)
    {
        lock (gate)
        {
            var open = missing.Count(r => r.Asked == peer);
            foreach (var run in missing)
            {
                if (open >= RequestsMost) return;
                if (run.Asked is not null || run.Refused.Contains(peer)) continue;
                if (!peer.Session.TryRequestHashes(run.Request)) return;
                run.Asked = peer;
                open++;
            }
        }
    }

    private void Finish() => done.TrySetResult(PieceLayers.Create(layers));
}
