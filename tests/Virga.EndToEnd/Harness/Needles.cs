using System.Buffers;
using System.Text;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// Byte strings that may stand nowhere: each raw, and in the shapes in which programs print bytes. Files of any length
/// are read a piece at a time.
/// </summary>
internal sealed class Needles
{
    private const int BlockBytes = 4 << 20;

    private readonly List<(string What, byte[] Bytes)> needles = [];
    private readonly Dictionary<byte, List<(string What, byte[] Bytes)>> byFirst = [];
    private readonly SearchValues<byte> firsts;
    private readonly int longest;

    /// <param name="texts">Names; each also as a URL and as JSON would write it.</param>
    /// <param name="contents">Runs of plaintext bytes.</param>
    public Needles(IEnumerable<string> texts, IEnumerable<byte[]> contents)
    {
        foreach (var text in texts)
        {
            AddShapes(text, Encoding.UTF8.GetBytes(text));
            AddText(text, Uri.EscapeDataString(text));
            AddText(text, System.Text.Json.JsonSerializer.Serialize(text)[1..^1]);
        }
        foreach (var bytes in contents) AddShapes($"content {Convert.ToHexStringLower(bytes.AsSpan(0, 8))}...", bytes);
        firsts = SearchValues.Create([.. needles.Select(n => n.Bytes[0]).Distinct()]);
        foreach (var group in needles.GroupBy(n => n.Bytes[0])) byFirst[group.Key] = [.. group];
        longest = needles.Max(n => n.Bytes.Length);
    }

    /// <summary>What of them stands in the file, at most ten.</summary>
    public async Task<List<string>> FindAsync(string path)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1);
        var buffer = new byte[BlockBytes + longest];
        var kept = 0;
        while (found.Count < 10 && await file.ReadAtLeastAsync(buffer.AsMemory(kept), 1, throwOnEndOfStream: false)
            is var read and > 0)
        {
            var length = kept + read;
            Scan(buffer.AsSpan(0, length), found);
            kept = Math.Min(longest - 1, length);
            buffer.AsSpan(length - kept, kept).CopyTo(buffer);
        }
        return [.. found];
    }

    private void Scan(ReadOnlySpan<byte> data, HashSet<string> found)
    {
        for (var at = 0; data[at..].IndexOfAny(firsts) is var next and >= 0; at += next + 1)
        {
            var here = data[(at + next)..];
            foreach (var (what, bytes) in byFirst[here[0]])
                if (here.StartsWith(bytes)) found.Add(what);
            if (at + next + 1 >= data.Length) return;
        }
    }

    private void AddShapes(string what, byte[] bytes)
    {
        needles.Add((what, bytes));
        AddText(what, Convert.ToHexStringLower(bytes));
        AddText(what, Convert.ToHexString(bytes));
        // In the middle of base64 bytes stand in one of three ways; the ends of each depend on what stands beside them.
        for (var shift = 0; shift < 3; shift++)
        {
            var text = Convert.ToBase64String([.. new byte[shift], .. bytes]);
            var inner = text[(shift == 0 ? 0 : 4)..^4];
            AddText(what, inner);
            AddText(what, inner.Replace('+', '-').Replace('/', '_'));
        }
    }

    private void AddText(string what, string text)
    {
        if (text.Length < 8) throw new ArgumentException($"'{what}' is too short to be looked for as '{text}'");
        var bytes = Encoding.UTF8.GetBytes(text);
        if (!needles.Exists(n => n.Bytes.AsSpan().SequenceEqual(bytes))) needles.Add((what, bytes));
    }
}
