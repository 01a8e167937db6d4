using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content.Snapshots;

/// <summary>One blob of the owner's: which entry it comes from and what is needed to produce its bytes again. Holds a key: never logged.</summary>
/// <param name="Path">In the account.</param>
/// <param name="FileKey">Null in public shares: the blob is the plain form.</param>
/// <param name="Nonce">16 bytes, the start of the payload; null in public shares.</param>
/// <param name="Tags">16 bytes a chunk, to compare with before a chunk leaves; null in public shares.</param>
public sealed record OwnedBlob(
    BlobName Blob, EntryPath Path, EntryVersion Version, long PlainLength, AgeFileKey? FileKey, byte[]? Nonce, byte[]? Tags)
{
    public override string ToString() => Blob.ToString();
}

/// <summary>
/// All that an owner keeps of a share: what it hands out (info, layers, sealed manifest) and what it needs to produce the blobs.
/// Encoded as bencode; at rest it is sealed, since it holds the file keys.
/// </summary>
public sealed class OwnerIndex
{
    public TorrentInfo Info => throw new NotImplementedException();

    public Hash256 InfoHash => throw new NotImplementedException();

    public PieceLayers Layers => throw new NotImplementedException();

    public bool IsPrivate => throw new NotImplementedException();

    /// <summary>Where the shared entry lies in its account.</summary>
    public EntryPath SharedPath => throw new NotImplementedException();

    public Manifest Manifest => throw new NotImplementedException();

    /// <summary>The blob 00000000 of a private share; null in public ones.</summary>
    public ReadOnlyMemory<byte>? SealedManifest => throw new NotImplementedException();

    public OwnedBlob? Find(Hash256 root) => throw new NotImplementedException();

    public byte[] Encode() => throw new NotImplementedException();

    public static OwnerIndex Parse(ReadOnlyMemory<byte> data) => throw new NotImplementedException();
}

/// <param name="Readers">The audience's recipients; empty for a public share.</param>
/// <param name="Previous">The snapshot before, of the same account and path: unchanged entries are not read again.</param>
/// <param name="NewKeys">True when a reader left the audience: nothing of the previous snapshot's keys is used again.</param>
public sealed record SnapshotOptions(bool IsPrivate, IReadOnlyList<AgeRecipient> Readers, OwnerIndex? Previous = null, bool NewKeys = false);

/// <summary>Running totals while a snapshot is made.</summary>
public readonly record struct SnapshotProgress(int FilesSeen, int FilesHashed, int FilesUnchanged, long BytesRead);

/// <param name="Skipped">Entries that could not be taken in, each with its reason, e.g. special files.</param>
public sealed record SnapshotResult(OwnerIndex Index, SnapshotProgress Totals, IReadOnlyList<(string Path, string Reason)> Skipped);

/// <summary>Makes an immutable snapshot of a file or folder of an account, reading each byte once (spec/v1/content.md).</summary>
public sealed class Snapshotter(RandomBytes random)
{
    private readonly RandomBytes random = random;

    public Task<SnapshotResult> CreateAsync(
        IAccount account, EntryPath path, SnapshotOptions options, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken) => throw new NotImplementedException(nameof(random));
}
