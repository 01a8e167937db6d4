using System.Buffers.Binary;
using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Core;

namespace Virga.Content.Torrents;

/// <summary>Anybody's torrent as content that a transfer brings over.</summary>
public static class TorrentContent
{
    private const string Advice =
        "It is damaged, or was made by a program that does not follow the format; get it again from its source.";

    /// <summary>
    /// What a transfer calls a torrent: the v2 info-hash, or the 20 bytes of the v1 one with zeros behind them.
    /// </summary>
    public static Hash256 IdOf(TorrentInfo info) => info.InfoHashV2 ?? IdOfV1(info.InfoHashV1);

    /// <param name="infoHash">20 bytes.</param>
    public static Hash256 IdOfV1(ReadOnlySpan<byte> infoHash)
    {
        Span<byte> id = stackalloc byte[Hash256.ByteCount];
        id.Clear();
        infoHash.CopyTo(id);
        return new Hash256(id);
    }

    /// <summary>
    /// What names a file's bytes: its root, or, in torrents that tell none, a hash of the torrent's and of its place.
    /// </summary>
    public static Hash256 NameOf(TorrentInfo info, int file)
    {
        if (info.Files[file].Root is { } root) return root;
        Span<byte> text = stackalloc byte[SHA1.HashSizeInBytes + sizeof(int)];
        info.InfoHashV1.CopyTo(text);
        BinaryPrimitives.WriteInt32BigEndian(text[SHA1.HashSizeInBytes..], file);
        return new Hash256(SHA256.HashData(text));
    }

    /// <summary>
    /// Where a file of the torrent goes, below the target's folder: as every BitTorrent program does it.
    /// </summary>
    public static string PathOf(TorrentInfo info, int file)
    {
        var path = string.Join('/', info.Files[file].Path);
        return info.IsSingleFile ? path : $"{info.Name}/{path}";
    }

    /// <summary>
    /// Files in the torrent's order, without padding; a torrent of several files lies in a folder of its name.
    /// </summary>
    /// <param name="layers">As far as they are known.</param>
    /// <param name="isWanted">By place in <see cref="TorrentInfo.Files"/>; null: all.</param>
    /// <exception cref="VirgaException">BadInput: names or lengths that no account holds.</exception>
    public static ShareContent Open(TorrentInfo info, PieceLayers layers, Func<int, bool>? isWanted = null)
    {
        var entries = new List<ManifestEntry>();
        var files = new List<SharedFile>();
        for (var i = 0; i < info.Files.Count; i++)
        {
            var file = info.Files[i];
            if (file.IsPadding || isWanted?.Invoke(i) == false) continue;
            if (!EntryPath.TryParse(PathOf(info, i), out var path))
                throw new VirgaException(
                    FailureKind.BadInput,
                    $"torrent: the path of file {i + 1} is longer than {EntryPath.MaxBytes} bytes", Advice);
            var name = file.Length > 0 ? NameOf(info, i) : (Hash256?)null;
            var isLink = file.SymlinkTarget is not null;
            var entry = new ManifestEntry(
                path, isLink ? EntryKind.Symlink : EntryKind.File, file.Length, null, file.IsExecutable && !isLink,
                name, null, isLink ? LinkText(file) : null);
            entries.Add(entry);
            if (isLink) continue;
            BlobName? blob = name is { } known ? new BlobName(known, file.Length) : null;
            files.Add(new SharedFile(
                files.Count, entry, blob, name is { } root ? layers[root] : default, fileKey: null));
        }
        entries.Sort(static (a, b) => Utf8Order.Compare(a.Path.Value, b.Path.Value));
        return new ShareContent(info, layers, new Manifest(null, entries), files);
    }

    /// <summary>A torrent names a link's target from its top; a link names it from where it lies.</summary>
    private static string LinkText(TorrentFile link) =>
        string.Concat(Enumerable.Repeat("../", link.Path.Count - 1)) + string.Join('/', link.SymlinkTarget!);
}
