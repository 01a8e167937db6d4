using Virga.BitTorrent.Downloads;
using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.Agent.Torrents;

/// <summary>What the user wants of a torrent, as it is kept with its transfer.</summary>
/// <param name="Select">Patterns of files; empty: as the link says, or all.</param>
/// <param name="Peers">That the user named, by "host:port".</param>
/// <param name="Ratio">Gives until so many times its size was given; null: no such bound.</param>
/// <param name="SeedHours">Gives so long after it is complete; null: no such bound.</param>
/// <param name="IsShared">Makes a public share of what arrived.</param>
/// <param name="FeedVersion">Of the link's feed (BEP 46), where that is followed; null where none is.</param>
internal sealed record TorrentWish(
    IReadOnlyList<string> Select, IReadOnlyList<string> Peers, double? Ratio, double? SeedHours, bool IsShared,
    long? FeedVersion = null)
{
    private const int ListedMax = 5;

    /// <summary>Numbers of files, as <see cref="FileNumbers"/> writes them, in place of patterns.</summary>
    public string? Only { get; init; }

    /// <summary>Neither bound is zero.</summary>
    public bool Seeds => Ratio is null or > 0 && SeedHours is null or > 0;

    /// <summary>Which files are wanted, by their place in the torrent.</summary>
    /// <exception cref="VirgaException">BadInput: none is.</exception>
    public Func<int, bool> Choose(TorrentInfo info, MagnetLink link)
    {
        if (Select.Count == 0 && Only is null && link.Selected is null) return static _ => true;
        var numbers = Only is null ? null : FileNumbers.Parse(Only);
        var wanted = new bool[info.Files.Count];
        for (var i = 0; i < wanted.Length; i++)
        {
            wanted[i] = !info.Files[i].IsPadding
                && (numbers?.Contains(i)
                    ?? (Select.Count > 0
                        ? Select.Any(pattern => Matches(pattern, info, i)) : link.Selected!.Contains(i)));
        }
        if (wanted.Contains(true)) return file => wanted[file];
        var names = info.Files.Where(f => !f.IsPadding).Select(f => $"'{string.Join('/', f.Path)}'").ToList();
        throw new VirgaException(
            FailureKind.BadInput,
            Select.Count > 0
                ? $"no file of the torrent matches {string.Join(" or ", Select.Select(p => $"'{p}'"))}; it has "
                    + string.Join(", ", names.Take(ListedMax))
                    + (names.Count > ListedMax ? $" and {names.Count - ListedMax:N0} more" : "")
                : $"{(Only is null ? "the link selects" : "chosen is")} none of the torrent's {names.Count:N0} files",
            "Say --select with a name, a folder's name or a pattern with * and ?, or leave it out for all files.");
    }

    /// <summary>A path is also meant by what it is called in the account.</summary>
    private static bool Matches(string pattern, TorrentInfo info, int file) =>
        FileChoice.Matches(pattern, string.Join('/', info.Files[file].Path))
        || (pattern.TrimEnd('/').Contains('/') && FileChoice.Matches(pattern, TorrentContent.PathOf(info, file)));
}
