using System.Text.RegularExpressions;

namespace Virga.House;

/// <summary>What every source file keeps to.</summary>
public sealed partial class SourceTests
{
    private const int LinesMax = 800;
    private const int ColumnsMax = 120;

    [Fact]
    public void A_file_fits_in_a_head() => House.AssertNone(
        House.Sources.Select(f => (File: f, Count: House.Lines(f).Length)).Where(f => f.Count > LinesMax)
            .Select(f => $"{f.File}: {f.Count} lines"),
        $"source files have at most {LinesMax} lines:");

    [Fact]
    public void A_line_fits_on_a_screen() => House.AssertNone(
        from file in House.Sources.Concat(Scripts)
        from line in House.Lines(file).Index()
        where line.Item.Length > ColumnsMax
        select $"{file}:{line.Index + 1}: {line.Item.Length} columns",
        $"source lines have at most {ColumnsMax} columns:");

    [Fact]
    public void Nothing_is_left_for_later()
    {
        string[] words = ["NotImplemented" + "Exception", "TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X"];
        var pattern = new Regex(
            @"\b(" + string.Join('|', words) + @")\b|\bSkip" + @"\s*=\s*""|^\s*#region"
            // A warning that is turned off says why on the same line.
            + @"|^\s*#pragma warning disable [^/]*$");
        House.AssertNone(Find(House.Sources.Concat(Scripts), pattern), "unfinished work and skipped tests:");
    }

    [Fact]
    public void Nothing_speaks_of_places_outside_the_repository()
    {
        // In pieces, so that this file holds none of them.
        string[] words =
        [
            "/wo" + "rk/", "/tmp/w" + "t", @"\.\./sha" + "red", "/ro" + "ot/", @"\bissue" + @" #?\d",
            @"api\.nu" + @"get\.org", @"registry\.np" + @"mjs", @"deb\.deb" + @"ian\.org",
        ];
        var pattern = new Regex(string.Join('|', words), RegexOptions.IgnoreCase);
        House.AssertNone(
            Find(House.Files.Where(IsText), pattern), "words about a machine or a place that a reader does not have:");
    }

    [Fact]
    public void Every_public_type_says_what_it_is() => House.AssertNone(
        House.Sources.Where(f => f.StartsWith("src/", StringComparison.Ordinal)).SelectMany(UndocumentedTypes),
        "public types of src need a docstring:");

    [Fact]
    public void Namespaces_are_file_scoped() => House.AssertNone(
        Find(House.Sources, BlockNamespace()), "use file-scoped namespaces:");

    [Fact]
    public void Only_text_is_committed() => House.AssertNone(
        House.Files.Where(f => !IsText(f) && !f.Contains("/vectors/", StringComparison.Ordinal)),
        "binary files belong under vectors/:");

    [Fact]
    public void Launchers_can_be_run() => House.AssertNone(
        new[] { "virga", "test", "bench", "install", ".ci/run" }.Where(f => !OperatingSystem.IsWindows()
            && (File.GetUnixFileMode(Path.Combine(House.Root, f)) & UnixFileMode.UserExecute) == 0),
        "launchers must be executable:");

    private static IEnumerable<string> Scripts => House.Files.Where(f =>
        f is "virga" or "test" or "bench" or "install" or ".ci/run" || f.EndsWith(".sh", StringComparison.Ordinal));

    private static bool IsText(string file)
    {
        using var stream = File.OpenRead(Path.Combine(House.Root, file));
        var start = new byte[4096];
        return start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)).IndexOf((byte)0) < 0;
    }

    private static IEnumerable<string> Find(IEnumerable<string> files, Regex pattern) =>
        from file in files
        from line in House.Lines(file).Index()
        let match = pattern.Match(line.Item)
        where match.Success
        select $"{file}:{line.Index + 1}: {match.Value.Trim()}";

    private static IEnumerable<string> UndocumentedTypes(string file)
    {
        var lines = House.Lines(file);
        for (var i = 0; i < lines.Length; i++)
        {
            var type = PublicType().Match(lines[i]);
            if (!type.Success) continue;
            var above = i - 1;
            while (above >= 0 && IsAttribute(lines[above].Trim())) above--;
            if (above < 0 || !lines[above].TrimStart().StartsWith("///", StringComparison.Ordinal))
                yield return $"{file}:{i + 1}: {type.Groups["name"].Value}";
        }
    }

    private static bool IsAttribute(string line) => line is ['[', ..] or [.., ')', ']'];

    [GeneratedRegex(
        @"^public ((sealed|static|abstract|readonly|partial|unsafe|ref) )*"
        + @"(class|record struct|record|struct|interface|enum|delegate \S+) (?<name>\w+)")]
    private static partial Regex PublicType();

    [GeneratedRegex(@"^namespace [\w.]+\s*\{?$")]
    private static partial Regex BlockNamespace();
}
