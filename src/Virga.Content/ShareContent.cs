using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content;

/// <summary>
/// A share as its receiver sees it, every part checked against the info-hash: info dict, piece layers, manifest.
/// Immutable.
/// </summary>
public sealed class ShareContent
{
    /// <summary>Name of a private share's torrent.</summary>
    public const string PrivateName = "virga";

    private ShareContent(TorrentInfo info, PieceLayers layers, Manifest manifest)
    {
        Info = info;
        Layers = layers;
        Manifest = manifest;
        Files = ListFiles(layers, manifest);
    }

    internal ShareContent(TorrentInfo info, PieceLayers layers, Manifest manifest, IReadOnlyList<SharedFile> files)
    {
        Info = info;
        Layers = layers;
        Manifest = manifest;
        Files = files;
    }

    /// <summary>Only v2 and hybrid torrents, and so all shares, have one.</summary>
    public Hash256 InfoHash => Info.InfoHashV2!.Value;

    public TorrentInfo Info { get; }

    public PieceLayers Layers { get; }

    public int PieceBytes => Info.PieceBytes;

    public Manifest Manifest { get; }

    public bool IsPrivate => Manifest.ShareIdentity is not null;

    /// <summary>
    /// Files in the manifest's order, those of others' torrents in the torrent's; empty ones too.
    /// </summary>
    public IReadOnlyList<SharedFile> Files { get; }

    /// <summary>The name that a blob of a private share has in its torrent; 0 is the manifest.</summary>
    public static string BlobFileName(int number) => number.ToString("x8");

    /// <summary>
    /// Blob of the sealed manifest of a private share, to be fetched before <see cref="OpenPrivate"/>.
    /// </summary>
    public static (BlobName Blob, ReadOnlyMemory<byte> PieceLayer) ManifestBlob(TorrentInfo info, PieceLayers layers)
    {
        var share = info.AsShare();
        if (share.Name != PrivateName) throw Bad("it is no private share");
        for (var i = 0; i < share.Files.Count; i++)
        {
            var file = share.Files[i];
            if (file.Path.Count != 1 || file.Path[0] != BlobFileName(i) || file.Root is null || file.IsExecutable)
                throw Bad($"file {i} of a private share must be a blob with the name {BlobFileName(i)}");
        }
        var blob = new BlobName(share.Files[0].Root!.Value, share.Files[0].Length);
        if (blob.Length > SealedManifestBytesMax) throw Bad($"its manifest has {blob.Length} bytes");
        return (blob, layers[blob.Root]);
    }

    /// <param name="sealedManifest">The manifest blob's bytes, already verified.</param>
    /// <param name="identities">Denied when none of them opens it.</param>
    public static ShareContent OpenPrivate(
        TorrentInfo info, PieceLayers layers, ReadOnlyMemory<byte> sealedManifest,
        IReadOnlyList<AgeIdentity> identities)
    {
        var share = info.AsShare();
        var (blob, _) = ManifestBlob(share, layers);
        if (blob.Length != sealedManifest.Length)
            throw Bad($"its manifest has {sealedManifest.Length} bytes instead of {blob.Length}");
        var manifest = Manifest.Parse(AgeFile.Open(sealedManifest.Span, identities));
        if (manifest.ShareIdentity is null) throw ManifestRules.Bad("field 'identity' is missing");
        CheckBlobs(share, manifest);
        return new ShareContent(share, layers, manifest);
    }

    /// <param name="extras">
    /// Entries of the signed extras (its signature already checked); null where there are none.
    /// </param>
    public static ShareContent OpenPublic(TorrentInfo info, PieceLayers layers, Manifest? extras)
    {
        var share = info.AsShare();
        var manifest = FromTorrent(share);
        if (extras is not null) CheckExtras(extras, manifest);
        return new ShareContent(share, layers, extras ?? manifest);
    }

    internal const long SealedManifestBytesMax = ContentLimits.ManifestBytesMax
        + (ContentLimits.ManifestBytesMax / 1024) + AgeHeader.MaxBytes;

    /// <summary>The torrent's blobs are the manifest's roots, in the order in which it first names them.</summary>
    private static void CheckBlobs(TorrentInfo share, Manifest manifest)
    {
        var named = new Dictionary<Hash256, long>(share.Files.Count);
        foreach (var entry in manifest.Entries)
        {
            if (entry.Root is not { } root) continue;
            var length = AgePayload.SealedLength(entry.Size);
            if (named.TryGetValue(root, out var known))
            {
                if (known != length) throw Mismatch(entry);
                continue;
            }
            named.Add(root, length);
            if (named.Count >= share.Files.Count) throw Mismatch(entry);
            var file = share.Files[named.Count];
            if (file.Root != root || file.Length != length) throw Mismatch(entry);
        }
        if (named.Count != share.Files.Count - 1)
            throw ManifestRules.Bad($"it names {named.Count} blobs and the torrent has {share.Files.Count - 1}");
    }

    /// <summary>The torrent's entries as a manifest, without what a torrent can't tell.</summary>
    internal static Manifest FromTorrent(TorrentInfo share)
    {
        var entries = new List<ManifestEntry>(share.Files.Count);
        foreach (var file in share.Files)
        {
            if (!EntryPath.TryParse(string.Join('/', file.Path), out var path))
                throw Bad("a path is longer than an entry's may be");
            var kind = file.SymlinkTarget is null ? EntryKind.File : EntryKind.Symlink;
            var target = file.SymlinkTarget is null ? null : string.Join('/', file.SymlinkTarget);
            entries.Add(new ManifestEntry(path, kind, file.Length, null, file.IsExecutable, file.Root, null, target));
        }
        entries.Sort(static (a, b) => Utf8Order.Compare(a.Path.Value, b.Path.Value));
        return new Manifest(null, entries);
    }

    private static void CheckExtras(Manifest extras, Manifest torrent)
    {
        if (extras.ShareIdentity is not null) throw ManifestRules.Bad("extras hold no identity");
        var at = 0;
        foreach (var entry in extras.Entries)
        {
            if (entry.Kind == EntryKind.Folder) continue;
            if (at == torrent.Entries.Count || !Agrees(entry, torrent.Entries[at++])) throw Mismatch(entry);
        }
        if (at < torrent.Entries.Count) throw Mismatch(torrent.Entries[at]);
    }

    private static bool Agrees(ManifestEntry extra, ManifestEntry entry) =>
        extra.Path == entry.Path && extra.Kind == entry.Kind && extra.Size == entry.Size && extra.Root == entry.Root
        && extra.IsExecutable == entry.IsExecutable
        && (entry.LinkTarget is null
            || SymlinkTargets.Names(extra.LinkTarget!).SequenceEqual(SymlinkTargets.Names(entry.LinkTarget)));

    private static List<SharedFile> ListFiles(PieceLayers layers, Manifest manifest)
    {
        var files = new List<SharedFile>();
        foreach (var entry in manifest.Entries)
        {
            if (entry.Kind != EntryKind.File) continue;
            BlobName? blob = entry.Root is { } root ? new BlobName(root, BlobLength(entry)) : null;
            var layer = entry.Root is { } of ? layers[of] : default;
            files.Add(new SharedFile(files.Count, entry, blob, layer, manifest.ShareIdentity));
        }
        return files;
    }

    internal static long BlobLength(ManifestEntry entry) =>
        entry.Header is null ? entry.Size : AgePayload.SealedLength(entry.Size);

    private static VirgaException Mismatch(ManifestEntry entry) =>
        ManifestRules.Bad($"'{ManifestRules.Show(entry.Path.Value)}' is not the same in the torrent");

    private static VirgaException Bad(string what) => new(FailureKind.BadInput, $"share: {what}", ManifestRules.Advice);
}
