using System.IO.Enumeration;
using Virga.Accounts;
using Virga.Core;

namespace Virga.Content;

/// <summary>Which files of a share or torrent are wanted: by patterns, or by their numbers.</summary>
/// <param name="Select">
/// Patterns with * and ?: one with a slash is for the whole path, one without for any name in it, so that a folder's
/// name stands for all that is in it.
/// </param>
/// <param name="Only">Numbers of files, as <see cref="FileNumbers"/> writes them; null: the patterns choose.</param>
public sealed record FileChoice(IReadOnlyList<string> Select, string? Only = null)
{
    /// <summary>More patterns than anybody writes.</summary>
    public const int SelectMost = 1000;

    private const int ListedMax = 5;

    /// <summary>Null where nothing is chosen, and so everything is wanted.</summary>
    /// <exception cref="VirgaException">BadInput: both are given, too many patterns, or no numbers.</exception>
    public static FileChoice? Of(IReadOnlyList<string>? select, string? only)
    {
        if (select is not { Count: > 0 } && string.IsNullOrEmpty(only)) return null;
        if (select is { Count: > 0 } && only is not null)
        {
            throw new VirgaException(
                FailureKind.BadInput, "files are chosen by patterns or by numbers, not by both", "Say one of them.");
        }
        if (select?.Count > SelectMost)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{select.Count:N0} patterns are too many", $"There can be {SelectMost:N0}.");
        }
        if (only is not null) FileNumbers.Parse(only);
        return new FileChoice(select ?? [], only);
    }

    /// <summary>Whether a path, or what it lies in, is meant by a pattern.</summary>
    public static bool Matches(string pattern, string path)
    {
        pattern = pattern.TrimEnd('/');
        return pattern.Contains('/')
            ? FileSystemName.MatchesSimpleExpression(pattern, path)
                || FileSystemName.MatchesSimpleExpression(pattern + "/*", path)
            : path.Split('/').Any(name => FileSystemName.MatchesSimpleExpression(pattern, name));
    }

    /// <summary>What is left of some content: files keep their index. All of it where all of it is chosen.</summary>
    /// <remarks>
    /// Links and empty folders come with what is chosen by patterns where these name them, too; else where a file
    /// beside them is chosen. Folders of chosen files always come.
    /// </remarks>
    /// <exception cref="VirgaException">BadInput: no file of it is chosen.</exception>
    public ShareContent From(ShareContent content)
    {
        var numbers = Only is null ? null : FileNumbers.Parse(Only);
        var files = content.Files.Where(
            f => numbers?.Contains(f.Index) ?? Select.Any(p => Matches(p, f.Entry.Path.Value))).ToList();
        if (files.Count == 0) throw Nothing(content);
        if (files.Count == content.Files.Count) return content;
        var paths = files.Select(f => f.Entry.Path).ToHashSet();
        var beside = new HashSet<EntryPath>();
        var above = new HashSet<EntryPath>();
        foreach (var path in paths)
        {
            beside.Add(path.Parent);
            for (var folder = path.Parent; !folder.IsRoot && above.Add(folder);) folder = folder.Parent;
        }
        // Others would come empty, which they are not.
        var full = content.Manifest.Entries.Select(e => e.Path.Parent).ToHashSet();
        var entries = content.Manifest.Entries.Where(e => e.Kind switch
        {
            EntryKind.File => paths.Contains(e.Path),
            EntryKind.Folder when above.Contains(e.Path) => true,
            EntryKind.Folder when full.Contains(e.Path) => false,
            _ => numbers is null ? Select.Any(p => Matches(p, e.Path.Value)) : beside.Contains(e.Path.Parent),
        }).ToList();
        return new ShareContent(
            content.Info, content.Layers, new Manifest(content.Manifest.ShareIdentity, entries), files);
    }

    private VirgaException Nothing(ShareContent content)
    {
        var names = content.Files.Take(ListedMax).Select(f => $"'{ManifestRules.Show(f.Entry.Path.Value)}'");
        var more = content.Files.Count > ListedMax ? $" and {content.Files.Count - ListedMax:N0} more" : "";
        return new VirgaException(
            FailureKind.BadInput,
            Only is null
                ? $"no file of the share matches {string.Join(" or ", Select.Select(p => $"'{p}'"))}; it has "
                    + string.Join(", ", names) + more
                : $"none of its {content.Files.Count:N0} files has one of the numbers that were chosen",
            "Say --select with a name, a folder's name or a pattern with * and ?, or leave it out for all files.");
    }
}
