using System.Text;
using Virga.Agent.Control;
using Virga.Content;

namespace Virga.Web.Live;

/// <summary>
/// What is in a share or torrent as folders that open, with what of it is chosen. Each change costs what it touches,
/// so that a hundred thousand files answer at once. Not for several threads.
/// </summary>
public sealed class ContentTree
{
    private const int OpenedMost = 60;

    private readonly Node root;
    private readonly List<Node> rows = [];
    private bool isFiltered;

    private ContentTree(Node root)
    {
        this.root = root;
        Show();
    }

    /// <summary>A file, or a folder with what is in it.</summary>
    public sealed class Node(Node? parent, string name, int index, long bytes)
    {
        public Node? Parent { get; } = parent;

        public string Name { get; } = name;

        /// <summary>Its number among the files; below zero of a folder.</summary>
        public int Index { get; } = index;

        public int Depth { get; } = parent is null ? -1 : parent.Depth + 1;

        public List<Node> Children { get; } = [];

        public bool IsFolder => Index < 0;

        /// <summary>Of all that is in it; of a file, its own.</summary>
        public long Bytes { get; set; } = bytes;

        public int Files { get; set; } = index < 0 ? 0 : 1;

        public int ChosenFiles { get; set; }

        public long ChosenBytes { get; set; }

        /// <summary>Files in it that the filter lets through.</summary>
        public int Found { get; set; }

        public bool IsOpen { get; set; }

        /// <summary>true, false or mixed, as screen readers are told.</summary>
        public string Checked => ChosenFiles == 0 ? "false" : ChosenFiles == Files ? "true" : "mixed";
    }

    /// <summary>What is to be seen now, from top to bottom.</summary>
    public IReadOnlyList<Node> Rows => rows;

    public int Files => root.Files;

    public int ChosenFiles => root.ChosenFiles;

    public long ChosenBytes => root.ChosenBytes;

    /// <summary>Files that the filter lets through.</summary>
    public int Found => root.Found;

    /// <summary>What is chosen, as <see cref="FileNumbers"/> writes it; null where that is all of it.</summary>
    public string? Only
    {
        get
        {
            if (root.ChosenFiles == root.Files) return null;
            var chosen = new List<int>(root.ChosenFiles);
            Collect(root, chosen);
            chosen.Sort();
            return FileNumbers.Of(chosen).ToString();
        }
    }

    /// <summary>Takes the time of sorting: not for a page's own thread.</summary>
    public static ContentTree Of(ContentsInfo contents)
    {
        var selected = contents.Selected is null ? null : FileNumbers.Parse(contents.Selected);
        var root = new Node(null, "", -1, 0) { IsOpen = true };
        var folders = new Dictionary<string, Node>(StringComparer.Ordinal) { [""] = root };
        foreach (var file in contents.Files)
        {
            var slash = file.Path.LastIndexOf('/');
            var parent = FolderOf(slash < 0 ? "" : file.Path[..slash]);
            var isChosen = selected?.Contains(file.Index) ?? true;
            parent.Children.Add(new Node(parent, file.Path[(slash + 1)..], file.Index, file.Bytes)
            {
                ChosenFiles = isChosen ? 1 : 0, ChosenBytes = isChosen ? file.Bytes : 0, Found = 1,
            });
        }
        var key = new StringBuilder();
        Sum(root, key);
        for (var only = root; only.Children is [{ IsFolder: true } child]; only = child) child.IsOpen = true;
        if (contents.Files.Count <= OpenedMost) foreach (var folder in folders.Values) folder.IsOpen = true;
        return new ContentTree(root);

        Node FolderOf(string path)
        {
            if (folders.TryGetValue(path, out var known)) return known;
            var slash = path.LastIndexOf('/');
            var parent = FolderOf(slash < 0 ? "" : path[..slash]);
            var folder = folders[path] = new Node(parent, path[(slash + 1)..], -1, 0);
            parent.Children.Add(folder);
            return folder;
        }
    }

    public void Toggle(Node folder)
    {
        folder.IsOpen = !folder.IsOpen;
        Show();
    }

    /// <summary>Chooses a file, or all of a folder that the filter lets through, or takes it out.</summary>
    public void Choose(Node node, bool isChosen)
    {
        var (files, bytes) = (node.ChosenFiles, node.ChosenBytes);
        Set(node, isChosen);
        (files, bytes) = (node.ChosenFiles - files, node.ChosenBytes - bytes);
        for (var above = node.Parent; above is not null; above = above.Parent)
        {
            above.ChosenFiles += files;
            above.ChosenBytes += bytes;
        }
    }

    /// <summary>The same for all that the filter lets through.</summary>
    public void ChooseAll(bool isChosen) => Choose(root, isChosen);

    /// <summary>Shows what a text, or a pattern with * and ?, finds in the paths; all where it is empty.</summary>
    public void Filter(string text)
    {
        text = text.Trim();
        isFiltered = text.Length > 0;
        if (text.AsSpan().IndexOfAny('*', '?') >= 0) FindPaths(root, "", path => FileChoice.Matches(text, path));
        else if (text.Contains('/'))
            FindPaths(root, "", path => path.Contains(text, StringComparison.OrdinalIgnoreCase));
        else FindNames(root, text, isIn: !isFiltered);
        Show();
    }

    private static void Sum(Node folder, StringBuilder key)
    {
        foreach (var child in folder.Children)
        {
            if (child.IsFolder) Sum(child, key);
            folder.Files += child.Files;
            folder.Bytes += child.Bytes;
            folder.ChosenFiles += child.ChosenFiles;
            folder.ChosenBytes += child.ChosenBytes;
            folder.Found += child.Found;
        }
        var keys = new string[folder.Children.Count];
        for (var i = 0; i < keys.Length; i++)
        {
            key.Clear().Append(folder.Children[i].IsFolder ? '0' : '1');
            NaturalOrder.AppendKey(key, folder.Children[i].Name);
            keys[i] = key.ToString();
        }
        var sorted = folder.Children.ToArray();
        Array.Sort(keys, sorted, StringComparer.Ordinal);
        folder.Children.Clear();
        folder.Children.AddRange(sorted);
    }

    private static void Collect(Node node, List<int> chosen)
    {
        if (!node.IsFolder && node.ChosenFiles > 0) chosen.Add(node.Index);
        if (node.ChosenFiles == 0) return;
        foreach (var child in node.Children) Collect(child, chosen);
    }

    private static void Set(Node node, bool isChosen)
    {
        if (node.Found == 0) return;
        if (!node.IsFolder)
        {
            (node.ChosenFiles, node.ChosenBytes) = isChosen ? (1, node.Bytes) : (0, 0);
            return;
        }
        (node.ChosenFiles, node.ChosenBytes) = (0, 0);
        foreach (var child in node.Children)
        {
            Set(child, isChosen);
            node.ChosenFiles += child.ChosenFiles;
            node.ChosenBytes += child.ChosenBytes;
        }
    }

    /// <summary>A text without a slash is in a path where it is in one of its names: none need be joined.</summary>
    /// <param name="isIn">It is in the name of a folder above, so that all in there is found.</param>
    private static void FindNames(Node folder, string text, bool isIn)
    {
        folder.Found = 0;
        foreach (var child in folder.Children)
        {
            var isFound = isIn || child.Name.Contains(text, StringComparison.OrdinalIgnoreCase);
            if (child.IsFolder) FindNames(child, text, isFound);
            else child.Found = isFound ? 1 : 0;
            folder.Found += child.Found;
        }
    }

    private static void FindPaths(Node node, string path, Func<string, bool> isFound)
    {
        if (!node.IsFolder)
        {
            node.Found = isFound(path) ? 1 : 0;
            return;
        }
        node.Found = 0;
        foreach (var child in node.Children)
        {
            FindPaths(child, path.Length == 0 ? child.Name : $"{path}/{child.Name}", isFound);
            node.Found += child.Found;
        }
    }

    private void Show()
    {
        rows.Clear();
        Add(root);

        void Add(Node folder)
        {
            foreach (var child in folder.Children)
            {
                if (child.Found == 0) continue;
                rows.Add(child);
                if (child.IsFolder && (child.IsOpen || isFiltered)) Add(child);
            }
        }
    }
}
