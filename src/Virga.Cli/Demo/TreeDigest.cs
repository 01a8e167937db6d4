using System.Security.Cryptography;

namespace Virga.Cli.Demo;

/// <summary>What a tree on disk holds, read with nothing of Virga's own: the judge of what arrived.</summary>
internal sealed class TreeDigest
{
    /// <param name="Kind">file, folder or symlink.</param>
    /// <param name="Content">SHA-256 of a file, target of a symlink, empty for a folder.</param>
    /// <param name="Modified">Of files, to the second.</param>
    private sealed record Node(string Kind, long Length, string Content, DateTime? Modified, bool IsExecutable);

    private readonly SortedDictionary<string, Node> nodes = new(StringComparer.Ordinal);

    public int Files => nodes.Values.Count(n => n.Kind == "file");

    public int Folders => nodes.Values.Count(n => n.Kind == "folder");

    public int Symlinks => nodes.Values.Count(n => n.Kind == "symlink");

    public long Bytes => nodes.Values.Sum(n => n.Length);

    public IEnumerable<string> Names =>
        nodes.Keys.Select(path => path[(path.LastIndexOf('/') + 1)..]).Distinct(StringComparer.Ordinal);

    /// <summary>Files that hold something, from the root.</summary>
    public IEnumerable<string> FilePaths =>
        nodes.Where(n => n.Value is { Kind: "file", Length: > 0 }).Select(n => n.Key);

    public static async Task<TreeDigest> OfAsync(string root, CancellationToken cancellationToken)
    {
        var digest = new TreeDigest();
        await digest.AddAsync(new DirectoryInfo(root), "", cancellationToken);
        return digest;
    }

    /// <summary>Every difference, in words; none when the trees are equal.</summary>
    public IEnumerable<string> DifferencesTo(TreeDigest other)
    {
        foreach (var (path, node) in nodes)
        {
            if (!other.nodes.TryGetValue(path, out var there)) yield return $"{path} is missing";
            else if (node != there) yield return $"{path} was {node} and is {there}";
        }
        foreach (var path in other.nodes.Keys.Where(p => !nodes.ContainsKey(p))) yield return $"{path} is new";
    }

    private async Task AddAsync(DirectoryInfo folder, string prefix, CancellationToken cancellationToken)
    {
        foreach (var item in folder.EnumerateFileSystemInfos())
        {
            var path = prefix + item.Name;
            if (item.LinkTarget is { } target)
            {
                nodes.Add(path, new Node("symlink", 0, target, null, false));
            }
            else if (item is DirectoryInfo inner)
            {
                nodes.Add(path, new Node("folder", 0, "", null, false));
                await AddAsync(inner, path + "/", cancellationToken);
            }
            else
            {
                await using var stream = File.OpenRead(item.FullName);
                var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
                var modified = item.LastWriteTimeUtc;
                var isExecutable = !OperatingSystem.IsWindows() && (item.UnixFileMode & UnixFileMode.UserExecute) != 0;
                var toTheSecond = modified.AddTicks(-(modified.Ticks % TimeSpan.TicksPerSecond));
                nodes.Add(path, new Node("file", stream.Length, hash, toTheSecond, isExecutable));
            }
        }
    }
}
