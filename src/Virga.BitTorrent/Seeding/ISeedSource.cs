using Virga.Content.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.BitTorrent.Seeding;

/// <summary>Where the bytes of a torrent's files come from. Safe for many reads at once.</summary>
public interface ISeedSource
{
    /// <summary>
    /// Fills the destination from a file's offset. What comes is what the torrent names, or it throws a VirgaException:
    /// bytes that were changed since never leave.
    /// </summary>
    /// <param name="file">Its place in <see cref="TorrentInfo.Files"/>.</param>
    ValueTask ReadAsync(int file, long offset, Memory<byte> destination, CancellationToken cancellationToken);
}

/// <summary>The files of one of our own public shares, as they lie in the account.</summary>
public sealed class ShareSeedSource : ISeedSource
{
    private readonly ShareReader reader;
    private readonly Hash256?[] roots;

    /// <param name="info">The share's torrent, or its hybrid, or the v1 part of that alone.</param>
    public ShareSeedSource(ShareReader reader, TorrentInfo info)
    {
        this.reader = reader;
        roots = [.. info.Files.Select(static file => file.Root)];
        if (info.InfoHashV2 is not null) return;
        // A v1 torrent knows files by their names alone.
        var known = reader.Index.Info.Files.ToDictionary(static file => string.Join('/', file.Path));
        for (var i = 0; i < roots.Length; i++)
            if (known.TryGetValue(string.Join('/', info.Files[i].Path), out var file)
                && file.Length == info.Files[i].Length) roots[i] = file.Root;
    }

    public ValueTask ReadAsync(int file, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        reader.ReadPublicAsync(
            roots[file] ?? throw new VirgaException(FailureKind.NotFound, "an empty file was read"), offset,
            destination, cancellationToken);
}
