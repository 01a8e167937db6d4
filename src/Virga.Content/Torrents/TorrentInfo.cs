using System.Security.Cryptography;
using Virga.Core;

namespace Virga.Content.Torrents;

/// <summary>
/// A checked info dict (BEP 3, 47, 52): v1, v2 or hybrid. Shares use v2 only. Immutable; keeps the raw bytes that it
/// was parsed from.
/// </summary>
public sealed class TorrentInfo
{
    private TorrentInfo? asShare;

    internal TorrentInfo(string name, int pieceBytes, IReadOnlyList<TorrentFile> files, ReadOnlyMemory<byte> raw)
    {
        Name = name;
        PieceBytes = pieceBytes;
        Files = files;
        Raw = raw;
    }

    public string Name { get; }

    public int PieceBytes { get; }

    /// <summary>In the torrent's order. Padding stands here where a v1 torrent lists it, and never else.</summary>
    public IReadOnlyList<TorrentFile> Files { get; }

    /// <summary>SHA-256 of the raw bytes; null when it has no v2 part.</summary>
    public Hash256? InfoHashV2 { get; internal init; }

    /// <summary>SHA-1 of the raw bytes (20 bytes); null when it has no v1 part.</summary>
    public byte[]? InfoHashV1 { get; internal init; }

    /// <summary>
    /// The v1 part's SHA-1 hashes, 20 bytes a piece; empty when it has no v1 part, or one without hashes.
    /// </summary>
    public ReadOnlyMemory<byte> PieceHashesV1 { get; internal init; }

    /// <summary>One file that stands at the top, under the torrent's own name.</summary>
    public bool IsSingleFile { get; internal init; }

    /// <summary>Peers only from its trackers (BEP 27). Nothing to do with a share's audience.</summary>
    public bool IsTrackerOnly { get; internal init; }

    public ReadOnlyMemory<byte> Raw { get; }

    /// <summary>
    /// Anybody's info dict, as libtorrent 2.0 takes it: names that no file may have are made safe and doubles told
    /// apart. Throws BadInput that says what is wrong.
    /// </summary>
    public static TorrentInfo Parse(ReadOnlyMemory<byte> info) => ForeignInfoReader.Read(info);

    /// <summary>
    /// A share's info dict: exactly the fields that spec/v1/content.md names, in canonical form, names exactly as they
    /// are. BadInput for any other torrent.
    /// </summary>
    public static TorrentInfo ParseShare(ReadOnlyMemory<byte> info) => ShareInfoFormat.Read(info);

    /// <summary>The info dict of a share (spec/v1/content.md): v2 only.</summary>
    /// <param name="files">In any order.</param>
    /// <param name="isSingleFile">The one file stands at the top under the torrent's own name.</param>
    public static TorrentInfo Create(string name, int pieceBytes, IReadOnlyList<TorrentFile> files,
        bool isSingleFile) =>
        ShareInfoFormat.Create(name, pieceBytes, files, isSingleFile);

    /// <summary>The same, read as a share: names exactly as they are. BadInput when it is none.</summary>
    public TorrentInfo AsShare() => asShare ??= ParseShare(Raw);

    internal void MarkAsShare() => asShare = this;

    internal static VirgaException Bad(string what) => new(FailureKind.BadInput, $"torrent: {what}",
        "It is damaged, or was made by a program that does not follow the format; get it again from its source.");

    internal static Hash256 HashV2(ReadOnlySpan<byte> raw) => new(SHA256.HashData(raw));
}
