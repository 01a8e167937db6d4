using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Virga.House;

/// <summary>How projects, layers and packages hang together.</summary>
public sealed partial class ProjectTests
{
    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var listed = XDocument.Parse(House.Read("Virga.slnx")).Descendants("Project")
            .Select(p => p.Attribute("Path")!.Value);
        Assert.Equal(House.Projects.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_project_of_src_has_its_place_in_the_layers()
    {
        var names = Edges.SelectMany(e => new[] { e.From, e.To }).ToHashSet(StringComparer.Ordinal);
        House.AssertNone(SourceProjects.Select(NameOf).Where(n => !names.Contains(n)), "not in eng/Layers.props:");
        House.AssertNone(names.Except(SourceProjects.Select(NameOf)), "in eng/Layers.props, but not in src:");
    }

    [Fact]
    public void References_follow_the_layers()
    {
        var allowed = Edges.ToHashSet();
        House.AssertNone(
            from project in SourceProjects
            from reference in XDocument.Parse(House.Read(project)).Descendants("ProjectReference")
            let edge = (NameOf(project), NameOf(reference.Attribute("Include")!.Value))
            where !allowed.Contains(edge)
            select $"{edge.Item1} -> {edge.Item2}",
            "edges that eng/Layers.props does not list:");
    }

    [Fact]
    public void Layers_have_no_circle_and_peers_no_edge()
    {
        var left = Edges.ToList();
        while (left.Count > 0)
        {
            var froms = left.Select(e => e.From).ToHashSet(StringComparer.Ordinal);
            Assert.True(left.RemoveAll(e => !froms.Contains(e.To)) > 0, "a circle: " + string.Join(", ", left));
        }
        Assert.DoesNotContain(("Virga.Agent", "Virga.Repository"), Edges);
        Assert.DoesNotContain(("Virga.Repository", "Virga.Agent"), Edges);
        Assert.Equal(["Virga.Cli"], Edges.Where(e => e.To == "Virga.Accounts.Adapters").Select(e => e.From));
    }

    [Fact]
    public void Every_project_of_src_has_its_tests() => House.AssertNone(
        SourceProjects.Select(NameOf)
            .Where(n => n != "Virga.Testing" && !House.Files.Contains($"tests/{n}.Tests/{n}.Tests.csproj")),
        "no test project for:");

    [Fact]
    public void Every_project_has_its_lock_file() => House.AssertNone(
        House.Projects.Where(p => !House.Files.Contains(p[..p.LastIndexOf('/')] + "/packages.lock.json")),
        "no packages.lock.json beside:");

    [Fact]
    public void Versions_are_exact_and_central()
    {
        House.AssertNone(
            XDocument.Parse(House.Read("Directory.Packages.props")).Descendants("PackageVersion")
                .Where(p => !ExactVersion().IsMatch(p.Attribute("Version")!.Value)).Select(p => p.ToString()),
            "versions are exact: [1.2.3]");
        House.AssertNone(
            from project in House.Projects
            from package in XDocument.Parse(House.Read(project)).Descendants("PackageReference")
            where package.Attribute("Version") is not null || package.Attribute("VersionOverride") is not null
            select $"{project}: {package}",
            "versions stand in Directory.Packages.props alone:");
    }

    [Fact]
    public void Every_package_version_is_used() => House.AssertNone(
        XDocument.Parse(House.Read("Directory.Packages.props")).Descendants("PackageVersion")
            .Select(p => p.Attribute("Include")!.Value)
            .Except(
                House.Projects.Append("Directory.Build.targets")
                    .SelectMany(f => XDocument.Parse(House.Read(f)).Descendants("PackageReference"))
                    .Select(p => p.Attribute("Include")!.Value),
                StringComparer.Ordinal),
        "in Directory.Packages.props, but used nowhere:");

    private static IEnumerable<string> SourceProjects =>
        House.Projects.Where(p => p.StartsWith("src/", StringComparison.Ordinal));

    private static List<(string From, string To)> Edges { get; } = XDocument.Parse(House.Read("eng/Layers.props"))
        .Descendants("AllowedEdge")
        .Select(e => e.Attribute("Include")!.Value.Split("->")).Select(e => (e[0], e[1])).ToList();

    private static string NameOf(string project) => Path.GetFileNameWithoutExtension(project.Replace('\\', '/'));

    [GeneratedRegex(@"^\[\d+(\.\d+)+\]$")]
    private static partial Regex ExactVersion();
}
