namespace Virga.Agent.Control;

/// <summary>Asks what is in a share or torrent. One of the first three is given.</summary>
/// <param name="Link">A virga: link.</param>
/// <param name="Magnet">A magnet link: what it names is fetched from peers, as long as somebody waits.</param>
/// <param name="File">Content of a .torrent file.</param>
/// <param name="Peers">As in <see cref="TorrentRequest"/>.</param>
public sealed record ContentsRequest(
    string? Link, string? Magnet = null, byte[]? File = null, IReadOnlyList<string>? Peers = null);

/// <param name="Index">Its number among the files, to choose it by.</param>
/// <param name="Path">Below the folder that it is brought into.</param>
public sealed record ContentFile(int Index, string Path, long Bytes);

/// <summary>What is in a share or torrent: all of its files.</summary>
/// <param name="Name">Of a torrent; null of a share, which tells none.</param>
/// <param name="Selected">Numbers of the files that the link itself selects; null: all of them.</param>
public sealed record ContentsInfo(
    string InfoHash, string? Name, long Bytes, IReadOnlyList<ContentFile> Files, string? Selected = null);

/// <summary>One line of the stream that POST /control/contents answers with; one of the three is set.</summary>
/// <param name="Step">One plain sentence: what is tried, and what came of it.</param>
public sealed record ContentsEvent(string? Step, ContentsInfo? Result, ControlError? Error);
