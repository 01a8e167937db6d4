namespace Virga.Protocol.Tests;

/// <summary>Finds files of the source tree, wherever the tests were built.</summary>
internal static class SourceTree
{
    public static string Root { get; } = Find();

    public static string Vectors(string name) => Path.Combine(Root, "tests", "vectors", name);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Virga.slnx"))) return folder.FullName;
        }
        throw new DirectoryNotFoundException("Virga.slnx is in no folder above the tests");
    }
}
