using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content;

/// <summary>
/// One file that a receiver fetches: its place, its blob, what verifies and what opens it. Safe for many threads.
/// </summary>
public sealed class SharedFile
{
    private readonly AgeIdentity? identity;
    private AgeFileKey? fileKey;

    /// <param name="index">In <see cref="ShareContent.Files"/>.</param>
    /// <param name="blob">Null for an empty file.</param>
    /// <param name="pieceLayer">32 bytes a piece; empty when the blob has one piece.</param>
    /// <param name="fileKey">Null when the blob is the plain form (public share).</param>
    public SharedFile(int index, ManifestEntry entry, BlobName? blob, ReadOnlyMemory<byte> pieceLayer,
        AgeFileKey? fileKey)
    {
        Index = index;
        Entry = entry;
        Blob = blob;
        PieceLayer = pieceLayer;
        this.fileKey = fileKey;
    }

    internal SharedFile(int index, ManifestEntry entry, BlobName? blob, ReadOnlyMemory<byte> pieceLayer,
        AgeIdentity? identity)
        : this(index, entry, blob, pieceLayer, fileKey: null) => this.identity = entry.Header is null ? null : identity;

    public int Index { get; }

    public ManifestEntry Entry { get; }

    public BlobName? Blob { get; }

    public ReadOnlyMemory<byte> PieceLayer { get; }

    /// <summary>
    /// Null when the blob is the plain form. Never logged. Opened from the header at first use, which costs one X25519
    /// agreement (some 50 us); throws as <see cref="AgeHeader.Open"/> does when the manifest holds a header that can't
    /// be opened.
    /// </summary>
    public AgeFileKey? FileKey => identity is null ? fileKey : fileKey ??= Open(identity);

    /// <summary>
    /// The payload's first 16 bytes, as the manifest tells them; null when the blob is the plain form.
    /// </summary>
    public ReadOnlyMemory<byte>? Nonce => Entry.Nonce is null ? default(ReadOnlyMemory<byte>?) : Entry.Nonce.AsMemory();

    /// <summary>Names the entry alone: the key must not get into logs.</summary>
    public override string ToString() => Entry.Path.Value;

    private AgeFileKey Open(AgeIdentity shareIdentity)
    {
        var key = AgeHeader.Open(Entry.Header, [shareIdentity], out var headerBytes);
        return headerBytes == Entry.Header!.Length
            ? key : throw ManifestRules.Bad($"the header of '{ManifestRules.Show(Entry.Path.Value)}' has a tail");
    }
}
