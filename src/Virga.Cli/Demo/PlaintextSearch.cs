using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Virga.Cli.Demo;

/// <summary>
/// Looks for many short pieces of a folder at once: its names, and 16 bytes of every 4 KiB of its files. A piece is
/// looked up by its first 8 bytes, so that each position of what is searched costs one probe.
/// </summary>
internal sealed class PlaintextSearch
{
    private const int PieceBytes = 16;
    private const int NameBytesMin = 8;
    private const int Stride = 4096;

    private readonly Dictionary<ulong, List<byte[]>> pieces = [];
    private readonly bool[] firstBytes = new bool[1 << 16];

    public int Names { get; private set; }

    public int Samples { get; private set; }

    /// <summary>The pieces of a folder. Names under 8 bytes are left out: they would turn up by chance.</summary>
    public static PlaintextSearch For(string root, TreeDigest tree)
    {
        var search = new PlaintextSearch();
        foreach (var name in tree.Names.Select(Encoding.UTF8.GetBytes).Where(n => n.Length >= NameBytesMin))
            if (search.Add(name)) search.Names++;
        foreach (var path in tree.FilePaths)
        {
            var content = File.ReadAllBytes(Path.Combine(root, path));
            for (var at = 0; at + PieceBytes <= content.Length; at += Stride)
                if (search.Add(content[at..(at + PieceBytes)])) search.Samples++;
        }
        return search;
    }

    /// <summary>How many different pieces occur in a file.</summary>
    public int CountIn(string file) => CountIn(File.ReadAllBytes(file));

    /// <summary>How many different pieces occur in a folder's names and files: all, in the one they are from.</summary>
    public int CountInFolder(string root)
    {
        var found = new HashSet<byte[]>(ReferenceEqualityComparer.Instance);
        foreach (var item in new DirectoryInfo(root).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            Search(Encoding.UTF8.GetBytes(item.Name), found);
            // A running peer's socket can't be read, and its lock is empty.
            if (item is FileInfo { LinkTarget: null, Extension: not (".sock" or ".lock") } file)
                Search(File.ReadAllBytes(file.FullName), found);
        }
        return found.Count;
    }

    public int CountIn(ReadOnlySpan<byte> data)
    {
        var found = new HashSet<byte[]>(ReferenceEqualityComparer.Instance);
        Search(data, found);
        return found.Count;
    }

    private bool Add(byte[] piece)
    {
        var key = BinaryPrimitives.ReadUInt64LittleEndian(piece);
        ref var sameStart = ref CollectionsMarshal.GetValueRefOrAddDefault(pieces, key, out _);
        sameStart ??= [];
        if (sameStart.Exists(p => p.AsSpan().SequenceEqual(piece))) return false;
        sameStart.Add(piece);
        firstBytes[(ushort)key] = true;
        return true;
    }

    private void Search(ReadOnlySpan<byte> data, HashSet<byte[]> found)
    {
        for (var at = 0; at + sizeof(ulong) <= data.Length; at++)
        {
            if (!firstBytes[BinaryPrimitives.ReadUInt16LittleEndian(data[at..])]) continue;
            if (!pieces.TryGetValue(BinaryPrimitives.ReadUInt64LittleEndian(data[at..]), out var sameStart)) continue;
            foreach (var piece in sameStart)
                if (data[at..].StartsWith(piece)) found.Add(piece);
        }
    }
}
