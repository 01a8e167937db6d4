namespace Virga.Accounts.Feeds;

/// <summary>
/// What lies below a folder, as a tree by ids, to which the changes of a feed are applied. A folder that comes in after
/// what lies in it, two that change places, a file that is told of twice: all end as they are in the account. Where the
/// changes don't tell enough, the folder in question is to be listed (<see cref="TakeUnlisted"/>).
/// </summary>
internal sealed class FolderMirror
{
    private readonly Dictionary<string, Node> byId = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Node> skippedIn = new(StringComparer.Ordinal);

    /// <summary>Of items whose folder isn't known, perhaps not yet.</summary>
    private readonly Dictionary<string, Change> pending = new(StringComparer.Ordinal);

    private readonly HashSet<Node> unlisted = [];
    private readonly EntryPath folder;
    private readonly bool tellsAllBelow;
    private readonly Node root = new(new Entry(EntryPath.Root, EntryKind.Folder, 0));

    private FolderMirror(EntryPath folder, bool tellsAllBelow) =>
        (this.folder, this.tellsAllBelow) = (folder, tellsAllBelow);

    public int Count => byId.Count;

    /// <summary>Null when the listing doesn't go with a feed: something in it has no id, or no folder.</summary>
    public static FolderMirror? From(FolderListing listing, bool tellsAllBelow)
    {
        var mirror = new FolderMirror(listing.Folder, tellsAllBelow);
        var folders = new Dictionary<EntryPath, Node> { [listing.Folder] = mirror.root };
        foreach (var entry in listing.Entries)
        {
            if (entry.Id is null || !mirror.byId.TryAdd(entry.Id, new Node(entry))) return null;
            if (entry.Kind == EntryKind.Folder && !folders.TryAdd(entry.Path, mirror.byId[entry.Id])) return null;
        }
        foreach (var entry in listing.Entries)
        {
            if (!folders.TryGetValue(entry.Path.Parent, out var parent)) return null;
            parent.Add(mirror.byId[entry.Id!]);
        }
        foreach (var skipped in listing.Skipped)
        {
            if (!folders.TryGetValue(skipped.Folder, out var parent)) return null;
            mirror.Skip(parent, skipped);
        }
        return mirror;
    }

    public void Apply(IEnumerable<Change> changes)
    {
        foreach (var change in changes)
        {
            pending.Remove(change.Id);
            if (change.IsGone) Lose(change.Id);
            else if (!TryPlace(change)) pending[change.Id] = change;
        }
    }

    /// <summary>All changes were told: what still has no folder lies outside.</summary>
    public void EndChanges()
    {
        for (var before = -1; pending.Count != before;)
        {
            before = pending.Count;
            foreach (var change in pending.Values.ToList())
                if (TryPlace(change)) pending.Remove(change.Id);
        }
        foreach (var id in pending.Keys) Lose(id);
        pending.Clear();
    }

    /// <summary>Folders to list, each with what lies in it now; by what <see cref="Relist"/> wants to hear.</summary>
    public IReadOnlyDictionary<EntryPath, Node> TakeUnlisted()
    {
        var taken = new Dictionary<EntryPath, Node>();
        foreach (var node in unlisted)
            if (PathOf(node) is { } path) taken[path] = node;
        unlisted.Clear();
        return taken;
    }

    /// <summary>A folder holds exactly this. False when something in it has no id.</summary>
    public bool Relist(Node node, FolderWalk.Listed listed)
    {
        // It went somewhere else with another folder that was listed before.
        if (node != root && byId.GetValueOrDefault(node.Entry.Id!) != node) return true;
        foreach (var id in node.Skipped.Select(s => s.Id).OfType<string>()) skippedIn.Remove(id);
        node.Skipped.Clear();
        var left = node.Children.ToHashSet();
        foreach (var entry in listed.Entries)
        {
            if (entry.Id is null) return false;
            if (byId.GetValueOrDefault(entry.Id) is { } known && IsWithin(node, known)) return false;
            left.Remove(Place(node, entry));
        }
        foreach (var gone in left) Remove(gone);
        foreach (var skipped in listed.Skipped) Skip(node, skipped);
        unlisted.Remove(node);
        return true;
    }

    /// <summary>
    /// Everything, each with its path. Null when a folder holds two things of one name, or a path is no path: such
    /// folders are to be listed, and what can't be in a listing is then skipped.
    /// </summary>
    public (List<Entry> Entries, List<SkippedEntry> Skipped)? TryRead()
    {
        var (entries, skipped) = (new List<Entry>(byId.Count), new List<SkippedEntry>());
        var left = new Stack<(Node Node, EntryPath Path)>([(root, folder)]);
        while (left.TryPop(out var at))
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var child in at.Node.Children)
            {
                var name = child.Entry.Path.Name;
                if (!names.Add(name) || !EntryPath.TryParse(at.Path.IsRoot ? name : $"{at.Path}/{name}", out var path))
                {
                    unlisted.Add(at.Node);
                    break;
                }
                if (child.Entry.Path != path) child.Entry = child.Entry with { Path = path };
                entries.Add(child.Entry);
                if (child.Entry.Kind == EntryKind.Folder) left.Push((child, path));
            }
            skipped.AddRange(at.Node.Skipped.Select(s => s with { Folder = at.Path }));
        }
        return unlisted.Count == 0 ? (entries, skipped) : null;
    }

    private bool TryPlace(Change change)
    {
        var parent = change.ParentId is null ? root : byId.GetValueOrDefault(change.ParentId);
        if (parent is not { Entry.Kind: EntryKind.Folder }) return false;
        var known = byId.GetValueOrDefault(change.Id);
        if (known is not null && IsWithin(parent, known)) return false;
        if (skippedIn.TryGetValue(change.Id, out var holder)) unlisted.Add(holder);
        if (change.Entry is { } entry)
        {
            Place(parent, entry with { Id = change.Id });
            return true;
        }
        if (known is not null && known.Parent != parent) Remove(known);
        unlisted.Add(parent);
        return true;
    }

    private Node Place(Node parent, Entry entry)
    {
        if (byId.TryGetValue(entry.Id!, out var node) && node.Entry.Kind != entry.Kind)
        {
            Remove(node);
            node = null;
        }
        if (node is null)
        {
            byId[entry.Id!] = node = new Node(entry);
            if (entry.Kind == EntryKind.Folder && !tellsAllBelow) unlisted.Add(node);
        }
        else
        {
            Touch(node.Parent!);
            node.Parent!.Children.Remove(node);
        }
        node.Entry = entry;
        parent.Add(node);
        Touch(parent);
        return node;
    }

    private void Lose(string id)
    {
        if (byId.TryGetValue(id, out var node)) Remove(node);
        else if (skippedIn.TryGetValue(id, out var holder)) unlisted.Add(holder);
    }

    private void Remove(Node top)
    {
        Touch(top.Parent!);
        top.Parent!.Children.Remove(top);
        var left = new Stack<Node>([top]);
        while (left.TryPop(out var node))
        {
            byId.Remove(node.Entry.Id!);
            unlisted.Remove(node);
            foreach (var id in node.Skipped.Select(s => s.Id).OfType<string>()) skippedIn.Remove(id);
            foreach (var child in node.Children) left.Push(child);
        }
    }

    // What was skipped may stand in the way of what came, or show when that is gone: two of one name.
    private void Touch(Node node)
    {
        if (node.Skipped.Count > 0) unlisted.Add(node);
    }

    private void Skip(Node node, SkippedEntry skipped)
    {
        node.Skipped.Add(skipped);
        if (skipped.Id is not null) skippedIn[skipped.Id] = node;
    }

    private static bool IsWithin(Node node, Node above)
    {
        for (var at = node; at is not null; at = at.Parent)
            if (at == above) return true;
        return false;
    }

    private EntryPath? PathOf(Node node)
    {
        var names = new Stack<string>();
        for (var at = node; at.Parent is not null; at = at.Parent) names.Push(at.Entry.Path.Name);
        var text = string.Join('/', names);
        return text.Length == 0 ? folder
            : EntryPath.TryParse(folder.IsRoot ? text : $"{folder}/{text}", out var path) ? path : null;
    }

    /// <summary>An entry, and where it lies. Its path's last name is right; the rest is when it is read.</summary>
    internal sealed class Node(Entry entry)
    {
        private static readonly HashSet<Node> NoChildren = [];
        private HashSet<Node>? children;

        public Entry Entry { get; set; } = entry;

        public Node? Parent { get; private set; }

        public HashSet<Node> Children => children ?? NoChildren;

        public List<SkippedEntry> Skipped { get; } = [];

        public void Add(Node child)
        {
            (children ??= []).Add(child);
            child.Parent = this;
        }
    }
}
