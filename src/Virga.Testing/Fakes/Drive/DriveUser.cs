using System.Globalization;

namespace Virga.Testing.Fakes.Drive;

/// <summary>One person's Drive, as the fake keeps it and as tests look into it.</summary>
public sealed class DriveUser
{
    private readonly TimeProvider clock;
    private HashSet<string>? frozen;
    private long counter;

    internal DriveUser(string name, TimeProvider clock)
    {
        (Name, this.clock) = (name, clock);
        RootId = $"0A{name}RootPVA";
        Add(new DriveItem
        {
            Id = RootId, Name = "My Drive", MimeType = DriveItem.Folder, Created = clock.GetUtcNow(),
            Modified = clock.GetUtcNow(),
        });
    }

    internal Lock Gate { get; } = new();
    internal string Name { get; }

    /// <summary>Of the Google account.</summary>
    public string Address => $"{Name}@example.org";

    /// <summary>How many mails told others that something was shared with them.</summary>
    public int Mails { get; internal set; }

    /// <summary>Addresses of those who may read a file beside its owner.</summary>
    public IReadOnlyList<string> ReadersOf(string path)
    {
        lock (Gate) return [.. Items.Values.Single(i => PathOf(i) == path).Readers.Values];
    }

    /// <summary>As its owner would in the browser.</summary>
    public void Share(string path, string address)
    {
        lock (Gate) Items.Values.Single(i => PathOf(i) == path).Readers["1byhand"] = address;
    }

    internal string RootId { get; }
    internal Dictionary<string, DriveItem> Items { get; } = new(StringComparer.Ordinal);
    internal Dictionary<string, DriveSession> Sessions { get; } = new(StringComparer.Ordinal);

    /// <summary>Ids that changed, in order.</summary>
    internal List<string> Changes { get; } = [];

    /// <summary>Tokens before this one are refused.</summary>
    internal int OldestChange { get; private set; }

    /// <summary>Every page token of the log of changes so far is refused.</summary>
    public void ExpireChangeTokens()
    {
        lock (Gate)
        {
            // A token of now is one of those, too.
            Changes.Add(RootId);
            OldestChange = Changes.Count;
        }
    }

    /// <summary>Ids that were generated and are not used yet.</summary>
    internal HashSet<string> Generated { get; } = new(StringComparer.Ordinal);

    /// <summary>Null for an unlimited one. What is in the bin counts.</summary>
    public long? QuotaBytes { get; set; }

    /// <summary>750 GB a day may be uploaded (support.google.com/a/answer/172541); counted down.</summary>
    public long UploadBytesLeft { get; set; } = 750L * 1000 * 1000 * 1000;

    /// <summary>Whether searches lag behind: they find nothing that was made since this was set.</summary>
    public bool AreListingsFrozen
    {
        get => frozen is not null;
        set
        {
            lock (Gate) frozen = value ? [.. Items.Keys] : null;
        }
    }

    public int OpenSessions
    {
        get
        {
            lock (Gate) return Sessions.Values.Count(s => s.Done is null);
        }
    }

    /// <summary>As if their week were over.</summary>
    public void EndSessions()
    {
        lock (Gate) Sessions.Clear();
    }

    /// <summary>Paths of all files that aren't in the bin, in order; one as often as there are files of it.</summary>
    public IReadOnlyList<string> FilePaths()
    {
        lock (Gate)
        {
            return [.. Items.Values.Where(i => i is { IsFolder: false, IsOwned: true } && !IsTrashed(i))
                .Select(PathOf).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Something that wasn't made by a client under test.</summary>
    /// <param name="mimeType">Of a Google document, a shortcut, or of bytes.</param>
    public string AddItem(string path, string mimeType, int bytes = 0)
    {
        lock (Gate)
        {
            var parent = RootId;
            var names = path.Split('/');
            foreach (var name in names[..^1])
            {
                parent = Items.Values.FirstOrDefault(i => i.Parent == parent && i.Name == name && i.IsFolder)?.Id
                    ?? Make(name, DriveItem.Folder, parent).Id;
            }
            var item = Make(names[^1], mimeType, parent);
            if (!item.HasBytes) return item.Id;
            var content = new Blob();
            content.Append(new byte[bytes]);
            item.Fill(content, NextRevision());
            return item.Id;
        }
    }

    /// <summary>As if its owner had taken the right to edit away.</summary>
    public void MakeReadOnly(string id)
    {
        lock (Gate) Items[id].CanEdit = false;
    }

    /// <summary>As if Google had found it to be malware.</summary>
    public void MakeAbusive(string id)
    {
        lock (Gate) Items[id].IsAbusive = true;
    }

    /// <summary>As its owner would in the browser.</summary>
    public void Rename(string id, string name)
    {
        lock (Gate)
        {
            Items[id].Name = name;
            Changes.Add(id);
        }
    }

    /// <summary>Into the bin, as its owner would in the browser.</summary>
    public void Trash(string id)
    {
        lock (Gate)
        {
            Items[id].IsTrashed = true;
            Changes.Add(id);
        }
    }

    /// <summary>Many files at once, below a folder that is made for them.</summary>
    public void AddFiles(string folder, IEnumerable<(string Folder, string Name, byte[] Content)> files)
    {
        lock (Gate)
        {
            var top = Make(folder, DriveItem.Folder, RootId);
            var folders = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (name, file, content) in files)
            {
                if (!folders.TryGetValue(name, out var parent))
                    folders[name] = parent = Make(name, DriveItem.Folder, top.Id).Id;
                var blob = new Blob();
                blob.Append(content);
                Make(file, "application/octet-stream", parent).Fill(blob, NextRevision());
            }
        }
    }

    private DriveItem Make(string name, string mimeType, string parent)
    {
        var now = clock.GetUtcNow();
        return Add(new DriveItem
        {
            Id = NextId(), Name = name, MimeType = mimeType, Parent = parent, Created = now, Modified = now,
        });
    }

    internal DriveItem Add(DriveItem item)
    {
        Items.Add(item.Id, item);
        Changes.Add(item.Id);
        return item;
    }

    internal bool IsListed(DriveItem item) => frozen is null || frozen.Contains(item.Id);

    internal bool IsTrashed(DriveItem item)
    {
        for (var at = item; ; at = Items[at.Parent])
        {
            if (at.IsTrashed) return true;
            if (at.Parent is null || !Items.ContainsKey(at.Parent)) return false;
        }
    }

    internal long UsedBytes =>
        Items.Values.Sum(i => i is { HasBytes: true, IsOwned: true } ? i.Content?.Length ?? 0 : 0);

    internal string NextId() =>
        $"1{(++counter).ToString("x8", CultureInfo.InvariantCulture)}{Name}{new string('Q', 30)}"[..33];

    internal string NextRevision() => $"0B{(++counter).ToString("x10", CultureInfo.InvariantCulture)}REV";

    private string PathOf(DriveItem item) => item.Parent is null || item.Parent == RootId
        ? item.Name
        : $"{PathOf(Items[item.Parent])}/{item.Name}";
}

/// <summary>A resumable upload.</summary>
internal sealed class DriveSession(DateTimeOffset started, string? target, System.Text.Json.Nodes.JsonObject metadata)
{
    /// <summary>developers.google.com/drive/api/guides/manage-uploads: a session's URI ends after one week.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(7);

    /// <summary>The same: chunks are multiples of 256 KB, but for the last one.</summary>
    public const int ChunkMultipleBytes = 256 << 10;

    public DateTimeOffset Started => started;

    /// <summary>The file that gets new content; null for a new file.</summary>
    public string? Target => target;

    public System.Text.Json.Nodes.JsonObject Metadata => metadata;

    public string App { get; init; } = "";

    public DriveFields? Fields { get; init; }

    public long? Total { get; set; }

    public Blob Content { get; } = new();

    public DriveItem? Done { get; set; }
}
