using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>
/// The files of one Dropbox, their revisions, and the order of changes that cursors follow. Not safe for many tasks:
/// its account locks.
/// </summary>
internal sealed class DropboxTree(TimeProvider clock)
{
    private const int NameCharsMax = 255;
    private readonly Dictionary<string, (string Parent, DropboxNode Node)> revisions = new(StringComparer.Ordinal);
    private long counter = 1_000_000_000;

    public DropboxNode Root { get; private set; } = new("id:root", "", DropboxNode.NoChildren);

    /// <summary>Folded paths that changed, in order, and whether what was there went away, with all below it.</summary>
    public List<(string Path, bool IsGone)> Changes { get; } = [];

    public long? QuotaBytes { get; set; }

    public long UsedBytes => Root.Bytes;

    public string NextId() => $"id:{NextNumber():x16}AAAAAAAAAAYa"[..25];

    public long NextNumber() => ++counter;

    /// <summary>Names of a well-formed path; throws malformed_path or disallowed_name below the prefix.</summary>
    /// <param name="prefix">Such as <c>path</c> or <c>to</c>; the union in which the error lies.</param>
    public static string[] NamesOf(string path, string prefix, bool isWrite)
    {
        if (path.Length == 0) return [];
        // rclone asks for "//folder" from the root, and lives on the service's taking it.
        var names = path[(path.StartsWith("//", StringComparison.Ordinal) ? 2 : 1)..].Split('/');
        foreach (var name in names)
        {
            if (name.Length is 0 or > NameCharsMax || name is "." or ".." || name.Contains('\0')
                || name.Contains('\\') || name.Contains('\u007f') || name[^1] == ' ')
                throw DropboxProblem.Of($"{prefix}/malformed_path");
            if (isWrite && IsDisallowed(name)) throw DropboxProblem.Of($"{prefix}/disallowed_name");
        }
        return names;
    }

    // Dropbox help, "Why aren't certain files on my computer syncing?": files that Dropbox ignores.
    private static bool IsDisallowed(string name) => name.ToLowerInvariant() is
        "desktop.ini" or "thumbs.db" or ".ds_store" or "icon\r" or ".dropbox" or ".dropbox.attr" or ".dropbox.cache"
        || name.StartsWith("~$", StringComparison.Ordinal) || name.StartsWith(".~", StringComparison.Ordinal)
        || (name.StartsWith('~') && name.EndsWith(".tmp", StringComparison.OrdinalIgnoreCase));

    public static string Fold(IEnumerable<string> names) =>
        string.Concat(names.Select(name => "/" + DropboxNode.Fold(name)));

    /// <summary>Null where nothing is.</summary>
    public DropboxNode? Find(IEnumerable<string> names, DropboxNode? from = null)
    {
        var at = from ?? Root;
        foreach (var name in names)
        {
            if (at.Children is null || !at.Children.TryGetValue(DropboxNode.Fold(name), out var next)) return null;
            at = next;
        }
        return at;
    }

    /// <summary>By path, id or rev: the folded path of its folder and the node.</summary>
    public (string Parent, DropboxNode Node) Look(string path, string prefix)
    {
        if (path.StartsWith("rev:", StringComparison.Ordinal))
            return revisions.TryGetValue(path[4..], out var found) ? found : throw Missing();
        if (path.StartsWith("id:", StringComparison.Ordinal))
            return All("", Root).FirstOrDefault(pair => pair.Node.Id == path) is { Node: not null } pair
                ? pair : throw Missing();
        var names = NamesOf(path, prefix, isWrite: false);
        return Find(names) is { } node ? (Fold(names.SkipLast(1)), node) : throw Missing();

        DropboxProblem Missing() => DropboxProblem.Of($"{prefix}/not_found");
    }

    public static IEnumerable<(string Parent, DropboxNode Node)> All(string parent, DropboxNode folder)
    {
        foreach (var child in folder.Children?.Values ?? [])
        {
            yield return (parent, child);
            if (!child.IsFolder) continue;
            foreach (var deeper in All($"{parent}/{DropboxNode.Fold(child.Name)}", child)) yield return deeper;
        }
    }

    /// <summary>Puts a node at a path, replacing what is there and making the folders above.</summary>
    public void Put(string[] names, DropboxNode node, string prefix)
    {
        for (var i = 1; i < names.Length; i++)
        {
            if (Find(names[..i]) is { IsFolder: false })
                throw DropboxProblem.Of($"{prefix}/conflict/file_ancestor");
        }
        Root = With(Root, names, 0, node);
        foreach (var (parent, one) in All(Fold(names), node).Prepend((Fold(names.SkipLast(1)), node)))
        {
            Changes.Add(($"{parent}/{DropboxNode.Fold(one.Name)}", false));
            if (!one.IsFolder) revisions[one.Rev] = (parent, one);
        }
    }

    private DropboxNode With(DropboxNode folder, string[] names, int depth, DropboxNode node)
    {
        var key = DropboxNode.Fold(names[depth]);
        if (depth == names.Length - 1) return folder with { Children = folder.Children!.SetItem(key, node) };
        if (!folder.Children!.TryGetValue(key, out var next))
        {
            next = new DropboxNode(NextId(), names[depth], DropboxNode.NoChildren);
            Changes.Add((Fold(names[..(depth + 1)]), false));
        }
        return folder with { Children = folder.Children.SetItem(key, With(next, names, depth + 1, node)) };
    }

    public void Remove(string[] names)
    {
        Root = Without(Root, names, 0);
        Changes.Add((Fold(names), true));
    }

    private static DropboxNode Without(DropboxNode folder, string[] names, int depth)
    {
        var key = DropboxNode.Fold(names[depth]);
        return folder with
        {
            Children = depth == names.Length - 1
                ? folder.Children!.Remove(key)
                : folder.Children!.SetItem(key, Without(folder.Children[key], names, depth + 1)),
        };
    }

    /// <summary>Commits content to a path as WriteMode and CommitInfo say; returns what is told of it.</summary>
    public (string Parent, DropboxNode Node) Commit(
        string path, string mode, string? updateRev, bool autorename, DateTimeOffset? modified, bool isStrict,
        Blob content, string prefix)
    {
        var names = NamesOf(path, prefix, isWrite: true);
        if (names.Length == 0) throw DropboxProblem.Of($"{prefix}/conflict/folder");
        var there = Find(names);
        var hash = DropboxNode.HashOf(content);
        if (there is { IsFolder: false } && there.ContentHash == hash && !isStrict)
        {
            // Content that is there already is no new revision, and its time stays.
            return (Fold(names.SkipLast(1)), there);
        }
        var isConflict = there is { IsFolder: true }
            || (there is not null && mode == "add")
            || (mode == "update" && (there is null ? isStrict : there.Rev != updateRev));
        if (isConflict)
        {
            if (!autorename) throw DropboxProblem.Of($"{prefix}/conflict/{(there!.IsFolder ? "folder" : "file")}");
            names = Renamed(names);
            there = null;
        }
        if (QuotaBytes is { } quota && UsedBytes - (there?.Bytes ?? 0) + content.Length > quota)
            throw DropboxProblem.Of($"{prefix}/insufficient_space");
        var now = clock.GetUtcNow();
        var node = new DropboxNode(
            there?.Id ?? NextId(), names[^1], null, NextNumber().ToString("x15", CultureInfo.InvariantCulture), content,
            hash, modified ?? now, now);
        Put(names, node, prefix);
        return (Fold(names.SkipLast(1)), node);
    }

    /// <summary>"name (1).txt", the first that is free.</summary>
    public string[] Renamed(string[] names)
    {
        var (stem, extension) = (Path.GetFileNameWithoutExtension(names[^1]), Path.GetExtension(names[^1]));
        for (var i = 1; ; i++)
        {
            string[] other = [.. names.SkipLast(1), $"{stem} ({i}){extension}"];
            if (Find(other) is null) return other;
        }
    }

    /// <summary>The same below another name, each file with a revision of its own.</summary>
    public DropboxNode Copy(DropboxNode node, string name) => node with
    {
        Id = NextId(),
        Name = name,
        Rev = node.IsFolder ? "" : NextNumber().ToString("x15", CultureInfo.InvariantCulture),
        Children = node.Children?.ToImmutableSortedDictionary(
            pair => pair.Key, pair => Copy(pair.Value, pair.Value.Name), StringComparer.Ordinal),
    };
}
