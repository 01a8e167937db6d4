using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>One person's Dropbox, as the fake keeps it and as tests look into it.</summary>
public sealed class DropboxUser
{
    private readonly Dictionary<string, DropboxCursor> cursors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DropboxSession> sessions = new(StringComparer.Ordinal);
    private DropboxNode? frozen;

    internal DropboxUser(string name, TimeProvider clock)
    {
        Name = name;
        Tree = new DropboxTree(clock);
    }

    internal Lock Gate { get; } = new();

    internal DropboxTree Tree { get; }

    internal Dictionary<string, DropboxSession> Sessions => sessions;

    /// <summary>What copy references lead to.</summary>
    internal string Name { get; }

    /// <summary>Null for no limit.</summary>
    public long? QuotaBytes
    {
        get => Tree.QuotaBytes;
        set => Tree.QuotaBytes = value;
    }

    /// <summary>Everything below a folder that may not be written: shared by somebody else for reading.</summary>
    public string? ReadOnlyFolder { get; set; }

    /// <summary>How many of the next writes are refused with too_many_write_operations.</summary>
    public int WritesRefused { get; set; }

    /// <summary>Sessions that were neither finished nor closed.</summary>
    public int OpenSessions
    {
        get
        {
            lock (Gate) return sessions.Values.Count(s => !s.IsClosed);
        }
    }

    /// <summary>As if their seven days were over.</summary>
    public void EndSessions()
    {
        lock (Gate) sessions.Clear();
    }

    /// <summary>Every cursor so far is answered with reset.</summary>
    public void ResetCursors()
    {
        lock (Gate) cursors.Clear();
    }

    /// <summary>Whether listings lag behind: they show what there was when this was set.</summary>
    public bool AreListingsFrozen
    {
        get => frozen is not null;
        set
        {
            lock (Gate) frozen = value ? Tree.Root : null;
        }
    }

    /// <summary>A file that somebody else's client wrote.</summary>
    public void AddFile(string path, byte[] content)
    {
        var blob = new Blob();
        blob.Append(content);
        lock (Gate) Tree.Commit(path, "overwrite", null, false, null, false, blob, "path");
    }

    /// <summary>A document that has no bytes of its own.</summary>
    public void AddCloudDocument(string path)
    {
        lock (Gate)
        {
            var names = DropboxTree.NamesOf(path, "path", isWrite: true);
            Tree.Put(
                names,
                new DropboxNode(
                    Tree.NextId(), names[^1], null, Tree.NextNumber().ToString("x15", CultureInfo.InvariantCulture),
                    new Blob(), IsDownloadable: false),
                "path");
        }
    }

    /// <summary>All paths of files, folded, in order.</summary>
    public IReadOnlyList<string> FilePaths()
    {
        lock (Gate)
        {
            return [.. DropboxTree.All("", Tree.Root).Where(p => !p.Node.IsFolder)
                .Select(p => $"{p.Parent}/{DropboxNode.Fold(p.Node.Name)}").Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>SHA-256 of each file, in hexadecimal, by its folded path.</summary>
    public IReadOnlyDictionary<string, string> FileHashes()
    {
        lock (Gate)
        {
            return DropboxTree.All("", Tree.Root).Where(p => !p.Node.IsFolder).ToDictionary(
                p => $"{p.Parent}/{DropboxNode.Fold(p.Node.Name)}",
                p => Convert.ToHexStringLower(p.Node.Content!.Hash(HashAlgorithmName.SHA256)));
        }
    }

    internal DropboxNode ListedRoot => frozen ?? Tree.Root;

    internal string Keep(DropboxCursor cursor)
    {
        var id = $"AAF{Tree.NextNumber():x12}{Name}";
        cursors[id] = cursor;
        return id;
    }

    internal DropboxCursor Cursor(string id) =>
        cursors.TryGetValue(id, out var cursor) ? cursor : throw DropboxProblem.Of("reset");
}

/// <summary>Where somebody stands in a listing and in the changes after it. Never changed.</summary>
/// <param name="Folder">Folded path; "" for the root.</param>
/// <param name="Page">What is still to be told of the listing.</param>
/// <param name="Changes">How many changes there were when the listing was begun.</param>
internal sealed record DropboxCursor(
    string Folder, bool IsRecursive, bool TellsDeleted, int Limit, ArraySegment<JsonObject> Page, int Changes);
