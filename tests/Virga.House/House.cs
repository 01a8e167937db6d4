using System.Runtime.CompilerServices;
using Xunit.Sdk;

namespace Virga.House;

/// <summary>The repository's files, as git would commit them (tracked and new, without ignored ones).</summary>
internal static class House
{
    public static string Root { get; } = FindRoot();

    /// <summary>Paths relative to the root, '/'-separated.</summary>
    public static IReadOnlyList<string> Files { get; } = ListFiles();

    public static IEnumerable<string> Sources => Files.Where(f => f.EndsWith(".cs", StringComparison.Ordinal));

    public static IEnumerable<string> Pages => Files.Where(f => f.EndsWith(".md", StringComparison.Ordinal));

    public static IEnumerable<string> Projects => Files.Where(f => f.EndsWith(".csproj", StringComparison.Ordinal));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    public static string[] Lines(string file) => File.ReadAllLines(Path.Combine(Root, file));

    /// <summary>Fails with every finding on a line of its own.</summary>
    public static void AssertNone(IEnumerable<string> findings, string rule)
    {
        var found = findings.ToList();
        if (found.Count > 0) throw new XunitException(string.Join(Environment.NewLine, found.Take(60).Prepend(rule)));
    }

    private static string FindRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));

    private static List<string> ListFiles()
    {
        string[] left = ["artifacts", ".git", "node_modules", "bin", "obj", "TestResults"];
        var files = new List<string>();
        var folders = new Stack<string>([Root]);
        while (folders.TryPop(out var folder))
        {
            foreach (var inner in Directory.EnumerateDirectories(folder))
                if (!left.Contains(Path.GetFileName(inner), StringComparer.Ordinal)) folders.Push(inner);
            files.AddRange(Directory.EnumerateFiles(folder)
                .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
                .Where(f => f != ".git"));
        }
        files.Sort(StringComparer.Ordinal);
        return files;
    }
}
