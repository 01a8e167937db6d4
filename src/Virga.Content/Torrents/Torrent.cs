using Virga.Core;

namespace Virga.Content.Torrents;

/// <summary>One file of a torrent.</summary>
/// <param name="Path">Names from the torrent's top; a single-file torrent has one name.</param>
/// <param name="Root">BEP 52 pieces root; null for v1-only torrents, empty files and symlinks.</param>
/// <param name="SymlinkTarget">Names of the target, from the torrent's top (BEP 47).</param>
public sealed record TorrentFile(
    IReadOnlyList<string> Path, long Length, Hash256? Root, bool IsExecutable = false, bool IsPadding = false, bool IsHidden = false,
    IReadOnlyList<string>? SymlinkTarget = null);

/// <summary>
/// A checked info dict (BEP 3, 47, 52): v1, v2 or hybrid. Shares use v2 only. Immutable; keeps the raw bytes that it was parsed from.
/// </summary>
public sealed class TorrentInfo
{
    public string Name => throw new NotImplementedException();

    public int PieceBytes => throw new NotImplementedException();

    public IReadOnlyList<TorrentFile> Files => throw new NotImplementedException();

    /// <summary>SHA-256 of the raw bytes; null when it has no v2 part.</summary>
    public Hash256? InfoHashV2 => throw new NotImplementedException();

    /// <summary>SHA-1 of the raw bytes (20 bytes); null when it has no v1 part.</summary>
    public byte[]? InfoHashV1 => throw new NotImplementedException();

    public ReadOnlyMemory<byte> Raw => throw new NotImplementedException();

    public static TorrentInfo Parse(ReadOnlyMemory<byte> info) => throw new NotImplementedException();

    /// <summary>The info dict of a share (spec/v1/content.md): v2 only.</summary>
    /// <param name="isSingleFile">The one file stands at the top under the torrent's own name.</param>
    public static TorrentInfo Create(string name, int pieceBytes, IReadOnlyList<TorrentFile> files, bool isSingleFile) =>
        throw new NotImplementedException();
}

/// <summary>A whole .torrent file: info, piece layers, trackers, web seeds.</summary>
public sealed class Torrent
{
    public TorrentInfo Info => throw new NotImplementedException();

    public PieceLayers Layers => throw new NotImplementedException();

    public static Torrent Parse(ReadOnlyMemory<byte> file) => throw new NotImplementedException();

    public static byte[] Write(TorrentInfo info, PieceLayers layers, IReadOnlyList<string> webSeeds) => throw new NotImplementedException();
}

/// <summary>The piece layers of a share: for each blob longer than one piece, 32 bytes a piece.</summary>
public sealed class PieceLayers
{
    public static readonly PieceLayers Empty = new();

    /// <summary>Checks each layer against its root and the info dict; a layer that is missing, foreign or wrong is Corrupt.</summary>
    /// <param name="bencoded">A dictionary from root to layer.</param>
    public static PieceLayers Parse(ReadOnlyMemory<byte> bencoded, TorrentInfo info) => throw new NotImplementedException();

    public static PieceLayers Create(IEnumerable<KeyValuePair<Hash256, byte[]>> layers) => throw new NotImplementedException();

    /// <summary>Empty for a blob of at most one piece.</summary>
    public ReadOnlyMemory<byte> this[Hash256 root] => throw new NotImplementedException();

    public byte[] Encode() => throw new NotImplementedException();
}
