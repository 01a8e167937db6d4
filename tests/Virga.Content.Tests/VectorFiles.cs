namespace Virga.Content.Tests;

/// <summary>Finds folders of the source tree.</summary>
internal static class VectorFiles
{
    public static string Root { get; } = FindRoot();

    public static string Folder(string name) => Path.Combine(Root, "tests", "vectors", name);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Virga.slnx"))) return folder.FullName;
        }
        throw new DirectoryNotFoundException("Virga.slnx is in no folder above the tests");
    }
}
