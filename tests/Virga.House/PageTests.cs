using System.Text.RegularExpressions;

namespace Virga.House;

/// <summary>Pages: links that resolve, a spec whose every page is listed.</summary>
public sealed partial class PageTests
{
    [Fact]
    public void Every_link_leads_somewhere() =>
        House.AssertNone(House.Pages.SelectMany(BrokenLinks), "links that lead nowhere:");

    [Fact]
    public void Every_page_of_the_spec_is_listed_in_its_index()
    {
        var index = House.Read("spec/v1/README.md");
        House.AssertNone(
            House.Pages.Where(p => Path.GetDirectoryName(p) == "spec/v1").Select(p => Path.GetFileName(p))
                .Where(n => n != "README.md" && !index.Contains($"({n})", StringComparison.Ordinal)),
            "not linked in spec/v1/README.md:");
    }

    [Fact]
    public void Every_page_of_the_documentation_can_be_reached_from_the_readme()
    {
        var reached = new HashSet<string>(StringComparer.Ordinal) { "README.md" };
        var next = new Stack<string>(reached);
        while (next.TryPop(out var page))
            foreach (var (target, _) in LinksOf(page))
            {
                var isPage = target.EndsWith(".md", StringComparison.Ordinal) && House.Files.Contains(target);
                if (isPage && reached.Add(target)) next.Push(target);
            }
        House.AssertNone(
            House.Pages.Where(p => p.StartsWith("docs/", StringComparison.Ordinal)).Except(reached),
            "no page links to:");
    }

    [Fact]
    public void The_readme_fits_on_one_screen() =>
        Assert.InRange(House.Lines("README.md").Length, 5, 60);

    private static IEnumerable<string> BrokenLinks(string page)
    {
        foreach (var (target, anchor) in LinksOf(page))
        {
            var isPage = target.EndsWith(".md", StringComparison.Ordinal);
            if (!House.Files.Contains(target) && !Directory.Exists(Path.Combine(House.Root, target)))
                yield return $"{page}: {target}";
            else if (anchor.Length > 0 && isPage && !AnchorsOf(target).Contains(anchor))
                yield return $"{page}: {target}#{anchor}";
        }
    }

    /// <summary>Links inside the repository: the file they mean, from the root, and the anchor.</summary>
    private static IEnumerable<(string Target, string Anchor)> LinksOf(string page)
    {
        var text = CodeBlock().Replace(House.Read(page), "");
        foreach (Match match in Link().Matches(text))
        {
            var link = match.Groups["to"].Value;
            if (link.Contains(':')) continue;
            var parts = link.Split('#', 2);
            var full = Path.GetFullPath(Path.Combine(House.Root, Path.GetDirectoryName(page)!, parts[0]));
            var target = parts[0].Length == 0 ? page : Path.GetRelativePath(House.Root, full).Replace('\\', '/');
            yield return (target, parts.Length > 1 ? parts[1] : "");
        }
    }

    private static HashSet<string> AnchorsOf(string page) => House.Lines(page).Where(l => l.StartsWith('#'))
        .Select(l => NotInAnchor().Replace(l.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'))
        .ToHashSet(StringComparer.Ordinal);

    [GeneratedRegex(@"\]\((?<to>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();
}
