using System.Text.Json;

namespace Virga.Core.Tests;

/// <summary>Finds tests/vectors of the source tree.</summary>
internal static class VectorFiles
{
    public static string Folder(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Virga.slnx"))) continue;
            return Path.Combine(folder.FullName, "tests", "vectors", name);
        }
        throw new DirectoryNotFoundException("Virga.slnx is in no folder above the tests");
    }

    /// <summary>All tests of a wycheproof file, each with its group.</summary>
    public static IEnumerable<(JsonElement Group, JsonElement Test)> Wycheproof(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder("wycheproof"), file)));
        var root = document.RootElement.Clone();
        var all = root.GetProperty("testGroups").EnumerateArray()
            .SelectMany(group => group.GetProperty("tests").EnumerateArray().Select(test => (group, test))).ToList();
        Assert.Equal(root.GetProperty("numberOfTests").GetInt32(), all.Count);
        return all;
    }

    public static byte[] Hex(this JsonElement element, string name) =>
        Convert.FromHexString(element.GetProperty(name).GetString()!);

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).ToString();
}
