using Virga.Transfers.Swarm;

namespace Virga.BitTorrent.Downloads;

/// <summary>What the scheduler knows of one peer. Everything in it is guarded by the scheduler's lock.</summary>
public sealed class DownloadPeer
{
    /// <summary>Blocks asked for at first, before its speed is known.</summary>
    internal const int DepthAtFirst = 16;

    /// <summary>Blocks that are always asked for at once, however slow it is.</summary>
    internal const int DepthLeast = 4;

    /// <summary>Blocks at once whatever its speed: 8 MiB, more would only grow the windows.</summary>
    internal const int DepthMost = 512;

    internal DownloadPeer(IBlockPeer link, int pieces)
    {
        Link = link;
        Have = new PieceSet(pieces);
    }

    internal readonly IBlockPeer Link;
    internal readonly PieceSet Have;
    internal readonly HashSet<int> AllowedFast = [];

    /// <summary>When each block was asked for, by piece and block.</summary>
    internal readonly Dictionary<(int Piece, int Block), long> Pending = [];
    internal bool IsChoked = true;
    internal bool IsInterested;
    internal bool HasNews;

    /// <summary>A piece that it has and that is needed, when it was looked for last.</summary>
    internal int WantedAt;
    internal bool IsGone;
    internal bool IsBanned;
    internal bool IsSnubbed;
    internal bool IsSlowStart = true;
    internal int Depth = DepthAtFirst;
    internal int Unasked;

    /// <summary>When it last gave what was asked, or was first asked after having been idle.</summary>
    internal long WaitingSince;
    internal long Bytes;
    internal long BytesAtTick;
    internal double Rate;

    public string Name => Link.Name;

    internal int Room => Math.Min(Math.Min(Depth, DepthMost), Link.RequestsMax) - Pending.Count;

    internal bool MayAsk(int piece) => Have.Contains(piece) && (!IsChoked || AllowedFast.Contains(piece));
}
