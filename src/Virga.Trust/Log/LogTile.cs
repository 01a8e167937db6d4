using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Virga.Core;

namespace Virga.Trust.Log;

/// <summary>
/// Names a tile of a log (C2SP tlog-tiles): at most 256 hashes of one height, or at most 256 entries.
/// </summary>
/// <param name="Level">0 holds leaf hashes, each level above the roots of full tiles; -1 stands for entries.</param>
/// <param name="Index">Counts the tiles of the level.</param>
/// <param name="Width">1 to 256 hashes or entries; below 256 it is a partial tile.</param>
public readonly record struct LogTile(int Level, long Index, int Width)
{
    /// <summary>Hashes of a full tile, entries of a full bundle.</summary>
    public const int FullWidth = 256;

    /// <summary>Levels that a log of less than 2^63 entries can have.</summary>
    public const int LevelsMax = 8;

    /// <summary>The level that stands for entry bundles.</summary>
    public const int EntriesLevel = -1;

    private const int PathCharsMax = 64;

    /// <summary>True below 256 hashes or entries.</summary>
    public bool IsPartial => Width < FullWidth;

    /// <summary>Index of the first leaf that the tile covers.</summary>
    public long FirstLeaf => Index << (8 * (Math.Max(Level, 0) + 1));

    /// <summary>The path below the log's prefix, such as <c>tile/0/x001/234.p/5</c>.</summary>
    public string Path
    {
        get
        {
            var path = new StringBuilder("tile/", PathCharsMax);
            if (Level == EntriesLevel) path.Append("entries");
            else path.Append(Level);
            var digits = Index.ToString("D3", CultureInfo.InvariantCulture);
            digits = digits.PadLeft((digits.Length + 2) / 3 * 3, '0');
            for (var i = 0; i < digits.Length; i += 3)
                path.Append('/').Append(i + 3 < digits.Length ? "x" : "").Append(digits.AsSpan(i, 3));
            if (IsPartial) path.Append(".p/").Append(Width);
            return path.ToString();
        }
    }

    /// <summary>How many hashes or entries that tile has in a log of that size: 0 where it has none.</summary>
    public static int WidthAt(int level, long index, long size)
    {
        if (level >= LevelsMax) return 0;
        var hashes = size >> (8 * Math.Max(level, 0));
        if (index > hashes / FullWidth) return 0;
        var there = hashes - (index * FullWidth);
        return (int)Math.Clamp(there, 0, FullWidth);
    }

    /// <summary>Exactly the form that <see cref="Path"/> writes, from <c>tile/</c> on.</summary>
    public static bool TryParse(string path, out LogTile tile)
    {
        tile = default;
        if (path.Length > PathCharsMax) return false;
        var parts = path.Split('/');
        if (parts.Length < 3 || parts[0] != "tile") return false;
        var level = parts[1] == "entries" ? EntriesLevel : Number(parts[1], 0, LevelsMax - 1);
        if (level is null) return false;
        var width = FullWidth;
        var end = parts.Length;
        if (parts[^2].EndsWith(".p", StringComparison.Ordinal))
        {
            if (Number(parts[^1], 1, FullWidth - 1) is not { } partial) return false;
            width = partial;
            end--;
            parts[end - 1] = parts[end - 1][..^2];
        }

        if (end < 3) return false;
        var digits = string.Concat(parts[2..end].Select(part => part.TrimStart('x')));
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var index)) return false;
        tile = new LogTile(level.Value, index, width);
        return tile.Path == path;

        static int? Number(string text, int min, int max) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number >= min && number <= max ? number : null;
    }

    /// <summary>The hashes of a tile one after the other.</summary>
    public static byte[] EncodeHashes(ReadOnlySpan<Hash256> hashes)
    {
        var bytes = new byte[hashes.Length * Hash256.ByteCount];
        for (var i = 0; i < hashes.Length; i++) hashes[i].CopyTo(bytes.AsSpan(i * Hash256.ByteCount));
        return bytes;
    }

    /// <exception cref="VirgaException">Corrupt: it has not as many hashes as its name says.</exception>
    public Hash256[] ParseHashes(ReadOnlySpan<byte> data)
    {
        if (data.Length != Width * Hash256.ByteCount)
            throw Damaged($"it has {data.Length} bytes instead of {Width * Hash256.ByteCount}");
        var hashes = new Hash256[Width];
        for (var i = 0; i < Width; i++)
            hashes[i] = new Hash256(data.Slice(i * Hash256.ByteCount, Hash256.ByteCount));
        return hashes;
    }

    /// <summary>An entry bundle: each entry behind its length in two bytes, the more significant first.</summary>
    public static byte[] EncodeEntries(IReadOnlyList<byte[]> entries)
    {
        var bytes = new byte[entries.Sum(entry => 2 + entry.Length)];
        var at = 0;
        foreach (var entry in entries)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), checked((ushort)entry.Length));
            entry.CopyTo(bytes.AsSpan(at + 2));
            at += 2 + entry.Length;
        }

        return bytes;
    }

    /// <exception cref="VirgaException">Corrupt: it is cut, or has not as many entries as its name says.</exception>
    public IReadOnlyList<ReadOnlyMemory<byte>> ParseEntries(ReadOnlyMemory<byte> data)
    {
        var entries = new List<ReadOnlyMemory<byte>>(Width);
        while (data.Length > 0)
        {
            if (entries.Count == Width) throw Damaged($"it has more than {Width} entries");
            if (data.Length < 2) throw Damaged("it is cut inside of an entry's length");
            var length = BinaryPrimitives.ReadUInt16BigEndian(data.Span);
            if (data.Length < 2 + length) throw Damaged("it is cut inside of an entry");
            entries.Add(data.Slice(2, length));
            data = data[(2 + length)..];
        }

        return entries.Count == Width ? entries : throw Damaged($"it has {entries.Count} entries instead of {Width}");
    }

    private VirgaException Damaged(string how) => new(FailureKind.Corrupt, $"the log's {Path} can't be used: {how}",
        "Ask the repository's owner to repair it; until then use another repository.");
}
