namespace Virga.Testing.Vectors;

/// <summary>Holds spec/v1/vectors to what a generator makes.</summary>
public static class VectorFolder
{
    /// <summary>Set to 1, the vectors are written anew before they are compared.</summary>
    public const string WriteVariable = "VIRGA_WRITE_VECTORS";

    /// <summary>
    /// What is wrong between the committed files of these types and the generated ones; empty when they are the same,
    /// byte for byte. A vector that no generator makes any more counts as wrong.
    /// </summary>
    public static IReadOnlyList<string> Differences(
        IReadOnlyList<VectorFile> generated, IReadOnlyCollection<string> types)
    {
        var folder = VectorFile.Folder();
        if (Environment.GetEnvironmentVariable(WriteVariable) == "1") Write(generated, types, folder);
        var differences = new List<string>();
        foreach (var vector in generated)
        {
            var path = Path.Combine(folder, vector.Name + ".txt");
            if (!File.Exists(path)) differences.Add($"{vector.Name} is missing");
            else if (File.ReadAllText(path) != vector.Encode())
                differences.Add($"{vector.Name} is not what the generator makes");
        }
        var known = generated.Select(vector => vector.Name).ToHashSet(StringComparer.Ordinal);
        differences.AddRange(VectorFile.Load(types).Where(vector => !known.Contains(vector.Name))
            .Select(vector => $"{vector.Name} is left over"));
        return differences;
    }

    private static void Write(IReadOnlyList<VectorFile> generated, IReadOnlyCollection<string> types, string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var old in VectorFile.Load(types)) File.Delete(Path.Combine(folder, old.Name + ".txt"));
        foreach (var vector in generated)
            File.WriteAllText(Path.Combine(folder, vector.Name + ".txt"), vector.Encode());
    }
}
