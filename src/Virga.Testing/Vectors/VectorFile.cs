using System.Text;

namespace Virga.Testing.Vectors;

/// <summary>
/// One vector of spec/v1/vectors: one file, one case. Header lines <c>name: value</c>, an empty line, the bytes (see
/// the README there). The headers <c>expect</c>, <c>type</c>, <c>comment</c> and <c>data</c> (<c>hex</c> or
/// <c>text</c>) are in every file, in this order; what a type needs more follows.
/// </summary>
public sealed class VectorFile
{
    private const int BytesPerLine = 48;
    private static readonly string[] common = ["expect", "type", "comment", "data"];

    private readonly List<(string Name, string Value)> more;

    private VectorFile(
        string name, string expect, string type, string comment, byte[] data, bool isText,
        IEnumerable<(string, string)> more)
    {
        Name = name;
        Expect = expect;
        Type = type;
        Comment = comment;
        Data = data;
        IsText = isText;
        this.more = [.. more];
    }

    /// <summary>File name without <c>.txt</c>.</summary>
    public string Name { get; }

    /// <summary><c>ok</c>, or the layer that must refuse the bytes.</summary>
    public string Expect { get; }

    public string Type { get; }

    public string Comment { get; }

    public byte[] Data { get; }

    public bool IsText { get; }

    public string Text => Encoding.UTF8.GetString(Data);

    /// <summary>A header that this type needs.</summary>
    public string this[string header] => more.FirstOrDefault(pair => pair.Name == header).Value
        ?? throw new InvalidDataException($"vector {Name} has no header '{header}'");

    public byte[] Hex(string header) => Convert.FromHexString(this[header]);

    public static VectorFile OfBytes(
        string name, string expect, string type, string comment, byte[] data, params (string, string)[] more) =>
        new(name, expect, type, comment, data, isText: false, more);

    public static VectorFile OfText(
        string name, string expect, string type, string comment, string text, params (string, string)[] more) =>
        new(name, expect, type, comment, Encoding.UTF8.GetBytes(text), isText: true, more);

    /// <summary>The folder spec/v1/vectors of the source tree.</summary>
    public static string Folder()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Virga.slnx")))
                return Path.Combine(at.FullName, "spec", "v1", "vectors");
        }
        throw new DirectoryNotFoundException($"Virga.slnx is in no folder above {AppContext.BaseDirectory}");
    }

    /// <summary>All committed vectors of the given types, by name.</summary>
    public static IReadOnlyList<VectorFile> Load(params IReadOnlyCollection<string> types) =>
    [
        .. Directory.GetFiles(Folder(), "*.txt").Order(StringComparer.Ordinal)
            .Select(path => Parse(Path.GetFileNameWithoutExtension(path), File.ReadAllText(path)))
            .Where(vector => types.Contains(vector.Type)),
    ];

    public static VectorFile Parse(string name, string file)
    {
        var end = file.IndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || !file.EndsWith('\n'))
            throw new InvalidDataException($"vector {name} has no empty line behind its header");
        var header = file[..end].Split('\n').Select(line => line.Split(": ", 2)).ToList();
        if (header.Any(pair => pair.Length != 2)
            || !header.Take(common.Length).Select(pair => pair[0]).SequenceEqual(common))
            throw new InvalidDataException(
                $"vector {name}: the header does not start with {string.Join(", ", common)}");
        var body = file[(end + 2)..^1];
        var isText = header[3][1] == "text";
        var data =
            isText ? Encoding.UTF8.GetBytes(body)
                : Convert.FromHexString(body.Replace("\n", "", StringComparison.Ordinal));
        return new VectorFile(
            name, header[0][1], header[1][1], header[2][1], data, isText,
            header.Skip(common.Length).Select(pair => (pair[0], pair[1])));
    }

    /// <summary>The file's content, in the one form that <see cref="Parse"/> reads.</summary>
    public string Encode()
    {
        var file = new StringBuilder();
        string[] values = [Expect, Type, Comment, IsText ? "text" : "hex"];
        foreach (var (name, value) in common.Zip(values).Concat(more))
            file.Append(name).Append(": ").Append(value).Append('\n');
        file.Append('\n');
        if (IsText) return file.Append(Text).Append('\n').ToString();
        foreach (var line in Data.Chunk(BytesPerLine)) file.Append(Convert.ToHexStringLower(line)).Append('\n');
        return Data.Length == 0 ? file.Append('\n').ToString() : file.ToString();
    }
}
