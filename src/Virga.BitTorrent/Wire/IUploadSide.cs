using System.Runtime.InteropServices;

namespace Virga.BitTorrent.Wire;

/// <summary>A block that goes out, in memory that stays as it is until the lease is given back.</summary>
/// <param name="Data">Exactly the bytes asked for.</param>
/// <param name="Lease">Disposed once the block is sent, or never will be; null where nobody waits for it.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct UploadBlock(ArraySegment<byte> Data, IDisposable? Lease);

/// <summary>
/// What of a torrent is here and can be given to peers; one for all sessions of a swarm, which call it from many
/// threads. Throws VirgaException where something can't be read now: the peer is told no.
/// </summary>
public interface IUploadSide
{
    /// <summary>How many of the torrent's pieces are here; all of them makes us a seed.</summary>
    int HeldPieces { get; }

    bool Has(int piece);

    /// <summary>Blocks of this piece will be asked for soon: a peer's requests wait for it. Returns at once.</summary>
    void Expect(int piece);

    /// <summary>Called for pieces that are here; the range was checked against the layout.</summary>
    ValueTask<UploadBlock> ReadAsync(int piece, int begin, int length, CancellationToken cancellationToken);

    /// <summary>
    /// The hashes asked for and their uncles, 32 bytes each (BEP 52). Null where there are none: another file, a layer
    /// or place outside of its tree, or a torrent without v2 part.
    /// </summary>
    ValueTask<ReadOnlyMemory<byte>?> HashesAsync(HashRequest request, CancellationToken cancellationToken);
}
