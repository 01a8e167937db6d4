namespace Virga.BitTorrent.Wire;

/// <summary>Bounds of the peer protocol; each is checked before anything is allocated.</summary>
public static class WireLimits
{
    /// <summary>Blocks that we ask for, and hash: one leaf of the tree (BEP 52).</summary>
    public const int BlockBytes = 16 << 10;

    /// <summary>Longest block that others may ask for. 16 KiB is the rule; some clients ask for more, none for this.
    /// </summary>
    public const int RequestBytesMax = 128 << 10;

    /// <summary>More pieces no torrent has (libtorrent's bound, too); a bitfield is at most 256 KiB.</summary>
    public const int PiecesMax = 1 << 21;

    /// <summary>
    /// Longest extended message: 16 KiB of metadata and its header, a handshake or some hundred peers fit in with room.
    /// </summary>
    public const int ExtendedBytesMax = 64 << 10;

    /// <summary>Hashes in one message: BEP 52 asks for at most 512 and their uncles.</summary>
    public const int HashesMax = 512;

    /// <summary>Uncles above a run: more levels no tree of 63 bits has.</summary>
    public const int UnclesMax = 64;

    /// <summary>
    /// Requests of a peer that wait here ("reqq"): at 16 KiB enough for 125 MB/s over a line with 250 ms round trip.
    /// </summary>
    public const int RequestsMax = 2000;

    /// <summary>Requests of ours that may be open at a peer, whatever it allows.</summary>
    public const int OutstandingMax = 2000;

    /// <summary>What a peer without extensions is sent at once; libtorrent's and others' customary 250.</summary>
    public const int OutstandingDefault = 250;

    /// <summary>Requests for metadata that wait here: an info of 8 MiB at once.</summary>
    public const int MetadataRequestsMax = 512;

    /// <summary>
    /// Small messages waiting to be sent. A peer that makes us answer and doesn't read is left when they are more.
    /// </summary>
    public const int ControlBytesMax = 1 << 20;

    /// <summary>Blocks that came without having been asked for, or after a cancel, before a peer is left.</summary>
    public const int UnaskedBlocksMax = 1000;

    /// <summary>Largest info dict that is taken from or given to peers by ut_metadata.</summary>
    public const int MetadataBytesMax = 64 << 20;

    /// <summary>Peers in one message of peer exchange, added or dropped (BEP 11).</summary>
    public const int PexPeersMax = 50;

    /// <summary>Peers that are taken from one message: some clients send more than they may.</summary>
    public const int PexPeersTakenMax = 200;
}
