using System.Buffers;
using System.Numerics;
using System.Text;

namespace Virga.Content.Torrents;

/// <summary>Names of others' torrents made into names that a file can have, as libtorrent 2.0 does on Linux.</summary>
internal static class SafeNames
{
    /// <summary>A name longer than this is cut, keeping a short extension.</summary>
    private const int KeptBytes = 240;
    private const int ExtensionBytes = 10;

    /// <summary>Null when nothing is left of the name, so that it is to be left out of the path.</summary>
    public static string? Clean(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty) return "_";
        if (name.SequenceEqual("."u8)) return null;
        var text = new StringBuilder(Math.Min(name.Length, 256));
        var added = 0;
        var dots = 0;
        var hasExtension = false;
        for (var at = 0; at < name.Length;)
        {
            var status = Rune.DecodeFromUtf8(name[at..], out var rune, out var length);
            var isValid = status == OperationStatus.Done;
            // One underscore stands for all the bytes that the first one announces.
            if (!isValid) length = Math.Min(AnnouncedBytes(name[at]), name.Length - at);
            var start = at;
            at += length;
            if (isValid && IsDropped(rune.Value)) continue;
            if (!isValid || rune.Value < 32)
            {
                text.Append('_');
                added++;
                continue;
            }
            text.Append(rune.ToString());
            if (rune.Value == '.') dots++;
            added += length;
            if (added < KeptBytes || hasExtension) continue;
            var tail = Math.Max(name.Length - ExtensionBytes, start) + 1;
            var dot = tail < name.Length ? name[tail..].LastIndexOf((byte)'.') : -1;
            if (dot < 0) break;
            hasExtension = true;
            at = tail + dot;
        }
        return added == dots && added <= 2 ? null : text.ToString();
    }

    /// <summary>Whether a name that was cleaned is another one.</summary>
    /// <param name="safe">What <see cref="Clean"/> made of it.</param>
    public static bool IsOther(ReadOnlySpan<byte> name, string? safe) =>
        safe is null || Encoding.UTF8.GetByteCount(safe) != name.Length
        || name.IndexOfAnyInRange((byte)0, (byte)31) >= 0;

    private static int AnnouncedBytes(byte first) =>
        first is 0xff or 0xfe ? 1 : Math.Max(1, BitOperations.LeadingZeroCount((uint)(byte)~first) - 24);

    /// <summary>Separators, and characters that turn the direction of writing and so disguise an extension.</summary>
    private static bool IsDropped(int codePoint) =>
        codePoint is '/' or '\\' or 0 or (>= 0x202a and <= 0x202e) or 0x200e or 0x200f;

    /// <summary>
    /// Files whose path, but for ASCII case, is that of another file or of a folder get a number before their
    /// extension.
    /// </summary>
    public static void TellDoublesApart(List<TorrentFile> files)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        IReadOnlyList<string> last = [];
        foreach (var file in files)
        {
            // The folders that a file shares with the one before are known: deep trees would cost too much else.
            var known = 0;
            while (known < last.Count - 1 && known < file.Path.Count - 1 && last[known] == file.Path[known]) known++;
            for (var i = known + 1; i < file.Path.Count; i++) taken.Add(string.Join('/', file.Path.Take(i)));
            last = file.Path;
        }
        var padding = new HashSet<(string, long)>();
        var numbers = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < files.Count; i++)
        {
            var path = string.Join('/', files[i].Path);
            if (files[i].IsPadding && !padding.Add((path, files[i].Length))) continue;
            if (taken.Add(path)) continue;
            var name = files[i].Path[^1];
            var dot = name.LastIndexOf('.');
            var (stem, extension) = dot >= 0 ? (name[..dot], name[dot..]) : (name, "");
            var folder = path[..^name.Length];
            string renamed;
            do
            {
                var number = numbers[path] = numbers.GetValueOrDefault(path) + 1;
                renamed = $"{stem}.{number}{extension}";
            }
            while (!taken.Add(folder + renamed));
            files[i] = files[i] with
            {
                Path = [.. files[i].Path.Take(files[i].Path.Count - 1), renamed], IsRenamed = true,
            };
        }
    }
}
