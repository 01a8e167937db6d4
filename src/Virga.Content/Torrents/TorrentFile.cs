using Virga.Core;

namespace Virga.Content.Torrents;

/// <summary>One file of a torrent.</summary>
/// <param name="Path">
/// Names from the torrent's top; a single-file torrent has one name. None is empty, "." or "..", or holds '/' or NUL.
/// </param>
/// <param name="Root">BEP 52 pieces root; null for v1-only torrents, empty files and symlinks.</param>
/// <param name="SymlinkTarget">
/// Of others' torrents: names of the target, from the torrent's top (BEP 47), made safe. Of a share: the target as it
/// is written in the link, cut at each '/', so that it may hold "." and "..".
/// </param>
/// <param name="IsRenamed">
/// Of others' torrents: the torrent gives it another path, one that leads elsewhere, that no file may have or that
/// another file has.
/// </param>
public sealed record TorrentFile(
    IReadOnlyList<string> Path, long Length, Hash256? Root, bool IsExecutable = false, bool IsPadding = false,
    bool IsHidden = false,
    IReadOnlyList<string>? SymlinkTarget = null, bool IsRenamed = false);
