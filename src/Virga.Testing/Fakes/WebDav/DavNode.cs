namespace Virga.Testing.Fakes.WebDav;

/// <summary>A file or folder. Its server's lock guards it.</summary>
internal sealed class DavNode(string name, bool isFolder)
{
    public string Name { get; set; } = name;

    public bool IsFolder => isFolder;

    public SortedDictionary<string, DavNode> Children { get; } = new(StringComparer.Ordinal);

    public Blob Content { get; set; } = new();

    public string ETag { get; set; } = "";

    public DateTimeOffset Modified { get; set; }

    /// <summary>How many changes there were when it was made.</summary>
    public int Made { get; init; }
}
