using System.Text.Json;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.Content.Tests.Torrents;

/// <summary>
/// Torrents of others: ours takes and refuses what libtorrent 2.0.8 takes and refuses, and sees the same files.
/// </summary>
public class TorrentVectorTests
{
    private const string Expectations = "expected-by-libtorrent-2.0.8.json";

    /// <summary>Where we differ from libtorrent, and why. A vector that no longer differs fails the test.</summary>
    private static readonly Dictionary<string, string> Differences = new()
    {
        ["dup-key-v1.torrent"] = StrictBencode,
        ["leading-zero-v1.torrent"] = StrictBencode,
        ["len-zero-v1.torrent"] = StrictBencode,
        ["minus-zero-v1.torrent"] = StrictBencode,
        ["trailing.torrent"] = StrictBencode,
        ["v2-dot-in-folder.torrent"] =
        "libtorrent gives a file without a name its folder's, with a number; ours is named '_' and stays in the folder",
        ["v2-wrong-layer.torrent"] =
        "libtorrent finds a wrong piece layer when it adds the torrent, we find it when we read it",
    };

    private const string StrictBencode =
        "bencode that has another form is refused, never repaired (spec/v1/encodings.md)";

    public static TheoryData<string, string> Vectors()
    {
        var data = new TheoryData<string, string>();
        foreach (var folder in (string[])["libtorrent-torrents", "webtorrent-fixtures", "odd-torrents"])
        {
            foreach (var (name, _) in Expected(folder)) data.Add(folder, name);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Ours_and_libtorrent_agree(string folder, string name)
    {
        var expected = Expected(folder)[name];
        var difference = Compare(File.ReadAllBytes(Path.Combine(VectorFiles.Folder(folder), name)), expected);
        if (Differences.TryGetValue(name, out var reason))
            Assert.True(difference is not null, $"no longer differs: {reason}");
        else Assert.True(difference is null, difference);
    }

    [Fact]
    public void Every_file_has_an_expectation_and_every_difference_a_file()
    {
        foreach (var folder in (string[])["libtorrent-torrents", "webtorrent-fixtures", "odd-torrents"])
        {
            var files = Directory.GetFiles(VectorFiles.Folder(folder), "*.torrent").Select(Path.GetFileName).Order();
            Assert.Equal(Expected(folder).Keys.Order(), files);
        }
        Assert.Empty(Differences.Keys.Except(Vectors().Select(row => (string)row[1])));
    }

    private static string? Compare(byte[] file, JsonElement expected)
    {
        var isAccepted = expected.GetProperty("accept").GetBoolean();
        Torrent torrent;
        try
        {
            torrent = Torrent.Parse(file);
        }
        catch (VirgaException refused)
        {
            return isAccepted ? $"libtorrent accepts it, we say: {refused.Message}" : null;
        }
        if (!isAccepted) return $"libtorrent refuses it ({expected.GetProperty("error")}), we accept";
        return Differing("name", expected.GetProperty("name").GetString(), torrent.Info.Name)
            ?? Differing("piece length", expected.GetProperty("piece_length").GetInt32(), torrent.Info.PieceBytes)
            ?? Differing("v1", expected.GetProperty("v1").GetString(), torrent.Info.InfoHashV1 is { } v1
                ? Convert.ToHexStringLower(v1) : null)
            ?? Differing("v2", expected.GetProperty("v2").GetString(), torrent.Info.InfoHashV2?.ToString())
            ?? Differing("private", expected.GetProperty("private").GetBoolean(), torrent.Info.IsTrackerOnly)
            ?? Differing("trackers",
                Lines(expected.GetProperty("trackers").EnumerateArray().Select(pair => pair[0].GetString()!.Trim())
                .Distinct().Order()),
                Lines(torrent.Trackers.Order()))
            ?? Differing("files",
                Lines(expected.GetProperty("files").EnumerateArray().Where(file => !IsPadding(file)).Select(Describe)),
                Lines(torrent.Info.Files.Where(entry => !entry.IsPadding)
                .Select(entry => Describe(torrent.Info, entry))));
    }

    private static string? Differing<T>(string what, T expected, T actual) =>
        EqualityComparer<T>.Default.Equals(expected, actual)
            ? null : $"{what}:\nlibtorrent {expected}\nours       {actual}";

    private static string Lines(IEnumerable<string> texts) => string.Join('\n', texts);

    private static bool IsPadding(JsonElement file) => (file.GetProperty("flags").GetInt32() & 1) != 0;

    private static string Describe(JsonElement file)
    {
        var size = file.GetProperty("size").GetInt64();
        // libtorrent reports zeros for an empty file's root.
        var root = size == 0 ? null : file.GetProperty("root").GetString();
        return $"{file.GetProperty("path").GetString()} {size} {file.GetProperty("flags").GetInt32() & ~1} {root}";
    }

    private static string Describe(TorrentInfo info, TorrentFile file)
    {
        var path = string.Join('/', file.Path);
        var flags = (file.IsHidden ? 2 : 0) | (file.IsExecutable ? 4 : 0) | (file.SymlinkTarget is null ? 0 : 8);
        return $"{(info.IsSingleFile ? path : info.Name + "/" + path)} {file.Length} {flags} {file.Root}";
    }

    private static Dictionary<string, JsonElement> Expected(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(
            Path.Combine(VectorFiles.Folder(folder), Expectations)));
        return document.RootElement.EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.Clone());
    }
}
