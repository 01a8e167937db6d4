using System.Buffers;
using Virga.BitTorrent.Wire.Extensions;

namespace Virga.BitTorrent.Wire;

/// <summary>What we ask of the peer and tell it. Safe to call from any thread.</summary>
public sealed partial class PeerSession
{
    /// <summary>Requests for hashes and for metadata that may be open at a peer.</summary>
    private const int SmallOutstandingMax = 64;

    private readonly Dictionary<long, int> outstanding = [];
    private readonly HashSet<HashRequest> outstandingHashes = [];
    private readonly HashSet<int> outstandingMetadata = [];

    /// <summary>Blocks that may be open at this peer at once.</summary>
    public int RequestWindow => Extensions.RequestsMax > 0
        ? Math.Min(Extensions.RequestsMax, WireLimits.OutstandingMax) : WireLimits.OutstandingDefault;

    /// <summary>Blocks that were asked for and have not come.</summary>
    public int Outstanding
    {
        get
        {
            lock (gate) return outstanding.Count;
        }
    }

    public void SetInterested(bool isInterested)
    {
        lock (gate)
        {
            if (IsInterested == isInterested) return;
            IsInterested = isInterested;
        }
        Control(isInterested ? PeerMessageKind.Interested : PeerMessageKind.NotInterested);
    }

    /// <summary>
    /// Asks for a block. False where no more may be open at once, the very block is, or the session is over. While the
    /// peer chokes only allowed pieces are answered: the caller's to know.
    /// </summary>
    public bool TryRequest(int piece, int begin, int length)
    {
        lock (gate)
        {
            if (ending.IsCancellationRequested || outstanding.Count >= RequestWindow
                || !outstanding.TryAdd(Key(piece, begin), length)) return false;
            PeerCodec.Write(control, PeerMessageKind.Request, piece, begin, length);
        }
        signal.Set();
        return true;
    }

    /// <summary>What is on its way already comes all the same, and is dropped.</summary>
    public void Cancel(int piece, int begin)
    {
        lock (gate)
        {
            // With the fast extension a block or a reject answers the cancel, too; both are dropped then.
            if (!outstanding.Remove(Key(piece, begin), out var length)) return;
            PeerCodec.Write(control, PeerMessageKind.Cancel, piece, begin, length);
        }
        signal.Set();
    }

    /// <summary>False where as many as may be are open, or the peer knows no v2.</summary>
    public bool TryRequestHashes(HashRequest request)
    {
        lock (gate)
        {
            if (!HasV2 || outstandingHashes.Count >= SmallOutstandingMax || !outstandingHashes.Add(request))
                return false;
            PeerCodec.WriteHashes(control, PeerMessageKind.HashRequest, request);
        }
        signal.Set();
        return true;
    }

    /// <summary>False where as many as may be are open, or the peer has no metadata to give.</summary>
    public bool TryRequestMetadata(int piece)
    {
        var id = Extensions.MetadataId;
        lock (gate)
        {
            if (id == 0 || outstandingMetadata.Count >= SmallOutstandingMax || !outstandingMetadata.Add(piece))
                return false;
            PeerCodec.WriteExtended(control, id, MetadataMessage.Write(MetadataKind.Request, piece));
        }
        signal.Set();
        return true;
    }

    /// <summary>Tells the peer of a piece that came to be here.</summary>
    public void Have(int piece)
    {
        if (PeerHas is { } has && has[piece] && HasFast) return;
        Control(output =>
        {
            // Before, the greeting says it.
            if (isGreeted) PeerCodec.Write(output, PeerMessageKind.Have, piece);
        });
    }

    private static long Key(int piece, int begin) => ((long)piece << 32) | (uint)begin;

    private void Control(PeerMessageKind kind) => Control(output => PeerCodec.Write(output, kind));

    private void Control(Action<IBufferWriter<byte>> write)
    {
        lock (gate)
        {
            if (ending.IsCancellationRequested) return;
            write(control);
            if (control.WrittenCount > WireLimits.ControlBytesMax)
                end ??= new PeerEnd(PeerEndReason.TimedOut, "it does not read what it made us answer");
        }
        if (end is not null) ending.Cancel();
        signal.Set();
    }
}
