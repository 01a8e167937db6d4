using System.Security.Cryptography;
using Virga.Core;
using Virga.Testing;

namespace Virga.EndToEnd.Harness;

/// <summary>Folders of files that depend on a seed alone, and their comparison by SHA-256.</summary>
internal static class FileTree
{
    /// <summary>
    /// Writes a file of seeded bytes, a piece at a time. Where a marker is given, it stands at every 64 KiB and at
    /// the end.
    /// </summary>
    public static void Write(string path, long length, ulong seed, ReadOnlySpan<byte> marker = default)
    {
        const int step = 64 << 10;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
        var random = new Seeded(seed).RandomBytes;
        var buffer = new byte[(int)Math.Min(step, length)];
        for (long at = 0; at < length; at += buffer.Length)
        {
            var piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - at));
            random(piece);
            if (piece.Length >= 2 * marker.Length)
            {
                marker.CopyTo(piece);
                marker.CopyTo(piece[^marker.Length..]);
            }
            else if (marker.Length > 0)
            {
                // Too short for a whole one: nothing but the marker, as far as it goes.
                for (var i = 0; i < piece.Length; i++) piece[i] = marker[i % marker.Length];
            }
            file.Write(piece);
        }
    }

    /// <summary>SHA-256 of each file by its path below the folder; folders end in '/'.</summary>
    public static SortedDictionary<string, string> Hash(string folder)
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (!Directory.Exists(folder)) return hashes;
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 };
        foreach (var path in Directory.EnumerateFileSystemEntries(folder, "*", options))
        {
            var name = Path.GetRelativePath(folder, path);
            if (Directory.Exists(path)) hashes[name + "/"] = "";
            else
            {
                using var file = File.OpenRead(path);
                hashes[name] = Convert.ToHexStringLower(SHA256.HashData(file));
            }
        }
        return hashes;
    }

    /// <summary>What differs, a line each, at most twenty.</summary>
    public static List<string> Differences(
        IReadOnlyDictionary<string, string> expected, IReadOnlyDictionary<string, string> found)
    {
        var lines = new List<string>();
        foreach (var (name, hash) in expected)
        {
            if (!found.TryGetValue(name, out var other)) lines.Add($"missing: {name}");
            else if (other != hash) lines.Add($"different: {name}");
        }
        foreach (var name in found.Keys.Where(n => !expected.ContainsKey(n))) lines.Add($"too much: {name}");
        return [.. lines.Take(20)];
    }
}
