namespace Virga.Content.Torrents;

/// <summary>
/// Bounds what a torrent's paths may cost: a folder's name stands once in the torrent, but in the path of each file
/// below it.
/// </summary>
internal sealed class PathBudget(int inputBytes)
{
    private const long FreeUnits = 16 << 20;
    private const int UnitsPerByte = 16;

    private long left = FreeUnits + ((long)UnitsPerByte * inputBytes);
    private int files;

    /// <summary>Takes the path of one more file, from the names above it.</summary>
    public string[] Take(List<string> names)
    {
        if (++files > ContentLimits.EntriesMax)
            throw TorrentInfo.Bad($"it has more than {ContentLimits.EntriesMax} files");
        foreach (var name in names) left -= name.Length + sizeof(long);
        if (left < 0) throw TorrentInfo.Bad("its files' paths are far longer than itself");
        return [.. names];
    }
}
