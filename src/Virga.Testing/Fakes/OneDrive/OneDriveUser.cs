using System.Globalization;
using Virga.Testing.Fakes.Dropbox;

namespace Virga.Testing.Fakes.OneDrive;

/// <summary>One person's OneDrive, as the fake keeps it and as tests look into it.</summary>
public sealed class OneDriveUser
{
    private readonly TimeProvider clock;
    private readonly Dictionary<(string Parent, string Name), OneDriveItem> index = [];
    private readonly Dictionary<string, (string Id, DateTimeOffset Until)> links = new(StringComparer.Ordinal);
    private long counter;

    internal OneDriveUser(string name, TimeProvider clock, bool isBusiness)
    {
        (Name, this.clock, IsBusiness) = (name, clock, isBusiness);
        DriveId = isBusiness ? $"b!{name}drive" : $"5a{name}drive";
        Root = new OneDriveItem
        {
            Id = $"{DriveId}0root", Name = "root", IsFolder = true, Created = clock.GetUtcNow(),
            Modified = clock.GetUtcNow(), ClientModified = clock.GetUtcNow(),
        };
        Items.Add(Root.Id, Root);
    }

    internal Lock Gate { get; } = new();
    internal string Name { get; }
    internal OneDriveItem Root { get; }
    internal Dictionary<string, OneDriveItem> Items { get; } = new(StringComparer.Ordinal);
    internal Dictionary<string, OneDriveSession> Sessions { get; } = new(StringComparer.Ordinal);

    /// <summary>Ids that changed, in order, and where what went away had been.</summary>
    internal List<(string Id, string? GoneFrom)> Changes { get; } = [];

    internal int OldestChange { get; private set; }

    /// <summary>Every delta link so far is answered with 410.</summary>
    public void ExpireDeltaLinks()
    {
        lock (Gate)
        {
            // A link of now is one of those, too.
            Changes.Add((Root.Id, null));
            OldestChange = Changes.Count;
        }
    }

    /// <summary>Many files at once, below a folder that is made for them.</summary>
    public void AddFiles(string folder, IEnumerable<(string Folder, string Name, byte[] Content)> files)
    {
        lock (Gate)
        {
            var top = Add(Root, folder, isFolder: true);
            foreach (var (name, file, content) in files)
            {
                var blob = new Blob();
                blob.Append(content);
                Add(Child(top, name) ?? Add(top, name, isFolder: true), file, isFolder: false).Fill(blob);
            }
        }
    }

    /// <summary>A OneDrive at work or school, which is a SharePoint; otherwise a personal one.</summary>
    public bool IsBusiness { get; }

    internal string DriveType => IsBusiness ? "business" : "personal";

    /// <summary>Where it is on its server; what stands here counts in the length of a path.</summary>
    internal string ServerFolder => IsBusiness ? $"/personal/{Name}_contoso_com/Documents" : "";

    public string DriveId { get; }

    public long QuotaBytes { get; set; } = 5L << 30;

    /// <summary>Everything below a folder that may not be written: shared by somebody else for reading.</summary>
    public string? ReadOnlyFolder { get; set; }

    public int OpenSessions
    {
        get
        {
            lock (Gate) return Sessions.Count;
        }
    }

    public void EndSessions()
    {
        lock (Gate) Sessions.Clear();
    }

    public void AddNotebook(string name)
    {
        lock (Gate) Add(Root, name, isFolder: true, isNotebook: true);
    }

    /// <summary>Paths of all files, in order.</summary>
    public IReadOnlyList<string> FilePaths()
    {
        lock (Gate)
            return [.. Items.Values.Where(i => !i.IsFolder).Select(i => PathOf(i)[1..]).Order(StringComparer.Ordinal)];
    }

    /// <summary>Where an app with a folder of its own works.</summary>
    internal OneDriveItem AppFolder()
    {
        var apps = Child(Root, "Apps") ?? Add(Root, "Apps", isFolder: true);
        return Child(apps, "Virga") ?? Add(apps, "Virga", isFolder: true);
    }

    internal long UsedBytes => Items.Values.Sum(i => i.Content?.Length ?? 0);

    internal string NextId() => IsBusiness
        ? $"01{Name.ToUpperInvariant()}{(++counter).ToString("X28", CultureInfo.InvariantCulture)}"
        : $"{DriveId}!{(++counter).ToString(CultureInfo.InvariantCulture)}";

    internal string NewLink(OneDriveItem item)
    {
        var id = $"y4m{Name}{(++counter).ToString("x", CultureInfo.InvariantCulture)}";
        // Pre-authenticated URLs live for an hour (learn.microsoft.com/graph/api/driveitem-get-content).
        links[id] = (item.Id, clock.GetUtcNow() + TimeSpan.FromHours(1));
        return id;
    }

    internal OneDriveItem? Linked(string link) =>
        links.TryGetValue(link, out var known) && clock.GetUtcNow() < known.Until
            ? Items.GetValueOrDefault(known.Id) : null;

    internal OneDriveItem? Child(OneDriveItem folder, string name) =>
        index.GetValueOrDefault((folder.Id, DropboxNode.Fold(name)));

    internal IEnumerable<OneDriveItem> ChildrenOf(OneDriveItem folder) =>
        Items.Values.Where(i => i.Parent == folder.Id).OrderBy(i => i.Name, StringComparer.OrdinalIgnoreCase);

    internal long BytesOf(OneDriveItem item) => item.Content?.Length ?? 0;

    internal string PathOf(OneDriveItem item) =>
        item.Parent is null ? "" : $"{PathOf(Items[item.Parent])}/{item.Name}";

    internal OneDriveItem Add(OneDriveItem folder, string name, bool isFolder, bool isNotebook = false)
    {
        var now = clock.GetUtcNow();
        var item = new OneDriveItem
        {
            Id = NextId(), Name = name, Parent = folder.Id, IsFolder = isFolder, IsNotebook = isNotebook,
            Created = now, Modified = now, ClientModified = now,
        };
        Items.Add(item.Id, item);
        index.Add((folder.Id, DropboxNode.Fold(name)), item);
        Changed(item);
        return item;
    }

    internal void Place(OneDriveItem item, OneDriveItem folder, string name)
    {
        index.Remove((item.Parent!, DropboxNode.Fold(item.Name)));
        (item.Parent, item.Name) = (folder.Id, name);
        index.Add((folder.Id, DropboxNode.Fold(name)), item);
        item.Version++;
        Changed(item);
    }

    internal void Changed(OneDriveItem item) => Changes.Add((item.Id, null));

    /// <summary>Of what lay in it nothing is told.</summary>
    internal void Remove(OneDriveItem item)
    {
        Changes.Add((item.Id, item.Parent));
        Drop(item);
    }

    private void Drop(OneDriveItem item)
    {
        foreach (var child in Items.Values.Where(i => i.Parent == item.Id).ToList()) Drop(child);
        Items.Remove(item.Id);
        index.Remove((item.Parent!, DropboxNode.Fold(item.Name)));
    }

    internal void CheckWritable(OneDriveItem folder)
    {
        if (ReadOnlyFolder is { } shared && (PathOf(folder) + "/").StartsWith(
            $"/{shared}/", StringComparison.OrdinalIgnoreCase))
            throw OneDriveProblem.Denied();
    }
}
