using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content;

/// <summary>One file that a receiver fetches: its place, its blob, what verifies and what opens it.</summary>
/// <param name="Blob">Null for an empty file.</param>
/// <param name="PieceLayer">32 bytes a piece; empty when the blob has one piece.</param>
/// <param name="FileKey">Null when the blob is the plain form (public share). Never logged.</param>
public sealed record SharedFile(
    int Index, ManifestEntry Entry, BlobName? Blob, ReadOnlyMemory<byte> PieceLayer, AgeFileKey? FileKey)
{
    /// <summary>Names the entry alone: the key must not get into logs by way of a record's ToString.</summary>
    public override string ToString() => Entry.Path.Value;
}

/// <summary>
/// A share as its receiver sees it, every part checked against the info-hash: info dict, piece layers, manifest. Immutable.
/// </summary>
public sealed class ShareContent
{
    public Hash256 InfoHash => throw new NotImplementedException();

    public TorrentInfo Info => throw new NotImplementedException();

    public PieceLayers Layers => throw new NotImplementedException();

    public int PieceBytes => Info.PieceBytes;

    public Manifest Manifest => throw new NotImplementedException();

    public bool IsPrivate => throw new NotImplementedException();

    /// <summary>Files in the manifest's order, empty ones too.</summary>
    public IReadOnlyList<SharedFile> Files => throw new NotImplementedException();

    /// <summary>Blob of the sealed manifest of a private share, to be fetched before <see cref="OpenPrivate"/>.</summary>
    public static (BlobName Blob, ReadOnlyMemory<byte> PieceLayer) ManifestBlob(TorrentInfo info, PieceLayers layers) =>
        throw new NotImplementedException();

    /// <param name="sealedManifest">The manifest blob's bytes, already verified.</param>
    /// <param name="identities">Denied when none of them opens it.</param>
    public static ShareContent OpenPrivate(
        TorrentInfo info, PieceLayers layers, ReadOnlyMemory<byte> sealedManifest, IReadOnlyList<AgeIdentity> identities) =>
        throw new NotImplementedException();

    /// <param name="extras">Entries of the signed extras (its signature already checked); null where there are none.</param>
    public static ShareContent OpenPublic(TorrentInfo info, PieceLayers layers, Manifest? extras) => throw new NotImplementedException();
}
