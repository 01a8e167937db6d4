using System.Net;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// One connection's side that takes: brings what the peer says and sends to who wants it, and asks it for blocks. Made
/// for each session of a swarm that is downloaded.
/// </summary>
internal sealed class PeerDownload : IDownloadSide, IBlockPeer
{
    private readonly TorrentDownload owner;
    private readonly PeerSession session;

    /// <summary>Joining and what the peer says meanwhile, one after the other.</summary>
    private readonly Lock gate = new();
    private BlockScheduler? scheduler;
    private DownloadPeer? peer;
    private bool isEnded;

    public PeerDownload(TorrentDownload owner, PeerSession session)
    {
        this.owner = owner;
        this.session = session;
        Name = session.Remote.ToString();
    }

    public string Name { get; }

    public PeerSession Session => session;

    /// <summary>Where it was reached, or came from.</summary>
    public IPEndPoint? Address => session.Remote;

    public int RequestsMax => session.RequestWindow;

    public bool Request(int piece, int begin, int length) => session.TryRequest(piece, begin, length);

    public void Cancel(int piece, int begin, int length) => session.Cancel(piece, begin);

    public void SetInterested(bool isInterested) => session.SetInterested(isInterested);

    public void Close(string why) => session.End(PeerEndReason.Local, why);

    /// <summary>The torrent's pieces are known, and wanted from now on.</summary>
    public void Attach(BlockScheduler to)
    {
        lock (gate)
        {
            if (isEnded || scheduler is not null) return;
            scheduler = to;
            peer = to.Join(this);
            if (session.PeerHas is { } has) to.SetHave(peer, piece => has[piece]);
            to.SetChoked(peer, session.IsPeerChoking);
        }
    }

    public void OnExtensions() => owner.Metadata.Offered(this);

    public void OnPieces()
    {
        lock (gate)
            if (peer is not null && session.PeerHas is { } has) scheduler!.SetHave(peer, piece => has[piece]);
    }

    public void OnHave(int piece)
    {
        lock (gate)
            if (peer is not null) scheduler!.AddHave(peer, piece);
    }

    public void OnChoked()
    {
        lock (gate)
            if (peer is not null) scheduler!.SetChoked(peer, true);
    }

    public void OnUnchoked()
    {
        lock (gate)
            if (peer is not null) scheduler!.SetChoked(peer, false);
    }

    public void OnAllowedFast(int piece)
    {
        lock (gate)
            if (peer is not null) scheduler!.AllowFast(peer, piece);
    }

    public void OnSuggested(int piece)
    {
        // What comes first is chosen by what is missing.
    }

    public void OnBlock(int piece, int begin, ReadOnlyMemory<byte> block)
    {
        // Only what was asked for comes, so it has joined.
        scheduler?.Deliver(peer!, piece, begin, block.Span);
    }

    public void OnRejected(int piece, int begin, int length) => scheduler?.Reject(peer!, piece, begin);

    public void OnHashes(HashRequest request, ReadOnlyMemory<byte>? hashes) =>
        owner.Layers?.Arrived(this, request, hashes);

    public void OnMetadata(int piece, ReadOnlyMemory<byte>? data) => owner.Metadata.Arrived(this, piece, data);

    public void OnPeers(IReadOnlyList<IPEndPoint> peers) => owner.Found(peers, "other peers");

    public void OnEnded(PeerEnd end)
    {
        lock (gate)
        {
            isEnded = true;
            if (peer is not null) scheduler!.Leave(peer);
        }
        owner.Ended(this);
    }
}
