using System.Net;

namespace Virga.BitTorrent.Wire;

/// <summary>
/// Is told what a peer has, sends and ends. One for each session. The calls never overlap, come from the session's
/// receiving thread, and must return soon: nothing else is received meanwhile. It may call the session's methods from
/// inside. An exception ends the session: a VirgaException BadInput is the peer's fault.
/// </summary>
public interface IDownloadSide
{
    /// <summary>The peer's extensions are known (also again when it changes them).</summary>
    void OnExtensions();

    /// <summary>
    /// <see cref="PeerSession.PeerHas"/> was set anew: by a bitfield, have-all, have-none, or since the metadata is
    /// known.
    /// </summary>
    void OnPieces();

    /// <summary>The peer has one piece more.</summary>
    void OnHave(int piece);

    /// <summary>
    /// The peer answers requests no more (but for allowed pieces). Those that it has dropped come as rejected, first.
    /// </summary>
    void OnChoked();

    void OnUnchoked();

    /// <summary>Pieces that may be asked for while choked (BEP 6).</summary>
    void OnAllowedFast(int piece);

    /// <summary>The peer proposes that this piece is asked for next (BEP 6).</summary>
    void OnSuggested(int piece);

    /// <summary>A block that was asked for, exactly as it was. The memory is the session's again after the call.
    /// </summary>
    void OnBlock(int piece, int begin, ReadOnlyMemory<byte> block);

    /// <summary>A block that was asked for won't come.</summary>
    void OnRejected(int piece, int begin, int length);

    /// <summary>Hashes that were asked for, with uncles; null where the peer won't give them. Not verified.</summary>
    void OnHashes(HashRequest request, ReadOnlyMemory<byte>? hashes);

    /// <summary>
    /// 16 KiB of the info dict (the last may be shorter); null where the peer won't give it. Not verified.
    /// </summary>
    void OnMetadata(int piece, ReadOnlyMemory<byte>? data);

    /// <summary>The peer knows these (BEP 11). Not checked.</summary>
    void OnPeers(IReadOnlyList<IPEndPoint> peers);

    /// <summary>The last call. What was asked for and has not come won't.</summary>
    void OnEnded(PeerEnd end);
}

/// <summary>Why a session ended.</summary>
public enum PeerEndReason
{
    /// <summary>By the peer, or the network.</summary>
    Closed,

    /// <summary>By us: cancelled, or <see cref="PeerSession.End"/>.</summary>
    Local,

    /// <summary>It didn't answer, or didn't take what it asked for.</summary>
    TimedOut,

    /// <summary>It sent what no peer may send.</summary>
    BrokeProtocol,

    /// <summary>It serves another swarm, or we connected to ourselves.</summary>
    WrongSwarm,

    /// <summary>Two seeds have nothing to give to each other.</summary>
    NothingToDo,

    /// <summary>A fault of ours.</summary>
    Failed,
}

/// <param name="Detail">For a log.</param>
public readonly record struct PeerEnd(PeerEndReason Reason, string Detail);
